#!/bin/bash
# check.sh BUILD: installs a build into a folder of its own, moves that folder, and builds and runs a program against it,
# once through CMake's find_package and once through pkg-config.
set -eu
build=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
model=$here/../../examples/digits/lenet5_digits.onnx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix"
libdir=$(dirname "$(find "$work/prefix" -name libonnxrun.so)")

expected="$("$work/prefix/bin/onnxrun" --version | cut -d ' ' -f 2) [1,10]"

cmake -S "$here" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/build"
[ "$("$work/build/consumer" "$model")" = "$expected" ]

export PKG_CONFIG_PATH=$libdir/pkgconfig
flags=$(pkg-config --define-variable=prefix="$work/prefix" --cflags --libs onnxrun)
# shellcheck disable=SC2086
c++ -std=c++20 "$here/consumer.cpp" $flags -o "$work/consumer"
[ "$(LD_LIBRARY_PATH=$libdir "$work/consumer" "$model")" = "$expected" ]
