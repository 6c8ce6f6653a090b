#!/bin/bash
# Checks that the program refuses invalid models as it promises: a non-zero exit code, one line of error that names the
# place, within 5 seconds and 1 GiB.
#   check_invalid.sh PROGRAM FOLDER     FOLDER/manifest.tsv: case, phase (load, run), a word of the error, what is wrong;
#                                       FOLDER/CASE/model.onnx, input_0.npy, input_1.npy, ...
# Ends with "N passed, N failed, N skipped".
set -u
[ $# -eq 2 ] || { echo "usage: check_invalid.sh PROGRAM FOLDER" >&2; exit 2; }
program=$1 folder=$2
passed=0 failed=0
error=$(mktemp)
trap 'rm -f "$error"' EXIT

# Tabs next to each other are an empty cell, which read would swallow.
while IFS='|' read -r name phase word what; do
  [ "$name" = case ] && continue
  inputs=()
  for ((i = 0; ; ++i)); do
    [ -e "$folder/$name/input_$i.npy" ] || break
    inputs+=("$folder/$name/input_$i.npy")
  done
  # What shows at load shows without inputs.
  command=(inspect "$folder/$name/model.onnx")
  [ "$phase" = run ] && command=(run "$folder/$name/model.onnx" "${inputs[@]}")
  (ulimit -d 1048576; exec timeout 5 "$program" "${command[@]}") >/dev/null 2>"$error"
  status=$?
  problem=
  case $status in
    3 | 4 | 5 | 6 | 7) ;;
    *) problem="exit code $status" ;;
  esac
  [ "$(wc -l <"$error")" -eq 1 ] || problem+=" $(wc -l <"$error") lines of error"
  grep -qF -- "$word" "$error" || problem+=" does not say \"$word\""
  if [ -z "$problem" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "failed $name ($what):$problem: $(head -c 400 "$error")"
  fi
done < <(tr '\t' '|' <"$folder/manifest.tsv")
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
