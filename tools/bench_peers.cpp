// bench_peers LIBRARY MODEL...: measures onnxrun and another runtime's shared library, reached through its C API, in
// turn (A B A B ...) on random inputs at 1 and 2 threads, and prints the medians and their ratio.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "onnxrun/session.h"

namespace {

using Clock = std::chrono::steady_clock;

// The part of the C API of ONNX Runtime that this program needs, by the place of each function in its table
// (https://onnxruntime.ai/docs/api/c/struct_ort_api.html, version 17: places never change).
class Peer {
 public:
  Peer(const std::string& library, const std::string& model, int threads) {
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) throw std::runtime_error(dlerror());
    auto* get_base = reinterpret_cast<void** (*)()>(dlsym(handle, "OrtGetApiBase"));
    if (!get_base) throw std::runtime_error("'" + library + "' has no OrtGetApiBase");
    table_ = reinterpret_cast<void** (*)(uint32_t)>(get_base()[0])(17);
    if (!table_) throw std::runtime_error("'" + library + "' has not version 17 of the API");
    void *environment = nullptr, *options = nullptr;
    call(kCreateEnv, 3, "bench_peers", &environment);
    call(kCreateSessionOptions, &options);
    call(kSetIntraOpNumThreads, options, threads);
    call(kSetInterOpNumThreads, options, 1);
    call(kCreateSession, environment, model.c_str(), options, &session_);
    call(kCreateCpuMemoryInfo, 0, 0, &memory_);
  }

  ~Peer() { release(kReleaseSession, session_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Inputs borrow the elements of `values`, whose types are numbered alike.
  void set_inputs(const std::vector<onnxrun::ValueInfo>& infos, std::vector<onnxrun::Tensor>& values,
                  const std::vector<onnxrun::ValueInfo>& outputs) {
    for (size_t i = 0; i < infos.size(); ++i) {
      void* value = nullptr;
      const onnxrun::Shape& shape = values[i].shape();
      call(kCreateTensorWithData, memory_, values[i].mutable_data(), values[i].bytes(), shape.data(), shape.rank(),
           static_cast<int>(values[i].dtype()), &value);
      input_names_.push_back(infos[i].name.c_str());
      inputs_.push_back(value);
    }
    for (const onnxrun::ValueInfo& info : outputs) output_names_.push_back(info.name.c_str());
  }

  void run() {
    std::vector<void*> outputs(output_names_.size(), nullptr);
    call(kRun, session_, static_cast<void*>(nullptr), input_names_.data(), inputs_.data(), inputs_.size(),
         output_names_.data(), output_names_.size(), outputs.data());
    for (void* output : outputs) release(kReleaseValue, output);
  }

 private:
  enum Place {
    kGetErrorMessage = 2,
    kCreateEnv = 3,
    kCreateSession = 7,
    kRun = 9,
    kCreateSessionOptions = 10,
    kSetIntraOpNumThreads = 24,
    kSetInterOpNumThreads = 25,
    kCreateTensorWithData = 49,
    kCreateCpuMemoryInfo = 69,
    kReleaseSession = 95,
    kReleaseValue = 96,
  };

  void release(Place place, void* object) { reinterpret_cast<void (*)(void*)>(table_[place])(object); }

  template <class... Arguments>
  void call(Place place, Arguments... arguments) {
    void* status = reinterpret_cast<void* (*)(Arguments...)>(table_[place])(arguments...);
    if (status) throw std::runtime_error(reinterpret_cast<const char* (*)(void*)>(table_[kGetErrorMessage])(status));
  }

  void** table_ = nullptr;
  void* session_ = nullptr;
  void* memory_ = nullptr;
  std::vector<const char*> input_names_, output_names_;
  std::vector<void*> inputs_;
};

// Normal numbers for float32 inputs and 0 to 3 for int64; dimensions that are not known are 1.
onnxrun::Tensor random_input(const onnxrun::ValueInfo& info) {
  onnxrun::Shape shape;
  for (const onnxrun::DeclaredDim& dim : info.type.dims) shape.push_back(dim.known() ? dim.value : 1);
  onnxrun::Tensor tensor(info.type.dtype, shape);
  std::mt19937_64 generator(1);
  if (info.type.dtype == onnxrun::DType::float32) {
    std::normal_distribution<float> normal;
    for (float& value : tensor.mutable_values<float>()) value = normal(generator);
  } else if (info.type.dtype == onnxrun::DType::int64) {
    for (int64_t& value : tensor.mutable_values<int64_t>()) value = static_cast<int64_t>(generator() % 4);
  } else {
    throw std::runtime_error("input '" + info.name + "' is neither float32 nor int64");
  }
  return tensor;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Milliseconds of each run, for about `seconds`.
template <class Run>
void measure(const Run& run, double seconds, std::vector<double>& milliseconds) {
  const auto begin = Clock::now();
  run();  // warms the caches after the other side's turn
  do {
    const auto start = Clock::now();
    run();
    milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  } while (Clock::now() - begin < std::chrono::duration<double>(seconds));
}

void compare(const std::string& library, const std::string& model, int threads) {
  onnxrun::SessionOptions options;
  options.threads = threads;
  const onnxrun::Session ours(model, options);
  Peer peer(library, model, threads);
  std::vector<onnxrun::Tensor> tensors;
  for (const onnxrun::ValueInfo& info : ours.inputs()) tensors.push_back(random_input(info));
  peer.set_inputs(ours.inputs(), tensors, ours.outputs());
  const std::vector<onnxrun::Value> inputs(tensors.begin(), tensors.end());
  std::vector<double> our_times, peer_times;
  for (int turn = 0; turn < 5; ++turn) {
    measure([&] { ours.run(inputs); }, 0.6, our_times);
    measure([&] { peer.run(); }, 0.6, peer_times);
  }
  const double our_median = median(our_times), peer_median = median(peer_times);
  const std::string name = model.substr(model.rfind('/') + 1);
  std::printf("%-36s %7d %10.3f %10.3f %8.2f\n", name.c_str(), threads, our_median, peer_median,
              peer_median / our_median);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: bench_peers LIBRARY MODEL...\n");
    return 2;
  }
  std::printf("%-36s %7s %10s %10s %8s\n", "model", "threads", "ours ms", "peer ms", "peer/ours");
  int status = 0;
  for (int i = 2; i < argc; ++i) {
    for (const int threads : {1, 2}) {
      try {
        compare(argv[1], argv[i], threads);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_peers: error: '%s': %s\n", argv[i], error.what());
        status = 1;
      }
    }
  }
  std::fflush(nullptr);
  std::_Exit(status);  // the peer's threads end with the process
}
