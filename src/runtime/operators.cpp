#include "runtime/operators.h"

#include "ops/register_all.h"

namespace onnxrun {

const OpRegistry& operators() {
  static const OpRegistry kRegistry = [] {
    OpRegistry all;
    register_all_operators(all);
    return all;
  }();
  return kRegistry;
}

}  // namespace onnxrun
