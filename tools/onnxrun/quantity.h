#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace onnxrun::cli {

// "200ms", "2s", "1.5m", "3" (seconds). \throws Error(usage)
std::chrono::nanoseconds parse_duration(const std::string& text);

// "4096", "64K", "512M", "2G" (powers of 1024, an optional B or iB behind). \throws Error(usage)
size_t parse_size(const std::string& text);

// "0.5", "1/255". \throws Error(usage)
double parse_number(const std::string& text);

// "256 B", "12.5 KiB", "3.4 MiB", ...
std::string size_text(size_t bytes);

}  // namespace onnxrun::cli
