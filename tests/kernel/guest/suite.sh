#!/bin/bash
# shellcheck disable=SC2317 # the suites are called by name
# In the guest: suite.sh NAME runs one suite and prints "ok", "not ok" or "skip" and its name for each test. Nothing here is fast enough to
# promise anything about time, so a test that fails is run again, alone, before it counts.
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit
PYTHON=/usr/bin/python3
status=0

# twice NAME COMMAND...
twice() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1) || { printf 'again: %s\n%s\n' "$name" "$out"; out=$("$@" 2>&1); }; then
		echo "ok $name"
	else
		printf '%s\nnot ok %s\n' "$out" "$name"
		status=1
	fi
}

# The oracle has its million packets elsewhere; a tenth still reaches each rule.
suite_units() {
	local test
	export POPD_ORACLE_PACKETS=${POPD_ORACLE_PACKETS:-100000}
	for test in "$BUILD"/tests/test_*; do
		if [ -x "$test" ]; then twice "${test##*/}" "$test"; fi
	done
}

suite_replays() {
	local test name
	for test in "$BUILD"/tests/replay_*; do
		name=${test##*/replay_}
		if [ -x "$test" ]; then twice "replay $name" "$test" "tests/fuzz/corpus/$name"; fi
	done
}

pytests() { "$PYTHON" -B tests/kernel/guest/pytests.py "$@" || status=1; }

suite_bpf() { pytests net/test_bpf_encap.py; }
suite_sit() { pytests kernel/test_sit.py; }
suite_refusals() { pytests kernel/test_refusals.py; }
suite_package() { tests/kernel/guest/package.sh before || status=1; }
# Over before it happens: the runner goes on with the next script after the boot.
suite_reboot() {
	sync
	echo 0 >/share/out/reboot.rc
	systemctl reboot
	sleep infinity
}
suite_package-booted() { tests/kernel/guest/package.sh after || status=1; }

# Those about packets; of the others nothing depends on the kernel.
PACKETS="variant offloads tunnels subnets popd_basic path_mtu router errors hostile order capture trace outages"
suite_net() {
	local name files=()
	for name in ${KERNEL_FILES:-$PACKETS}; do files+=("net/test_$name.py"); done
	pytests "${files[@]}"
}

"suite_$1"
exit $status
