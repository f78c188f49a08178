#!/bin/bash
# "make test-kernel": boots Debian 12's own kernel (README beside this file) and runs suites in it, on the programs that are built here. As
# root. At the end a table, and the totals in the last line. Exits 1 when a test failed twice.
#
#   KERNEL_SUITES   which of: units replays bpf sit refusals package net (all)
#   KERNEL_FILES    the files of tests/net that the suite net runs, by name (those about packets)
#   KERNEL_PACKAGE  the Debian package that the suite package installs (one that is built now)
#   KERNEL_SLOW     how often slower the guest is than this machine: what tests wait for is stretched (5)
#   KERNEL_LIMIT    seconds for everything; what has not ended then has failed (7200)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
BUILD=${BUILD:-build}
ALL="units replays bpf sit refusals package net"
read -ra suites <<<"${KERNEL_SUITES:-$ALL}"
folder=$PWD/build/kernel
share=$folder/share
console=$folder/console.log
guest=
unset MAKEFLAGS MAKELEVEL MAKEOVERRIDES MFLAGS

for suite in "${suites[@]}"; do
	[[ " $ALL " == *" $suite "* ]] || { echo "run.sh: there is no suite '$suite'; there are: $ALL" >&2; exit 2; }
done
wants() { [[ " ${suites[*]} " == *" $1 "* ]]; }

stop_guest() {
	if [ -n "$guest" ]; then kill "$guest" 2>/dev/null; fi
}
trap stop_guest EXIT
trap 'exit 130' INT TERM

# ---- what the guest gets

tests/kernel/root.sh "$folder" || exit 1
make --no-print-directory -s -j2 BUILD="$BUILD" all tests || exit 1
rm -rf "$share"
mkdir -p "$share/in" "$share/out" "$share/package"
tar -c --exclude="./$BUILD/kernel" --exclude="./$BUILD/obj" --exclude='./build-*' --exclude='*.a' --exclude=./var --exclude=./.git \
	--exclude=__pycache__ -f "$share/tree.tar" .
if wants package && [ -n "${KERNEL_PACKAGE:-}" ]; then
	cp "$KERNEL_PACKAGE" "$share/package" || exit 1
elif wants package; then
	deploy/debian/build.sh "$share/package" >"$folder/package.log" 2>&1 || { tail -n 20 "$folder/package.log" >&2; exit 1; }
fi

# ---- the guest

# KVM may be there and hang at boot, so the processor is emulated. Nothing is written to the disk: each run begins with it as it was made.
boot() {
	nice -n 5 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 4G -display none -nic none \
		-kernel "$folder/vmlinuz" -initrd "$folder/initrd.img" -append "root=/dev/vda rw console=ttyS0 panic=5 net.ifnames=0 quiet" \
		-drive "file=$folder/disk.img,if=virtio,format=raw,snapshot=on" \
		-fsdev "local,id=share,path=$share,security_model=none" -device virtio-9p-pci,fsdev=share,mount_tag=share \
		-serial mon:stdio </dev/null >"$console" 2>&1 &
	guest=$!
}

end=$((SECONDS + ${KERNEL_LIMIT:-7200}))

# wait_for FILE LOG: what is written to the log meanwhile is shown. False: the guest or the time has ended.
wait_for() {
	local shown=0 size
	while :; do
		local there=no
		if [ -e "$1" ]; then there=yes; fi
		size=$(stat -c %s "$2" 2>/dev/null || echo 0)
		if [ "$size" -gt "$shown" ]; then
			tail -c "+$((shown + 1))" "$2" | head -c $((size - shown))
			shown=$size
		fi
		if [ $there = yes ]; then return 0; fi
		if [ $SECONDS -ge $end ]; then echo "the limit of ${KERNEL_LIMIT:-7200} s is reached"; return 1; fi
		if ! kill -0 "$guest" 2>/dev/null; then echo "the guest has ended"; tail -n 20 "$console"; return 1; fi
		sleep 0.5
	done
}

# step NAME COMMAND: the guest runs it in the tree.
step() {
	printf 'export BUILD=%q BROKER_SLOW=%q KERNEL_FILES=%q\n%s\n' "$BUILD" "${KERNEL_SLOW:-5}" "${KERNEL_FILES:-}" "$2" >"$share/in.new"
	mv "$share/in.new" "$share/in/$1"
	wait_for "$share/out/$1.rc" "$share/out/$1.log" && [ "$(cat "$share/out/$1.rc")" = 0 ]
}

# ---- suites

table=
all_passed=0 all_failed=0 all_skipped=0

# run_suite NAME STEP...: a suite is one script, or several with a boot of the guest between two.
run_suite() {
	local name=$1 part status=0 start=$SECONDS passed failed skipped verdict=ok
	shift
	printf '\n==== %s\n' "$name"
	for part in "$@"; do step "$part" "cd /work/tree && exec tests/kernel/guest/suite.sh $part" || status=1; done
	read -r passed failed skipped < <(for part in "$@"; do cat "$share/out/$part.log"; done 2>/dev/null |
		awk '/^ok / { p++ } /^not ok / { f++ } /^skip / { s++ } END { print p + 0, f + 0, s + 0 }')
	if [ $status != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
	if [ $((passed + failed + skipped)) = 0 ]; then
		echo "$name ran no test"
		failed=1
	fi
	if [ "$failed" != 0 ]; then verdict=FAILED; fi
	table+=$(printf '%-10s %-7s %7d %7d %7d %7d' "$name" $verdict "$passed" "$failed" "$skipped" $((SECONDS - start)))$'\n'
	all_passed=$((all_passed + passed))
	all_failed=$((all_failed + failed))
	all_skipped=$((all_skipped + skipped))
}

boot
if wait_for "$share/out/up" /dev/null && step tree "mkdir /work/tree && tar -x -f /share/tree.tar -C /work/tree && uname -a"; then
	for suite in "${suites[@]}"; do
		if [ "$suite" = package ]; then run_suite package package reboot package-booted; else run_suite "$suite" "$suite"; fi
	done
	touch "$share/in/poweroff"
	for _ in $(seq 60); do
		kill -0 "$guest" 2>/dev/null || break
		sleep 1
	done
else
	echo "the guest does not run" >&2
	all_failed=1
fi
stop_guest
printf '\n%-10s %-7s %7s %7s %7s %7s\n%s' suite result passed failed skipped seconds "$table"
echo "$all_passed passed, $all_failed failed, $all_skipped skipped"
[ $all_failed = 0 ]
