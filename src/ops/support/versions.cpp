#include "ops/support/versions.h"

namespace onnxrun::ops {

void add_versions(OpRegistry& registry, const OperatorRegistration& registration,
                  std::initializer_list<const char*> variables, DTypeSet without) {
  for (const int64_t version : registration.versions) {
    OperatorRegistration entry = registration;
    entry.versions = {version};
    for (const char* name : variables) entry.types.push_back({.name = name, .tensors = types_since(version) - without});
    registry.add(entry);
  }
}

}  // namespace onnxrun::ops
