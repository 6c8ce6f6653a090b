#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "elements.h"
#include "format.h"
#include "inputs.h"
#include "media/npy.h"
#include "options.h"
#include "preprocess.h"
#include "progress.h"

namespace onnxrun::cli {
namespace {

struct EvalCommand {
  ModelOptions model;
  PreprocessOptions preprocess;
  std::string inputs;
  std::string labels;
  int64_t batch = 0;  // 0: what the model takes, or kDefaultBatch
};

constexpr int64_t kDefaultBatch = 32;

Tensor read_samples(const std::string& path) {
  try {
    Tensor tensor = read_npy(path);
    if (tensor.shape().empty() || tensor.elements() == 0) {
      throw Error(ErrorCode::invalid_input, "'" + path + "' holds no samples");
    }
    return tensor;
  } catch (const Error& error) {
    throw Error(ErrorCode::invalid_input, error.what());
  }
}

// Samples [begin, begin + count) of `samples`; those behind the last are the last again.
Tensor batch_of(const Tensor& samples, int64_t begin, int64_t count) {
  Shape shape = samples.shape();
  const int64_t last = shape[0] - 1;
  shape[0] = count;
  Tensor batch(samples.dtype(), shape);
  const size_t bytes = samples.bytes() / static_cast<size_t>(last + 1);
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(static_cast<char*>(batch.mutable_data()) + static_cast<size_t>(i) * bytes,
                static_cast<const char*>(samples.data()) + static_cast<size_t>(std::min(begin + i, last)) * bytes,
                bytes);
  }
  return batch;
}

// Samples a run: fixed by the model, or chosen.
int64_t batch_size(const EvalCommand& command, const ValueInfo& info) {
  const bool fixed = info.type.has_rank && !info.type.dims.empty() && info.type.dims[0].known();
  const int64_t taken = fixed ? info.type.dims[0].value : 0;
  if (fixed && command.batch > taken) {
    note(command.model, "the model takes " + std::to_string(taken) + " samples at a time");
  }
  if (fixed) return std::max<int64_t>(taken, 1);
  return command.batch > 0 ? command.batch : kDefaultBatch;
}

int64_t count_correct(const Tensor& scores, const Tensor& labels, int64_t begin, int64_t count) {
  const int64_t classes = scores.elements() / scores.shape()[0];
  int64_t correct = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t best = top_indices(scores, i * classes, classes, 1).front();
    correct += static_cast<long double>(best) == element_as_real(labels, begin + i);
  }
  return correct;
}

int64_t evaluate(const EvalCommand& command, const Session& session, const Tensor& samples, const Tensor& labels) {
  const ValueInfo& info = session.inputs().front();
  const int64_t total = samples.shape()[0], size = batch_size(command, info);
  const bool fixed = info.type.has_rank && !info.type.dims.empty() && info.type.dims[0].known();
  Progress progress("evaluating", static_cast<size_t>(total), command.model.quiet);
  int64_t correct = 0;
  for (int64_t begin = 0; begin < total; begin += size) {
    const int64_t count = std::min(size, total - begin);
    const Value input = preprocess(batch_of(samples, begin, fixed ? size : count), info, command.preprocess);
    const std::vector<Value> outputs = run_session(session, {&input, 1}, command.model);
    const Tensor& scores = outputs.front().tensor();
    if (scores.shape().rank() < 2 || scores.shape()[0] < count || scores.elements() == 0) {
      throw Error(ErrorCode::invalid_input, "output '" + session.outputs().front().name + "' is " +
                                                outputs.front().type_string() + ", not one row of scores a sample");
    }
    correct += count_correct(scores, labels, begin, count);
    progress.update(static_cast<size_t>(begin + count));
  }
  return correct;
}

int eval(EvalCommand& command) {
  const Model model = load_model(command.model);
  const Session session = make_session(model, command.model);
  if (session.inputs().size() != 1 || session.outputs().empty()) {
    throw Error(ErrorCode::invalid_input, "'" + command.model.model + "': eval needs a model with one input");
  }
  const Tensor samples = read_samples(command.inputs), labels = read_samples(command.labels);
  if (samples.dtype() == DType::string || labels.dtype() == DType::string) {
    throw Error(ErrorCode::invalid_input, "samples and labels must be numbers");
  }
  const int64_t total = samples.shape()[0];
  if (labels.elements() != total) {
    throw Error(ErrorCode::invalid_input,
                std::to_string(total) + " samples and " + std::to_string(labels.elements()) + " labels");
  }
  const int64_t correct = evaluate(command, session, samples, labels);
  const double accuracy = static_cast<double>(correct) / static_cast<double>(total);
  if (command.model.json) {
    const nlohmann::ordered_json json = {
        {"schema", 1}, {"model", command.model.model}, {"accuracy", accuracy}, {"correct", correct}, {"count", total}};
    std::printf("%s\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    std::printf("accuracy %.4f (%lld of %lld)\n", accuracy, static_cast<long long>(correct),
                static_cast<long long>(total));
  }
  note_session(session, command.model);
  return kOk;
}

}  // namespace

Command add_eval(CLI::App& root) {
  auto command = std::make_shared<EvalCommand>();
  CLI::App* app = root.add_subcommand("eval", "Accuracy of a classifier over a data set");
  add_model_options(*app, command->model);
  app->add_option("--inputs", command->inputs, "Samples [N, ...], .npy")->type_name("FILE")->required();
  app->add_option("--labels", command->labels, "The right class of each sample, .npy")->type_name("FILE")->required();
  app->add_option("--batch", command->batch, "Samples a run, where the model leaves it open; default 32")
      ->check(CLI::PositiveNumber);
  add_preprocess_options(*app, command->preprocess);
  return {app, [command] { return eval(*command); }};
}

}  // namespace onnxrun::cli
