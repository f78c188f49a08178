#!/bin/bash
# Fuzzes every target FUZZ_RUNS times, as many at once as there are cores (FUZZ_JOBS); then a table.
# "make fuzz" calls this.
#
#   tests/fuzz/run.sh [TARGET...]   only those
#
# A target fails when it finds something, and when FUZZ_SECONDS pass before it is through. What it
# found is kept in $BUILD and named, with how to run it again. What is new grows in $BUILD/corpus;
# tests/fuzz/keep.sh takes the worthwhile part of it over.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
BUILD=${BUILD:-build-fuzz}
RUNS=${FUZZ_RUNS:-10000000}
SECONDS_EACH=${FUZZ_SECONDS:-1800}
JOBS=${FUZZ_JOBS:-$(nproc)}

# The largest input where 256 bytes are not the right size: what a target has room for, no more,
# since time goes by bytes.
declare -A MAX_LEN=(
	[lib_cursor]=128
	[lib_text]=64
	[lib_ayiya]=96
	[lib_heartbeat]=160
	[popd_startup]=128
	[lib_packet]=192
	[popd_pipeline]=320
	[popd_snapshot]=384
	[ticctl_args]=128
	[ticctl_text]=96
	[ticd_auth]=128
	[ticd_line]=160
	[ticd_session]=192
	[webd_request]=160
	[webd_text]=96
)

# A short memory of freed blocks and of who allocated them: enough for one input, and three times as
# fast. A found input is run again without these.
export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=1:malloc_context_size=1:allocator_release_to_os_interval_ms=-1}

max_len() { echo "${MAX_LEN[$1]:-256}"; }

declare -A running=() status=() # pid: target; target: exit status

# In place of this shell, so that its process is the fuzzer.
run_target() {
	exec "$BUILD/fuzz_$1" -runs="$RUNS" -max_total_time="$SECONDS_EACH" -max_len="$(max_len "$1")" -timeout=20 -rss_limit_mb=1024 \
		-print_final_stats=1 -artifact_prefix="$BUILD/$1-" "$BUILD/corpus/$1" "tests/fuzz/corpus/$1" >"$BUILD/fuzz-$1.log" 2>&1
}

# Waits for one of them.
reap() {
	local pid code
	wait -n -p pid "${!running[@]}"
	code=$?
	status[${running[$pid]}]=$code
	unset "running[$pid]"
}

if [ $# -gt 0 ]; then
	targets=("$@")
else
	targets=()
	for file in tests/fuzz/fuzz_*.c; do
		file=${file##*/fuzz_}
		targets+=("${file%.c}")
	done
	# The large ones first, so that no large one runs alone at the end.
	mapfile -t targets < <(for name in "${targets[@]}"; do echo "$(max_len "$name") $name"; done | sort -rn | cut -d' ' -f2)
fi

trap 'kill "${!running[@]}" 2>/dev/null; exit 130' INT TERM
for name in "${targets[@]}"; do
	while [ ${#running[@]} -ge "$JOBS" ]; do reap; done
	mkdir -p "$BUILD/corpus/$name" "tests/fuzz/corpus/$name"
	run_target "$name" &
	running[$!]=$name
done
while [ ${#running[@]} -gt 0 ]; do reap; done

stat_of() { sed -n "s/^stat::$2: *//p" "$BUILD/fuzz-$1.log" | tail -n 1; }

passed=0 failed=0
printf '\n%-20s %-8s %11s %8s %8s %7s\n' target result executions exec/s seconds max_len
for name in "${targets[@]}"; do
	log=$BUILD/fuzz-$name.log
	done_runs=$(stat_of "$name" number_of_executed_units)
	seconds=$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second.*/\1/p' "$log" | tail -n 1)
	result=ok
	if [ "${status[$name]}" != 0 ]; then
		result=FAILED
	elif [ "${done_runs:-0}" -lt "$RUNS" ]; then
		result=SHORT
	fi
	if [ $result = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	printf '%-20s %-8s %11s %8s %8s %7s\n' "$name" $result "${done_runs:--}" "$(stat_of "$name" average_exec_per_sec)" "${seconds:--}" "$(max_len "$name")"
done

for name in "${targets[@]}"; do
	log=$BUILD/fuzz-$name.log
	[ "${status[$name]}" != 0 ] || continue
	printf '\n==== %s\n' "$name"
	tail -n 40 "$log"
	artifact=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
	if [ -n "$artifact" ]; then
		echo "again: ASAN_OPTIONS= $BUILD/fuzz_$name $artifact"
		echo "for ever: cp $artifact tests/fuzz/corpus/$name/ && make replay"
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
