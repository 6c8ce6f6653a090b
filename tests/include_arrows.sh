#!/bin/bash
# Checks that each folder of src/ and tools/ includes only what docs/architecture.md lets it include, and that a few
# headers of other projects stay behind one door.
set -u
cd "$(dirname "$0")/.."
status=0

# may FOLDER ALLOWED...: the headers of src/ that files under FOLDER may include, as prefixes.
may() {
  local folder=$1 allowed
  shift
  allowed=$(IFS='|'; echo "$*")
  local wrong
  wrong=$(grep -rnE '^#include "(base|graph|kernels|media|ops|runtime|tools)/' --include='*.h' --include='*.cpp' "$folder" |
    grep -vE "#include \"($allowed)")
  [ -z "$wrong" ] && return
  echo "$folder may include $* only:"
  echo "$wrong"
  status=1
}

# only HEADER_REGEX PLACE_REGEX: nothing else under src/, tools/ or include/ includes it.
only() {
  local wrong
  wrong=$(grep -rnE "^#include [<\"]$1" --include='*.h' --include='*.cpp' src tools include | grep -vE "^$2")
  [ -z "$wrong" ] && return
  echo "$1 is for $2 only:"
  echo "$wrong"
  status=1
}

may include nothing
may src/base base/
may src/kernels kernels/ base/
may src/media media/ base/
may src/graph graph/ base/
may src/ops ops/ graph/ kernels/ media/ base/
may src/runtime runtime/ graph/ ops/register_all.h kernels/channel_block.h base/
may tools media/

only 'tbb/' src/base/
only 'onnx\.pb\.h' 'src/graph/'
only 'xsimd' src/kernels/simd.h
only 'unicode/' src/media/text_case.cpp
only 're2/' src/media/regex.cpp
exit $status
