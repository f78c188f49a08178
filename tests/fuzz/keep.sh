#!/bin/bash
# Takes what the last "make fuzz" found new into tests/fuzz/corpus, as few and small inputs as reach
# every edge of the code that was reached; those that are there stay. Look at what it adds before it
# is committed.
#
#   tests/fuzz/keep.sh [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build-fuzz}

for program in "$BUILD"/fuzz_*; do
	name=${program##*/fuzz_}
	[ -x "$program" ] || continue
	[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
	mkdir -p "tests/fuzz/corpus/$name" "$BUILD/corpus/$name"
	before=$(find "tests/fuzz/corpus/$name" -type f | wc -l)
	"$program" -merge=1 -use_counters=0 "tests/fuzz/corpus/$name" "$BUILD/corpus/$name" 2>/dev/null
	echo "$name: $before inputs, now $(find "tests/fuzz/corpus/$name" -type f | wc -l)"
done
