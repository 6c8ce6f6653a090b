#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "graph/operator.h"

namespace onnxrun::ops {

// A sequence of random words, each a function of the key and its own position alone: any part of it can be made at any
// time, by any thread. Philox4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC11.
class RandomStream {
 public:
  explicit RandomStream(uint64_t key) : key_(key) {}

  // Words [first, first + words.size()).
  void fill(uint64_t first, std::span<uint32_t> words) const;

  // The generator itself: the four words of a counter. Words 4i to 4i + 3 of a stream are those of the counter i.
  static std::array<uint32_t, 4> block(uint64_t key, std::array<uint32_t, 4> counter);

 private:
  uint64_t key_;
};

// The attribute `seed` of a random operator. With it every run draws the same numbers, without it each run draws
// others.
class RandomSeed {
 public:
  RandomSeed() = default;
  explicit RandomSeed(AttributeReader& attributes);

  bool is_given() const { return seed_.has_value(); }

  // A key for one run.
  uint64_t key() const;

  // Plans drawing items [0, count) by draw(tile, stream, begin, end), for every item of the run from one stream.
  using Draw = std::function<void(const TileContext&, const RandomStream&, int64_t begin, int64_t end)>;
  void plan(PlanContext& context, int64_t count, double nanoseconds_each, Draw draw) const;

 private:
  std::optional<float> seed_;
};

// Numbers of [0, 1) with `bits` random bits, at most 53: one word each up to 32, two above. Number i of the stream for
// i in [first, first + dst.size()).
void draw_uniform(const RandomStream& stream, int bits, uint64_t first, std::span<double> dst);

// The quantile function of the standard normal distribution, 0 < p < 1, within 1e-15 of it relatively: algorithm AS 241
// (PPND16), M. Wichura, Applied Statistics 37 (1988). Built of plain arithmetic, so that results are alike everywhere.
double normal_quantile(double p);

// Significant bits of a float type.
int significant_bits(DType dtype);

}  // namespace onnxrun::ops
