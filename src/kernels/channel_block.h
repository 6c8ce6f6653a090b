#pragma once

#include <cstddef>

namespace onnxrun {

// Channels that channel-blocked maps keep side by side: the floats of a vector of the selected instruction set. A
// blocked map [N, C, D, H, W] is stored as [N, ceil(C / block), D, H, W, block]; what stands in the channels behind C
// is not read. Thread-safe.
size_t channel_block();

// Whether the selected instruction set has convolutions of bytes in such blocks: see ByteTileKernels. Thread-safe.
bool has_byte_convolutions();

}  // namespace onnxrun
