#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "base/cpu_features.h"

namespace onnxrun::testing {

// Runs its tests once per instruction set that the machine has and ONNXRUN_ISA allows.
class IsaTest : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override { set_isa_cap_for_testing(GetParam()); }
  void TearDown() override { set_isa_cap_for_testing(strongest()); }

 public:
  static Isa strongest() {
    static const Isa kStrongest = selected_isa();
    return kStrongest;
  }
  static std::vector<Isa> all() {
    std::vector<Isa> result;
    for (const Isa isa : {Isa::sse2, Isa::avx2, Isa::avx512, Isa::neon}) {
      if (isa_supported(isa) && isa <= strongest()) result.push_back(isa);
    }
    return result;
  }
  static std::string name(const ::testing::TestParamInfo<Isa>& info) { return std::string(isa_name(info.param)); }
};

#define ONNXRUN_FOR_EACH_ISA(suite) \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, ::testing::ValuesIn(IsaTest::all()), IsaTest::name)

// Random numbers whose seed a failing test prints; ONNXRUN_TEST_SEED replays it.
class Random {
 public:
  Random() : seed_(chosen_seed()), engine_(seed_) {}
  uint32_t seed() const { return seed_; }
  // From [low, high].
  size_t integer(size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(engine_); }
  size_t one_of(std::initializer_list<size_t> values) { return values.begin()[integer(0, values.size() - 1)]; }
  bool chance(double probability) { return std::bernoulli_distribution(probability)(engine_); }
  std::vector<float> floats(size_t count, float low = -1, float high = 1) {
    std::uniform_real_distribution<float> uniform(low, high);
    std::vector<float> result(count);
    for (float& x : result) x = uniform(engine_);
    return result;
  }

 private:
  static uint32_t chosen_seed() {
    const char* text = std::getenv("ONNXRUN_TEST_SEED");
    return text ? static_cast<uint32_t>(std::strtoul(text, nullptr, 10)) : std::random_device{}();
  }
  uint32_t seed_;
  std::mt19937 engine_;
};

// 64-byte aligned, without room to spare: a sanitizer sees the first element beyond it.
template <class T>
class Buffer {
 public:
  explicit Buffer(size_t count) : data_(static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{64}))) {}
  T* get() const { return data_.get(); }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  std::unique_ptr<T, Free> data_;
};

}  // namespace onnxrun::testing
