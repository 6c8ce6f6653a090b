#include "runtime/packed_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/thread_pool.h"
#include "onnxrun/session.h"
#include "support/model_builder.h"

namespace onnxrun {
namespace {

// A constant of rows, each filled with its number, that is made when it is wanted.
ConstantPtr numbered_rows(size_t rows, size_t columns) {
  auto make = [columns](std::byte* dst, size_t begin, size_t end) {
    auto* to = reinterpret_cast<float*>(dst);
    for (size_t row = begin; row < end; ++row)
      std::fill_n(to + (row - begin) * columns, columns, static_cast<float>(row));
  };
  const Shape shape = {static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
  return std::make_shared<const Constant>(DType::float32, shape, Constant::Making{rows, make, {}, ""});
}

// Rows in the opposite order.
Packing reversing(size_t rows, size_t columns) {
  const auto pack = [=](const std::byte* source, std::byte* dst, size_t begin, size_t end) {
    const size_t bytes = columns * sizeof(float);
    for (size_t row = begin; row < end; ++row) {
      std::memcpy(dst + row * bytes, source + (rows - 1 - row) * bytes, bytes);
    }
  };
  return {rows, pack};
}

TEST(PackedStore, PacksWhatIsMadeOnTheWayWithoutKeepingIt) {
  const std::vector<std::pair<size_t, size_t>> sizes = {{3, 5}, {700, 2000}, {1, 900'000}, {400, 1500}, {2, 2}};
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    MemoryPackedStore store;
    std::vector<ConstantPtr> constants;
    std::vector<const float*> packed;
    for (const auto& [rows, columns] : sizes) {
      const ConstantPtr constant = numbered_rows(rows, columns);
      constants.push_back(constant);
      packed.push_back(reinterpret_cast<const float*>(
          store.get_later(constant, "reversed", constant->bytes(), reversing(rows, columns))));
    }
    store.finish(pool);
    for (size_t i = 0; i < sizes.size(); ++i) {
      EXPECT_EQ(constants[i]->kept(), nullptr);
      const auto [rows, columns] = sizes[i];
      for (size_t at = 0; at < rows * columns; ++at) {
        const size_t row = at / columns;
        ASSERT_EQ(packed[i][at], static_cast<float>(rows - 1 - row)) << i << " at " << at;
      }
    }
  }
}

// Every unit is given the bytes from its own on, whether the constant is made, in a mapped file or in memory.
TEST(PackedStore, GivesUnitsTheirOwnPartOfAConstant) {
  constexpr size_t kRows = 700, kColumns = 1501, kBytes = kRows * kColumns * sizeof(float);
  const ConstantPtr made = numbered_rows(kRows, kColumns);
  std::vector<std::byte> content(1 + kBytes);  // at an odd address
  made->making().make(content.data() + 1, 0, kRows);
  const std::string path = ::testing::TempDir() + "packed_store_" + std::to_string(getpid());
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(content.data()), content.size());
  const auto file = MappedFile::open(path);
  std::remove(path.c_str());
  const auto constant_at = [&](const std::byte* data) {
    return std::make_shared<const Constant>(
        Tensor(DType::float32, made->shape(), const_cast<std::byte*>(data), nullptr), Constant::Source::file);
  };
  Packing packing;
  packing.units = kRows / 7;
  packing.before = [](size_t unit) { return unit * 7 * kColumns * sizeof(float); };
  packing.pack = [&](const std::byte* source, std::byte* dst, size_t begin, size_t end) {
    std::memcpy(dst + packing.before(begin), source, packing.before(end) - packing.before(begin));
  };
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    MemoryPackedStore store;
    std::vector<const std::byte*> packed;
    for (const ConstantPtr& constant : {made, constant_at(file->bytes().data() + 1), constant_at(content.data() + 1)}) {
      packed.push_back(store.get_later(constant, "as it is", kBytes, packing));
    }
    store.finish(pool);
    for (const std::byte* bytes : packed) EXPECT_EQ(std::memcmp(bytes, content.data() + 1, kBytes), 0);
  }
}

TEST(PackedStore, PacksAtOnceWhatIsMadeOnTheWay) {
  MemoryPackedStore store;
  const ConstantPtr constant = numbered_rows(7, 11);
  auto pack = [](const Tensor& tensor, std::byte* dst) { std::memcpy(dst, tensor.data(), tensor.bytes()); };
  const auto* packed = reinterpret_cast<const float*>(store.get(constant, "as it is", constant->bytes(), pack));
  EXPECT_EQ(packed[0], 0);
  EXPECT_EQ(packed[76], 6);
  EXPECT_EQ(constant->kept(), nullptr);
}

TEST(PackedStore, FoldedWeightsAreKeptInTheirPackedFormAlone) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1", "64", "6", "6"})
      .constant("w", random_floats({96, 64, 3, 3}, 1))
      .constant("scale", random_floats({96}, 2))
      .constant("var", floats({96}, std::vector<float>(96, 0.7F)));
  builder.main.node("Conv", {"x", "w"}, {"a"})
      .node("BatchNormalization", {"a", "scale", "scale", "scale", "var"}, {"y"})
      .output("y");
  const SessionInfo info = Session(builder.model()).info();
  EXPECT_GT(info.packed_bytes, size_t{96 * 64 * 9 * 4 - 1});
  EXPECT_LT(info.constant_bytes, size_t{4096});
}

// Matrices that lie in a file, in either order, with few rows or columns or none, packed by rows or by columns.
TEST(PackedStore, PacksMatricesFromAFile) {
  const std::string path = ::testing::TempDir() + "packed_matrix_" + std::to_string(getpid()) + ".onnx";
  for (const int64_t n : {0, 1, 5, 70, 1000}) {
    for (const int64_t k : {1, 2, 33, 300}) {
      for (const bool transposed : {false, true}) {
        std::vector<float> x, b, expected(static_cast<size_t>(n));
        for (int64_t p = 0; p < k; ++p) x.push_back(static_cast<float>(p % 3 + 1));
        for (int64_t i = 0; i < n * k; ++i) b.push_back(static_cast<float>(i % 7 - 3));
        for (int64_t j = 0; j < n; ++j) {
          for (int64_t p = 0; p < k; ++p) {
            expected[static_cast<size_t>(j)] +=
                2 * x[static_cast<size_t>(p)] * b[static_cast<size_t>(transposed ? j * k + p : p * n + j)];
          }
        }
        ModelBuilder builder;
        builder.main.input("x", DType::float32, {"1", std::to_string(k)})
            .constant("b", floats(transposed ? Shape{n, k} : Shape{k, n}, b));
        builder.main.node("Gemm", {"x", "b"}, {"y"}, {{"transB", int64_t{transposed}}, {"alpha", 2.0F}}).output("y");
        std::ofstream(path, std::ios::binary) << builder.bytes();
        const Session session(path);
        std::remove(path.c_str());
        ASSERT_EQ(elements(session.run(std::vector<Value>{floats({1, k}, x)})[0]), expected) << n << " " << k;
      }
    }
  }
}

// Embeddings of a file lie at any address there; rows of them are copied from where they are.
TEST(PackedStore, GatherReadsItsDataWhereverTheyAre) {
  for (const char* name : {"d", "da", "dat", "data"}) {
    ModelBuilder builder;
    builder.main.input("i", DType::int64, {"3"}).constant(name, floats({3, 2}, {0, 1, 2, 3, 4, 5}));
    builder.main.node("Gather", {name, "i"}, {"y"}).output("y");
    const Session session(builder.model());
    EXPECT_EQ(session.info().packed_bytes, 0U) << name;
    EXPECT_EQ(elements(session.run(std::vector<Value>{integers({3}, {2, 0, -1})})[0]),
              std::vector<float>({4, 5, 0, 1, 4, 5}));
  }
}

}  // namespace
}  // namespace onnxrun
