#!/bin/sh
# check_isa_symbols.sh TAG OBJECT... fails when an object compiled for the instruction set TAG defines a global or weak
# function or variable whose name lacks the tag: the linker could merge it with code for another processor.
tag=$1
shift
status=0
for object in "$@"; do
  strays=$(nm --defined-only "$object" | awk -v tag="$tag" '
    $2 ~ /^[TWVBDRGSu]$/ && $3 !~ ("[0-9]" tag) && $3 !~ ("xsimd_" tag) && $3 !~ /^DW\.ref\.|^__(asan|odr_asan|ubsan|tsan)/ {print $3}')
  if [ -n "$strays" ]; then
    echo "$object:"
    echo "$strays" | c++filt | sed 's/^/  /'
    status=1
  fi
done
exit $status
