#!/bin/bash
# shellcheck disable=SC2016,SC2317 # code for other shells is quoted; the probes are called by name
# Every probe of the Makefile and of the scripts ("is X there?", "may we?") is tried where the
# answer is yes and where it is no: with commands of this test's own in the path, in mount and
# network namespaces, on broken copies. One line a case: "ok ...", "not ok ..." or "skip ..."; a
# probe with cases for one answer only is a "not ok" too.
#
#   check_probes.sh [TEXT]   only the probes whose name contains TEXT
set -uo pipefail
cd "$(dirname "$0")/.." || exit
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$PWD/$BUILD
export BUILD
unset MAKEFLAGS MAKELEVEL MAKEOVERRIDES MFLAGS CC
TOP=$PWD
only=${1:-}
status=0
SCRATCH=$(mktemp -d /tmp/broker-probes-XXXXXX)
chmod 0755 "$SCRATCH"
helpers=() # processes that the cases look at
trap 'kill "${helpers[@]}" 2>/dev/null; rm -rf "$SCRATCH"' EXIT

# ---- how a probe is tried

declare -A tried=() # "probe answer": how many cases
probe=
probes=()

# probe NAME: what the cases below are about.
probe() {
	probe=$1
	probes+=("$1")
	clean
}

verdict() {
	if [ "$1" = 0 ]; then
		echo "ok $2"
	else
		printf 'not ok %s\n%s\n' "$2" "$3"
		status=1
	fi
}

# yes CASE COMMAND...: the answer is yes: status 0.
yes() {
	local out result
	[[ $probe == *"$only"* ]] || return 0
	tried["$probe yes"]=1
	out=$("${@:2}" 2>&1)
	result=$?
	verdict $result "$probe: yes, $1" "$out"
}

# no CASE TEXT COMMAND...: the answer is no: another status, and TEXT in what was said. A command
# that could not be run, or a mount that failed (32), is no answer.
no() {
	local out result
	[[ $probe == *"$only"* ]] || return 0
	tried["$probe no"]=1
	out=$("${@:3}" 2>&1)
	result=$?
	[ $result != 0 ] && [ $result != 32 ] && [ $result -lt 126 ] && [[ $out == *"$2"* ]]
	verdict $? "$probe: no, $1" "status $result: $out"
}

is_root() { [ "$(id -u)" = 0 ]; }

# root_only: whether the cases that follow can be tried; else says so.
root_only() {
	is_root && return
	tried["$probe yes"]=1 tried["$probe no"]=1
	[[ $probe != *"$only"* ]] || echo "skip $probe (only root has namespaces)"
	return 1
}

prints_nothing() { [ -z "$("$@")" ]; }
prints() {
	local text=$1 out
	out=$("${@:2}" 2>&1)
	[[ $out == *"$text"* ]] || { echo "$out"; return 1; }
}

# Commands of our own; with `bare` NAME... nothing but these and the real ones named.
FAKES=$SCRATCH/fakes BARE=$SCRATCH/bare
fake() { printf '#!/bin/sh\n%s\n' "${2:-exit 0}" >"$FAKES/$1" && chmod 0755 "$FAKES/$1"; }
bare() {
	local name
	for name in sh bash env cat sed grep awk tail head cut tr rm rmdir mkdir mktemp chmod dirname basename id "$@"; do
		ln -sf "$(command -v "$name")" "$BARE/$name"
	done
}
clean() {
	rm -rf "$FAKES" "$BARE"
	mkdir "$FAKES" "$BARE"
}
beside_fakes() { PATH=$FAKES:$PATH "$@"; }
only_fakes() { PATH=$FAKES:$BARE "$@"; }

# in_mounts SCRIPT COMMAND...: after SCRIPT in a mount namespace of its own.
in_mounts() { unshare -m sh -ec "$1"'; shift; exec "$@"' sh "$@"; }
in_network() { unshare -nm bash -c "mount -t sysfs sysfs /sys; $1"; }

# lib CODE: bash code with the parts of deploy/run.sh at hand, and a VAR of its own.
lib() {
	VAR=$SCRATCH/var bash -uc 'set -o pipefail; mkdir -p "$VAR"; ROOT=$PWD
		for part in say values machine user view cluster daemons conf forwarding seed; do . "deploy/lib/$part.sh"; done
		eval "$1"' lib "$1"
}

# ---- Makefile

probe "deploy/has_bpf.sh"
has_bpf() { [ "$(deploy/has_bpf.sh)" = yes ] || { deploy/has_bpf.sh; return 1; }; }
fake cc
fake clang
yes "both compilers have what it takes" beside_fakes has_bpf
fake clang 'exit 1'
no "this clang has no BPF" "" beside_fakes has_bpf
rm "$FAKES/clang"
bare
no "there is no clang" "" only_fakes has_bpf
fake clang
fake cc 'case $1 in -print*) ;; *) exit 1 ;; esac'
no "the C compiler does not find libbpf" "" beside_fakes has_bpf
fake cc 'exit 1'
no "the C compiler does not know its architecture" "" beside_fakes has_bpf
rm "$FAKES/cc"
no "there is no C compiler" "" only_fakes has_bpf
if [ -e /usr/include/bpf/libbpf.h ] && command -v clang >/dev/null; then
	clean
	yes "libbpf-dev and clang are installed here" has_bpf
	mkdir -p "$SCRATCH/empty"
	if root_only; then no "libbpf's headers are not" "" in_mounts "mount --bind $SCRATCH/empty /usr/include/bpf" bash -c '[ "$(deploy/has_bpf.sh)" = yes ]'; fi
fi

probe "BPF in the Makefile"
would_make() { make -n --no-print-directory BUILD="$SCRATCH/build" "${@:2}" "$SCRATCH/build/popd.a" | grep "popd/fastpath/$1" >/dev/null; }
makes_bpf() { would_make 'bpf_encap\.c' "$@"; }
makes_none() { would_make 'bpf_encap_none\.c' "$@"; }
fake cc
fake clang
yes "the probe says so" beside_fakes makes_bpf CC=cc
no "the probe says so, and the other file is left out" "" beside_fakes makes_none CC=cc
fake clang 'exit 1'
no "the probe says no" "" beside_fakes makes_bpf CC=cc
yes "the probe says no, and the other file is compiled" beside_fakes makes_none CC=cc
yes "BPF=yes asks no probe" beside_fakes makes_bpf CC=cc BPF=yes
fake clang
no "BPF= asks no probe" "" beside_fakes makes_bpf CC=cc BPF=

# ---- deploy/packages.sh

# Of the packages, gcc is missing where $SCRATCH/missing exists; apt-get installs it. What apt-get
# was called with is in $SCRATCH/apt.
fake_debian() {
	clean
	rm -f "$SCRATCH"/apt "$SCRATCH"/missing
	bare printf
	fake dpkg-query "case \$4 in gcc | postgresql-15) [ -e $SCRATCH/missing-\$4 ] || echo installed ;; *) echo installed ;; esac; exit 0"
	fake apt-cache "[ ! -e $SCRATCH/no-candidate ] && echo '  Candidate: 1.0' || echo '  Candidate: (none)'"
	fake apt-get "echo \"\$*\" >>$SCRATCH/apt; case \"\$*\" in *install*) [ -e $SCRATCH/refuses ] && exit 100; rm -f $SCRATCH/missing-* ;; esac; exit 0"
	fake id 'echo 0'
	rm -f "$SCRATCH"/missing-* "$SCRATCH/no-candidate" "$SCRATCH/refuses"
}
apt_did() { grep -q -- "$1" "$SCRATCH/apt" 2>/dev/null; }
packages() { only_fakes deploy/packages.sh run; }

probe "deploy/packages.sh, is it installed"
fake_debian
yes "everything is, so nothing is said" prints_nothing packages
yes "everything is, so apt-get is not called" test ! -e "$SCRATCH/apt"
touch "$SCRATCH/missing-gcc"
yes "gcc is not, so it is named" prints "Installing Debian packages: gcc" packages
yes "gcc is not, so it alone is installed" apt_did 'install --no-install-recommends gcc$'
fake_debian
touch "$SCRATCH/missing-gcc" "$SCRATCH/refuses"
no "apt-get cannot install it" "The Debian packages could not be installed: gcc" packages
fake_debian
rm "$FAKES/dpkg-query"
no "there is no dpkg" "This is not a Debian system" packages

probe "deploy/packages.sh, may it install"
fake_debian
touch "$SCRATCH/missing-gcc"
yes "root may" packages
touch "$SCRATCH/missing-gcc"
fake id 'echo 1000'
no "anybody else may not" "only root may install them: gcc" packages

probe "deploy/packages.sh, has apt a candidate"
fake_debian
touch "$SCRATCH/missing-gcc"
packages >/dev/null 2>&1
yes "the lists know it and are not fetched" test "$(grep -c update "$SCRATCH/apt")" = 0
fake_debian
touch "$SCRATCH/missing-gcc" "$SCRATCH/no-candidate"
packages >/dev/null 2>&1
no "the lists do not and are fetched first" "" test "$(grep -c update "$SCRATCH/apt")" = 0

probe "deploy/packages.sh, is this the first PostgreSQL"
if root_only; then
	fake_debian
	held='mkdir -p /etc/postgresql-common; mount -t tmpfs none /etc/postgresql-common'
	fake apt-get "ls /etc/postgresql-common/createcluster.d >>$SCRATCH/held 2>/dev/null; rm -f $SCRATCH/missing-*; exit 0"
	holds_cluster() {
		: >"$SCRATCH/held"
		in_mounts "$held" env PATH="$FAKES:$BARE" deploy/packages.sh run && [ -s "$SCRATCH/held" ]
	}
	bare ls mount
	touch "$SCRATCH/missing-postgresql-15"
	yes "then Debian's own cluster is held back meanwhile" holds_cluster
	touch "$SCRATCH/missing-gcc"
	no "else it is left alone" "" holds_cluster
fi

# ---- deploy/run.sh, the machine

probe "deploy/run.sh, is it root"
fake id 'echo 0'
yes "it is" beside_fakes lib check_root
fake id 'echo 1000'
no "it is not" "Only root may start the broker" beside_fakes lib check_root

probe "deploy/run.sh, are the tools there"
mkdir -p "$SCRATCH/pgbin" "$SCRATCH/programs"
for name in psql postgres; do printf '#!/bin/sh\n' >"$SCRATCH/pgbin/$name"; done
for name in popd popctl ticd ticctl webd; do printf '#!/bin/sh\n' >"$SCRATCH/programs/$name"; done
chmod 0755 "$SCRATCH"/pgbin/* "$SCRATCH"/programs/*
for name in ip ss openssl setpriv setsid flock; do fake $name; done
bare
tools() { only_fakes lib "DB=$1; PGBIN=$SCRATCH/pgbin; BUILD=$SCRATCH/programs; check_tools"; }
yes "all are" tools ""
for name in ip ss openssl setpriv setsid flock; do
	rm "$FAKES/$name"
	no "$name is not" "The program $name is missing" tools ""
	fake $name
done
chmod 0644 "$SCRATCH/programs/webd"
no "webd is not built" "webd is not built; run make first" tools ""
chmod 0755 "$SCRATCH/programs/webd"
rm "$SCRATCH/pgbin/postgres"
no "there is no server of PostgreSQL" "PostgreSQL 15 is not in" tools ""
yes "there is none, and DB names one elsewhere" tools "dbname=elsewhere"
rm "$SCRATCH/pgbin/psql"
no "there is no psql" "PostgreSQL 15 is not in" tools "dbname=elsewhere"

probe "deploy/run.sh, is there a TUN"
if root_only; then
	yes "there is" lib check_tun
	no "there is no device" "There is no /dev/net/tun" in_mounts 'mount -t tmpfs none /dev/net' bash -c '. deploy/lib/say.sh; . deploy/lib/machine.sh; check_tun'
	no "the device cannot be opened" "/dev/net/tun cannot be opened" in_mounts 'mount -t tmpfs -o nodev none /dev/net; mknod /dev/net/tun c 10 200' \
		bash -c '. deploy/lib/say.sh; . deploy/lib/machine.sh; check_tun'
fi

probe "deploy/run.sh, is protocol 41 free"
if root_only; then
	: >"$SCRATCH/modules"
	# not every kernel has /proc/modules, so all of /proc is ours
	loaded="mount -t tmpfs none /sys/module; mount -t tmpfs none /proc; cp $SCRATCH/modules /proc"
	protocol_41() { in_mounts "$loaded$1" bash -c '. deploy/lib/say.sh; . deploy/lib/machine.sh; check_protocol_41'; }
	yes "no module has it" protocol_41 ""
	echo "site 16384 0 - Live 0x0" >"$SCRATCH/modules"
	yes "another module is loaded" protocol_41 "; mkdir /sys/module/site"
	for name in sit tunnel4; do
		no "$name is in /sys/module" "The kernel module $name is loaded" protocol_41 "; mkdir /sys/module/$name"
		echo "$name 16384 0 - Live 0x0" >"$SCRATCH/modules"
		no "$name is in /proc/modules" "The kernel module $name is loaded" protocol_41 ""
		: >"$SCRATCH/modules"
	done
fi

probe "deploy/run.sh, has the machine the address"
fake ip 'case "$*" in *route\ show*) echo "default via 192.0.2.9" ;; *route\ get*) echo "192.0.0.8 via 192.0.2.9 src 192.0.2.10 uid 0" ;;
	*192.0.2.10/32) echo "2: eth0 inet 192.0.2.10/24" ;; esac'
address() { beside_fakes lib "POP_IPV4=$1; choose_pop_ipv4; [ \$POP_IPV4 = 192.0.2.10 ]"; }
yes "the default route's" address ""
yes "the one given" address 192.0.2.10
no "the one given is another's" "POP_IPV4=192.0.2.11 is not an address of this machine" address 192.0.2.11
fake ip
no "there is no default route" "There is no IPv4 default route" address ""

probe "deploy/run.sh, is the port free"
port() { beside_fakes lib "check_port tcp $1 8080 HTTP 'stop that.'"; }
listening() { fake ss "echo 'LISTEN 0 128 $1:8080 0.0.0.0:* users:((\"nginx\",pid=77,fd=6))'"; }
fake ss
yes "nobody listens" port 127.0.0.1
listening 127.0.0.1
no "somebody listens there" "is taken by nginx (process 77)" port 127.0.0.1
no "and we want every address" "is taken by nginx" port 0.0.0.0
yes "and we want another address" port 192.0.2.10
listening 0.0.0.0
no "somebody listens everywhere" "is taken by nginx" port 192.0.2.10
yes "and we want an IPv6 address" port 2001:db8::1
listening '[::]'
no "somebody listens on every IPv6 address" "is taken by nginx" port 2001:db8::1
yes "and we want an IPv4 address" port 192.0.2.10
listening '*'
no "somebody listens on all of both" "is taken by nginx" port 192.0.2.10

probe "deploy/run.sh, is IPv6 forwarding on"
if root_only; then
	forwarding() {
		in_network "echo $1 >/proc/sys/net/ipv6/conf/all/forwarding; ${3:-}
			for part in say machine forwarding; do . deploy/lib/\$part.sh; done; start_forwarding
			$2"
	}
	now='now() { [ "$(cat /proc/sys/net/ipv6/conf/$1)" = $2 ]; }; '
	yes "then nothing is changed" forwarding 1 '[ ${#CHANGED[@]} = 0 ]'
	no "then it is switched on" "Switched IPv6 forwarding on" forwarding 0 '[ ${#CHANGED[@]} = 0 ]'
	yes "it was not and is off again at the end" forwarding 0 "$now"'now all/forwarding 1 && restore_forwarding && now all/forwarding 0'
	no "it may not be switched on here" "may not be switched on here" forwarding 0 '[ ${#CHANGED[@]} != 0 ]' 'mount -o bind,ro /proc/sys /proc/sys'
	link='ip link add v0 type veth peer name v1; echo 1 >/proc/sys/net/ipv6/conf/v0/accept_ra; echo 0 >/proc/sys/net/ipv6/conf/v1/accept_ra'
	yes "an interface that listens to advertisements goes on, no other" forwarding 0 "$now"'now v0/accept_ra 2 && now v1/accept_ra 0' "$link"
fi

probe "deploy/run.sh, is the interface a TUN"
if root_only; then
	removes() { in_network "$1; for part in say machine forwarding; do . deploy/lib/\$part.sh; done; remove_tun; ! ip link show sixxs 2>/dev/null"; }
	yes "then it is removed" removes "ip tuntap add dev sixxs mode tun"
	no "else it stays" "" removes "ip link add sixxs type veth peer name other"
fi

# ---- deploy/run.sh, what an earlier start left

probe "deploy/run.sh, does a process live"
sleep 600 &
alive=$!
helpers+=("$alive")
exec 3< <(exec python3 -c 'import subprocess, time; ended = subprocess.Popen(["true"]); print(ended.pid, flush=True); time.sleep(600)')
helpers+=($!)
read -r zombie <&3
exec 3<&-
yes "no process has the number" lib "is_gone 4194305"
yes "it has ended and nobody has waited for it" lib "wait_until 5 grep -q '^State:.*Z' /proc/$zombie/status && is_gone $zombie"
no "it runs" "" lib "is_gone $alive"
yes "is_running: it runs" lib "PIDS[popd]=$alive; is_running popd"
no "is_running: no process has the number" "" lib "PIDS[popd]=4194305; is_running popd"
no "is_running: it was not started" "" lib "is_running popd"

probe "deploy/run.sh, is the daemon of an earlier start ours"
bash -c 'exec -a popd sleep 600' -c "$SCRATCH/var/popd.conf" &
other=$!
helpers+=("$other")
clears() { lib "echo $1 >\$VAR/popd.pid; wait_until() { :; }; clear_daemon popd; sleep 0.2; is_gone $1"; }
no "the number is another's now" "" clears $other
python3 -c 'import time; time.sleep(600)' -c "$SCRATCH/var/popd.conf" &
left=$!
helpers+=("$left")
yes "it is popd with our configuration" clears $left

probe "deploy/run.sh, is the cluster's directory empty"
yes "nobody is in it" lib 'mkdir -p "$VAR/pg"; cluster_is_empty'
no "a process is" "" lib 'mkdir -p "$VAR/pg"; cd "$VAR/pg"; cluster_is_empty'

probe "deploy/run.sh, is there a cluster"
creates() { lib "$1"' CLUSTER_USER=$(id -un); as() { echo "initdb was run"; }; create_cluster; cat "$VAR/pg.log"; [ -s "$VAR/pg.log" ]'; }
yes "none, so it is made" creates 'rm -rf "$VAR"/pg*; '
no "one, so it is kept" "" creates 'rm -rf "$VAR"/pg*; : >"$VAR/pg.log"; mkdir "$VAR/pg"; echo 15 >"$VAR/pg/PG_VERSION"; '

probe "deploy/run.sh, is the cluster of PostgreSQL 15"
if root_only; then
	version() { lib 'CLUSTER_USER=$(id -un); SOCKETS=$VAR/run/pg; mkdir -p "$VAR/pg"; echo '"$1"' >"$VAR/pg/PG_VERSION"; configure_cluster'; }
	yes "it is" version 15
	no "it is older" "is not of PostgreSQL 15" version 14
fi

probe "deploy/run.sh, does a daemon answer"
fake popctl
answers() { beside_fakes lib "BUILD=$FAKES; CONTROL=x; PIDS[popd]=\$\$; PIDS[ticd]=\$\$; PIDS[webd]=\$\$; $1"; }
yes "popd does" answers popd_answers
fake popctl 'exit 1'
no "popd does not" "" answers popd_answers
yes "popd has ended, so nobody waits" answers "PIDS[popd]=4194305; popd_answers"
exec 3< <(exec python3 -c '
import socket
servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in servers), flush=True)
for server, answer in zip([servers[0], servers[0], servers[1], servers[1]], [b"200 ready\n", b"500 go away\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 503 No\r\n"]):
    with server.accept()[0] as s:
        s.recv(100)
        s.sendall(answer)
')
helpers+=($!)
read -r tic http <&3
yes "ticd greets" answers "TIC=127.0.0.1:$tic; tic_answers"
no "ticd refuses" "" answers "TIC=127.0.0.1:$tic; tic_answers"
yes "webd is well" answers "HTTP=127.0.0.1:$http; http_answers"
no "webd is not" "" answers "HTTP=127.0.0.1:$http; http_answers"
exec 3<&-
no "nobody listens" "" answers "TIC=127.0.0.1:$tic; tic_answers"

probe "deploy/run.sh, is the path too long for a socket"
runtime() { lib 'DB=x; VAR=$VAR/'"$1"'; mkdir -p "$VAR"; directory_of() { :; }; group_of() { :; }; chown() { :; }; make_runtime; base=${SOCKETS%/pg}
	trap "rmdir $base" EXIT; [ "$base" != "$VAR/run" ]'; }
yes "then it is a short one elsewhere" runtime "$(printf 'long%.0s' {1..30})"
no "else it is below VAR" "" runtime short

# ---- deploy/run.sh, the users of the daemons

# Users and groups in $SCRATCH/there are on the machine; $SCRATCH/users records what was made.
fake_users() {
	local name
	clean
	: >"$SCRATCH/users"
	printf '%s\n' "$@" >"$SCRATCH/there"
	fake id "for name; do :; done; grep -qx \"\$name\" $SCRATCH/there"
	fake getent "grep -qx \"\$2\" $SCRATCH/there"
	for name in useradd groupadd; do fake $name "echo \"$name \$*\" >>$SCRATCH/users"; done
	fake systemd-sysusers "cat >>$SCRATCH/users"
	bare
}
makes_users() { only_fakes lib "DB=$1; make_users" && [ -s "$SCRATCH/users" ]; }
did() { grep -q -- "$1" "$SCRATCH/users"; }

probe "deploy/run.sh, are the users there"
fake_users popd ticd webd postgres ipv6-broker
no "all are, so none is made" "" makes_users ""
for name in popd ticd webd; do
	fake_users popd ticd webd postgres ipv6-broker
	sed -i "/^$name\$/d" "$SCRATCH/there"
	yes "$name is not, so it is named" prints "kept when the broker stops: user $name" makes_users ""
done
fake_users popd ticd webd postgres
yes "the socket's group is not" prints "kept when the broker stops: group ipv6-broker" makes_users ""
yes "and is made" did '^g ipv6-broker -$'
fake_users popd ticd webd ipv6-broker
no "there is no postgres" "There is no user postgres" makes_users ""
yes "there is none, and DB names a server elsewhere" only_fakes lib "DB=dbname=elsewhere; make_users"

probe "deploy/run.sh, is systemd-sysusers there"
fake_users postgres
yes "it is" makes_users ""
yes "it is, so it makes the users" did '^u ticd -'
no "it is, so useradd is not called" "" did useradd
fake_users postgres
rm "$FAKES/systemd-sysusers"
yes "it is not" makes_users ""
yes "it is not, so useradd makes the users" did 'useradd --system .* ticd$'
yes "it is not, so groupadd makes the group" did 'groupadd --system ipv6-broker$'
fake groupadd 'echo "groupadd: cannot lock"; exit 10'
no "it is not, and groupadd fails" "ipv6-broker): groupadd: cannot lock" makes_users ""

probe "deploy/run.sh, may popd have its capabilities"
if root_only; then
	capabilities() { setpriv --bounding-set="$1" -- bash -c '. deploy/lib/say.sh; . deploy/lib/user.sh; choose_capabilities; [ "$POPD_CAPABILITIES" = "$1" ]' bash "$2"; }
	yes "all three" capabilities +bpf "net_admin net_raw bpf"
	yes "it may not have CAP_BPF" capabilities -bpf "net_admin net_raw"
	for name in net_admin net_raw; do no "it may not have $name" "popd needs CAP_NET_ADMIN and CAP_NET_RAW" capabilities "-$name" ""; done
fi

probe "deploy/run.sh, may the users reach VAR"
if root_only; then
	# everybody is nobody, in a mount namespace when there is to be one
	nobodies='users_of_var() { echo nobody; }; become() { view_of nobody; BECOME=("${VIEW[@]}" setpriv --reuid=nobody --clear-groups -- "${@:2}"); }; TUN_CLOSED='
	opens() { lib "$nobodies; VAR=$SCRATCH/$1; open_var; [ -z \"\$CLOSED\" ]"; }
	mkdir -m 0755 "$SCRATCH/open" && mkdir -m 0700 "$SCRATCH/closed" && mkdir "$SCRATCH/closed/var"
	yes "it is open" opens open
	no "a directory above is closed, so they get a namespace" "may not enter $SCRATCH/closed; each gets a mount namespace" opens closed/var
	no "it is closed itself" "open it with 'chmod a+x" opens closed
	fake unshare 'exit 1'
	no "there are no namespaces here" "no mount namespace can be made here" beside_fakes opens closed/var
	in_view() { lib "$nobodies; VAR=$SCRATCH/closed/var; CLOSED=$1; as nobody sh -c 'cd $SCRATCH/closed/var && pwd'"; }
	yes "inside the namespace they can" prints "$SCRATCH/closed/var" in_view "$SCRATCH/closed"
	no "outside they cannot" "" in_view ""
fi

probe "deploy/run.sh, may the users run the programs"
if root_only; then
	for name in popd ticd webd; do printf '#!/bin/sh\n' >"$SCRATCH/programs/$name"; done
	programs() { lib "$nobodies; VAR=$SCRATCH/open; BUILD=$1; choose_programs; [ \$PROGRAMS = $1 ]"; }
	yes "they may" programs "$SCRATCH/programs"
	cp -r "$SCRATCH/programs" "$SCRATCH/closed/programs"
	no "they may not, so they get copies" "" programs "$SCRATCH/closed/programs"
	yes "the copies run" test -x "$SCRATCH/open/bin/webd"
	echo 'exit 1' >>"$SCRATCH/closed/programs/webd"
	no "the copies do not run" "The user webd can run webd neither in" programs "$SCRATCH/closed/programs"
fi

probe "deploy/run.sh, may popd open the TUN device"
if root_only; then
	opens_tun() {
		in_mounts "mount -t tmpfs none /dev/net; mknod /dev/net/tun c 10 200; chmod $1 /dev/net/tun; $2" bash -c '
			for part in say user view; do . deploy/lib/$part.sh; done
			become() { view_of popd; BECOME=("${VIEW[@]}" setpriv --reuid=nobody --clear-groups -- "${@:2}"); }
			eval "$(declare -f enter_view | sed "s/chown popd/chown nobody/")"
			VAR=/tmp; open_tun; [ -z "$TUN_CLOSED" ]'
	}
	yes "everybody may" opens_tun 0666 true
	no "root alone may, so popd gets a device of its own" "" opens_tun 0600 true
	no "root alone may, and there are no namespaces" "give the device the mode that udev gives it" opens_tun 0600 'mount --bind /dev/null /usr/bin/unshare'
fi

probe "deploy/run.sh, is the certificate still good"
if root_only; then
	renewed() { lib 'group_of() { echo root; }; POP=demo01; POP_IPV4=192.0.2.1; '"$1"' before=$(cat "$VAR/tic.pem"); make_certificate; [ "$before" != "$(cat "$VAR/tic.pem")" ]'; }
	made='openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -keyout "$VAR/key" -out "$VAR/tic.pem" 2>/dev/null -days'
	no "it is, so it is kept" "" renewed "$made 30;"
	yes "it ends within a day, so there is a new one" renewed "$made 1; sleep 1.1;"
	yes "there is none, so there is a new one" renewed 'rm -f "$VAR/tic.pem"; : >"$VAR/tic.pem";'
fi

probe "deploy/run.sh, is there such a tunnel"
list='[\n  {\n    "id": "T7",\n    "handle": "DEMO",\n    "pop": "demo01",\n    "type": "ayiya"\n  }\n]\n'
first() { lib "POP=$1; [ \"\$(printf '$list' | first_of_type $2)\" = 7 ]"; }
yes "of this type on this PoP" first demo01 ayiya
no "not of this type" "" first demo01 static
no "not on this PoP" "" first demo02 ayiya

probe "deploy/run.sh, is the value good"
while read -r function good bad; do
	yes "$function $good" lib "$function ${good//,/ }"
	no "$function $bad" "" lib "$function ${bad//,/ }"
done <<'END'
is_ip4 192.0.2.1 192.0.2.256
is_ip4 0.0.0.0 192.0.2
is_ip4 255.255.255.255 192.0.2.01
is_ip6 2001:db8::1 2001:db8::1::
is_ip6 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7
is_prefix6 2001:db8:2ff::/48,48,48 2001:db8:2ff:1::/48,48,48
is_prefix6 2001:db8:3000::/40,16,48 2001:db8:3000::/49,16,48
is_listen 127.0.0.1:8080 127.0.0.1:0
is_listen [::]:3874 ::3874
is_wildcard 0.0.0.0 127.0.0.1
END

# ---- the Debian package

probe "deploy/debian, does systemd run"
if root_only; then
	fake systemctl "echo \"\$*\" >>$SCRATCH/systemctl"
	fake systemd-sysusers
	calls_systemctl() { # SCRIPT ARGUMENT DIRECTORY
		rm -f "$SCRATCH/systemctl"
		in_mounts "mount -t tmpfs none /run; mkdir -p $3" env PATH="$FAKES:$PATH" sh "deploy/debian/$1" "$2" && [ -s "$SCRATCH/systemctl" ]
	}
	yes "postinst restarts what runs" calls_systemctl postinst configure /run/systemd/system
	no "postinst where systemd does not run" "" calls_systemctl postinst configure /run/other
	no "postinst of another step" "" calls_systemctl postinst abort-upgrade /run/systemd/system
	yes "prerm stops what is removed" calls_systemctl prerm remove /run/systemd/system
	no "prerm where systemd does not run" "" calls_systemctl prerm remove /run/other
	no "prerm of an upgrade" "" calls_systemctl prerm upgrade /run/systemd/system
fi

# ---- the tests' own

probe "tests/matrix.sh, has the processor the engine"
if root_only; then
	lists() { in_mounts "mount --bind $SCRATCH/cpuinfo /proc/cpuinfo" tests/matrix.sh list; }
	runs_all() { ! lists | grep skipped; }
	echo "flags : fpu avx2 sha_ni avx512bw" >"$SCRATCH/cpuinfo"
	yes "it has each" runs_all
	for feature in avx2 sha_ni avx512bw; do
		echo "flags : fpu $(sed "s/$feature/${feature}x/" <<<"avx2 sha_ni avx512bw")" >"$SCRATCH/cpuinfo"
		no "it has no $feature" "lacks $feature" runs_all
	done
fi

# copy DIRECTORY...: a copy of these parts of the tree, to be broken.
copy() {
	rm -rf "$SCRATCH/copy"
	mkdir "$SCRATCH/copy"
	tar -c --exclude=__pycache__ "$@" | tar -x -C "$SCRATCH/copy"
	cd "$SCRATCH/copy" || exit
}

probe "tests/matrix.sh, are there lists of offloads and engines"
copy tests/matrix.sh popd/core lib
yes "there are" tests/matrix.sh list
sed -i 's/X(/Y(/' popd/core/offload.h
no "offload.h has none" "no list that this script can read" tests/matrix.sh list
cd "$TOP" || exit

probe "tests/check_deploy.sh, is it right"
copy .ci Makefile README.md LICENSE deploy tests/*.sh schema lib
finds() { tests/check_deploy.sh "$1"; }
# breaks CHECK FILE SED: a check finds nothing, then the fault.
breaks() {
	yes "$1" finds "$1"
	cp -p "$2" "$SCRATCH/saved"
	sed -i "$3" "$2"
	no "$1, after $3 on $2" "not ok $1" finds "$1"
	cp -p "$SCRATCH/saved" "$2"
}
breaks "syntax of deploy/run.sh" deploy/run.sh '$a if'
breaks "sample popd.conf" deploy/etc/popd.conf 's/^ipv4/ipv5/'
breaks "unit ticd.service" deploy/systemd/ticd.service 's/^ExecStart=.*/ExecStart=relative/'
if is_root; then breaks "firewall example" deploy/nftables/broker.nft 's/chain input/chain in put/'; fi
# the programs are not what these two are about
sed -i 's/^install: all/install:/' Makefile
breaks "make install" deploy/install.sh '/deploy\/man/d'
no "Debian package" "not ok Debian package" bash -c 'sed -i /^Source/d deploy/debian/control; tests/check_deploy.sh "Debian package"'
cd "$TOP" || exit

probe "tests/check_manuals.sh, are the manuals whole"
copy deploy tests/check_manuals.sh
breaks_manual() {
	yes "$1" prints "ok $1" tests/check_manuals.sh
	cp "$2" "$SCRATCH/saved"
	sed -i "$3" "$2"
	no "$1" "not ok $1" tests/check_manuals.sh
	cp "$SCRATCH/saved" "$2"
}
breaks_manual "lint popd.8" deploy/man/popd.8 '$a .Xx unknown'
breaks_manual "keys of popd.conf" deploy/man/popd.conf.5 's/^\.It Ic workers/.It Ic worker/'
breaks_manual "keys of webd.conf" deploy/man/webd.conf.5 '/^\.It Ic title/d'
rm deploy/man/popctl.8
no "manual of popctl" "not ok manual of popctl" tests/check_manuals.sh
cd "$TOP" || exit

probe "tests/check_includes.sh, do includes point one way"
copy tests/check_includes.sh lib popd ticd web tests/unit tests/fuzz tests/bench
yes "they do" tests/check_includes.sh
echo '#include "popd/core/table.h"' >>lib/rd.h
no "one does not" "lib/rd.h:" tests/check_includes.sh
cd "$TOP" || exit

probe "tests/run.sh, has the suite passed"
mkdir -p "$SCRATCH/suite"
# suite LINES STATUS: run.sh with tests/check_manuals.sh replaced by a script of this output and
# status.
suite() {
	copy tests/run.sh
	mkdir -p tests build
	printf '#!/bin/sh\nprintf "%s"\nexit %s\n' "$1" "$2" >tests/check_manuals.sh
	chmod 0755 tests/check_manuals.sh
	BUILD=build tests/run.sh manuals
}
yes "every line is ok" suite 'ok one\nok two\n' 0
no "a line is not ok" "1 passed, 1 failed" suite 'ok one\nnot ok two\n' 0
no "its status is not 0" "1 passed, 1 failed" suite 'ok one\n' 1
no "it ran nothing" "ran no test" suite '' 0
count() { # KIND EXPECTED, the log on standard input
	local counted
	counted=$(bash -c "$(sed -n '/^count_cmocka/,/^SUITES/p' tests/run.sh | sed '$d'); count_$1")
	[ "$counted" = "$2" ] || { echo "$counted"; return 1; }
}
# counts KIND GOOD BAD: logs of a suite that passed and of one that failed.
counts() {
	yes "$1 counts $2" count "$1" "$2" <<<"$3"
	yes "$1 counts $4" count "$1" "$4" <<<"$5"
	no "$1 does not count everything as passed" "" count "$1" "$2" <<<"$5"
}
counts cmocka "3 0 0" $'cmocka PASSED 3 test_a' "2 1 0" $'cmocka PASSED 2 test_a\ncmocka FAILED 1 test_a\nFAIL test_a'
counts lines "2 0 0" $'ok a\nok b' "1 1 1" $'ok a\nnot ok b\nskip c'
counts prove "7 0 0" $'All tests successful.\nFiles=2, Tests=7,  1 wallclock secs' "5 2 0" $'Failed 2/7 subtests\nFiles=2, Tests=7,  1 wallclock secs'
counts pytest "5 0 0" "5 passed in 1.0s" "3 2 1" "1 failed, 3 passed, 1 skipped, 1 error in 1.0s"

probe "tests/fuzz/run.sh, has the target run"
copy tests/fuzz/run.sh
mkdir -p build-fuzz
fuzz() {
	printf '#!/bin/sh\necho "stat::number_of_executed_units: %s"\necho "Done %s runs in 1 second(s)"\nexit %s\n' "$1" "$1" "$2" >build-fuzz/fuzz_x
	chmod 0755 build-fuzz/fuzz_x
	FUZZ_RUNS=100 BUILD=build-fuzz tests/fuzz/run.sh x
}
yes "as often as asked" fuzz 100 0
no "less often" "SHORT" fuzz 99 0
no "and found something" "FAILED" fuzz 100 77
cd "$TOP" || exit

probe "tests/bench/run.sh, are the tools built"
for name in popd popctl popd.a lib.a; do : >"$SCRATCH/programs/$name"; done
fake cc 'while [ $# -gt 1 ]; do [ "$1" != -o ] || { : >"$2"; chmod 0755 "$2"; echo "$2" >>"'"$SCRATCH"'/built"; }; shift; done'
bench() {
	: >"$SCRATCH/built"
	CC="$FAKES/cc" BUILD=$SCRATCH/programs tests/bench/run.sh --list >/dev/null && [ -s "$SCRATCH/built" ]
}
yes "not yet, so they are" bench
no "they are" "" bench
sleep 0.1
touch "$SCRATCH/programs/lib.a"
yes "older than an archive, so they are again" bench
rm "$SCRATCH/programs/popd.a"
no "popd is not built" "popd.a is not built" bench

probe "tests/sql/run, is ticctl as new as the schema"
copy tests/sql/run schema
mkdir build
for name in pg_prove prove; do fake $name 'exit 0'; done
printf '#!/bin/sh\nexit 99\n' >build/ticctl
chmod 0755 build/ticctl
sql() { BUILD=build beside_fakes tests/sql/run; }
touch tests/sql/helpers.psql
no "it is, so it applies the schema" "ticctl migrate failed" sql
touch -d 2000-01-01 build/ticctl
yes "it is older, so psql does" prints "is older than the schema files" sql
rm build/ticctl
yes "it is not built, so psql does" sql
cd "$TOP" || exit

probe "tests/support/machine.py, may namespaces be made"
cp -r tests/support "$SCRATCH/support"
machine() { (cd "$SCRATCH" && exec "${@:2}" /usr/bin/python3 -B -c "import sys; from support import machine; sys.exit(not machine.$1)"); }
if root_only; then
	yes "root may" machine "may_make_namespaces()"
	no "nobody else may" "" machine "may_make_namespaces()" setpriv --reuid=nobody --clear-groups
fi

probe "tests/support/machine.py, is there IPv6 on the loopback"
if root_only; then
	yes "it is up" machine "has_ipv6_loopback()" unshare -n sh -c 'ip link set lo up; exec "$@"' sh
	no "it is down" "" machine "has_ipv6_loopback()" unshare -n
fi

probe "tests/support/machine.py, is there faketime"
mkdir -p "$SCRATCH/lib/any-arch/faketime" "$SCRATCH/nolib"
touch "$SCRATCH/lib/any-arch/faketime/libfaketime.so.1"
yes "it is" machine "faketime_library('$SCRATCH/lib')"
no "it is not" "the package faketime is not installed" machine "faketime_library('$SCRATCH/nolib')"

for probe in "${probes[@]}"; do
	[[ $probe == *"$only"* ]] || continue
	for answer in yes no; do
		[ -n "${tried["$probe $answer"]:-}" ] || verdict 1 "$probe is tried for both answers" "no case for $answer"
	done
done
exit $status
