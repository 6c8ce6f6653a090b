#pragma once

#include <cstddef>
#include <cstdint>

namespace onnxrun {

// Copies plain maps of bytes [N, C, positions] to [N, ceil(C / block), positions, block], anything behind C, and back:
// maps [begin, end) of N * ceil(C / block). `block` is a multiple of 4. Thread-safe.
void block_bytes(const uint8_t* src, uint8_t* dst, size_t channels, size_t positions, size_t block, size_t begin,
                 size_t end) noexcept;
void unblock_bytes(const uint8_t* src, uint8_t* dst, size_t channels, size_t positions, size_t block, size_t begin,
                   size_t end) noexcept;

// dst[i * lanes + l] = max of src[i * src_step + l] and itself for i < n, l < lanes: a tap of a maximum over a map in
// blocks of bytes.
void max_of_bytes(const uint8_t* src, size_t src_step, size_t n, size_t lanes, uint8_t* dst) noexcept;

}  // namespace onnxrun
