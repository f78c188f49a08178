#!/bin/bash
# shellcheck disable=SC2016,SC2317 # code for other shells is quoted; the checks are called by name
# The programs are built and run where popd's program for the kernel cannot be: one line a check:
# "ok ...", "not ok ..." or "skip ...".
#
#   check_no_bpf.sh headers   clang is there, but /usr/include/bpf is an empty folder, as without libbpf-dev
#   check_no_bpf.sh clang     the path has no clang either
#
# The build has a folder of its own, build-no-bpf or build-no-clang.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
unset MAKEFLAGS MAKELEVEL MAKEOVERRIDES MFLAGS CC BPF
case ${1:-} in
headers) export BUILD=build-no-bpf ;;
clang) export BUILD=build-no-clang ;;
*) echo "usage: check_no_bpf.sh headers|clang" >&2; exit 2 ;;
esac
kind=$1
if [ "$(id -u)" != 0 ]; then
	echo "skip a build without $kind (only root has mount namespaces)"
	exit
fi
SCRATCH=$(mktemp -d /tmp/broker-no-bpf-XXXXXX)
trap 'rm -rf "$SCRATCH"' EXIT
mkdir "$SCRATCH/empty"
status=0

# Runs a command on such a machine.
there() {
	unshare -m sh -ec 'mkdir -p /usr/include/bpf; mount --bind "$1" /usr/include/bpf; PATH=$2; export PATH; shift 2; exec "$@"' sh \
		"$SCRATCH/empty" "$path" "$@"
}

check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "ok $name"
	else
		printf 'not ok %s\n%s\n' "$name" "$out"
		status=1
	fi
}

path=$PATH
if [ "$kind" = clang ]; then
	# /usr/bin without clang: by the first name in the path, as a shell would find it
	path=$SCRATCH/bin
	mkdir "$path"
	IFS=: read -ra folders <<<"$PATH"
	for folder in "${folders[@]}"; do
		[ ! -d "$folder" ] || find "$folder/" -maxdepth 1 ! -type d ! -name 'clang*' -exec ln -s -t "$path" {} + 2>/dev/null
	done
fi

is_as_said() { if [ "$kind" = clang ]; then ! there sh -c 'command -v clang'; else there clang --version; fi && there sh -c '! ls /usr/include/bpf/*'; }
probe_says_no() { [ -z "$(there deploy/has_bpf.sh)" ]; }
is_built() { there make --no-print-directory -s -j2 all; }
runs() { "$BUILD/$1" --version; }
takes_its_configuration() { "$BUILD/$1" -c "deploy/etc/$1.conf" --check-config; }
has_no_libbpf() { ! ldd "$BUILD/popd" | grep libbpf; }

# A popd that is told to use the program says that it has none, once, and runs without.
goes_without() {
	cat >"$SCRATCH/popd.conf" <<-END
		[popd]
		name = demo01
		ipv4 = 192.0.2.1
		snapshot = $SCRATCH/snapshot
		control = $SCRATCH/popd.sock
		bpf_encap = yes
		[database]
		conninfo = host=$SCRATCH dbname=none
	END
	unshare -n bash -c '
		ip link set lo up && ip address add 192.0.2.1/32 dev lo || exit
		"$BUILD/popd" -c "$1/popd.conf" 2>"$1/log" &
		popd=$!
		for _ in $(seq 100); do "$BUILD/popctl" --socket "$1/popd.sock" --json status >"$1/status" 2>/dev/null && break; sleep 0.1; done
		kill $popd
		wait $popd' bash "$SCRATCH" && grep '"bpf_encap": "missing"' "$SCRATCH/status" &&
		[ "$(grep -c 'built without BPF' "$SCRATCH/log")" = 1 ]
	local result=$?
	cat "$SCRATCH/log"
	return $result
}

check "the machine is without $kind" is_as_said
check "deploy/has_bpf.sh says no" probe_says_no
check "every program is built" is_built
for program in popd popctl ticd ticctl webd; do check "$program runs" runs $program; done
for program in popd ticd webd; do check "$program takes its sample configuration" takes_its_configuration $program; done
check "popd needs no libbpf" has_no_libbpf
check "popd says that bpf_encap is missing and runs" goes_without
exit $status
