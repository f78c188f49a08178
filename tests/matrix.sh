#!/bin/bash
# The tests once in each variant: each offload off (on, if off is its default), each signature
# engine that this processor has, receive offload of the outer device on and off, one worker and
# two, sanitizers. "make matrix" calls this. At the end a table, and the totals in the last line.
#
#   tests/matrix.sh [VARIANT...]   only those; "list" prints their names, and why one is skipped here
#
# Environment: MATRIX_FILES: files of tests/net instead of all that run a popd; MATRIX_JOBS:
# processes of pytest at once (2). Offloads and engines are read from popd's own lists, so a new one
# is in the matrix as soon as popd has it. tests/support/variant.py gives the variant to the tests;
# tests/net/test_variant.py proves in each that popd runs as it says.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
BUILD=${BUILD:-build}
PYTHON=/usr/bin/python3
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
unset MAKEFLAGS MAKELEVEL MAKEOVERRIDES MFLAGS

# ---- the variants

# "name default" each
offloads=$(sed -n 's/^[[:space:]]*X([A-Z0-9_]*, "\([a-z0-9_]*\)", "\(yes\|no\)".*/\1 \2/p' popd/core/offload.h)
engines=$(sed -n '/^const char \*const sha1_engine_names/,/^};/p' lib/sha1_many.c | grep -o '"[a-z0-9-]*"' | tr -d '"' | grep -v '^auto$')
if [ -z "$offloads" ] || [ -z "$engines" ]; then
	echo "matrix.sh: popd/core/offload.h or lib/sha1_many.c has no list that this script can read" >&2
	exit 1
fi

# The kernel's name for the processor feature an engine needs; an engine without a row needs none.
declare -A feature=([avx2]=avx2 [sha-ni]=sha_ni [avx512]=avx512bw)
has_engine() { [ -z "${feature[$1]:-}" ] || grep -qw "${feature[$1]}" /proc/cpuinfo; }

# why_not VARIANT: prints the reason when it cannot run here.
why_not() {
	if [[ $1 == sha1-* ]] && ! has_engine "${1#sha1-}"; then echo "this processor lacks ${feature[${1#sha1-}]}"; fi
}

# The files of tests/net with a world, and so with a popd; those that are about data and signatures.
all_files() { grep -lE '\((net|world|clients)[,)]' tests/net/test_*.py; }
data_files() { ls tests/net/test_{variant,popd_basic,tunnels,hostile,capture,order}.py; }

# name, kind of tests, settings of popd, receive offload of the outer device
variants() {
	local one standard all=
	echo "plain|all||"
	while read -r one standard; do
		if [ "$standard" = yes ]; then
			echo "no-$one|net|$one = no|"
			all+="$one = no;"
		else
			echo "with-$one|net|$one = yes|"
		fi
	done <<<"$offloads"
	echo "no-offload|net|$all|"
	for one in $engines; do echo "sha1-$one|data|sha1 = $one|"; done
	echo "gro-on|net||on"
	echo "gro-off|net||off"
	echo "one-worker|net|workers = 1|"
	echo "two-workers|net|workers = 2|"
	echo "sanitized|san||"
	echo "threads|tsan||"
}

if [ "${1:-}" = list ]; then
	while IFS='|' read -r name _; do
		reason=$(why_not "$name")
		echo "$name${reason:+ (skipped: $reason)}"
	done < <(variants)
	exit
fi

# ---- running

make_here() { make --no-print-directory -s -j2 "$@"; }

# BROKER_TEST_SHA1 names the engine that signs in the unit tests of the data path.
run_unit() { make_here BUILD="$1" SAN="$2" unit; }

run_net() {
	local files=("${@:2}")
	if [ -n "${MATRIX_FILES:-}" ]; then read -ra files <<<"$MATRIX_FILES"; fi
	BUILD=$1 "$PYTHON" -m pytest -q -rfEs -n "${MATRIX_JOBS:-2}" --dist loadfile "${files[@]}"
}

# run_variant KIND: its tests, with the variant in the environment.
run_variant() {
	local status=0 files
	case $1 in
	all | net) mapfile -t files < <(all_files) ;;
	data) mapfile -t files < <(data_files) ;;
	san) mapfile -t files < <(all_files) ;;
	esac
	case $1 in
	net) run_net "$BUILD" "${files[@]}" || status=1 ;;
	all | data)
		run_unit "$BUILD" "" || status=1
		run_net "$BUILD" "${files[@]}" || status=1
		;;
	san)
		make_here BUILD=build-san SAN=1 all || return 1
		run_unit build-san 1 || status=1
		run_net build-san "${files[@]}" || status=1
		;;
	tsan) make_here tsan || status=1 ;;
	esac
	return $status
}

# "passed failed skipped" of a variant's output: lines of make unit, cmocka's own, and pytest's
# last.
count() {
	awk '/^ok  +test_/ { p++ } /^FAIL test_/ { f++ } /^\[  PASSED  \]/ { p += $4 } /^\[  FAILED  \] [0-9]+ test/ { f += $4 }
		/^[0-9]+ (passed|failed|skipped|error).* in [0-9.]+s/ {
			for (i = 2; i <= NF; i++) { w = $i; gsub(/,/, "", w); n[w] += $(i - 1) } }
		END { print p + n["passed"], f + n["failed"] + n["error"] + n["errors"], n["skipped"] + 0 }'
}

mkdir -p "$BUILD"
make_here BUILD="$BUILD" all || exit 1
table=
all_passed=0 all_failed=0 all_skipped=0
trap 'exit 130' INT TERM

while IFS='|' read -r name kind popd gro; do
	if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
	log=$BUILD/matrix-$name.log verdict=ok start=$SECONDS
	printf '\n==== %s%s%s\n' "$name" "${popd:+: $popd}" "${gro:+: gro $gro}"
	reason=$(why_not "$name")
	if [ -n "$reason" ]; then
		echo "skipped: $reason" | tee "$log"
		passed=0 failed=0 skipped=1 verdict=skipped
	else
		sha1=
		if [[ $name == sha1-* ]]; then sha1=${name#sha1-}; fi
		export BROKER_TEST_POPD=$popd BROKER_TEST_GRO=$gro BROKER_TEST_SHA1=$sha1 CHURN_TUNNELS=${CHURN_TUNNELS:-20000}
		run_variant "$kind" </dev/null 2>&1 | tee "$log"
		status=${PIPESTATUS[0]}
		read -r passed failed skipped < <(count <"$log")
		if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
		if [ $((passed + failed)) = 0 ]; then failed=1; fi
		if [ "$failed" != 0 ]; then verdict=FAILED; fi
	fi
	table+=$(printf '%-14s %-8s %7d %7d %7d %7d' "$name" $verdict "$passed" "$failed" "$skipped" $((SECONDS - start)))$'\n'
	all_passed=$((all_passed + passed))
	all_failed=$((all_failed + failed))
	all_skipped=$((all_skipped + skipped))
done < <(variants)

printf '\n%-14s %-8s %7s %7s %7s %7s\n%s' variant result passed failed skipped seconds "$table"
echo "$all_passed passed, $all_failed failed, $all_skipped skipped"
[ $all_failed = 0 ]
