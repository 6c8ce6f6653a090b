// bench_peers LIBRARY MODEL.onnx...: measures onnxrun and another runtime's shared library, reached through its C API,
// and prints a page of Markdown. Latency is taken in turn (A B A B ...) in one process; load time and peak memory of
// each side in a process of its own, which loads the model and runs it once. Inputs are those that zoo_materialize left
// beside the model, repeated where a dimension is given, or random.
#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "media/npy.h"
#include "onnxrun/session.h"
#include "onnxrun/version.h"
#include "random_value.h"

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// The part of the C API of ONNX Runtime that this program needs, by the place of each function in its table
// (https://onnxruntime.ai/docs/api/c/struct_ort_api.html, version 17: places never change).
class Peer {
 public:
  explicit Peer(const std::string& library) {
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) throw std::runtime_error(dlerror());
    auto* get_base = reinterpret_cast<void** (*)()>(dlsym(handle, "OrtGetApiBase"));
    if (!get_base) throw std::runtime_error("'" + library + "' has no OrtGetApiBase");
    version_ = reinterpret_cast<const char* (*)()>(get_base()[1])();
    table_ = reinterpret_cast<void** (*)(uint32_t)>(get_base()[0])(17);
    if (!table_) throw std::runtime_error("'" + library + "' has not version 17 of the API");
    call(kCreateEnv, 3, "bench_peers", &environment_);
  }

  const char* version() const { return version_; }

  void load(const std::string& model, int threads) {
    void* options = nullptr;
    call(kCreateSessionOptions, &options);
    call(kSetIntraOpNumThreads, options, threads);
    call(kSetInterOpNumThreads, options, 1);
    call(kCreateSession, environment_, model.c_str(), options, &session_);
    call(kCreateCpuMemoryInfo, 0, 0, &memory_);
  }

  // Borrows the names, and the elements of `values`, whose types are numbered alike.
  void bind(const std::vector<onnxrun::ValueInfo>& inputs, std::vector<onnxrun::Tensor>& values,
            const std::vector<onnxrun::ValueInfo>& outputs) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      void* value = nullptr;
      const onnxrun::Shape& shape = values[i].shape();
      call(kCreateTensorWithData, memory_, values[i].mutable_data(), values[i].bytes(), shape.data(), shape.rank(),
           static_cast<int>(values[i].dtype()), &value);
      input_names_.push_back(inputs[i].name.c_str());
      inputs_.push_back(value);
    }
    for (const onnxrun::ValueInfo& info : outputs) output_names_.push_back(info.name.c_str());
  }

  void run() {
    std::vector<void*> outputs(output_names_.size(), nullptr);
    call(kRun, session_, static_cast<void*>(nullptr), input_names_.data(), inputs_.data(), inputs_.size(),
         output_names_.data(), output_names_.size(), outputs.data());
    for (void* output : outputs) reinterpret_cast<void (*)(void*)>(table_[kReleaseValue])(output);
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
    kReleaseValue = 96,
  };

  template <class... Arguments>
  void call(Place place, Arguments... arguments) {
    void* status = reinterpret_cast<void* (*)(Arguments...)>(table_[place])(arguments...);
    if (status) throw std::runtime_error(reinterpret_cast<const char* (*)(void*)>(table_[kGetErrorMessage])(status));
  }

  const char* version_ = nullptr;
  void** table_ = nullptr;
  void* environment_ = nullptr;
  void* session_ = nullptr;
  void* memory_ = nullptr;
  std::vector<const char*> input_names_, output_names_;
  std::vector<void*> inputs_;
};

using Dims = std::map<std::string, int64_t>;  // symbolic dimensions

onnxrun::Tensor random_input(const onnxrun::ValueInfo& info, const onnxrun::Shape& shape) {
  if (info.type.dtype == onnxrun::DType::string) throw std::runtime_error("input '" + info.name + "' is of strings");
  onnxrun::ValueType type = info.type;
  for (size_t i = 0; i < shape.rank(); ++i) type.dims[i].value = shape[i];
  return onnxrun::cli::random_tensor(type, "", 1);
}

// The elements over and over.
onnxrun::Tensor repeated(const onnxrun::Tensor& tensor, const onnxrun::Shape& shape) {
  onnxrun::Tensor result(tensor.dtype(), shape);
  const auto* from = static_cast<const std::byte*>(tensor.data());
  auto* to = static_cast<std::byte*>(result.mutable_data());
  for (size_t i = 0; i < result.bytes(); ++i) to[i] = from[i % tensor.bytes()];
  return result;
}

// FOLDER/NAME.onnx has its inputs in FOLDER/NAME/input_0_0.npy, input_0_1.npy ...; dimensions that neither they nor
// `dims` tell are 1.
std::vector<onnxrun::Tensor> make_inputs(const std::filesystem::path& model,
                                         const std::vector<onnxrun::ValueInfo>& infos, const Dims& dims) {
  std::vector<onnxrun::Tensor> inputs;
  for (size_t i = 0; i < infos.size(); ++i) {
    const auto path = model.parent_path() / model.stem() / ("input_0_" + std::to_string(i) + ".npy");
    std::optional<onnxrun::Tensor> stored;
    if (std::filesystem::exists(path)) stored = onnxrun::read_npy(path);
    onnxrun::Shape shape;
    for (const onnxrun::DeclaredDim& dim : infos[i].type.dims) {
      const auto given = dims.find(dim.name);
      const int64_t own = stored ? stored->shape()[shape.rank()] : dim.known() ? dim.value : 1;
      shape.push_back(given != dims.end() ? given->second : own);
    }
    if (!stored) {
      inputs.push_back(random_input(infos[i], shape));
    } else {
      inputs.push_back(stored->shape() == shape ? std::move(*stored) : repeated(*stored, shape));
    }
  }
  return inputs;
}

// One model on one number of threads. The model is read and the inputs are made before any process is forked.
struct Job {
  std::string library;
  std::string path;
  std::vector<onnxrun::ValueInfo> inputs, outputs;
  std::vector<onnxrun::Tensor> tensors;
  int threads = 1;
  double seconds = 3;  // of each side

  Job(std::string peer, const std::string& model, const Dims& dims) : library(std::move(peer)), path(model) {
    const onnxrun::Model loaded = onnxrun::Model::load(model);
    inputs = loaded.inputs();
    outputs = loaded.outputs();
    tensors = make_inputs(model, inputs, dims);
  }

  std::vector<onnxrun::Value> values() const { return {tensors.begin(), tensors.end()}; }
  onnxrun::Session load_ours() const {
    onnxrun::SessionOptions options;
    options.threads = threads;
    return onnxrun::Session(path, options);
  }
};

using Numbers = std::array<double, 4>;

struct ChildResult {
  Numbers numbers{};
  double peak_mb = 0;  // memory of the process, in 2^20 bytes
};

// What `work` returns in a process of its own. Nothing where it fails, which it has said then.
std::optional<ChildResult> in_child(Job& job, const std::function<Numbers(Job&)>& work) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no process");
  if (child == 0) {
    int status = 1;
    try {
      const Numbers numbers = work(job);
      if (write(ends[1], numbers.data(), sizeof(numbers)) == sizeof(numbers)) status = 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "bench_peers: error: '%s': %s\n", job.path.c_str(), error.what());
    }
    std::_Exit(status);  // a runtime's threads end with the process
  }
  close(ends[1]);
  ChildResult result;
  const bool complete = read(ends[0], result.numbers.data(), sizeof(Numbers)) == sizeof(Numbers);
  close(ends[0]);
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  if (!complete || status != 0) return std::nullopt;
  result.peak_mb = static_cast<double>(usage.ru_maxrss) / 1024;
  return result;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Milliseconds of each run, for about `seconds` after a tenth of that to wake threads and caches.
template <class Run>
void measure(const Run& run, double seconds, std::vector<double>& milliseconds) {
  auto begin = Clock::now();
  do run();
  while (milliseconds_since(begin) < 100 * seconds);
  begin = Clock::now();
  do {
    const auto start = Clock::now();
    run();
    milliseconds.push_back(milliseconds_since(start));
  } while (milliseconds_since(begin) < 1000 * seconds);
}

// Milliseconds: our median, the peer's, our minimum, the peer's.
Numbers measure_latency(Job& job) {
  const onnxrun::Session ours = job.load_ours();
  const std::vector<onnxrun::Value> inputs = job.values();
  Peer peer(job.library);
  peer.load(job.path, job.threads);
  peer.bind(job.inputs, job.tensors, job.outputs);
  constexpr int kTurns = 5;
  std::vector<double> our_times, peer_times;
  for (int turn = 0; turn < kTurns; ++turn) {
    measure([&] { ours.run(inputs); }, job.seconds / kTurns, our_times);
    measure([&] { peer.run(); }, job.seconds / kTurns, peer_times);
  }
  return {median(our_times), median(peer_times), *std::min_element(our_times.begin(), our_times.end()),
          *std::min_element(peer_times.begin(), peer_times.end())};
}

// Milliseconds of loading.
Numbers load_and_run_ours(Job& job) {
  const std::vector<onnxrun::Value> inputs = job.values();
  const auto begin = Clock::now();
  const onnxrun::Session session = job.load_ours();
  const double load = milliseconds_since(begin);
  session.run(inputs);
  return {load, 0, 0, 0};
}

Numbers load_and_run_peer(Job& job) {
  Peer peer(job.library);
  const auto begin = Clock::now();
  peer.load(job.path, job.threads);
  const double load = milliseconds_since(begin);
  peer.bind(job.inputs, job.tensors, job.outputs);
  peer.run();
  return {load, 0, 0, 0};
}

// The geometric means of the ratios on one number of threads.
struct Means {
  int count = 0;
  double of_medians = 0, of_minima = 0;  // sums of logarithms
};

// The least load time and the most memory of a few processes of either side, in turn: the first uses of memory differ
// widely. Nothing where one fails.
std::pair<std::optional<ChildResult>, std::optional<ChildResult>> measure_loads(Job& job) {
  std::optional<ChildResult> ours, peer;
  const auto measure_one = [&](std::optional<ChildResult>& best, Numbers (*work)(Job&)) {
    const std::optional<ChildResult> result = in_child(job, work);
    if (!result || !best) {
      best = result;
    } else {
      best->numbers[0] = std::min(best->numbers[0], result->numbers[0]);
      best->peak_mb = std::max(best->peak_mb, result->peak_mb);
    }
    return best.has_value();
  };
  for (int turn = 0; turn < 3; ++turn) {
    if (!measure_one(ours, load_and_run_ours) || !measure_one(peer, load_and_run_peer)) break;
  }
  return {ours, peer};
}

bool print_row(Job& job, Means& means) {
  const auto latency = in_child(job, measure_latency);
  const auto [ours, peer] = measure_loads(job);
  if (!latency || !ours || !peer) return false;
  const auto [our_median, peer_median, our_minimum, peer_minimum] = latency->numbers;
  std::printf("| %s | %d | %.3f | %.3f | **%.2f** | %.2f | %.1f | %.1f | %.0f | %.0f |\n",
              std::filesystem::path(job.path).stem().c_str(), job.threads, our_median, peer_median,
              peer_median / our_median, peer_minimum / our_minimum, ours->numbers[0], peer->numbers[0], ours->peak_mb,
              peer->peak_mb);
  std::fflush(stdout);
  ++means.count;
  means.of_medians += std::log(peer_median / our_median);
  means.of_minima += std::log(peer_minimum / our_minimum);
  return true;
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "an unknown processor";
}

constexpr const char* kTableHead = R"(Both with their default options on the same inputs, in turn in one process.
The ratio is the peer's time by ours, of the medians and of the minima of all runs: above 1, onnxrun is faster.
Load is the making of a session, the least of three processes; memory the most that a process holds which loads the model and runs it once.

| model | threads | ours ms | peer ms | ratio | of minima | load ms | peer's | memory MB | peer's |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
)";

Numbers print_head(Job& job) {
  const Peer peer(job.library);
  const onnxrun::SessionInfo ours = job.load_ours().info();
  const std::time_t now = std::time(nullptr);
  char date[32];
  std::strftime(date, sizeof(date), "%Y-%m-%d", std::localtime(&now));
  std::printf("# Side by side with ONNX Runtime %s\n\n", peer.version());
  std::printf("Measured by `tools/bench_peers.sh` on %s: %s, %u processors, %s; onnxrun %s.\n\n", date,
              processor_name().c_str(), std::thread::hardware_concurrency(), ours.isa.c_str(),
              std::string(onnxrun::version()).c_str());
  std::fputs(kTableHead, stdout);
  std::fflush(stdout);
  return {};
}

struct Command {
  std::string library;
  std::vector<std::string> models;
  Dims dims;
  std::vector<int> threads = {1, 2};
  double seconds = 3;
};

int compare(const Command& command) {
  std::map<int, Means> means;
  int status = 0;
  for (size_t i = 0; i < command.models.size(); ++i) {
    try {
      Job job(command.library, command.models[i], command.dims);
      job.seconds = command.seconds;
      if (i == 0) in_child(job, print_head);
      for (const int threads : command.threads) {
        job.threads = threads;
        if (!print_row(job, means[threads])) status = 1;
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "bench_peers: error: '%s': %s\n", command.models[i].c_str(), error.what());
      status = 1;
    }
  }
  std::printf("\n");
  for (const auto& [threads, mean] : means) {
    if (mean.count == 0) continue;
    std::printf("Geometric means of %d models, threads %d: %.2f of the medians, %.2f of the minima.\n", mean.count,
                threads, std::exp(mean.of_medians / mean.count), std::exp(mean.of_minima / mean.count));
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) try {
  Command command;
  CLI::App app("Measures onnxrun beside another runtime's shared library");
  app.add_option("library", command.library, "The other runtime, which has ONNX Runtime's C API")->required();
  app.add_option("models", command.models, "Models")->required();
  std::vector<std::string> dims;
  app.add_option("--dim", dims, "NAME=N: a symbolic dimension (repeatable)")->allow_extra_args(false);
  app.add_option("--threads", command.threads, "Threads of each side")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("--seconds", command.seconds, "Time of each side, model and number of threads")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  for (const std::string& dim : dims) {
    const size_t at = dim.find('=');
    int64_t extent = 0;
    if (at == std::string::npos || !CLI::detail::lexical_cast(dim.substr(at + 1), extent) || extent < 1) {
      throw std::invalid_argument("--dim '" + dim + "' is not NAME=N");
    }
    command.dims[dim.substr(0, at)] = extent;
  }
  return compare(command);
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_peers: error: %s\n", error.what());
  return 1;
}
