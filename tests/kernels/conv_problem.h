// Convolutions with random operands, and the bound on their error.
#pragma once

#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/kernel_test.h"

namespace onnxrun::testing {

inline size_t elements(const size_t (&extents)[3]) { return extents[0] * extents[1] * extents[2]; }

inline std::string describe(const ConvShape& s) {
  std::ostringstream out;
  const auto list = [&](const char* name, const size_t(&v)[3]) {
    out << ' ' << name << ' ' << v[0] << 'x' << v[1] << 'x' << v[2];
  };
  out << "n " << s.batch << " group " << s.group << " channels " << s.in_channels << " -> " << s.out_channels;
  list("input", s.input);
  list("kernel", s.kernel);
  list("stride", s.stride);
  list("dilation", s.dilation);
  list("pad", s.pad_begin);
  list("pad_end", s.pad_end);
  return out.str();
}

struct ConvProblem {
  ConvShape shape;
  std::vector<float> src, weights, bias, residual, dst;
  std::vector<EpilogueStep> steps;

  ConvProblem(const ConvShape& s, Random& random) : shape(s) {
    src = random.floats(s.batch * s.in_channels * elements(s.input));
    weights = random.floats(s.out_channels * (s.in_channels / s.group) * elements(s.kernel));
    bias = random.floats(s.out_channels);
    dst = std::vector<float>(output_size(), std::numeric_limits<float>::quiet_NaN());
    residual = random.floats(dst.size());
  }

  size_t output_size() const {
    size_t size = shape.batch * shape.out_channels;
    for (int axis = 0; axis < 3; ++axis) size *= conv_output_extent(shape, axis);
    return size;
  }

  ConvArgs args(float* to) const {
    ConvArgs args;
    args.src = src.data();
    args.dst = to;
    args.epilogue.bias = bias.data();
    args.epilogue.residual = residual.data();
    args.epilogue.steps = steps.data();
    args.epilogue.step_count = static_cast<int>(steps.size());
    return args;
  }

  // |error| <= 4 K eps sum |a b|, and as much again for bias, residual and activations with slopes of at most 1.
  // `growth`: of the error, by an algorithm that is not the direct one.
  void expect_close_to_reference(float growth = 1) {
    std::vector<float> expected(dst.size());
    conv_reference(shape, args(expected.data()), weights.data());
    ConvProblem magnitude(*this);
    for (auto* values : {&magnitude.src, &magnitude.weights, &magnitude.bias, &magnitude.residual}) {
      for (float& x : *values) x = std::fabs(x);
    }
    magnitude.steps = {{EpilogueKind::add_residual}};
    std::vector<float> bound(dst.size());
    conv_reference(shape, magnitude.args(bound.data()), magnitude.weights.data());
    const size_t k = shape.in_channels / shape.group * elements(shape.kernel);
    const float factor = growth * 4 * static_cast<float>(k + 4) * std::numeric_limits<float>::epsilon();
    for (size_t i = 0; i < dst.size(); ++i) {
      ASSERT_LE(std::fabs(dst[i] - expected[i]), factor * bound[i] + 1e-30f)
          << "element " << i << ": " << dst[i] << " for " << expected[i];
    }
  }
};

inline ConvShape square(size_t in, size_t out, size_t size, size_t kernel, size_t stride = 1, size_t pad = 0) {
  ConvShape s;
  s.in_channels = in;
  s.out_channels = out;
  s.input[1] = s.input[2] = size;
  s.kernel[1] = s.kernel[2] = kernel;
  s.stride[1] = s.stride[2] = stride;
  for (int axis : {1, 2}) s.pad_begin[axis] = s.pad_end[axis] = pad;
  return s;
}

}  // namespace onnxrun::testing
