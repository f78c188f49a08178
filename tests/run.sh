#!/bin/bash
# Every suite, one after another, whatever the result of the one before; then a table, and the
# totals in the last line. "make test" calls this. BUILD (default build): the folder of the programs
# under test; SAN=1: they are sanitized.
#
#   tests/run.sh [SUITE...]   only those
#
# A suite is a function suite_<name>. Its output goes to the terminal and to $BUILD/test-<name>.log,
# from which count_<kind> takes the numbers. A suite fails by its exit status too, and by running no
# test.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export BUILD=${BUILD:-build} SAN=${SAN:-}
# Debian's python3 packages are for this one, whichever python3 is first in the path.
PYTHON=/usr/bin/python3
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
# The makes below get their variables from here, not from the command line of "make test".
unset MAKEFLAGS MAKELEVEL MAKEOVERRIDES MFLAGS
mkdir -p "$BUILD"

make_here() { make --no-print-directory -j2 BUILD="$BUILD" "$@"; }

# Both compilers, every file, no warning, in folders of their own.
build_strictly() {
	make --no-print-directory -s -j2 SAN= CC="$1" WERROR=1 BUILD="build-$1" all tests
}
suite_gcc() { build_strictly gcc; }
suite_clang() { build_strictly clang; }

suite_unit() {
	rm -f "$BUILD"/tests/test_*.log
	make_here -s unit
	local status=$? log
	for log in "$BUILD"/tests/test_*.log; do
		[ ! -e "$log" ] || sed -n "s#^\[  \(PASSED\|FAILED\)  \] \([0-9]*\) test(s).*#cmocka \1 \2 $(basename "$log" .log)#p" "$log"
	done
	return $status
}

# The fuzzers' corpora, and every input that once broke something.
suite_replay() {
	local file name program status=0
	make_here -s -k tests || status=1
	for file in tests/fuzz/fuzz_*.c; do
		name=${file##*/fuzz_}
		name=${name%.c}
		program=$BUILD/tests/replay_$name
		if [ -x "$program" ] && "$program" "tests/fuzz/corpus/$name"; then
			echo "ok $name"
		else
			echo "not ok $name"
			status=1
		fi
	done
	return $status
}

suite_includes() { tests/check_includes.sh; }
suite_sql() { tests/sql/run; }
suite_manuals() { tests/check_manuals.sh; }
suite_deploy() { tests/check_deploy.sh; }
suite_probes() { tests/check_probes.sh; }
suite_no-bpf() { tests/check_no_bpf.sh headers; }
suite_no-clang() { tests/check_no_bpf.sh clang; }
# Two files at a time, each in one process: these tests wait more than they work. The slowest are
# named.
run_pytest() { "$PYTHON" -m pytest -q -rfEs --durations=8 -n 2 --dist loadfile "$@"; }
suite_net() { run_pytest tests/net; }
suite_web() { run_pytest tests/web; }

# Each prints "passed failed skipped" from a log on standard input.
count_cmocka() { awk '$1 == "cmocka" { n[$2] += $3 } /^FAIL / { bad++ } END { f = n["FAILED"]; print n["PASSED"] + 0, (f > bad ? f : bad) + 0, 0 }'; }
count_lines() { awk '/^ok( |$)/ { p++ } /^not ok( |$)/ { f++ } /^skip( |$)/ { s++ } END { print p + 0, f + 0, s + 0 }'; }
count_prove() {
	awk '/^Files=/ { split($2, part, /[=,]/); total += part[2] }
		/Failed [0-9]+\/[0-9]+ subtests/ { for (i = 1; i < NF; i++) if ($i == "Failed") { split($(i + 1), part, "/"); failed += part[1] } }
		/skipped: / { skipped++ }
		END { print total - failed, failed + 0, skipped + 0 }'
}
count_pytest() {
	tail -n 1 | awk '{ for (i = 2; i <= NF; i++) { gsub(/,/, "", $i); n[$i] = $(i - 1) } }
		END { print n["passed"] + n["xfailed"] + 0, n["failed"] + n["error"] + n["errors"] + n["xpassed"] + 0, n["skipped"] + 0 }'
}
count_build() { echo 1 0 0; }

SUITES="gcc:build clang:build no-bpf:lines no-clang:lines unit:cmocka replay:lines includes:lines sql:prove manuals:lines deploy:lines
	probes:lines net:pytest web:pytest"

table=
all_passed=0 all_failed=0 all_skipped=0

# run_suite NAME KIND
run_suite() {
	local log="$BUILD/test-$1.log" status passed failed skipped start=$SECONDS verdict=ok
	printf '\n==== %s\n' "$1"
	"suite_$1" 2>&1 </dev/null | tee "$log"
	status=${PIPESTATUS[0]}
	read -r passed failed skipped < <("count_$2" <"$log")
	if [ "$status" != 0 ] && [ "$failed" = 0 ]; then
		failed=1
		if [ "$2" = build ]; then passed=0; fi
	fi
	if [ "$((passed + failed + skipped))" = 0 ]; then
		echo "$1 ran no test"
		failed=1
	fi
	if [ "$failed" != 0 ]; then verdict=FAILED; fi
	table+=$(printf '%-10s %-7s %7d %7d %7d %7d' "$1" $verdict "$passed" "$failed" "$skipped" $((SECONDS - start)))$'\n'
	all_passed=$((all_passed + passed))
	all_failed=$((all_failed + failed))
	all_skipped=$((all_skipped + skipped))
}

trap 'exit 130' INT TERM
for suite in $SUITES; do
	if [ $# = 0 ] || [[ " $* " == *" ${suite%:*} "* ]]; then run_suite "${suite%:*}" "${suite#*:}"; fi
done
printf '\n%-10s %-7s %7s %7s %7s %7s\n%s' suite result passed failed skipped seconds "$table"
echo "$all_passed passed, $all_failed failed, $all_skipped skipped"
[ $all_failed = 0 ]
