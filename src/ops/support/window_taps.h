#pragma once

#include <cstdint>
#include <vector>

#include "ops/support/window.h"

namespace onnxrun::ops {

// Where the taps of a window meet the input of a convolution, for any number of spatial axes and any pads.
class WindowTaps {
 public:
  // `input` and `output` are spatial extents.
  WindowTaps(WindowAttributes::Geometry window, std::vector<int64_t> input, std::vector<int64_t> output);

  int64_t inputs() const { return inputs_; }    // elements of a map
  int64_t outputs() const { return outputs_; }  // of an output map
  int64_t count() const { return count_; }      // taps of a window

  struct Tap {
    int64_t tap, input;  // offsets inside the window and a map
  };
  // Those that meet the input at an element of the output map, ascending.
  std::vector<Tap> at(int64_t output) const;

 private:
  WindowAttributes::Geometry window_;
  std::vector<int64_t> input_, output_;
  int64_t inputs_, outputs_, count_;
};

}  // namespace onnxrun::ops
