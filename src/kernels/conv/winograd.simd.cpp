#include "kernels/conv/winograd.h"

#include "kernels/gemm/micro_kernel.h"
#include "kernels/transpose/transpose.h"
#include "kernels/unary/epilogue_row.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

extern const TransposeF32 kTransposeF32;

namespace {

using V = Vec<float>;

constexpr size_t kWidth = kLanes<float>;
constexpr double kRoot2 = 1.4142135623730950488;
constexpr size_t kMaxWidth = 32;

// The transforms along one axis: with the points p, row i of the input's is the coefficients of prod(x - p) without
// factor i, the weights' p_i^k / prod(p_i - p), the output's p_i^j; the last point is infinity.
template <int kM>
struct Transform;

template <>
struct Transform<2> {
  static constexpr double kWeights[4][3] = {{-1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

  static ONNXRUN_INLINE void input(const V (&d)[4], V (&v)[4]) noexcept {
    v[0] = d[2] - d[0];
    v[1] = d[2] + d[1];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
  }
  static ONNXRUN_INLINE void output(const V (&s)[4], V (&y)[2]) noexcept {
    y[0] = s[0] + (s[1] + s[2]);
    y[1] = (s[1] - s[2]) + s[3];
  }
};

template <>
struct Transform<4> {
  static constexpr double kA = kRoot2 / 2, kB = kRoot2;
  static constexpr double kWeights[6][3] = {{1, 0, 0},
                                            {-2.0 / 3, -kA * 2 / 3, -1.0 / 3},
                                            {-2.0 / 3, kA * 2 / 3, -1.0 / 3},
                                            {1.0 / 6, kB / 6, 1.0 / 3},
                                            {1.0 / 6, -kB / 6, 1.0 / 3},
                                            {0, 0, 1}};

  static ONNXRUN_INLINE void input(const V (&d)[6], V (&v)[6]) noexcept {
    const V even_a = fnma(V(2.0f), d[2], d[4]);
    const V odd_a = V(static_cast<float>(kA)) * fnma(V(2.0f), d[1], d[3]);
    const V even_b = fnma(V(0.5f), d[2], d[4]);
    const V odd_b = V(static_cast<float>(kB)) * fnma(V(0.5f), d[1], d[3]);
    v[0] = fnma(V(2.5f), d[2], d[0] + d[4]);
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
    v[5] = fnma(V(2.5f), d[3], d[1] + d[5]);
  }
  static ONNXRUN_INLINE void output(const V (&s)[6], V (&y)[4]) noexcept {
    const V even_a = s[1] + s[2];
    const V even_b = s[3] + s[4];
    const V odd_a = V(static_cast<float>(kA)) * (s[1] - s[2]);
    const V odd_b = V(static_cast<float>(kB)) * (s[3] - s[4]);
    y[0] = s[0] + (even_a + even_b);
    y[1] = odd_a + odd_b;
    y[2] = fma(V(0.5f), even_a, even_b + even_b);
    y[3] = fma(V(0.5f), odd_a, odd_b + odd_b) + s[5];
  }
};

// Where a patch begins, among the outputs.
struct PatchOrigin {
  size_t row, column;
};
ONNXRUN_INLINE PatchOrigin patch_origin(const WinogradGrid& grid, size_t patch, size_t m) noexcept {
  const auto along = [m](size_t index, size_t patches, size_t step) {
    return index / patches + index % patches * m * step;
  };
  const size_t columns = grid.patch_columns * grid.column_step;
  return {along(patch / columns, grid.patch_rows, grid.row_step),
          along(patch % columns, grid.patch_columns, grid.column_step)};
}

template <int kM>
void transform_input(const WinogradInput& input) noexcept {
  constexpr int kSize = kM + 2;
  const auto rows = static_cast<ptrdiff_t>(input.rows);
  const auto columns = static_cast<ptrdiff_t>(input.columns);
  const auto row_step = static_cast<ptrdiff_t>(input.grid.row_step);
  const auto column_step = static_cast<ptrdiff_t>(input.grid.column_step);
  float* dst = input.dst;
  for (size_t patch = input.begin; patch < input.end; ++patch, dst += kWidth) {
    const PatchOrigin origin = patch_origin(input.grid, patch, kM);
    const auto top = static_cast<ptrdiff_t>(origin.row) - static_cast<ptrdiff_t>(input.pad_row);
    const auto left = static_cast<ptrdiff_t>(origin.column) - static_cast<ptrdiff_t>(input.pad_column);
    const bool inside =
        top >= 0 && left >= 0 && top + (kSize - 1) * row_step < rows && left + (kSize - 1) * column_step < columns;
    const float* src = input.src + (top * columns + left) * static_cast<ptrdiff_t>(kWidth);
    V half[kSize][kSize];  // the columns transformed
    for (int j = 0; j < kSize; ++j) {
      V d[kSize];
      ONNXRUN_UNROLL
      for (int i = 0; i < kSize; ++i) {
        const ptrdiff_t row = top + i * row_step, column = left + j * column_step;
        const bool reads = inside || (row >= 0 && row < rows && column >= 0 && column < columns);
        d[i] =
            reads ? load(src + (i * row_step * columns + j * column_step) * static_cast<ptrdiff_t>(kWidth)) : V(0.0f);
      }
      V v[kSize];
      Transform<kM>::input(d, v);
      ONNXRUN_UNROLL
      for (int i = 0; i < kSize; ++i) half[i][j] = v[i];
    }
    for (int i = 0; i < kSize; ++i) {
      V v[kSize];
      Transform<kM>::input(half[i], v);
      ONNXRUN_UNROLL
      for (int j = 0; j < kSize; ++j) store(dst + static_cast<size_t>(i * kSize + j) * input.dst_step, v[j]);
    }
  }
}

template <int kM>
void transform_output(const WinogradOutput& output) noexcept {
  constexpr int kSize = kM + 2;
  V bias(0.0f);
  if (output.bias)
    bias = output.bias_count >= kWidth ? load(output.bias) : load_partial(output.bias, output.bias_count);
  const float* src = output.src;
  for (size_t patch = output.begin; patch < output.end; ++patch, src += kWidth) {
    const PatchOrigin origin = patch_origin(output.grid, patch, kM);
    const auto within = [](size_t begin, size_t end, size_t step) {
      const size_t count = begin < end ? (end - begin + step - 1) / step : 0;
      return static_cast<int>(count < kM ? count : kM);
    };
    const int rows = within(origin.row, output.rows, output.grid.row_step);
    const int columns = within(origin.column, output.columns, output.grid.column_step);
    V half[kM][kSize];
    for (int j = 0; j < kSize; ++j) {
      V s[kSize];
      ONNXRUN_UNROLL
      for (int i = 0; i < kSize; ++i) s[i] = load(src + static_cast<size_t>(i * kSize + j) * output.src_step);
      V y[kM];
      Transform<kM>::output(s, y);
      ONNXRUN_UNROLL
      for (int i = 0; i < kM; ++i) half[i][j] = y[i];
    }
    for (int i = 0; i < rows; ++i) {
      V y[kM];
      Transform<kM>::output(half[i], y);
      const size_t row = origin.row + static_cast<size_t>(i) * output.grid.row_step;
      const size_t first = (row * output.columns + origin.column) * kWidth;
      for (int j = 0; j < columns; ++j) {
        const size_t at = first + static_cast<size_t>(j) * output.grid.column_step * kWidth;
        V x = y[j] + bias;
        if (output.epilogue.add_residual) x += load(output.residual + at);
        activate(output.epilogue, [&](auto f) ONNXRUN_INLINE_LAMBDA { f(x); });
        store(output.dst + at, x);
      }
      if (output.step_count == 0) continue;
      // Columns side by side are a run; those of a dilated patch stand alone.
      const size_t run = output.grid.column_step == 1 ? static_cast<size_t>(columns) : 1;
      for (size_t j = 0; j < static_cast<size_t>(columns); j += run) {
        const size_t at = first + j * output.grid.column_step * kWidth;
        apply_epilogue_row(output.dst + at, advance(output.residual, at), run * kWidth, output.steps,
                           output.step_count);
      }
    }
  }
}

using D = Vec<double>;
constexpr size_t kHalf = kLanes<double>;
using FloatHalf = float __attribute__((vector_size(kHalf * sizeof(float))));

ONNXRUN_INLINE void store_narrowed(float* dst, const D& x) noexcept {
  const auto narrow = __builtin_convertvector(x.data, FloatHalf);
  __builtin_memcpy(dst, &narrow, sizeof(narrow));
}

// Rows 1 and 2, 3 and 4 differ in the sign of their middle alone; the first and the last have one element.
template <int kM>
ONNXRUN_INLINE void transform_taps(const D (&t)[3], D (&u)[kM + 2]) noexcept {
  constexpr const auto& w = Transform<kM>::kWeights;
  u[0] = D(w[0][0]) * t[0];
  ONNXRUN_UNROLL
  for (int i = 1; i < kM; i += 2) {
    const D even = fma(D(w[i][0]), t[0], D(w[i][2]) * t[2]);
    const D odd = D(w[i][1]) * t[1];
    u[i] = even + odd;
    u[i + 1] = even - odd;
  }
  u[kM + 1] = t[2];
}

// A few input channels at a time, the lanes of a channel side by side. Points lie so far apart that they would meet in
// the same sets of the cache, so they are gathered and copied in runs.
template <int kM>
void transform_weights(const float* weights, size_t channels, size_t lanes, size_t width, float* dst,
                       size_t dst_step) noexcept {
  constexpr int kSize = kM + 2;
  constexpr size_t kChannels = 8;
  alignas(64) float taps[kChannels * 9 * kMaxWidth] = {};
  alignas(64) float points[kSize * kSize * kChannels * kMaxWidth];
  const size_t point_step = kChannels * width;
  for (size_t first = 0; first < channels; first += kChannels) {
    const size_t count = channels - first < kChannels ? channels - first : kChannels;
    kTransposeF32(weights + first * 9, static_cast<ptrdiff_t>(channels * 9), lanes, count * 9, taps,
                  static_cast<ptrdiff_t>(width));
    for (size_t c = 0; c < count; ++c) {
      for (size_t lane = 0; lane < width; lane += kHalf) {
        const float* from = taps + c * 9 * width + lane;
        float* to = points + c * width + lane;
        D half[3][kSize];
        ONNXRUN_UNROLL
        for (size_t column = 0; column < 3; ++column) {
          D rows[3];
          ONNXRUN_UNROLL
          for (size_t row = 0; row < 3; ++row) rows[row] = load_widened(from + (row * 3 + column) * width);
          transform_taps<kM>(rows, half[column]);
        }
        for (int i = 0; i < kSize; ++i) {
          const D columns[3] = {half[0][i], half[1][i], half[2][i]};
          D u[kSize];
          transform_taps<kM>(columns, u);
          ONNXRUN_UNROLL
          for (int j = 0; j < kSize; ++j) store_narrowed(to + static_cast<size_t>(i * kSize + j) * point_step, u[j]);
        }
      }
    }
    for (size_t point = 0; point < kSize * kSize; ++point) {
      __builtin_memcpy(dst + point * dst_step + first * width, points + point * point_step,
                       count * width * sizeof(float));
    }
  }
}

}  // namespace

extern const WinogradKernels kWinograd2Kernels;
const WinogradKernels kWinograd2Kernels = {transform_input<2>, transform_output<2>, transform_weights<2>};
extern const WinogradKernels kWinograd4Kernels;
const WinogradKernels kWinograd4Kernels = {transform_input<4>, transform_output<4>, transform_weights<4>};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
