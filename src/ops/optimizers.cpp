// Adagrad, Adam, Momentum: version 1 of ai.onnx.preview.training,
// https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adam.html and its like. Inputs behind the learning rate and
// the update count come in groups, one tensor of each variable per group: values, gradients, states; outputs are the
// new values and states. float32 is computed in float32.
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"

namespace onnxrun {
namespace {

// One step of an optimizer on n elements. `states` are the old states, `results` the new values and states.
struct Update {
  const void* value;
  const void* gradient;
  const void* states[2];
  void* results[3];
  double rate;
  int64_t count;
};

class Optimizer : public Operator {
 public:
  Optimizer(AttributeReader& attributes, size_t states)
      : norm_coefficient_(attributes.number("norm_coefficient", 0)), states_(states) {}

  void infer(InferContext& context) const override {
    const size_t groups = states_ + 2;
    const size_t given = context.input_count() - 2;
    const size_t variables = given / groups;
    if (given % groups != 0) {
      context.fail("there are " + std::to_string(given) + " tensors, which is no multiple of " +
                   std::to_string(groups));
    }
    if (context.output_count() != variables * (states_ + 1)) {
      context.fail("there are " + std::to_string(context.output_count()) + " outputs for " + std::to_string(variables) +
                   " variables");
    }
    for (size_t i = 0; i < 2; ++i) {
      const Dim elements = context.shape(i).elements();
      if (elements.is_number() && !elements.is(1)) context.fail("R and T must be scalars");
    }
    for (size_t i = 0; i < given; ++i) {
      const Type& value = context.type(2 + i % variables);
      const Type& type = context.type(2 + i);
      const bool differs = value.shape.is_concrete() && type.shape.is_concrete() && !(value.shape == type.shape);
      if (differs || (value.dtype != type.dtype && value.dtype != DType::undefined && type.dtype != DType::undefined)) {
        context.fail("input " + std::to_string(2 + i) + " is " + type.to_string() + ", its variable " +
                     value.to_string());
      }
    }
    for (size_t j = 0; j < context.output_count(); ++j) context.set_type(j, context.type(2 + j % variables));
  }

  void plan(PlanContext& context) const override {
    const size_t variables = (context.input_count() - 2) / (states_ + 2);
    const DType rate_dtype = context.input(0).dtype;
    for (size_t v = 0; v < variables; ++v) {
      for (size_t j = 0; j <= states_; ++j) {
        if (context.wants(v + j * variables)) context.in_place(v + j * variables, 2 + v + (j + (j > 0)) * variables);
      }
      const DType dtype = context.input(2 + v).dtype;
      const auto width = static_cast<int64_t>(byte_size(dtype, 1));
      context.range(context.input(2 + v).elements(), 3, [=, this](const TileContext& tile, int64_t begin, int64_t end) {
        const auto input = [&](size_t group) {
          return tile.input<std::byte>(2 + v + group * variables) + begin * width;
        };
        Update update{};
        update.value = input(0);
        update.gradient = input(1);
        for (size_t s = 0; s < states_; ++s) update.states[s] = input(2 + s);
        for (size_t j = 0; j <= states_; ++j) {
          auto* result = tile.output<std::byte>(v + j * variables);
          update.results[j] = result ? result + begin * width : nullptr;
        }
        update.rate =
            rate_dtype == DType::float32 ? static_cast<double>(*tile.input<float>(0)) : *tile.input<double>(0);
        update.count = *tile.input<int64_t>(1);
        apply(dtype, update, end - begin);
      });
    }
  }

 protected:
  virtual void apply(DType dtype, const Update& update, int64_t n) const = 0;

  // Calls step(x, g, a, b) -> {x, a, b} for every element, in T; g is the regularized gradient.
  template <class T, class Step>
  void for_each(const Update& update, int64_t n, const Step& step) const {
    const auto norm = static_cast<T>(norm_coefficient_);
    const auto at = [](const void* data, int64_t i) { return data ? static_cast<const T*>(data)[i] : T(); };
    for (int64_t i = 0; i < n; ++i) {
      const T x = at(update.value, i);
      const auto results = step(x, norm * x + at(update.gradient, i), at(update.states[0], i), at(update.states[1], i));
      for (size_t j = 0; j <= states_; ++j) {
        if (update.results[j]) static_cast<T*>(update.results[j])[i] = results[j];
      }
    }
  }

 private:
  float norm_coefficient_;
  size_t states_;
};

class Adagrad : public Optimizer {
 public:
  explicit Adagrad(AttributeReader& attributes)
      : Optimizer(attributes, 1),
        decay_(attributes.number("decay_factor", 0)),
        epsilon_(attributes.number("epsilon", 0)) {}

 protected:
  void apply(DType dtype, const Update& update, int64_t n) const override {
    dispatch_dtype<float, double>(dtype, [&]<class T>() {
      const auto rate = static_cast<T>(update.rate / (1 + static_cast<double>(update.count) * decay_));
      const auto epsilon = static_cast<T>(epsilon_);
      for_each<T>(update, n, [=](T x, T g, T h, T /*unused*/) {
        const T squares = h + g * g;
        return std::array<T, 3>{x - rate * g / (std::sqrt(squares) + epsilon), squares, T()};
      });
    });
  }

 private:
  float decay_;
  float epsilon_;
};

class Adam : public Optimizer {
 public:
  explicit Adam(AttributeReader& attributes)
      : Optimizer(attributes, 2),
        alpha_(attributes.number("alpha", 0.9F)),
        beta_(attributes.number("beta", 0.999F)),
        epsilon_(attributes.number("epsilon", 0)),
        post_(attributes.number("norm_coefficient_post", 0)) {}

 protected:
  void apply(DType dtype, const Update& update, int64_t n) const override {
    dispatch_dtype<float, double>(dtype, [&]<class T>() {
      const auto t = static_cast<double>(update.count);
      const double adjusted = update.count > 0 ? update.rate * std::sqrt(1 - std::pow(static_cast<double>(beta_), t)) /
                                                     (1 - std::pow(static_cast<double>(alpha_), t))
                                               : update.rate;
      const auto rate = static_cast<T>(adjusted);
      const T alpha = alpha_;
      const T beta = beta_;
      const T epsilon = epsilon_;
      const T kept = 1 - static_cast<T>(post_);
      for_each<T>(update, n, [=](T x, T g, T v, T h) {
        const T mean = alpha * v + (1 - alpha) * g;
        const T squares = beta * h + (1 - beta) * g * g;
        return std::array<T, 3>{kept * (x - rate * mean / (std::sqrt(squares) + epsilon)), mean, squares};
      });
    });
  }

 private:
  float alpha_;
  float beta_;
  float epsilon_;
  float post_;
};

class Momentum : public Optimizer {
 public:
  explicit Momentum(AttributeReader& attributes)
      : Optimizer(attributes, 1),
        alpha_(attributes.number("alpha", 0)),
        beta_(attributes.number("beta", 1)),
        is_nesterov_(attributes.one_of("mode", {"standard", "nesterov"}) == "nesterov") {}

 protected:
  void apply(DType dtype, const Update& update, int64_t n) const override {
    dispatch_dtype<float, double>(dtype, [&]<class T>() {
      const auto rate = static_cast<T>(update.rate);
      const T alpha = alpha_;
      const T beta = update.count > 0 ? beta_ : 1;
      for_each<T>(update, n, [=, nesterov = is_nesterov_](T x, T g, T v, T /*unused*/) {
        const T momentum = alpha * v + beta * g;
        return std::array<T, 3>{x - rate * (nesterov ? g + alpha * momentum : momentum), momentum, T()};
      });
    });
  }

 private:
  float alpha_;
  float beta_;
  bool is_nesterov_;
};

}  // namespace

void register_optimizers(OpRegistry& registry) {
  const auto add = [&](std::string_view name, OperatorFactory create) {
    const DTypeSet types = {DType::float32, DType::float64};
    registry.add({.domain = "ai.onnx.preview.training",
                  .name = name,
                  .versions = {1},
                  .signature = "R:T1, T:int64, inputs:T3*... -> outputs:T3*...",
                  .types = {{.name = "T1", .tensors = types}, {.name = "T3", .tensors = types}},
                  .create = create});
  };
  add("Adagrad", make_operator<Adagrad>);
  add("Adam", make_operator<Adam>);
  add("Momentum", make_operator<Momentum>);
}

}  // namespace onnxrun
