#pragma once

namespace onnxrun {

// A float at any address: the raw data of a model's file has no alignment.
using UnalignedFloat = float __attribute__((aligned(1), may_alias));

}  // namespace onnxrun
