#include "graph/constant.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace onnxrun {
namespace {

TEST(Constant, IsMadeOnceWhenItIsWanted) {
  std::atomic<int> calls{0};
  Constant::Making making;
  making.units = 3;
  making.make = [&](std::byte* dst, size_t begin, size_t end) {
    ++calls;
    for (size_t i = begin; i < end; ++i) reinterpret_cast<float*>(dst)[i - begin] = static_cast<float>(i) + 0.5F;
  };
  const Constant constant(DType::float32, {3}, making);
  EXPECT_EQ(constant.dtype(), DType::float32);
  EXPECT_EQ(constant.shape(), Shape({3}));
  EXPECT_EQ(constant.bytes(), 12U);
  EXPECT_EQ(constant.source(), Constant::Source::computed);
  EXPECT_EQ(constant.kept(), nullptr);
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(constant.tensor().values<float>()[2], 2.5F); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(constant.kept(), &constant.tensor());
}

TEST(Constant, KeepsTheTensorThatItIsGiven) {
  const Tensor tensor = Tensor::of<int64_t>(DType::int64, {2}, std::vector<int64_t>{4, 5});
  const Constant constant(tensor, Constant::Source::file);
  EXPECT_EQ(constant.tensor().data(), tensor.data());
  EXPECT_EQ(constant.kept(), &constant.tensor());
  EXPECT_EQ(constant.elements(), 2);
}

}  // namespace
}  // namespace onnxrun
