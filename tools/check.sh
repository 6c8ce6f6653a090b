#!/bin/bash
# Sets up like quickstart.sh and runs everything that must pass. Ends with "N passed, N failed, N skipped".
#   check.sh          clang-tidy looks at the files changed against the main branch
#   check.sh --all    clang-tidy looks at every file
#   check.sh --fast   format, build and the unit tests only
set -u
cd "$(dirname "$0")/.."
mode=${1:-}
case $mode in "" | --all | --fast) ;; *) echo "usage: check.sh [--all | --fast]" >&2; exit 2 ;; esac

passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

add() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }

# step TITLE COMMAND...: one case; its output is shown only where it fails.
step() {
  local title=$1
  shift
  printf '%-44s' "$title"
  local start=$SECONDS
  if "$@" >"$log" 2>&1; then
    add 1 0 0
    echo "ok  $((SECONDS - start)) s"
  else
    add 0 1 0
    echo "FAILED  $((SECONDS - start)) s"
    tail -n 60 "$log"
    return 1
  fi
}

# counted TITLE COMMAND...: as many cases as the command's line "N passed, N failed, N skipped" says.
counted() {
  local title=$1
  shift
  printf '%-44s' "$title"
  local start=$SECONDS line
  "$@" >"$log" 2>&1
  local status=$?
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
  if [ -z "$line" ]; then
    add 0 1 0
    echo "FAILED with exit code $status"
    tail -n 60 "$log"
    return 1
  fi
  read -r p _ f _ s _ <<<"$line"
  add "$p" "$f" "$s"
  echo "$line  $((SECONDS - start)) s"
  [ "$s" -eq 0 ] || grep '^skipped' "$log" | head -n 10
  [ "$f" -eq 0 ] || grep -E '^(failed|\*\*\*|The following|	 *[0-9]+ - )' "$log" | head -n 40
  [ "$f" -eq 0 ]
}

sources() { git ls-files '*.cpp' '*.h'; }

# The files that differ from where this branch left the main one; all of them with --all.
changed_sources() {
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || true)
  if [ "$mode" = --all ] || [ -z "$base" ]; then
    git ls-files '*.cpp'
  else
    { git diff --name-only --diff-filter=d "$base" -- '*.cpp'; git ls-files --others --exclude-standard '*.cpp'; } | sort -u
  fi
}

check_format() { sources | xargs clang-format --dry-run --Werror; }

# Files that the release build compiles, without what clang cannot read: g++'s precompiled headers and its own options.
# Kernels are left to the compilers.
check_tidy() {
  mkdir -p build/tidy
  sed -E 's/ -Winvalid-pch| -include [^ ]*cmake_pch\.hxx| -fvect-cost-model=[a-z-]+| -Wno-maybe-uninitialized//g' \
    build/release/compile_commands.json >build/tidy/compile_commands.json
  changed_sources | grep -vE '\.(simd|amx)\.cpp$' | while read -r file; do
    grep -q "\"file\": \"$PWD/$file\"" build/release/compile_commands.json && echo "$file"
  done | xargs -r -n 1 -P "$(nproc)" clang-tidy --quiet -p build/tidy
}

# ctest's summary in the form of this script.
run_tests() {
  ctest --test-dir build/release -j "$(nproc)" --timeout 600 --output-on-failure "$@" >"$log.ctest" 2>&1
  sed -n '/% tests passed/,$p; /\*\*\*/p' "$log.ctest"
  grep -E -B 2 -A 20 'Failure$|ERROR:|terminate called' "$log.ctest" | head -n 100
  awk '/tests passed, [0-9]+ tests failed out of [0-9]+/ { f = $4; n = $9; print n - f " passed, " f " failed, 0 skipped" }' "$log.ctest"
  rm -f "$log.ctest"
}

conformance() { build/release/bin/onnxrun conformance --quiet "$@"; }

# Whole models of FOLDER that tests/models does not hold.
whole_models() {
  local names
  names=$(comm -23 <(ls "$1") <(ls tests/models) | sed 's|.*|*/&_threads_2|' | paste -sd:)
  ONNXRUN_MODELS=$(realpath "$1") build/release/bin/onnxrun_models_tests --gtest_filter="$names" >"$log.models" 2>&1
  grep -A 8 'Failure$' "$log.models" | head -n 60
  awk '/^\[  PASSED  \]/ { p = $4 } /^\[  FAILED  \] [0-9]+ tests?,/ { f = $4 }
       END { print p + 0 " passed, " f + (p == "") " failed, 0 skipped" }' "$log.models"
  rm -f "$log.models"
}

invalid_models() {
  local folder
  folder=$(mktemp -d)
  /usr/bin/python3 "$1" "$folder" && tools/check_invalid.sh build/release/bin/onnxrun "$folder"
  rm -rf "$folder"
}

summary() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}

step "packages" tools/setup.sh || summary
step "format" check_format
step "configure" cmake --preset release || summary
printf 'build\n'
cmake --build --preset release || { add 0 1 0; summary; }
if [ "$mode" = --fast ]; then
  counted "unit tests" run_tests -LE slow
  summary
fi
step "clang-tidy" check_tidy
step "includes follow the arrows" tests/include_arrows.sh
counted "unit tests, models, every instruction set" run_tests
counted "kernel speed" build/release/bin/kernel_speed
# Data that contradicts its own models: test_adam_multiple expects an epsilon that the model does not give, the two of
# Resize-13 the fractional length that the specification has since version 19.
wrong='(?!node/test_(adam_multiple|resize_downsample_scales_(linear|cubic)_align_corners)$)'
counted "conformance of ONNX 1.12" conformance /usr/share/libonnx-testdata/data --filter "^$wrong"
for suite in onnx-tests corners random; do
  [ -d "../shared/$suite" ] && counted "conformance, $suite" conformance "../shared/$suite"
done
if [ -d ../shared/zoo ]; then counted "large models" whole_models ../shared/zoo; fi
# Its generator needs Python with numpy and onnx.
if [ -f ../shared/robustness/make_invalid.py ] && /usr/bin/python3 -c 'import numpy, onnx' 2>/dev/null; then
  counted "invalid models" invalid_models ../shared/robustness/make_invalid.py
fi
step "installed library" tests/install_consumer/check.sh build/release
summary
