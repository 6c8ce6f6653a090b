#pragma once

#include <string>

namespace onnxrun {

// The build identifier (hexadecimal) that the linker wrote into the library or program that this code is in, another
// for every build that differs; empty where it wrote none.
std::string build_id();

}  // namespace onnxrun
