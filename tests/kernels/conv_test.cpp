#include "kernels/conv/conv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/conv_problem.h"

namespace onnxrun::testing {
namespace {

void run(ConvProblem& problem) {
  const ConvPlan plan = make_conv_plan(problem.shape);
  const Buffer<float> packed(plan.packed_weight_bytes / sizeof(float));
  // In two parts, the later one first: blocks are independent.
  const size_t half = plan.weight_block_count / 2;
  pack_conv_weights(plan, problem.weights.data(), packed.get(), half, plan.weight_block_count);
  pack_conv_weights(plan, problem.weights.data(), packed.get(), 0, half);
  const Buffer<char> shared(plan.shared_bytes);
  const Buffer<char> scratch(plan.scratch_bytes);
  ConvArgs a = problem.args(problem.dst.data());
  a.packed_weights = packed.get();
  for (size_t i = plan.pack_tile_count; i-- > 0;) run_conv_pack_tile(plan, a, i, shared.get());
  for (size_t i = plan.tile_count; i-- > 0;) run_conv_tile(plan, a, i, shared.get(), scratch.get());
}

class ConvTest : public IsaTest {
 protected:
  void check(const ConvShape& shape, const std::vector<EpilogueStep>& steps = {}) {
    SCOPED_TRACE(describe(shape) + " seed " + std::to_string(random_.seed()));
    ConvProblem problem(shape, random_);
    problem.steps = steps;
    run(problem);
    problem.expect_close_to_reference();
  }
  Random random_;
};

TEST_P(ConvTest, LayersOfNetworks) {
  check(square(3, 16, 32, 7, 2, 3));
  check(square(16, 24, 14, 3, 1, 1));
  check(square(64, 64, 7, 3, 1, 1));   // several stretches of k
  check(square(160, 96, 7, 3, 1, 1));  // and enough work for two phases
  check(square(64, 64, 28, 1));
  check(square(32, 48, 15, 1, 2));
  check(square(32, 48, 15, 3, 2, 1));
}

TEST_P(ConvTest, Grouped) {
  ConvShape s = square(32, 64, 13, 3, 1, 1);
  for (const size_t group : {2, 4, 16}) {
    s.group = group;
    check(s);
  }
}

TEST_P(ConvTest, Depthwise) {
  for (const size_t size : {1, 2, 7, 14, 33, 67}) {
    for (const size_t kernel : {1, 2, 3, 5}) {
      for (const size_t stride : {1, 2, 3}) {
        ConvShape s = square(5, 5, size, kernel, stride, kernel / 2);
        s.group = 5;
        check(s);
        s.out_channels = 10;
        check(s, {{EpilogueKind::add_residual}, {EpilogueKind::relu}});
      }
    }
  }
}

TEST_P(ConvTest, DepthwiseOfLargePlanesIsCutIntoRows) {
  ConvShape s = square(2, 2, 700, 5, 1, 2);
  s.group = 2;
  check(s);
}

TEST_P(ConvTest, DilationWhereWholeTapsArePadding) {
  ConvShape s = square(40, 24, 33, 3, 1, 24);
  s.dilation[1] = s.dilation[2] = 24;
  check(s);
  check(s, {{EpilogueKind::tanh}});
  s.input[1] = s.input[2] = 5;  // only the middle tap reads anything
  check(s);
  s.pad_begin[1] = s.pad_end[1] = 60;  // some rows read nothing at all
  check(s);
}

TEST_P(ConvTest, KernelInPaddingOnly) {
  ConvShape s = square(3, 4, 2, 2, 1, 3);
  check(s);
  s.group = 1;
  s.in_channels = 1;
  check(s);
}

TEST_P(ConvTest, ZeroExtents) {
  ConvShape s = square(4, 6, 9, 3, 1, 1);
  s.batch = 0;
  EXPECT_EQ(make_conv_plan(s).tile_count, 0u);
  check(s);
  check(square(4, 6, 2, 3));  // the kernel does not fit
  check(square(4, 0, 9, 3, 1, 1));
  check(square(0, 6, 9, 3, 1, 1));  // bias only
  check(square(4, 6, 0, 1, 1, 1));  // padding only
}

TEST_P(ConvTest, Epilogues) {
  const ConvShape s = square(7, 13, 9, 3, 1, 1);
  check(s, {{EpilogueKind::relu}});
  check(s, {{EpilogueKind::clip, -0.5f, 0.75f}});
  check(s, {{EpilogueKind::leaky_relu, 0.1f}});
  check(s, {{EpilogueKind::add_residual}});
  check(s, {{EpilogueKind::add_residual}, {EpilogueKind::relu}});
  check(s, {{EpilogueKind::relu}, {EpilogueKind::add_residual}});
  check(s, {{EpilogueKind::tanh}, {EpilogueKind::add_residual}, {EpilogueKind::clip, -0.5f, 0.5f}});
}

TEST_P(ConvTest, NanOfOneChannelReachesItsOutputsOnly) {
  ConvShape s = square(2, 2, 8, 3, 1, 1);
  s.group = 2;
  ConvProblem problem(s, random_);
  problem.steps = {{EpilogueKind::relu}};
  problem.src[8 * 8 + 20] = std::numeric_limits<float>::quiet_NaN();
  run(problem);
  int nans = 0;
  for (size_t i = 0; i < problem.dst.size(); ++i) {
    nans += std::isnan(problem.dst[i]);
    EXPECT_FALSE(i < 64 && std::isnan(problem.dst[i]));
  }
  EXPECT_EQ(nans, 9);
}

TEST_P(ConvTest, RandomShapes) {
  for (int round = 0; round < 150; ++round) {
    ConvShape s;
    s.batch = random_.integer(1, 2);
    s.group = random_.one_of({1, 1, 1, 2, 3});
    s.in_channels = s.group * random_.integer(1, 20);
    s.out_channels = s.group * random_.integer(1, 20);
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

TEST_P(ConvTest, PlanGivesManyTilesWhenThereIsWork) {
  for (const ConvShape& s : {square(64, 64, 56, 3, 1, 1), square(512, 512, 7, 3, 1, 1), square(2048, 512, 7, 1)}) {
    SCOPED_TRACE(describe(s));
    EXPECT_GE(make_conv_plan(s).tile_count, 16u);
  }
}

ONNXRUN_FOR_EACH_ISA(ConvTest);

}  // namespace
}  // namespace onnxrun::testing
