#!/bin/bash
# bench_peers.sh [--ort LIBRARY] MODEL...: measures onnxrun beside ONNX Runtime's CPU library, by default the one of its
# npm package, which is fetched into ${XDG_CACHE_HOME:-~/.cache}/onnxrun/peers.
set -eu
cd "$(dirname "$0")/.."
version=1.30.0
library=
if [ "${1:-}" = --ort ]; then
  library=$2
  shift 2
fi
[ $# -gt 0 ] || { sed -n '2,3s/^# //p' tools/bench_peers.sh >&2; exit 2; }
if [ -z "$library" ]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/onnxrun/peers
  library=$cache/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1
  if [ ! -f "$library" ]; then
    mkdir -p "$cache"
    npm install --prefix "$cache" --ignore-scripts --no-audit --no-fund "onnxruntime-node@$version" >&2
  fi
fi
cmake --preset bench >/dev/null
cmake --build --preset bench --target bench_peers >/dev/null
build/bench/bin/bench_peers "$library" "$@"
