#pragma once

// Marks what libonnxrun exports.
#define ONNXRUN_API __attribute__((visibility("default")))
