#include "runtime/operators.h"

#include "ops/register_all.h"

namespace onnxrun {

const OpRegistry& operators() {
  static const OpRegistry registry = [] {
    OpRegistry all;
    register_all_operators(all);
    return all;
  }();
  return registry;
}

}  // namespace onnxrun
