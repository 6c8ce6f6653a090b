// Convolutions of bytes against plain loops, to the last bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/channel_block.h"
#include "kernels/conv/blocked_conv.h"
#include "kernels/conv/byte_blocks.h"
#include "kernels/conv/byte_depthwise.h"
#include "kernels/conv_problem.h"

namespace onnxrun::testing {
namespace {

struct ByteProblem {
  ConvShape shape;
  std::vector<uint8_t> src;
  std::vector<int8_t> weights;
  std::vector<float> scale, shift;  // with room for whole blocks
  uint8_t zero = 0;
  ByteTileEnd end;

  ByteProblem(const ConvShape& s, Random& random) : shape(s) {
    const size_t k = s.in_channels / s.group * elements(s.kernel);
    for (size_t i = s.batch * s.in_channels * elements(s.input); i > 0; --i) {
      src.push_back(static_cast<uint8_t>(random.integer(0, 255)));
    }
    for (size_t i = s.out_channels * k; i > 0; --i) {
      weights.push_back(static_cast<int8_t>(static_cast<int>(random.integer(0, 255)) - 128));
    }
    const size_t channels = (s.out_channels + channel_block() - 1) / channel_block() * channel_block();
    const float unit = 1 / (60 * std::sqrt(static_cast<float>(k)) + 1);
    scale = random.floats(channels, 0.1F * unit, unit);
    shift = random.floats(channels, -30, 30);
    zero = static_cast<uint8_t>(random.integer(0, 255));
    const auto end_zero = static_cast<int32_t>(random.integer(0, 255));
    const auto low = static_cast<float>(random.integer(0, 20)), high = static_cast<float>(random.integer(200, 255));
    end = {scale.data(), shift.data(), end_zero, low - static_cast<float>(end_zero),
           high - static_cast<float>(end_zero)};
  }

  size_t positions() const {
    return conv_output_extent(shape, 0) * conv_output_extent(shape, 1) * conv_output_extent(shape, 2);
  }

  // Output (image, channel, position): the number that its sum stands for.
  float number(size_t image, size_t channel, size_t position) const {
    const ConvShape& s = shape;
    const size_t group_in = s.in_channels / s.group, group_out = s.out_channels / s.group;
    const size_t out[3] = {position / (conv_output_extent(s, 1) * conv_output_extent(s, 2)),
                           position / conv_output_extent(s, 2) % conv_output_extent(s, 1),
                           position % conv_output_extent(s, 2)};
    int32_t sum = 0;
    for (size_t c = 0; c < group_in; ++c) {
      const size_t map = image * s.in_channels + channel / group_out * group_in + c;
      for (size_t tap = 0; tap < elements(s.kernel); ++tap) {
        const size_t taps[3] = {tap / (s.kernel[1] * s.kernel[2]), tap / s.kernel[2] % s.kernel[1], tap % s.kernel[2]};
        size_t at = map;
        bool is_inside = true;
        for (int axis = 0; axis < 3; ++axis) {
          const size_t x = out[axis] * s.stride[axis] + taps[axis] * s.dilation[axis] - s.pad_begin[axis];
          is_inside = is_inside && x < s.input[axis];
          at = at * s.input[axis] + x;
        }
        if (!is_inside) continue;
        sum += (int32_t{src[at]} - zero) * weights[(channel * group_in + c) * elements(s.kernel) + tap];
      }
    }
    return std::fma(static_cast<float>(sum), scale[channel], shift[channel]);
  }

  uint8_t byte(float number) const {
    return static_cast<uint8_t>(std::nearbyint(std::clamp(number, end.low, end.high)) + static_cast<float>(end.zero));
  }

  std::vector<uint8_t> blocked(size_t block) const {
    const size_t blocks = (shape.in_channels + block - 1) / block, size = elements(shape.input);
    std::vector<uint8_t> result(shape.batch * blocks * size * block);
    if (!result.empty()) {
      block_bytes(src.data(), result.data(), shape.in_channels, size, block, 0, shape.batch * blocks);
    }
    return result;
  }

  // Compares dst, [batch, blocks, positions, block].
  template <class T>
  void expect_result(const T* dst) const {
    const size_t b = channel_block(), blocks = (shape.out_channels + b - 1) / b;
    for (size_t image = 0; image < shape.batch; ++image) {
      for (size_t channel = 0; channel < shape.out_channels; ++channel) {
        for (size_t position = 0; position < positions(); ++position) {
          const T got = dst[((image * blocks + channel / b) * positions() + position) * b + channel % b];
          const float expected = number(image, channel, position);
          if constexpr (sizeof(T) == 1) {
            ASSERT_EQ(int{got}, int{byte(expected)}) << image << " " << channel << " " << position;
          } else {
            ASSERT_EQ(got, expected) << image << " " << channel << " " << position;
          }
        }
      }
    }
  }
};

class ByteConvTest : public IsaTest {
 public:
  // The instruction sets that have such kernels.
  static std::vector<Isa> all() {
    std::vector<Isa> result;
    for (const Isa isa : IsaTest::all()) {
      set_isa_cap_for_testing(isa);
      if (has_byte_convolutions()) result.push_back(isa);
    }
    set_isa_cap_for_testing(strongest());
    return result;
  }

 protected:
  void check(const ConvShape& shape) {
    SCOPED_TRACE(describe(shape) + " seed " + std::to_string(random_.seed()));
    const ByteProblem problem(shape, random_);
    for (const bool plain_input : {false, true}) {
      if (plain_input && shape.group > 1) continue;
      SCOPED_TRACE(plain_input ? "in fours" : "in blocks");
      run<uint8_t>(problem, plain_input);
      run<float>(problem, plain_input);
    }
  }

  void check_depthwise(ConvShape shape) {
    shape.group = shape.in_channels = shape.out_channels;
    SCOPED_TRACE(describe(shape) + " seed " + std::to_string(random_.seed()));
    ASSERT_TRUE(has_byte_depthwise(shape));
    const ByteProblem problem(shape, random_);
    const ByteDepthwisePlan plan = make_byte_depthwise_plan(shape, problem.zero);
    const Buffer<std::byte> weights(plan.packed_weight_bytes), scratch(plan.scratch_bytes);
    pack_byte_depthwise_weights(plan, problem.weights.data(), weights.get(), 1, plan.blocks);
    pack_byte_depthwise_weights(plan, problem.weights.data(), weights.get(), 0, 1);
    const std::vector<uint8_t> src = problem.blocked(channel_block());
    const Buffer<uint8_t> dst(shape.batch * plan.blocks * problem.positions() * plan.block);
    const ByteDepthwiseArgs args{src.data(), weights.get(), dst.get(), problem.end};
    for (size_t i = plan.tile_count; i-- > 0;) run_byte_depthwise(plan, args, i, scratch.get());
    problem.expect_result(dst.get());
  }

  Random random_;

 private:
  template <class T>
  static void run(const ByteProblem& problem, bool plain_input) {
    const ConvShape& s = problem.shape;
    const BlockedConvPlan plan = make_byte_conv_plan(s, plain_input, sizeof(T) > 1, problem.zero);
    const Buffer<float> packed(plan.packed_weight_bytes / sizeof(float));
    const size_t half = plan.panel_count / 2;
    const auto pack = [&](size_t begin, size_t end) {
      pack_byte_weights(plan, problem.weights.data(), s.in_channels / s.group, packed.get(), begin, end);
    };
    pack(half, plan.panel_count);
    pack(0, half);
    const std::vector<uint8_t> src = problem.blocked(plain_input ? 4 : channel_block());
    const Buffer<char> shared(plan.shared_bytes), scratch(plan.scratch_bytes);
    const size_t blocks = (s.out_channels + channel_block() - 1) / channel_block();
    const Buffer<T> dst(s.batch * blocks * problem.positions() * channel_block());
    BlockedConvArgs args;
    args.src = reinterpret_cast<const float*>(src.data());
    args.packed_weights = packed.get();
    args.dst = reinterpret_cast<float*>(dst.get());
    args.end = problem.end;
    for (size_t i = plan.pack_tile_count; i-- > 0;) run_blocked_pack(plan, args, i, shared.get());
    for (size_t i = plan.tile_count; i-- > 0;) run_blocked_conv(plan, args, i, shared.get(), scratch.get());
    problem.expect_result(dst.get());
  }
};

TEST_P(ByteConvTest, LayersOfNetworks) {
  check(square(3, 16, 32, 7, 2, 3));
  check(square(16, 24, 14, 3, 1, 1));
  check(square(64, 64, 7, 3, 1, 1));
  check(square(160, 96, 7, 1));
  check(square(32, 48, 15, 1, 2));
  check(square(32, 48, 15, 3, 2, 1));
  check(square(3, 96, 47, 11, 4, 2));
  check(square(9, 40, 32, 8, 8));
  ConvShape s = square(64, 96, 13, 3, 1, 1);
  s.group = 2;
  check(s);
}

TEST_P(ByteConvTest, PaddingIsTheZeroPoint) {
  ConvShape s = square(20, 34, 5, 3, 1, 24);
  s.dilation[1] = s.dilation[2] = 24;  // most taps read nothing else
  check(s);
  check(square(5, 6, 0, 1, 1, 1));  // and here all
}

TEST_P(ByteConvTest, RandomShapes) {
  for (int round = 0; round < 60; ++round) {
    ConvShape s;
    s.batch = random_.integer(1, 2);
    s.in_channels = random_.integer(1, 40);
    s.out_channels = random_.integer(1, 70);
    for (int axis = static_cast<int>(random_.integer(0, 2)); axis < 3; ++axis) {
      s.input[axis] = random_.integer(1, axis == 2 ? 30 : 7);
      s.kernel[axis] = random_.integer(1, 4);
      s.stride[axis] = random_.one_of({1, 1, 2, 3});
      s.dilation[axis] = random_.one_of({1, 1, 2, 7});
      s.pad_begin[axis] = random_.integer(0, 4);
      s.pad_end[axis] = random_.integer(0, 4);
    }
    check(s);
    if (HasFatalFailure()) return;
  }
}

TEST_P(ByteConvTest, OneColumn) {
  for (int round = 0; round < 60; ++round) {
    ConvShape s;
    s.in_channels = random_.integer(1, 40);
    s.out_channels = random_.integer(1, 70);
    s.input[1] = random_.integer(6, 60);
    s.input[2] = random_.integer(1, 30);
    s.kernel[1] = random_.integer(1, 5);
    s.kernel[2] = random_.integer(1, s.input[2]);
    s.stride[1] = random_.one_of({1, 1, 2, 3});
    s.pad_begin[1] = random_.integer(0, 3);
    s.pad_end[2] = random_.integer(0, 3);
    while (conv_output_extent(s, 2) > 1) ++s.stride[2];
    check(s);
    if (HasFatalFailure()) return;
  }
}

TEST_P(ByteConvTest, ZeroExtents) {
  ConvShape s = square(4, 6, 9, 3, 1, 1);
  s.batch = 0;
  check(s);
  check(square(4, 6, 2, 3));  // the kernel does not fit
}

TEST_P(ByteConvTest, Depthwise) {
  for (const size_t size : {1, 2, 7, 14, 33, 67}) {
    for (const size_t kernel : {1, 2, 3, 5, 7}) {
      for (const size_t stride : {1, 2, 3}) {
        ConvShape s = square(21, 21, size, kernel, stride, kernel / 2);
        check_depthwise(s);
        s.dilation[1] = 2;
        s.pad_begin[2] = 3;
        s.batch = 2;
        if (conv_output_extent(s, 1) > 0) check_depthwise(s);
        if (HasFatalFailure()) return;
      }
    }
  }
  ConvShape row;
  row.out_channels = 40;
  row.input[2] = 100;
  row.kernel[2] = 9;
  row.pad_end[2] = 8;
  check_depthwise(row);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ByteConvTest);
INSTANTIATE_TEST_SUITE_P(Isa, ByteConvTest, ::testing::ValuesIn(ByteConvTest::all()), ByteConvTest::name);

TEST(ByteBlocks, BytesGoToBlocksAndBack) {
  for (const size_t channels : {1, 3, 4, 16, 21, 40}) {
    for (const size_t positions : {1, 15, 16, 33, 300}) {
      for (const size_t block : {4, 8, 16}) {
        SCOPED_TRACE(std::to_string(channels) + " " + std::to_string(positions) + " " + std::to_string(block));
        std::vector<uint8_t> src(2 * channels * positions);
        for (size_t i = 0; i < src.size(); ++i) src[i] = static_cast<uint8_t>(i * 7 + i / 251);
        const size_t blocks = (channels + block - 1) / block;
        std::vector<uint8_t> there(2 * blocks * positions * block), back(src.size());
        block_bytes(src.data(), there.data(), channels, positions, block, 0, 2 * blocks);
        for (size_t i = 0; i < src.size(); ++i) {
          const size_t image = i / positions / channels, c = i / positions % channels;
          ASSERT_EQ(there[((image * blocks + c / block) * positions + i % positions) * block + c % block], src[i]) << i;
        }
        unblock_bytes(there.data(), back.data(), channels, positions, block, 0, 2 * blocks);
        EXPECT_EQ(back, src);
      }
    }
  }
}

TEST(ByteBlocks, MaximumOfSteps) {
  const std::vector<uint8_t> src = {9, 1, 200, 3, 7, 7, 7, 7, 8, 2, 100, 255, 0, 0, 0, 0, 1, 3, 5, 7};
  std::vector<uint8_t> dst = {5, 5, 5, 5, 5, 5, 5, 5};
  max_of_bytes(src.data(), 8, 2, 4, dst.data());
  EXPECT_EQ(dst, (std::vector<uint8_t>{9, 5, 200, 5, 8, 5, 100, 255}));
  std::vector<uint8_t> wide(21, 100), twice(42);
  for (size_t i = 0; i < twice.size(); ++i) twice[i] = static_cast<uint8_t>(i * 6);
  max_of_bytes(twice.data() + 21, 0, 1, 21, wide.data());
  for (size_t i = 0; i < wide.size(); ++i) EXPECT_EQ(wide[i], std::max<uint8_t>(100, twice[21 + i])) << i;
}

}  // namespace
}  // namespace onnxrun::testing
