#include "kernels/conv/blocked_conv.h"

#include <gtest/gtest.h>

#include "kernels/conv/blocked_grouped.h"
#include "kernels/conv/winograd.h"
#include "kernels/conv_problem.h"

namespace onnxrun::testing {
namespace {

size_t blocks_of(size_t channels) { return (channels + channel_block() - 1) / channel_block(); }

std::vector<float> blocked(const std::vector<float>& plain, size_t batch, size_t channels) {
  const size_t maps = batch * blocks_of(channels);
  const size_t positions = batch * channels == 0 ? 0 : plain.size() / batch / channels;
  std::vector<float> result(maps * positions * channel_block());
  block_channels(plain.data(), result.data(), channels, positions, 0, maps);
  return result;
}

// Runs f(args) on blocked operands.
template <class F>
void run_blocked(ConvProblem& problem, bool plain_input, const F& f) {
  const ConvShape& s = problem.shape;
  const std::vector<float> src = plain_input ? problem.src : blocked(problem.src, s.batch, s.in_channels);
  const std::vector<float> residual = blocked(problem.residual, s.batch, s.out_channels);
  std::vector<float> dst(residual.size(), std::numeric_limits<float>::quiet_NaN());
  BlockedConvArgs args{src.data(), nullptr, dst.data(), problem.args(nullptr).epilogue};
  args.epilogue.residual = residual.data();
  f(args);
  const size_t maps = s.batch * blocks_of(s.out_channels);
  const size_t positions = conv_output_extent(s, 0) * conv_output_extent(s, 1) * conv_output_extent(s, 2);
  unblock_channels(dst.data(), problem.dst.data(), s.out_channels, positions, 0, maps);
}

void run_plan(const ConvProblem& problem, const BlockedConvPlan& plan, BlockedConvArgs& args) {
  const Buffer<float> packed(plan.packed_weight_bytes / sizeof(float));
  // In two parts, the later one first: panels are independent.
  const size_t half = plan.panel_count / 2;
  pack_blocked_weights(plan, problem.weights.data() + plan.weights_before(half), packed.get(), half, plan.panel_count);
  pack_blocked_weights(plan, problem.weights.data(), packed.get(), 0, half);
  const Buffer<char> shared(plan.shared_bytes);
  const Buffer<char> scratch(plan.scratch_bytes);
  args.packed_weights = packed.get();
  for (size_t i = plan.pack_tile_count; i-- > 0;) run_blocked_pack(plan, args, i, shared.get());
  for (size_t i = plan.tile_count; i-- > 0;) run_blocked_conv(plan, args, i, shared.get(), scratch.get());
}

void run_direct(ConvProblem& problem, bool plain_input) {
  const BlockedConvPlan plan = make_blocked_conv_plan(problem.shape, plain_input);
  run_blocked(problem, plain_input, [&](BlockedConvArgs& args) { run_plan(problem, plan, args); });
}

// A blocked input with NaN behind the last channel.
std::vector<float> blocked_before_nan(const ConvProblem& problem) {
  const ConvShape& s = problem.shape;
  const size_t b = channel_block(), blocks = blocks_of(s.in_channels), positions = elements(s.input);
  std::vector<float> src = blocked(problem.src, s.batch, s.in_channels);
  for (size_t i = 0; i < src.size(); ++i) {
    if (i / b / positions % blocks * b + i % b >= s.in_channels) src[i] = std::numeric_limits<float>::quiet_NaN();
  }
  return src;
}

void run_winograd(ConvProblem& problem, size_t m) {
  const WinogradPlan plan = make_winograd_plan(problem.shape, m);
  const Buffer<float> packed(plan.packed_weight_bytes / sizeof(float));
  const size_t half = plan.panel_count / 2;
  pack_winograd_weights(plan, problem.weights.data() + plan.weights_before(half), packed.get(), half, plan.panel_count);
  pack_winograd_weights(plan, problem.weights.data(), packed.get(), 0, half);
  const Buffer<char> shared(plan.shared_bytes);
  const Buffer<char> scratch(plan.scratch_bytes);
  run_blocked(problem, false, [&](BlockedConvArgs& args) {
    args.packed_weights = packed.get();
    for (size_t i = plan.input_tile_count; i-- > 0;) run_winograd_input(plan, args, i, shared.get());
    for (size_t i = plan.tile_count; i-- > 0;) run_winograd(plan, args, i, shared.get(), scratch.get());
  });
}

void run_grouped(ConvProblem& problem) {
  const BlockedGroupedPlan plan = make_blocked_grouped_plan(problem.shape);
  const Buffer<float> packed(plan.packed_weight_bytes / sizeof(float));
  pack_blocked_grouped_weights(plan, problem.weights.data(), packed.get(), 0, blocks_of(problem.shape.in_channels));
  const Buffer<char> scratch(plan.scratch_bytes);
  run_blocked(problem, false, [&](BlockedConvArgs& args) {
    args.packed_weights = packed.get();
    for (size_t i = plan.tile_count; i-- > 0;) run_blocked_grouped(plan, args, i, scratch.get());
  });
}

class BlockedConvTest : public IsaTest {
 protected:
  void check(const ConvShape& shape, const std::vector<EpilogueStep>& steps = {}) {
    SCOPED_TRACE(describe(shape) + " seed " + std::to_string(random_.seed()));
    for (const bool plain_input : {false, true}) {
      SCOPED_TRACE(plain_input ? "plain input" : "blocked input");
      if (!can_block_conv(shape, plain_input)) continue;
      ConvProblem problem(shape, random_);
      problem.steps = steps;
      run_direct(problem, plain_input);
      problem.expect_close_to_reference();
    }
  }
  void check_winograd(const ConvShape& shape, const std::vector<EpilogueStep>& steps = {}) {
    SCOPED_TRACE(describe(shape) + " seed " + std::to_string(random_.seed()));
    for (const size_t m : {2, 4}) {
      SCOPED_TRACE("tiles of " + std::to_string(m));
      ConvProblem problem(shape, random_);
      problem.steps = steps;
      run_winograd(problem, m);
      problem.expect_close_to_reference(8);
    }
  }

  void check_grouped(const ConvShape& shape, const std::vector<EpilogueStep>& steps = {}) {
    SCOPED_TRACE(describe(shape) + " seed " + std::to_string(random_.seed()));
    ConvProblem problem(shape, random_);
    problem.steps = steps;
    run_grouped(problem);
    problem.expect_close_to_reference();
  }

  Random random_;
};

TEST_P(BlockedConvTest, ChannelsGoToBlocksAndBack) {
  const std::vector<float> src = random_.floats(size_t{2} * 21 * 15);
  const std::vector<float> there = blocked(src, 2, 21);
  const size_t b = channel_block();
  for (const size_t c : {0, 5, 20}) {
    EXPECT_EQ(there[((blocks_of(21) + c / b) * 15 + 7) * b + c % b], src[(21 + c) * 15 + 7]) << "channel " << c;
  }
  std::vector<float> back(src.size());
  unblock_channels(there.data(), back.data(), 21, 15, 0, 2 * blocks_of(21));
  EXPECT_EQ(back, src);
}

TEST_P(BlockedConvTest, LayersOfNetworks) {
  check(square(3, 16, 32, 7, 2, 3));
  check(square(16, 24, 14, 3, 1, 1));
  check(square(64, 64, 7, 3, 1, 1));
  check(square(160, 96, 7, 3, 1, 1));
  check(square(64, 64, 28, 1));
  check(square(32, 48, 15, 1, 2));
  check(square(32, 48, 15, 3, 2, 1));
  check(square(3, 96, 47, 11, 4, 2));  // more taps than are ever left out
  check(square(3, 40, 32, 8, 8));
}

// From a plain input these have lanes of outputs, where a row has as many.
TEST_P(BlockedConvTest, FewOutputChannels) {
  const std::vector<EpilogueStep> steps = {{EpilogueKind::add_residual}, {EpilogueKind::tanh}};
  for (const size_t outputs : {1, 2, 3, 4, 5, 6, 7, 8, 9}) {
    check(square(1, outputs, 28, 5, 1, 2));
    check(square(3, outputs, 37, 3), steps);
    check(square(2, outputs, 9, 1, 1), {{EpilogueKind::relu}});
    ConvShape s = square(600, outputs, 20, 3, 1, 6);
    s.dilation[1] = s.dilation[2] = 6;
    s.stride[1] = 2;
    s.batch = 2;
    check(s);
    ConvShape row;
    row.in_channels = 3;
    row.out_channels = outputs;
    row.input[2] = 150;
    row.kernel[2] = 7;
    check(row, {{EpilogueKind::relu}});
    ConvShape volume = square(2, outputs, 19, 3, 1, 1);
    volume.input[0] = 4;
    volume.kernel[0] = 3;
    volume.pad_begin[0] = volume.pad_end[0] = 1;
    check(volume);
  }
}

TEST_P(BlockedConvTest, Grouped) {
  ConvShape s = square(64, 128, 13, 3, 1, 1);
  for (const size_t group : {2, 4}) {
    s.group = group;
    ASSERT_TRUE(can_block_conv(s, false));
    check(s);
  }
}

TEST_P(BlockedConvTest, BatchesAndLongRows) {
  ConvShape s = square(24, 40, 9, 3, 1, 1);
  s.batch = 3;
  check(s);
  ConvShape row;
  row.in_channels = 20;
  row.out_channels = 36;
  row.input[2] = 700;
  row.kernel[2] = 5;
  row.pad_begin[2] = row.pad_end[2] = 2;
  check(row);
  row.stride[2] = 3;
  check(row);
  ConvShape volume = square(17, 33, 8, 3, 1, 1);
  volume.input[0] = 6;
  volume.kernel[0] = 3;
  volume.stride[0] = 2;
  volume.pad_begin[0] = 1;
  check(volume);
  volume.kernel[0] = 1;  // the first and the last map read nothing but padding
  volume.pad_begin[0] = volume.pad_end[0] = 2;
  check(volume);
}

TEST_P(BlockedConvTest, DilationWhereWholeTapsArePadding) {
  ConvShape s = square(40, 24, 33, 3, 1, 24);
  s.dilation[1] = s.dilation[2] = 24;
  check(s);
  check(s, {{EpilogueKind::tanh}});
  s.input[1] = s.input[2] = 5;  // only the middle tap reads anything
  check(s);
  s.pad_begin[1] = s.pad_end[1] = 60;  // some rows read nothing at all
  check(s);
}

TEST_P(BlockedConvTest, TapsThatNeverReadTheInputAreNotPacked) {
  ConvShape s = square(40, 24, 16, 3, 1, 24);
  s.dilation[1] = s.dilation[2] = 24;
  EXPECT_EQ(make_blocked_conv_plan(s, false).packed_weight_bytes,
            make_blocked_conv_plan(square(40, 24, 16, 1), false).packed_weight_bytes);
  check(s);
  s.kernel[1] = 5;  // the last two rows read padding alone, but the first two as well
  s.pad_begin[1] = s.pad_end[1] = 48;
  check(s);
  s.pad_begin[1] = 20;  // less than the dilation: the first row cannot go
  check(s);
  s = square(9, 3, 5, 4, 1, 0);
  s.pad_end[1] = s.pad_begin[2] = 3;
  s.dilation[1] = s.dilation[2] = 3;
  s.input[1] = 7;
  s.input[2] = 7;
  s.stride[1] = s.stride[2] = 8;
  check(s);
}

TEST_P(BlockedConvTest, TilesThatReadNoPaddingNeedNoCopy) {
  ConvShape s = square(40, 72, 24, 3, 1, 12);
  s.dilation[1] = s.dilation[2] = 12;
  EXPECT_EQ(make_blocked_conv_plan(s, false).shared_bytes, 0U);
  check(s, {{EpilogueKind::add_residual}, {EpilogueKind::tanh}});
  s.pad_begin[2] = 17;
  s.pad_end[1] = 3;
  s.input[2] = 31;
  s.batch = 2;
  check(s);
  s.stride[1] = 2;
  check(s);
  s.input[0] = 4;
  s.kernel[0] = 3;
  s.pad_begin[0] = 1;
  s.pad_end[0] = 2;
  check(s);
  for (const int axis : {1, 2}) {
    ConvShape line = square(24, 40, 17, 1);
    line.kernel[axis] = 7;
    line.pad_begin[axis] = line.pad_end[axis] = 3;
    check(line);
  }
}

TEST_P(BlockedConvTest, SumsOverManyChannelsAreCut) {
  const ConvShape s = square(400, 20, 9, 3, 1, 1);
  const BlockedConvPlan plan = make_blocked_conv_plan(s, false);
  EXPECT_LT(plan.stretch, plan.src_blocks);
  check(s);
  check(s, {{EpilogueKind::add_residual}, {EpilogueKind::relu}});
  check(s, {{EpilogueKind::tanh}, {EpilogueKind::add_residual}});
}

TEST_P(BlockedConvTest, ZeroExtents) {
  ConvShape s = square(4, 6, 9, 3, 1, 1);
  s.batch = 0;
  EXPECT_EQ(make_blocked_conv_plan(s, false).tile_count, 0u);
  check(s);
  check(square(4, 6, 2, 3));        // the kernel does not fit
  check(square(4, 6, 0, 1, 1, 1));  // padding only
}

TEST_P(BlockedConvTest, Epilogues) {
  const ConvShape s = square(7, 13, 9, 3, 1, 1);
  check(s, {{EpilogueKind::relu}});
  check(s, {{EpilogueKind::clip, -0.5f, 0.75f}});
  check(s, {{EpilogueKind::leaky_relu, 0.1f}});
  check(s, {{EpilogueKind::add_residual}});
  check(s, {{EpilogueKind::add_residual}, {EpilogueKind::relu}});
  check(s, {{EpilogueKind::relu}, {EpilogueKind::add_residual}});
  check(s, {{EpilogueKind::tanh}, {EpilogueKind::add_residual}, {EpilogueKind::clip, -0.5f, 0.5f}});
}

TEST_P(BlockedConvTest, NothingBehindTheLastChannelIsRead) {
  const ConvShape s = square(channel_block() + 1, 5, 6, 3, 1, 1);
  ConvProblem problem(s, random_);
  const std::vector<float> src = blocked_before_nan(problem);
  const BlockedConvPlan plan = make_blocked_conv_plan(s, false);
  run_blocked(problem, false, [&](BlockedConvArgs& args) {
    args.src = src.data();
    run_plan(problem, plan, args);
  });
  problem.expect_close_to_reference();
}

TEST_P(BlockedConvTest, FewOutputsArePlain) {
  const auto check = [&](ConvShape s, const std::vector<EpilogueStep>& steps = {}) {
    for (s.out_channels = 1; has_dot_tiles(s.out_channels); ++s.out_channels) {
      SCOPED_TRACE(describe(s) + " seed " + std::to_string(random_.seed()));
      ConvProblem problem(s, random_);
      problem.steps = steps;
      const std::vector<float> src = blocked_before_nan(problem);
      BlockedConvArgs args{src.data(), nullptr, problem.dst.data(), problem.args(nullptr).epilogue};
      run_plan(problem, make_blocked_conv_plan(s, false, true), args);
      problem.expect_close_to_reference();
    }
  };
  EXPECT_TRUE(has_dot_tiles(channel_block() / 2 < 4 ? channel_block() / 2 : 4));
  EXPECT_FALSE(has_dot_tiles(5));
  for (const size_t size : {1, 2, 7, 19}) {
    for (const size_t channels : {16, 21}) {
      check(square(channels, 1, size, 1));
      check(square(channels, 1, size, 3, 1, 1), {{EpilogueKind::add_residual}, {EpilogueKind::relu}});
    }
  }
  check(square(40, 1, 30, 9, 1, 4), {{EpilogueKind::tanh}});
  ConvShape s = square(17, 1, 15, 3, 2, 1);
  s.batch = 3;
  check(s);
  s.dilation[1] = 2;
  s.pad_begin[2] = 5;
  check(s, {{EpilogueKind::leaky_relu, 0.1f}});
  s.input[0] = 4;
  s.kernel[0] = 2;
  check(s);
  s = square(17, 1, 20, 3, 1, 9);
  s.dilation[1] = s.dilation[2] = 9;
  check(s);
}

TEST_P(BlockedConvTest, WinogradOnMapsOfAllSizes) {
  for (const size_t size : {1, 4, 7, 13, 14, 30}) check_winograd(square(20, 34, size, 3, 1, 1));
  ConvShape s = square(16, 48, 11, 3);
  check_winograd(s);
  s.batch = 3;
  s.input[2] = 29;
  s.pad_begin[1] = 2;
  s.pad_end[2] = 1;
  check_winograd(s);
  check_winograd(square(96, 160, 28, 3, 1, 1));  // parts and panels are shared
}

TEST_P(BlockedConvTest, WinogradOfDilatedKernels) {
  const auto dilated = [](size_t size, size_t rows, size_t columns) {
    ConvShape s = square(20, 34, size, 3);
    s.dilation[1] = s.pad_begin[1] = s.pad_end[1] = rows;
    s.dilation[2] = s.pad_begin[2] = s.pad_end[2] = columns;
    return s;
  };
  for (const size_t dilation : {2, 3, 5}) check_winograd(dilated(17, dilation, dilation));
  check_winograd(dilated(14, 1, 4), {{EpilogueKind::tanh}, {EpilogueKind::add_residual}});
  check_winograd(dilated(14, 4, 1), {{EpilogueKind::add_residual}, {EpilogueKind::tanh}});
  check_winograd(dilated(9, 12, 12));  // patches behind the map
  ConvShape s = dilated(25, 2, 3);
  s.pad_begin[1] = s.pad_end[2] = 1;
  s.batch = 2;
  check_winograd(s);
  EXPECT_EQ(winograd_tile(dilated(28, 2, 2)), 4U);
  EXPECT_EQ(winograd_tile(dilated(28, 24, 24)), 0U) << "few taps read the map";
}

TEST_P(BlockedConvTest, WinogradEpilogues) {
  const ConvShape s = square(16, 21, 9, 3, 1, 1);
  check_winograd(s, {{EpilogueKind::add_residual}, {EpilogueKind::relu}});
  check_winograd(s, {{EpilogueKind::leaky_relu, 0.1f}});
  check_winograd(s, {{EpilogueKind::tanh}, {EpilogueKind::add_residual}});
}

// The rule of "Numerics": within 8 times the RMS error of the direct sums, on inputs behind a Relu.
TEST_P(BlockedConvTest, WinogradErrorIsBounded) {
  for (const ConvShape& s :
       {square(64, 64, 56, 3, 1, 1), square(128, 128, 28, 3, 1, 1), square(256, 256, 14, 3, 1, 1)}) {
    ConvProblem problem(s, random_);
    for (float& x : problem.src) x = std::max(x, 0.0f);
    std::vector<float> expected(problem.dst.size());
    conv_reference(s, problem.args(expected.data()), problem.weights.data());
    const auto error = [&] {
      double sum = 0;
      for (size_t i = 0; i < expected.size(); ++i)
        sum += std::pow(static_cast<double>(problem.dst[i] - expected[i]), 2);
      return std::sqrt(sum);
    };
    run_direct(problem, false);
    const double direct = error();
    run_winograd(problem, winograd_tile(s));
    EXPECT_LE(error(), 8 * direct) << describe(s) << " seed " << random_.seed();
  }
}

TEST_P(BlockedConvTest, Depthwise) {
  for (const size_t size : {1, 2, 7, 14, 33, 67}) {
    for (const size_t kernel : {1, 2, 3, 5}) {
      for (const size_t stride : {1, 2, 3}) {
        ConvShape s = square(21, 21, size, kernel, stride, kernel / 2);
        s.group = 21;
        check_grouped(s);
        s.dilation[2] = 2;
        s.batch = 2;
        check_grouped(s, {{EpilogueKind::add_residual}, {EpilogueKind::relu}});
        check_grouped(s, {{EpilogueKind::tanh}});
      }
    }
  }
}

TEST_P(BlockedConvTest, NarrowGroups) {
  for (const size_t width : {2, 4, 8}) {
    for (const size_t size : {1, 6, 15, 30}) {
      ConvShape s = square(width * 7, width * 7, size, 3, 1, 1);
      s.group = 7;
      if (!has_narrow_groups(s)) continue;
      check_grouped(s);
      s.stride[1] = s.stride[2] = 2;
      s.batch = 2;
      check_grouped(s, {{EpilogueKind::add_residual}, {EpilogueKind::relu}});
    }
  }
}

TEST_P(BlockedConvTest, RandomShapes) {
  for (int round = 0; round < 150; ++round) {
    ConvShape s;
    s.batch = random_.integer(1, 2);
    s.group = random_.one_of({1, 1, 1, 2});
    s.in_channels = s.group * (s.group > 1 ? 16 * random_.integer(1, 2) : random_.integer(1, 40));
    s.out_channels = s.group * (s.group > 1 ? 16 * random_.integer(1, 3) : random_.integer(1, 70));
    for (int axis = static_cast<int>(random_.integer(0, 2)); axis < 3; ++axis) {
      s.input[axis] = random_.integer(1, axis == 2 ? 40 : 9);
      s.kernel[axis] = random_.integer(1, 4);
      s.stride[axis] = random_.one_of({1, 1, 2, 3, 5});
      s.dilation[axis] = random_.one_of({1, 1, 2, 7});
      s.pad_begin[axis] = random_.integer(0, 4);
      s.pad_end[axis] = random_.integer(0, 4);
    }
    check(s, random_.chance(0.5) ? std::vector<EpilogueStep>{{EpilogueKind::relu}} : std::vector<EpilogueStep>{});
    if (HasFatalFailure()) return;
  }
}

// Rows and columns are exchanged: of the input, the weights and the output.
TEST_P(BlockedConvTest, OneColumn) {
  for (int round = 0; round < 150; ++round) {
    ConvShape s;
    s.batch = random_.integer(1, 2);
    s.group = random_.one_of({1, 1, 2});
    s.in_channels = s.group * (s.group > 1 ? 16 : random_.one_of({1, 2, 16, 21, 40}));
    s.out_channels = s.group * (s.group > 1 ? 16 : random_.integer(1, 70));
    for (int axis = static_cast<int>(random_.integer(0, 1)); axis < 3; ++axis) {
      s.input[axis] = axis == 0 ? random_.integer(1, 4) : axis == 1 ? random_.integer(6, 60) : random_.integer(1, 30);
      s.kernel[axis] = random_.integer(1, axis == 2 ? s.input[2] : 5);
      s.stride[axis] = random_.one_of({1, 1, 2, 3});
      s.dilation[axis] = axis < 2 ? random_.one_of({1, 1, 2}) : 1;
      s.pad_begin[axis] = random_.integer(0, 3);
      s.pad_end[axis] = random_.integer(0, 3);
    }
    if (random_.chance(0.5)) {
      s.kernel[2] = s.input[2];
      s.pad_begin[2] = s.pad_end[2] = 0;
    }
    while (conv_output_extent(s, 2) > 1) ++s.stride[2];
    check(s, random_.chance(0.5) ? std::vector<EpilogueStep>{{EpilogueKind::add_residual}, {EpilogueKind::relu}}
                                 : std::vector<EpilogueStep>{});
    if (HasFatalFailure()) return;
    s.group = s.out_channels = s.in_channels;
    if (s.input[0] == 1 && s.kernel[0] == 1 && s.pad_begin[0] + s.pad_end[0] == 0) check_grouped(s);
  }
}

TEST_P(BlockedConvTest, PlanGivesManyTilesWhenThereIsWork) {
  for (const ConvShape& s : {square(64, 64, 56, 3, 1, 1), square(512, 512, 7, 3, 1, 1), square(2048, 512, 7, 1)}) {
    SCOPED_TRACE(describe(s));
    EXPECT_GE(make_blocked_conv_plan(s, false).tile_count, 16u);
  }
}

ONNXRUN_FOR_EACH_ISA(BlockedConvTest);

}  // namespace
}  // namespace onnxrun::testing
