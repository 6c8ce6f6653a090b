#!/bin/bash
# Installs what a build needs, builds, and runs a trained model on an image of a handwritten 7.
set -eu
cd "$(dirname "$0")/.."
tools/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release --target onnxrun_cli
set -x
build/release/bin/onnxrun examples/digits/lenet5_digits.onnx examples/digits/digit_7.npy --topk 3
