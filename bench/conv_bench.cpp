// The layers of ResNet-18 and ResNet-50 and of depthwise, grouped and dilated networks, by each algorithm that takes
// them, and by oneDNN in its own layouts. The argument `cold` makes the weights arrive from memory, as they do in a
// network.
#include <functional>
#include <string>
#include <vector>

#include "bench_support.h"
#include "kernels/conv/blocked_conv.h"
#include "kernels/conv/blocked_grouped.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/winograd.h"
#include "onednn.h"

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

ConvShape shape_of(const Layer& layer) {
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
  return s;
}

// An algorithm's way to run all its tiles one after another.
struct Form {
  size_t packed_bytes = 0, shared_bytes = 0, scratch_bytes = 0;
  std::function<void(const float* weights, float* dst)> pack;
  std::function<void(const BlockedConvArgs& args, void* shared, void* scratch)> run;
};

Form plain(const ConvShape& s) {
  const ConvPlan plan = make_conv_plan(s);
  return {plan.packed_weight_bytes, plan.shared_bytes, plan.scratch_bytes,
          [=](const float* weights, float* dst) { pack_conv_weights(plan, weights, dst, 0, plan.weight_block_count); },
          [=](const BlockedConvArgs& blocked, void* shared, void* scratch) {
            const ConvArgs args{blocked.src, blocked.packed_weights, blocked.dst, blocked.epilogue};
            for (size_t i = 0; i < plan.pack_tile_count; ++i) run_conv_pack_tile(plan, args, i, shared);
            for (size_t i = 0; i < plan.tile_count; ++i) run_conv_tile(plan, args, i, shared, scratch);
          }};
}

Form direct(const ConvShape& s, bool plain_input) {
  const BlockedConvPlan plan = make_blocked_conv_plan(s, plain_input);
  return {plan.packed_weight_bytes, plan.shared_bytes, plan.scratch_bytes,
          [=](const float* weights, float* dst) { pack_blocked_weights(plan, weights, dst, 0, plan.panel_count); },
          [=](const BlockedConvArgs& args, void* shared, void* scratch) {
            for (size_t i = 0; i < plan.pack_tile_count; ++i) run_blocked_pack(plan, args, i, shared);
            for (size_t i = 0; i < plan.tile_count; ++i) run_blocked_conv(plan, args, i, shared, scratch);
          }};
}

// Of bytes, where the processor multiplies them.
Form bytes(const ConvShape& s, bool plain_input) {
  const BlockedConvPlan plan = make_byte_conv_plan(s, plain_input, false, 0);
  const std::vector<float> numbers(s.out_channels + plan.block, 1.0F / 1024);
  return {plan.packed_weight_bytes, plan.shared_bytes, plan.scratch_bytes,
          [=](const float* weights, float* dst) {
            pack_byte_weights(plan, reinterpret_cast<const int8_t*>(weights), s.in_channels / s.group, dst, 0,
                              plan.panel_count);
          },
          [=](BlockedConvArgs args, void* shared, void* scratch) {
            args.end = {numbers.data(), numbers.data(), 0, 0, 255};
            for (size_t i = 0; i < plan.pack_tile_count; ++i) run_blocked_pack(plan, args, i, shared);
            for (size_t i = 0; i < plan.tile_count; ++i) run_blocked_conv(plan, args, i, shared, scratch);
          }};
}

Form winograd(const ConvShape& s, size_t m) {
  const WinogradPlan plan = make_winograd_plan(s, m);
  return {plan.packed_weight_bytes, plan.shared_bytes, plan.scratch_bytes,
          [=](const float* weights, float* dst) { pack_winograd_weights(plan, weights, dst, 0, plan.panel_count); },
          [=](const BlockedConvArgs& args, void* shared, void* scratch) {
            for (size_t i = 0; i < plan.input_tile_count; ++i) run_winograd_input(plan, args, i, shared);
            for (size_t i = 0; i < plan.tile_count; ++i) run_winograd(plan, args, i, shared, scratch);
          }};
}

Form narrow_groups(const ConvShape& s) {
  const BlockedGroupedPlan plan = make_blocked_grouped_plan(s);
  const size_t blocks = (s.in_channels + plan.block - 1) / plan.block;
  return {plan.packed_weight_bytes, 0, plan.scratch_bytes,
          [=](const float* weights, float* dst) { pack_blocked_grouped_weights(plan, weights, dst, 0, blocks); },
          [=](const BlockedConvArgs& args, void*, void* scratch) {
            for (size_t i = 0; i < plan.tile_count; ++i) run_blocked_grouped(plan, args, i, scratch);
          }};
}

void conv(benchmark::State& state, const Layer& layer, const std::function<Form(const ConvShape&)>& make, bool cold) {
  const ConvShape s = shape_of(layer);
  const Form form = make(s);
  const size_t block = channel_block();
  const auto padded = [&](size_t channels) { return (channels + block - 1) / block * block; };
  const size_t positions = conv_output_extent(s, 1) * conv_output_extent(s, 2);
  const size_t k = layer.in / layer.group * layer.kernel * layer.kernel;
  const Floats src(padded(layer.in) * layer.size * layer.size), weights(layer.out * k), bias(layer.out);
  const Floats dst(padded(layer.out) * positions), shared(form.shared_bytes / sizeof(float));
  const Floats scratch(form.scratch_bytes / sizeof(float));
  constexpr size_t kMoreThanCaches = size_t{128} << 20;
  const size_t copies = cold ? kMoreThanCaches / form.packed_bytes + 1 : 1;
  std::vector<Floats> packed;
  for (size_t i = 0; i < copies && i < 4096; ++i) {
    packed.emplace_back(form.packed_bytes / sizeof(float));
    form.pack(weights.get(), packed[i].get());
  }
  const EpilogueStep relu = {EpilogueKind::relu};
  BlockedConvArgs args{src.get(), nullptr, dst.get(), {bias.get(), nullptr, 0, &relu, 1}};
  size_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    args.packed_weights = packed[next++ % packed.size()].get();
    form.run(args, shared.get(), scratch.get());
    benchmark::ClobberMemory();
  }
  count_operations(state, 2.0 * static_cast<double>(layer.out * positions * k));
}

#ifdef ONNXRUN_BENCH_ONEDNN
void onednn(benchmark::State& state, const Layer& layer) {
  using Conv = dnnl::convolution_forward;
  using Tag = dnnl::memory::format_tag;
  const auto in = static_cast<int64_t>(layer.in), out = static_cast<int64_t>(layer.out);
  const auto group = static_cast<int64_t>(layer.group), kernel = static_cast<int64_t>(layer.kernel);
  const auto size = static_cast<int64_t>(layer.size);
  const auto output = static_cast<int64_t>(conv_output_extent(shape_of(layer), 1));
  const dnnl::memory::desc weights = layer.group > 1
                                         ? onednn_floats({group, out / group, in / group, kernel, kernel}, Tag::any)
                                         : onednn_floats({out, in, kernel, kernel}, Tag::any);
  const auto pair = [](size_t value) { return dnnl::memory::dims(2, static_cast<int64_t>(value)); };
  const Conv::primitive_desc plan({dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_auto,
                                   onednn_floats({1, in, size, size}, Tag::any), weights, onednn_floats({out}, Tag::a),
                                   onednn_floats({1, out, output, output}, Tag::any), pair(layer.stride),
                                   pair(layer.dilation - 1), pair(layer.pad), pair(layer.pad)},
                                  onednn_engine());
  run_onednn(state, Conv(plan),
             {{DNNL_ARG_SRC, plan.src_desc()},
              {DNNL_ARG_WEIGHTS, plan.weights_desc()},
              {DNNL_ARG_BIAS, plan.bias_desc()},
              {DNNL_ARG_DST, plan.dst_desc()}});
  count_operations(state, 2.0 * static_cast<double>(out * output * output * (in / group) * kernel * kernel));
}
#endif

void add(const Layer& layer, const std::string& name, const std::function<Form(const ConvShape&)>& make) {
  for (const bool cold : {false, true}) {
    benchmark::RegisterBenchmark((name + "/" + layer.name + (cold ? "/cold" : "")).c_str(), conv, layer, make, cold);
  }
}

const bool kRegistered = [] {
  for (const Layer& layer : kLayers) {
    const ConvShape s = shape_of(layer);
    add(layer, "plain", plain);
#ifdef ONNXRUN_BENCH_ONEDNN
    benchmark::RegisterBenchmark((std::string("onednn/") + layer.name).c_str(), onednn, layer);
#endif
    if (has_narrow_groups(s)) {
      add(layer, "groups", narrow_groups);
    } else if (can_block_conv(s, false)) {
      const bool stem = s.in_channels < channel_block();
      add(layer, "direct", [=](const ConvShape& shape) { return direct(shape, stem); });
      if (has_byte_convolutions()) add(layer, "bytes", [=](const ConvShape& shape) { return bytes(shape, stem); });
      if (winograd_tile(s) == 0) continue;
      add(layer, "winograd2", [](const ConvShape& shape) { return winograd(shape, 2); });
      add(layer, "winograd4", [](const ConvShape& shape) { return winograd(shape, 4); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace onnxrun::bench
