#!/bin/bash
# What a packet costs popd: builds the bench's tools and runs every row. tests/bench/README says
# what is measured and how to read it.
#
#   tests/bench/run.sh [--quick] [--list] [--json FILE]      as root; make bench builds popd first
#
# BUILD (default build): whose popd. BENCH_ROWS="WORD...": only rows whose name holds one of the
# words (* and ? as in a shell).
# BENCH_CONF="KEY = VALUE; ...": further lines for popd's configuration, to measure it with an
# offload off, say.
set -euo pipefail
cd "$(dirname "$0")/../.."
export BUILD=${BUILD:-build}
tools=$BUILD/bench
flags=(-std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wwrite-strings
	-Wvla -Wundef -pthread -I.)

# tool NAME SOURCE... -- ARCHIVE...
tool() {
	local out=$tools/$1 sources=() archives=()
	shift
	while [ "$1" != -- ]; do
		sources+=("tests/bench/$1.c")
		shift
	done
	shift
	archives=("${@/#/$BUILD/}")
	if [ -x "$out" ] && [ -z "$(find tests/bench/*.[ch] "${archives[@]}" -newer "$out" -print -quit)" ]; then return; fi
	"${CC:-cc}" "${flags[@]}" -o "$out" "${sources[@]}" "${archives[@]}" -lcrypto
}

for part in popd popctl popd.a lib.a; do
	[ -e "$BUILD/$part" ] || { echo "$BUILD/$part is not built: make bench builds it" >&2; exit 1; }
done
mkdir -p "$tools"
tool snapshot snapshot -- popd.a lib.a
tool drain drain lane packet check link subject -- lib.a
tool reference reference -- lib.a
tool client client merge -- lib.a
exec /usr/bin/python3 -B tests/bench/bench.py "$@"
