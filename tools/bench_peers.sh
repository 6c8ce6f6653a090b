#!/bin/bash
# bench_peers.sh [--ort LIBRARY] [--threads LIST] [--seconds S] [--dim NAME=N] [--out FILE] [MODEL.onnx | MODEL_FOLDER]...
# measures onnxrun beside ONNX Runtime's CPU library, by default that of its npm package, which is fetched into
# ${XDG_CACHE_HOME:-~/.cache}/onnxrun/peers. A folder is one of tests/models: the model is made of it, and measured on its
# inputs. Without models: all of tests/models and of ../shared/zoo, and the page becomes docs/benchmarks.md.
set -euo pipefail
version=1.30.0
library= out= options=()
while [ $# -gt 0 ]; do
  case $1 in
    --ort) library=$(realpath "$2") ;;
    --out) out=$(realpath "$2") ;;
    --threads | --seconds | --dim) options+=("$1" "$2") ;;
    -*) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
    *) break ;;
  esac
  shift 2 || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
done
arguments=()
for argument in "$@"; do arguments+=("$(realpath "$argument")"); done
cd "$(dirname "$0")/.."
if [ ${#arguments[@]} -eq 0 ]; then
  out=${out:-$PWD/docs/benchmarks.md}
  declare -A folders  # a model that both hold is measured once
  for folder in tests/models/*/ ../shared/zoo/*/; do
    [ ! -f "$folder/weights.json" ] || folders[$(basename "$folder")]=$folder
  done
  for name in $(printf '%s\n' "${!folders[@]}" | sort); do arguments+=("${folders[$name]}"); done
fi
if [ -z "$library" ]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/onnxrun/peers
  library=$cache/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1
  if [ ! -f "$library" ]; then
    mkdir -p "$cache"
    npm install --prefix "$cache" --ignore-scripts --no-audit --no-fund "onnxruntime-node@$version" >&2
  fi
fi
cmake --preset release >/dev/null
cmake --build --preset release --target bench_peers zoo_materialize >&2
models=build/models
mkdir -p "$models"
files=()
for argument in "${arguments[@]}"; do
  if [ -d "$argument" ]; then
    file=$models/$(basename "$argument").onnx
    [ "$file" -nt "$argument/weights.json" ] || build/release/bin/zoo_materialize "$models" "${argument%/}" >&2
    files+=("$file")
  else
    files+=("$argument")
  fi
done
page=$(mktemp)
trap 'rm -f "$page"' EXIT
status=0
build/release/bin/bench_peers "${options[@]}" "$library" "${files[@]}" | tee "$page" || status=$?
if [ -n "$out" ]; then cp "$page" "$out"; fi
exit $status
