#pragma once

#include <cstdint>
#include <string>

#include "base/half.h"

namespace onnxrun::ops {

// The shortest decimal text that reads back as the same number; "NaN", "INF", "-INF".
std::string to_text(double value);
std::string to_text(float value);
std::string to_text(Half value);
std::string to_text(BFloat16 value);

// The number that `text` is: plain or scientific, or one of the names above in any case.
// \throws Error(run_failed) for anything else.
double parse_double(const std::string& text);
float parse_float(const std::string& text);
// Beyond the range of 64 bits: its nearest end. A fraction is cut off.
int64_t parse_signed(const std::string& text);
uint64_t parse_unsigned(const std::string& text);

}  // namespace onnxrun::ops
