#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/operator.h"

namespace onnxrun::ops {

// Integers that an operator took as an attribute before some version, and takes as an input since.
class AxesSource {
 public:
  // Reads the attribute `name` below version `input_since`; from then on it is input `input`.
  AxesSource(AttributeReader& attributes, const char* name, size_t input, int64_t input_since)
      : input_(input), is_input_(attributes.version() >= input_since) {
    if (!is_input_) attribute_ = attributes.optional_integers(name);
  }

  struct Axes {
    bool is_known = true;   // false: given, but not known yet
    bool is_given = false;  // false: the input or attribute is absent
    std::vector<int64_t> values;
  };

  // The integers, for an output shape that depends on them. An empty list counts as given.
  Axes read(InferContext& context) const;

  bool is_input() const { return is_input_; }

  // The same at plan time.
  Axes read(const PlanContext& context) const;

 private:
  Axes attribute() const { return {true, attribute_.has_value(), attribute_.value_or(std::vector<int64_t>{})}; }

  size_t input_;
  bool is_input_;
  std::optional<std::vector<int64_t>> attribute_;
};

}  // namespace onnxrun::ops
