// The register tile that GEMM and convolution share; only ISA files include it.
#pragma once

#include "kernels/epilogue.h"
#include "kernels/simd.h"
#include "kernels/vec_math.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

// Rows and vectors of the full register tile: as many accumulators as leave room for one vector of each operand.
#if defined(ONNXRUN_SIMD_avx512) || defined(ONNXRUN_SIMD_neon)
inline constexpr int kTileRows = 8, kTileVectors = 3;
#elif defined(ONNXRUN_SIMD_avx2)
inline constexpr int kTileRows = 6, kTileVectors = 2;
#else
inline constexpr int kTileRows = 4, kTileVectors = 2;
#endif
inline constexpr int kTileAccumulators = kTileRows * kTileVectors;
template <class T>
inline constexpr int kPanelColumns = kTileVectors* kLanes<T>;

// p + offset for an operand that may be absent.
template <class T>
ONNXRUN_INLINE const T* advance(const T* p, size_t offset) noexcept {
  return p == nullptr ? nullptr : p + static_cast<ptrdiff_t>(offset);
}

template <class T>
ONNXRUN_INLINE RegisterEpilogue<T> register_epilogue(const EpilogueStep* steps, int count) noexcept {
  using Activation = typename RegisterEpilogue<T>::Activation;
  RegisterEpilogue<T> result;
  if (count > 0 && steps[0].kind == EpilogueKind::add_residual) {
    result.add_residual = true;
    result.steps = 1;
  }
  if (result.steps == count) return result;
  const EpilogueStep& step = steps[result.steps];
  switch (step.kind) {
    case EpilogueKind::relu:
      result.activation = Activation::relu;
      break;
    case EpilogueKind::clip:
      result.activation = Activation::clip;
      break;
    case EpilogueKind::leaky_relu:
      result.activation = Activation::leaky_relu;
      break;
    case EpilogueKind::hard_swish:
      if constexpr (!std::is_same_v<T, float>) return result;
      result.activation = Activation::hard_swish;
      break;
    default:
      return result;
  }
  result.alpha = static_cast<T>(step.alpha);
  result.beta = static_cast<T>(step.beta);
  ++result.steps;
  return result;
}

// Applies the activation to every vector that each_vector(f) hands to f.
template <class T, class EachVector>
ONNXRUN_INLINE void activate(const RegisterEpilogue<T>& epilogue, const EachVector& each_vector) noexcept {
  using Activation = typename RegisterEpilogue<T>::Activation;
  const Vec<T> zero(T{0});
  const Vec<T> alpha(epilogue.alpha);
  const Vec<T> beta(epilogue.beta);
  switch (epilogue.activation) {
    case Activation::none:
      break;
    case Activation::relu:
      each_vector([&](Vec<T>& x) ONNXRUN_INLINE_LAMBDA { x = at_least(x, zero); });
      break;
    case Activation::clip:
      each_vector([&](Vec<T>& x) ONNXRUN_INLINE_LAMBDA { x = at_most(at_least(x, alpha), beta); });
      break;
    case Activation::leaky_relu:
      each_vector([&](Vec<T>& x) ONNXRUN_INLINE_LAMBDA { x = select(x < zero, x * alpha, x); });
      break;
    case Activation::hard_swish:
      if constexpr (std::is_same_v<T, float>) {
        each_vector([&](Vec<T>& x) ONNXRUN_INLINE_LAMBDA { x = hard_swish(x); });
      }
      break;
  }
}

// C[rows, columns] (+)= A[rows, k] B[k, columns], then bias and the epilogue if this is the last stretch of k.
template <class T>
struct Tile {
  const T* a;
  ptrdiff_t a_row_stride, a_k_stride;  // for a packed A: not used (1, kTileRows)
  const T* b;
  ptrdiff_t b_panel_stride;  // elements from one panel [k][kPanelColumns] to the next, when a tile spans several
  T* c;
  ptrdiff_t c_row_stride;
  size_t k;
  size_t columns;        // valid ones: more than (vectors - 1) * lanes, at most vectors * lanes
  const char* prefetch;  // the panel that is needed next; prefetch_step bytes further with each k, but for few rows
  ptrdiff_t prefetch_step;
  bool first, last;      // start from zero rather than from C; finish with bias and epilogue
  const T* column_bias;  // [columns] or nullptr
  const T* row_bias;     // [rows] or nullptr
  const T* residual;
  ptrdiff_t residual_row_stride;
  RegisterEpilogue<T> epilogue;
};

// One tile with the accumulators in registers throughout. kPackedA: A is [k][kTileRows].
template <class T, int kRows, int kVectors, bool kPackedA>
struct TileKernel {
  static constexpr int kWidth = kLanes<T>;
  // With few rows memory is the limit, and no other rows read the panel: it is brought in a little ahead.
  static constexpr bool kBringsItsPanel = !kPackedA && kRows <= 4;
  static constexpr ptrdiff_t kAhead = 1536 / sizeof(T);
  Vec<T> acc[kRows][kVectors];

  // f(row, vector, accumulator) for every accumulator, unrolled.
  template <class F>
  ONNXRUN_INLINE void each(F f) noexcept {
    ONNXRUN_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ONNXRUN_UNROLL
      for (int v = 0; v < kVectors; ++v) f(r, v, acc[r][v]);
    }
  }

  // f(pointer offset of (row, vector), accumulator, number of valid lanes): whole vectors first, for they are the rule.
  template <class F>
  ONNXRUN_INLINE void each_in_memory(const Tile<T>& t, ptrdiff_t row_stride, F f) noexcept {
    constexpr size_t kAll = static_cast<size_t>(kVectors) * kWidth;
    if (t.columns == kAll) {
      each([&](int r, int v, Vec<T>& x) { f(r * row_stride + v * kWidth, x, static_cast<size_t>(kWidth)); });
    } else {
      const size_t tail = t.columns - (kAll - kWidth);
      each([&](int r, int v, Vec<T>& x) {
        f(r * row_stride + v * kWidth, x, v + 1 == kVectors ? tail : static_cast<size_t>(kWidth));
      });
    }
  }

  static ONNXRUN_INLINE Vec<T> read(const T* src, size_t lanes) noexcept {
    return lanes == kWidth ? load(src) : load_partial(src, lanes);
  }
  static ONNXRUN_INLINE void write(T* dst, const Vec<T>& x, size_t lanes) noexcept {
    if (lanes == kWidth) {
      store(dst, x);
    } else {
      store_partial(dst, x, lanes);
    }
  }

  ONNXRUN_INLINE void multiply(const Tile<T>& t) noexcept {
    const ptrdiff_t row_stride = kPackedA ? 1 : t.a_row_stride;
    const ptrdiff_t k_stride = kPackedA ? kTileRows : t.a_k_stride;
    const T* a = t.a;
    constexpr int kPanels = (kVectors + kTileVectors - 1) / kTileVectors;
    const T* b[kPanels];
    ONNXRUN_UNROLL
    for (int p = 0; p < kPanels; ++p) b[p] = t.b + p * t.b_panel_stride;
    const char* next = t.prefetch;
    for (size_t i = t.k; i != 0; --i) {
      Vec<T> bv[kVectors];
      ONNXRUN_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        bv[v] = load(b[v / kTileVectors] + v % kTileVectors * kWidth);
      }
      if constexpr (kBringsItsPanel) {
        constexpr int kLine = 64 / sizeof(T);
        ONNXRUN_UNROLL
        for (int p = 0; p < kPanels; ++p) {
          ONNXRUN_UNROLL
          for (int j = 0; j < kPanelColumns<T>; j += kLine) prefetch(b[p] + kAhead + j);
        }
      } else {
        prefetch(next);
      }
      ONNXRUN_UNROLL
      for (int r = 0; r < kRows; ++r) {
        const Vec<T> av(a[r * row_stride]);
        ONNXRUN_UNROLL
        for (int v = 0; v < kVectors; ++v) acc[r][v] = fma(av, bv[v], acc[r][v]);
      }
      a += k_stride;
      ONNXRUN_UNROLL
      for (int p = 0; p < kPanels; ++p) b[p] += kPanelColumns<T>;
      next += t.prefetch_step;
    }
  }

  ONNXRUN_INLINE void finish(const Tile<T>& t) noexcept {
    if (t.row_bias) {
      each([&](int r, int, Vec<T>& x) { x += Vec<T>(t.row_bias[r]); });
    }
    if (t.column_bias) {
      each_in_memory(t, 0, [&](ptrdiff_t at, Vec<T>& x, size_t lanes) { x += read(t.column_bias + at, lanes); });
    }
    if (t.epilogue.add_residual) {
      each_in_memory(t, t.residual_row_stride,
                     [&](ptrdiff_t at, Vec<T>& x, size_t lanes) { x += read(t.residual + at, lanes); });
    }
    activate(t.epilogue,
             [&](auto f) ONNXRUN_INLINE_LAMBDA { each([&](int, int, Vec<T>& x) ONNXRUN_INLINE_LAMBDA { f(x); }); });
  }

  static void run(const Tile<T>& t) noexcept {
    TileKernel kernel;
    if (t.first) {
      kernel.each([](int, int, Vec<T>& x) { x = Vec<T>(T{0}); });
    } else {
      kernel.each_in_memory(t, t.c_row_stride,
                            [&](ptrdiff_t at, Vec<T>& x, size_t lanes) { x = read(t.c + at, lanes); });
    }
    kernel.multiply(t);
    if (t.last) kernel.finish(t);
    kernel.each_in_memory(t, t.c_row_stride, [&](ptrdiff_t at, Vec<T>& x, size_t lanes) { write(t.c + at, x, lanes); });
  }
};

template <class T>
using TileFunction = void (*)(const Tile<T>&) noexcept;

// table[rows - 1][vectors - 1] for tiles within one panel.
template <class T, bool kPackedA>
struct TileTable {
  TileFunction<T> functions[kTileRows][kTileVectors];

  template <int kRows>
  constexpr void fill() {
    functions[kRows - 1][0] = TileKernel<T, kRows, 1, kPackedA>::run;
    functions[kRows - 1][1] = TileKernel<T, kRows, 2, kPackedA>::run;
    if constexpr (kTileVectors > 2) functions[kRows - 1][2] = TileKernel<T, kRows, 3, kPackedA>::run;
    if constexpr (kRows < kTileRows) fill<kRows + 1>();
  }
  constexpr TileTable() : functions{} { fill<1>(); }
};
static_assert(kTileVectors == 2 || kTileVectors == 3);

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
