// The layers of ResNet-18 and ResNet-50 and of depthwise, grouped and dilated networks. The argument `cold` makes the
// weights arrive from memory, as they do in a network.
#include <string>
#include <vector>

#include "bench_support.h"
#include "kernels/conv/conv.h"

namespace onnxrun::bench {
namespace {

struct Layer {
  const char* name;
  size_t in, out, size, kernel, stride, pad, group, dilation;
};

constexpr Layer kLayers[] = {
    {"stem_7x7s2", 3, 64, 224, 7, 2, 3, 1, 1},
    {"3x3_64@56", 64, 64, 56, 3, 1, 1, 1, 1},
    {"3x3_128@28", 128, 128, 28, 3, 1, 1, 1, 1},
    {"3x3_256@14", 256, 256, 14, 3, 1, 1, 1, 1},
    {"3x3_512@7", 512, 512, 7, 3, 1, 1, 1, 1},
    {"3x3s2_64_128@56", 64, 128, 56, 3, 2, 1, 1, 1},
    {"3x3s2_128_256@28", 128, 256, 28, 3, 2, 1, 1, 1},
    {"3x3s2_256_512@14", 256, 512, 14, 3, 2, 1, 1, 1},
    {"1x1s2_256_512@56", 256, 512, 56, 1, 2, 0, 1, 1},
    {"1x1_64_256@56", 64, 256, 56, 1, 1, 0, 1, 1},
    {"1x1_256_64@56", 256, 64, 56, 1, 1, 0, 1, 1},
    {"1x1_512_128@28", 512, 128, 28, 1, 1, 0, 1, 1},
    {"1x1_128_512@28", 128, 512, 28, 1, 1, 0, 1, 1},
    {"1x1_1024_256@14", 1024, 256, 14, 1, 1, 0, 1, 1},
    {"1x1_256_1024@14", 256, 1024, 14, 1, 1, 0, 1, 1},
    {"1x1_2048_512@7", 2048, 512, 7, 1, 1, 0, 1, 1},
    {"1x1_512_2048@7", 512, 2048, 7, 1, 1, 0, 1, 1},
    {"depthwise_3x3_32@112", 32, 32, 112, 3, 1, 1, 32, 1},
    {"depthwise_3x3s2_96@112", 96, 96, 112, 3, 2, 1, 96, 1},
    {"depthwise_3x3_384@14", 384, 384, 14, 3, 1, 1, 384, 1},
    {"depthwise_5x5_480@14", 480, 480, 14, 5, 1, 2, 480, 1},
    {"depthwise_3x3_960@7", 960, 960, 7, 3, 1, 1, 960, 1},
    {"grouped_3x3_208@14_g26", 208, 208, 14, 3, 1, 1, 26, 1},
    {"grouped_3x3_128@56_g32", 128, 128, 56, 3, 1, 1, 32, 1},
    {"dilated_3x3_2048_256@33_d18", 2048, 256, 33, 3, 1, 18, 1, 18},
};

void conv(benchmark::State& state, const Layer& layer, bool cold) {
  ConvShape s;
  s.group = layer.group;
  s.in_channels = layer.in;
  s.out_channels = layer.out;
  for (const int axis : {1, 2}) {
    s.input[axis] = layer.size;
    s.kernel[axis] = layer.kernel;
    s.stride[axis] = layer.stride;
    s.pad_begin[axis] = s.pad_end[axis] = layer.pad;
    s.dilation[axis] = layer.dilation;
  }
  const ConvPlan plan = make_conv_plan(s);
  const size_t k = layer.in / layer.group * layer.kernel * layer.kernel;
  const Floats src(layer.in * layer.size * layer.size), weights(layer.out * k), bias(layer.out);
  const Floats dst(layer.out * plan.positions), shared(plan.shared_bytes / sizeof(float));
  const Floats scratch(plan.scratch_bytes / sizeof(float));
  constexpr size_t kMoreThanCaches = size_t{128} << 20;
  const size_t copies = cold ? kMoreThanCaches / plan.packed_weight_bytes + 1 : 1;
  std::vector<Floats> packed;
  for (size_t i = 0; i < copies && i < 4096; ++i) {
    packed.emplace_back(plan.packed_weight_bytes / sizeof(float));
    pack_conv_weights(plan, weights.get(), packed[i].get(), 0, plan.weight_block_count);
  }
  const EpilogueStep relu = {EpilogueKind::relu};
  ConvArgs args;
  args.src = src.get();
  args.dst = dst.get();
  args.epilogue = {bias.get(), nullptr, 0, &relu, 1};
  size_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    args.packed_weights = packed[next++ % packed.size()].get();
    for (size_t i = 0; i < plan.pack_tile_count; ++i) run_conv_pack_tile(plan, args, i, shared.get());
    for (size_t i = 0; i < plan.tile_count; ++i) run_conv_tile(plan, args, i, shared.get(), scratch.get());
    benchmark::ClobberMemory();
  }
  count_operations(state, 2.0 * static_cast<double>(layer.out * plan.positions * k));
  state.counters["tiles"] = static_cast<double>(plan.tile_count);
}

const bool kRegistered = [] {
  for (const bool cold : {false, true}) {
    for (const Layer& layer : kLayers) {
      benchmark::RegisterBenchmark((std::string("conv/") + layer.name + (cold ? "/cold" : "")).c_str(), conv, layer,
                                   cold);
    }
  }
  return true;
}();

}  // namespace
}  // namespace onnxrun::bench
