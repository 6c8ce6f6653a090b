#!/bin/sh
# check_hot_loops.sh OBJECT... looks at the innermost loops (straight code that ends in a conditional jump to its start)
# of the multiply-accumulate kernels (functions named in the pattern below). It fails when a vector register goes to or
# comes from the stack in one, which means that accumulators left their registers, when an object for AVX2 or AVX-512
# multiplies without fusing, and when it finds no loop at all. Prints a line per object.
pattern='TileKernel<.*::run[(]|compute_rows?<|blocked_tile<|byte_tile<|some_rows<|dot_tile<|pixel_tile<|::row<|depthwise_tile<|weigh|score'
status=0
for object in "$@"; do
  objdump -d --no-show-raw-insn -C "$object" | awk -v pattern="$pattern" -v object="$object" '
    function check(first, last, i, sums, stack, unfused) {
      for (i = first; i <= last; i++) {
        if (text[i] ~ /v?f(n?m)(add|sub)|mulp[sd]|fmla|pmaddwd|pdpwssd|pdpbusd/) sums++
        if (text[i] ~ /vmulp[sd]/) unfused++
        if (text[i] ~ /%[xyz]mm/ && (text[i] ~ /\(%rsp/ || framed && text[i] ~ /\(%rbp/)) stack++
      }
      if (sums < 2) return
      loops++
      if (stack) { bad++; printf "%s: stack traffic in a loop of %s\n", object, name }
      if (unfused) { bad++; printf "%s: product not fused in a loop of %s\n", object, name }
    }
    /^[0-9a-f]+ <.*>:$/ {
      name = $0; sub(/^[0-9a-f]+ </, "", name); sub(/>:$/, "", name)
      hot = name ~ pattern; count = 0; last_jump = 0; framed = 0; delete at
      next
    }
    hot && /^ +[0-9a-f]+:/ {
      if ($0 ~ /mov +%rsp,%rbp/) framed = 1
      address = $1; sub(/:$/, "", address)
      text[++count] = $0; at[address] = count
      if ($2 !~ /^(j[a-z]+|b|b\.[a-z]+|cbn?z|tbn?z|ret)$/) next
      if ($2 !~ /^(jmp|b|ret)$/ && ($3 in at) && at[$3] > last_jump) check(at[$3], count)
      last_jump = count
    }
    END {
      printf "%s: %d loops, %d faults\n", object, loops, bad
      exit bad > 0 || loops == 0
    }' || status=1
done
exit $status
