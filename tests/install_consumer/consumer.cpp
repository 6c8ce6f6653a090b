// consumer MODEL: runs a model of one float32 input on zeros and prints the shape of its first output.
#include <onnxrun/error.h>
#include <onnxrun/session.h>
#include <onnxrun/version.h>

#include <algorithm>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const onnxrun::Session session(argv[1]);
    onnxrun::Shape shape;
    for (const onnxrun::DeclaredDim& dim : session.inputs()[0].type.dims) shape.push_back(dim.known() ? dim.value : 1);
    onnxrun::Tensor input(onnxrun::DType::float32, shape);
    std::ranges::fill(input.mutable_values<float>(), 0.0F);
    const onnxrun::Value value(input);
    const auto outputs = session.run({&value, 1});
    std::cout << onnxrun::version() << ' ' << outputs[0].tensor().shape().to_string() << '\n';
  } catch (const onnxrun::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
