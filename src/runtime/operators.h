#pragma once

#include "graph/registry.h"

namespace onnxrun {

// Every operator of this build. Thread-safe.
const OpRegistry& operators();

}  // namespace onnxrun
