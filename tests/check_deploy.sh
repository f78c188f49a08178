#!/bin/bash
# shellcheck disable=SC2317 # the checks are called by name
# The files in deploy/ are right: scripts parse, sample configurations load, systemd and nft accept
# units and firewall rules, "make install" and the Debian package hold what they should. One line a
# check: "ok ...", "not ok ..." or "skip ...".
#
#   check_deploy.sh [TEXT]   only the checks whose name contains TEXT
set -uo pipefail
cd "$(dirname "$0")/.." || exit
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$PWD/$BUILD
export BUILD
only=${1:-}
status=0
SCRATCH=$(mktemp -d /tmp/broker-deploy-XXXXXX)
trap 'rm -rf "$SCRATCH"' EXIT

# check NAME COMMAND...: its output is shown only when it fails.
check() {
	local name=$1 out
	shift
	[[ $name == *"$only"* ]] || return 0
	if out=$("$@" 2>&1); then
		echo "ok $name"
	else
		printf 'not ok %s\n%s\n' "$name" "$out"
		status=1
	fi
}

# check_with TOOL NAME COMMAND...: skipped where the tool is missing.
check_with() {
	local tool=$1
	shift
	if command -v "$tool" >/dev/null; then check "$@"; else skip "$1" "$tool is missing"; fi
}

# skip NAME REASON
skip() { [[ $1 != *"$only"* ]] || echo "skip $1 ($2)"; }

refuses_bad_config() {
	local program=$1 out
	printf '[%s]\nno_such_key = 1\n' "$program" >"$SCRATCH/bad.conf"
	if out=$("$BUILD/$program" -c "$SCRATCH/bad.conf" --check-config 2>&1); then return 1; fi
	[[ $out == *bad.conf:2:* ]] || { echo "$out"; return 1; }
}

# Our users and paths need not exist here, so the unit gets this build's program and this test's
# user.
verify_unit() {
	mkdir -p "$SCRATCH/units"
	sed "s|/usr/sbin/|$BUILD/|; s|^User=.*|User=daemon|" "deploy/systemd/$1.service" >"$SCRATCH/units/$1.service"
	local out
	out=$(systemd-analyze verify --man=no "$SCRATCH/units/$1.service" 2>&1) && [ -z "$out" ] || { echo "$out"; return 1; }
}

dump_loads_again() {
	"$BUILD/$1" -c "deploy/etc/$1.conf" --dump-config | sed 's/^conninfo = .*/conninfo = dbname=broker/' >"$SCRATCH/$1.conf" &&
		"$BUILD/$1" -c "$SCRATCH/$1.conf" --check-config
}

INSTALLED="sbin/popd sbin/ticd sbin/webd bin/popctl bin/ticctl share/man/man8/popd.8 share/man/man8/popctl.8 share/man/man8/ticd.8
	share/man/man8/ticctl.8 share/man/man8/webd.8 share/man/man5/popd.conf.5 share/man/man5/ticd.conf.5 share/man/man5/webd.conf.5
	lib/systemd/system/popd.service lib/systemd/system/ticd.service lib/systemd/system/webd.service lib/sysusers.d/broker.conf
	share/ipv6-broker/superuser.sql share/doc/ipv6-broker/examples/popd.conf share/doc/ipv6-broker/examples/modprobe.conf"

# holds DIR: every installed file is there, and the units name the programs where they are.
holds() {
	local file
	for file in $INSTALLED; do
		[ -s "$1/$file" ] || [ -s "$1/$file.gz" ] || { echo "$file is missing"; return 1; }
	done
}

install_is_whole() {
	make --no-print-directory -s BUILD="$BUILD" DESTDIR="$SCRATCH/root" PREFIX=/opt/broker install &&
		holds "$SCRATCH/root/opt/broker" &&
		grep -qx 'ExecStart=/opt/broker/sbin/popd -c /etc/broker/popd.conf' "$SCRATCH/root/opt/broker/lib/systemd/system/popd.service" &&
		"$SCRATCH/root/opt/broker/sbin/popd" --version
}

package_is_whole() {
	deploy/debian/build.sh "$SCRATCH" && dpkg-deb -x "$SCRATCH"/ipv6-broker_*.deb "$SCRATCH/package" && holds "$SCRATCH/package/usr" &&
		dpkg-deb -f "$SCRATCH"/ipv6-broker_*.deb Depends | grep -q libpq5
}

for script in deploy/*.sh deploy/lib/*.sh deploy/debian/*.sh tests/*.sh tests/kernel/*.sh tests/kernel/guest/*.sh .ci/run; do
	check "syntax of $script" bash -n "$script"
done
for program in popd ticd webd; do
	check "sample $program.conf" "$BUILD/$program" -c deploy/etc/$program.conf --check-config
	check "$program's dumped configuration loads again" dump_loads_again $program
	check "$program names file and line of a bad key" refuses_bad_config $program
	check_with systemd-analyze "unit $program.service" verify_unit $program
	check "$program.service leaves no core" grep -qx LimitCORE=0 deploy/systemd/$program.service
done
if [ "$(id -u)" = 0 ]; then
	check_with nft "firewall example" nft -c -f deploy/nftables/broker.nft
else
	skip "firewall example" "only root may run nft"
fi
check "make install" install_is_whole
check_with dpkg-buildpackage "Debian package" package_is_whole
exit $status
