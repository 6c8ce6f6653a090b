#include "ops/support/random.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <random>

#include "graph/attribute.h"

namespace onnxrun::ops {
namespace {

template <size_t N>
double polynomial(const std::array<double, N>& coefficients, double x) {
  double sum = coefficients[N - 1];
  for (size_t i = N - 1; i-- > 0;) sum = sum * x + coefficients[i];
  return sum;
}

}  // namespace

std::array<uint32_t, 4> RandomStream::block(uint64_t key, std::array<uint32_t, 4> counter) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53;
  constexpr uint32_t kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9;
  constexpr uint32_t kWeyl1 = 0xBB67AE85;
  std::array<uint32_t, 4> x = counter;
  auto key0 = static_cast<uint32_t>(key);
  auto key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{kMultiplier0} * x[0];
    const uint64_t b = uint64_t{kMultiplier1} * x[2];
    x = {static_cast<uint32_t>(b >> 32) ^ x[1] ^ key0, static_cast<uint32_t>(b),
         static_cast<uint32_t>(a >> 32) ^ x[3] ^ key1, static_cast<uint32_t>(a)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return x;
}

void RandomStream::fill(uint64_t first, std::span<uint32_t> words) const {
  for (size_t i = 0; i < words.size();) {
    const uint64_t index = (first + i) / 4;
    const auto four = block(key_, {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, 0});
    for (size_t k = (first + i) % 4; k < 4 && i < words.size(); ++k) words[i++] = four[k];
  }
}

RandomSeed::RandomSeed(AttributeReader& attributes) {
  if (attributes.has("seed")) seed_ = attributes.number("seed", 0);
}

uint64_t RandomSeed::key() const {
  if (seed_) return std::bit_cast<uint32_t>(*seed_);
  // One number from the system, counted on from; the highest bit keeps it apart from every seed.
  static const uint64_t kProcess = std::random_device{}() | (uint64_t{std::random_device{}()} << 32);
  static std::atomic<uint64_t> next{0};
  const uint64_t key = kProcess + next.fetch_add(1, std::memory_order_relaxed);
  return key | uint64_t{1} << 63;
}

void RandomSeed::plan(PlanContext& context, int64_t count, double nanoseconds_each, Draw draw) const {
  context.share(sizeof(uint64_t));
  context.phase(1, 100,
                [seed = *this](const TileContext& tile) { *reinterpret_cast<uint64_t*>(tile.shared) = seed.key(); });
  context.range(count, nanoseconds_each, [draw = std::move(draw)](const TileContext& tile, int64_t begin, int64_t end) {
    draw(tile, RandomStream(*reinterpret_cast<const uint64_t*>(tile.shared)), begin, end);
  });
}

void draw_uniform(const RandomStream& stream, int bits, uint64_t first, std::span<double> dst) {
  constexpr size_t kBlock = 256;
  std::array<uint32_t, kBlock> words;
  const bool is_wide = bits > 32;
  const size_t step = is_wide ? kBlock / 2 : kBlock;
  for (size_t i = 0; i < dst.size(); i += step) {
    const size_t n = std::min(step, dst.size() - i);
    if (is_wide) {
      stream.fill((first + i) * 2, {words.data(), n * 2});
      for (size_t k = 0; k < n; ++k) {
        const uint64_t both = (uint64_t{words[2 * k]} << 32 | words[2 * k + 1]) >> (64 - bits);
        dst[i + k] = std::ldexp(static_cast<double>(both), -bits);
      }
    } else {
      stream.fill(first + i, {words.data(), n});
      const double unit = std::ldexp(1.0, -bits);
      for (size_t k = 0; k < n; ++k) dst[i + k] = static_cast<double>(words[k] >> (32 - bits)) * unit;
    }
  }
}

double normal_quantile(double p) {
  constexpr std::array<double, 8> kCentre = {
      3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
      4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3};
  constexpr std::array<double, 8> kCentreBelow = {1.0,
                                                  4.2313330701600911252e+1,
                                                  6.8718700749205790830e+2,
                                                  5.3941960214247511077e+3,
                                                  2.1213794301586595867e+4,
                                                  3.9307895800092710610e+4,
                                                  2.8729085735721942674e+4,
                                                  5.2264952788528545610e+3};
  constexpr std::array<double, 8> kTail = {
      1.42343711074968357734e0, 4.63033784615654529590e0,  5.76949722146069140550e0,  3.64784832476320460504e0,
      1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr std::array<double, 8> kTailBelow = {1.0,
                                                2.05319162663775882187e0,
                                                1.67638483018380384940e0,
                                                6.89767334985100004550e-1,
                                                1.48103976427480074590e-1,
                                                1.51986665636164571966e-2,
                                                5.47593808499534494600e-4,
                                                1.05075007164441684324e-9};
  constexpr std::array<double, 8> kFar = {
      6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,  2.96560571828504891230e-1,
      2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr std::array<double, 8> kFarBelow = {1.0,
                                               5.99832206555887937690e-1,
                                               1.36929880922735805310e-1,
                                               1.48753612908506148525e-2,
                                               7.86869131145613259100e-4,
                                               1.84631831751005468180e-5,
                                               1.42151175831644588870e-7,
                                               2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kCentre, r) / polynomial(kCentreBelow, r);
  }
  const double r = std::sqrt(-std::log(std::min(p, 1 - p)));
  const double z = r <= 5 ? polynomial(kTail, r - 1.6) / polynomial(kTailBelow, r - 1.6)
                          : polynomial(kFar, r - 5) / polynomial(kFarBelow, r - 5);
  return q < 0 ? -z : z;
}

int significant_bits(DType dtype) {
  switch (dtype) {
    case DType::float64:
      return 53;
    case DType::float32:
      return 24;
    case DType::float16:
      return 11;
    default:
      return 8;
  }
}

}  // namespace onnxrun::ops
