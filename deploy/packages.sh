#!/bin/sh
# Installs the Debian 12 packages that the broker needs, without asking questions.
#
#   packages.sh SET         installs the missing packages of a set: build, run (build and more), test (run and more) or kernel (test and
#                           more: a machine in software, for "make test-kernel"); prints nothing when none is missing
#   packages.sh --list SET  prints the packages' names
#
# Root is needed only when a package is missing. Exits 1 with one sentence when it cannot be installed.
set -eu

packages_of() {
	case $1 in
	build) echo "gcc make pkg-config libc6-dev libev-dev libpq-dev libssl-dev libmicrohttpd-dev libmnl-dev libinih-dev libjansson-dev" ;;
	run)
		packages_of build
		echo "postgresql-15 postgresql-client-15 iproute2 openssl kmod util-linux mount passwd procps"
		;;
	test)
		packages_of run
		echo "clang libclang-rt-14-dev libbpf-dev libcap2-bin build-essential libcmocka-dev postgresql-15-pgtap libtap-parser-sourcehandler-pgtap-perl perl"
		echo "python3 python3-pytest python3-pytest-xdist python3-scapy python3-psycopg2 python3-cryptography python3-selenium python3-html5lib"
		echo "chromium chromium-driver tshark tcpdump nftables conntrack ethtool faketime iperf3 iputils-ping iputils-tracepath traceroute mtr-tiny"
		echo "tidy mandoc python3-prometheus-client"
		;;
	kernel)
		packages_of test
		echo "qemu-system-x86 debootstrap e2fsprogs dpkg-dev"
		;;
	# The root of that machine (tests/kernel/root.sh): without a browser, since what needs one is not about the kernel.
	guest)
		for word in $(packages_of test); do
			case $word in chromium* | python3-selenium) ;; *) echo "$word" ;; esac
		done
		echo "linux-image-amd64 initramfs-tools systemd systemd-sysv dbus udev iptables bpftool wireguard-tools"
		;;
	*) echo "packages.sh: there is no package set '$1'; there are build, run, test, kernel and guest." >&2; exit 2 ;;
	esac
}

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# True when apt's current lists have a version of every package.
has_candidates() {
	for name in "$@"; do
		apt-cache policy "$name" 2>/dev/null | grep -q 'Candidate: [^(]' || return 1
	done
}

# Debian creates and starts a cluster when the first PostgreSQL server is installed. The broker has its own, so on a machine without
# PostgreSQL that is switched off during this installation.
MAIN_CLUSTER=/etc/postgresql-common/createcluster.d/no-main-cluster-for-the-broker.conf
hold_main_cluster() {
	is_installed postgresql-15 && return
	mkdir -p "${MAIN_CLUSTER%/*}"
	echo "create_main_cluster = false" >"$MAIN_CLUSTER"
}
release_main_cluster() {
	[ -e "$MAIN_CLUSTER" ] || return 0
	rm -f "$MAIN_CLUSTER"
	rmdir "${MAIN_CLUSTER%/*}" 2>/dev/null || true
}

apt_quietly() {
	DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Options::=--force-confold "$@" </dev/null >"$LOG" 2>&1
}

install_packages() {
	LOG=$(mktemp)
	trap 'release_main_cluster; rm -f "$LOG"' EXIT
	trap 'exit 1' INT TERM HUP
	hold_main_cluster
	if ! has_candidates "$@"; then
		apt_quietly update || true
	fi
	# Old lists name files that the mirror no longer has: fetch them again and retry once.
	apt_quietly install --no-install-recommends "$@" || {
		apt_quietly update && apt_quietly install --no-install-recommends "$@"
	} || {
		tail -n 5 "$LOG" >&2
		echo "The Debian packages could not be installed: $*" >&2
		exit 1
	}
}

LIST=no
if [ "${1-}" = --list ]; then
	LIST=yes
	shift
fi
[ $# -eq 1 ] || { echo "usage: packages.sh [--list] build|run|test|kernel|guest" >&2; exit 2; }
names=$(packages_of "$1")
if [ $LIST = yes ]; then
	# shellcheck disable=SC2086 # the names are words
	printf '%s\n' $names
	exit 0
fi
command -v dpkg-query >/dev/null || { echo "This is not a Debian system; install the equivalents of these packages: $names" >&2; exit 1; }
missing=
for name in $names; do
	is_installed "$name" || missing="$missing $name"
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "These Debian packages are missing and only root may install them:$missing" >&2; exit 1; }
echo "Installing Debian packages:$missing"
# shellcheck disable=SC2086
install_packages $missing
