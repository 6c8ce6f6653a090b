#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graph/operator.h"
#include "kernels/unary/unary.h"

namespace onnxrun::ops {

// An activation function of the recurrent operators: https://onnx.ai/onnx/operators/onnx__LSTM.html. Without values of
// their own Affine and ScaledTanh have alpha = beta = 0, the others what the operators of their names have.
class Activation {
 public:
  // \throws Error(invalid_model) for a name that is none.
  explicit Activation(const std::string& name);

  // Takes what the function needs from lists of values, of which `alphas` and `betas` count those that are used up.
  void take(const std::vector<float>& alpha, size_t& alphas, const std::vector<float>& beta, size_t& betas);

  // x[i] = f(x[i]) for i < n.
  void apply(float* x, int64_t n) const;
  void apply(double* x, int64_t n) const;

 private:
  enum class Form : uint8_t { plain, affine, scaled_tanh, thresholded_relu };

  Form form_ = Form::plain;
  UnaryKind kind_ = UnaryKind::identity;
  bool has_alpha_ = false, has_beta_ = false;
  float alpha_ = 0, beta_ = 0;
};

// The attributes that LSTM, GRU and RNN share.
struct RecurrentAttributes {
  // `defaults` are the activation functions of one direction. \throws Error(invalid_model).
  RecurrentAttributes(AttributeReader& attributes, const std::vector<std::string>& defaults);

  size_t directions = 1;
  bool starts_reversed = false;  // the first direction goes backwards; a second always does
  int64_t hidden_size = 0;       // 0: not given
  bool batch_first = false;
  float clip = 0;                                    // 0: none
  std::vector<std::vector<Activation>> activations;  // of each direction
};

// The inputs and outputs that all of them have.
enum RecurrentInput : size_t { kX, kW, kR, kB, kSequenceLens, kInitialH, kInitialC, kPeepholes };
enum RecurrentOutput : size_t { kAllH, kLastH, kLastC };

// The shape rule; `gates` per hidden element. \throws Error(invalid_model).
void infer_recurrent(InferContext& context, const RecurrentAttributes& attributes, int64_t gates);

// A stretch of the gates that is one product of the state.
struct GatePart {
  int64_t first = 0, count = 0;  // in gates
};

// What a cell works on in one step: `rows` entries of the batch of one direction.
template <class C>
struct CellStep {
  int64_t rows = 0, hidden = 0;
  const uint8_t* active = nullptr;    // [rows]: 0 behind the end of a sequence
  C* gates = nullptr;                 // [rows, gates * hidden]: input times weights, with biases
  C* h = nullptr;                     // [rows, hidden]: the state; rows that are active are replaced
  C* c = nullptr;                     // [rows, hidden]: the second state
  C* work = nullptr;                  // [rows, hidden], for the cell
  const C* recurrent_bias = nullptr;  // [gates * hidden]
  const C* peepholes = nullptr;       // [3 * hidden], or null
  const std::vector<Activation>* activations = nullptr;
  // dst[row] (+)= src[row] times the recurrent weights of a part; `dst` has rows of `stride` elements.
  std::function<void(size_t part, const C* src, C* dst, int64_t stride, bool accumulate)> product;

  // Clips and activates a row of n elements.
  C clip = 0;
  void activate(size_t f, C* x, int64_t n) const {
    if (clip > 0) {
      for (int64_t i = 0; i < n; ++i) x[i] = x[i] > clip ? clip : x[i] < -clip ? -clip : x[i];
    }
    (*activations)[f].apply(x, n);
  }
};

// How a kind of cell computes a step, in both precisions.
struct RecurrentCell {
  int64_t gates = 1;
  std::vector<GatePart> parts;
  bool separate_bias = false;  // of the last part: not added to the gates
  bool has_c = false;
  std::function<void(const CellStep<float>&)> step_f32;
  std::function<void(const CellStep<double>&)> step_f64;
};

// Plans it for all float types: float64 in double, others in float, rounded where they leave. A sequence without
// elements leaves zeros as its last state.
void plan_recurrent(PlanContext& context, const RecurrentAttributes& attributes, const RecurrentCell& cell);

}  // namespace onnxrun::ops
