#!/bin/bash
# shellcheck disable=SC2016,SC2086,SC2317 # the checks are called by name; what is not quoted are numbers
# In the guest: the package under systemd as README, "Deploying a real PoP", has it: installed, started, reloaded, killed, installed again,
# and after a boot ("package.sh before", a reboot, "package.sh after"). One line a check.
set -uo pipefail
status=0

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

# within SECONDS COMMAND...: until it succeeds.
within() {
	local left=$(($1 * ${BROKER_SLOW%.*}))
	shift
	until "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || { echo "still not: $*"; systemctl --no-pager status popd ticd webd | tail -n 60; return 1; }
		sleep 1
	done
}

ctl() { popctl --json status; }
# told PYTHON-EXPRESSION of the status `s`.
told() { ctl | python3 -c "import json, sys; s = json.load(sys.stdin); sys.exit(not ($1))"; }
pid_of() { systemctl show -P MainPID "$1"; }
is_active() { systemctl -q is-active "$@"; }
all_active() { is_active popd && is_active ticd && is_active webd; }
greets() { timeout 20 bash -c 'exec 3<>/dev/tcp/127.0.0.1/3874; read -r line <&3; [[ $line == 200* ]]'; }
page_says_up() {
	python3 -c 'import json, sys, urllib.request as u
pops = json.load(u.urlopen("http://127.0.0.1:8080/pops/status.json", timeout=20))["pops"]
sys.exit([pop["state"] for pop in pops] != ["up"])'
}

has_rights_of_its_unit() {
	local pid wanted=0 name bit
	pid=$(pid_of popd)
	grep -q '^NoNewPrivs:[[:space:]]*1$' "/proc/$pid/status" || { echo "it may get new privileges"; return 1; }
	[ "$(stat -c %U "/proc/$pid")" = popd ] || { echo "it is not the user popd"; return 1; }
	for name in $(systemctl show -P CapabilityBoundingSet popd); do
		bit=$(awk -v n="${name^^}" '$1 == "#define" && $2 == n { print $3 }' /usr/include/linux/capability.h)
		wanted=$((wanted | 1 << bit))
	done
	local held
	held=$(awk '/^CapEff:/ { print $2 }' "/proc/$pid/status")
	[ $((16#$held)) = $wanted ] || { echo "it has $held, its unit says $(printf %x $wanted)"; return 1; }
}

is_whole() {
	check "$1: all three run" within 60 all_active
	check "$1: popd has loaded everything" within 60 told "s['feed']['loaded']"
	check "$1: the fast path is on" told "s['offloads']['bpf_encap'] == 'on'"
	check "$1: popd has the rights of its unit and no more" has_rights_of_its_unit
	check "$1: ticd greets" within 30 greets
	check "$1: the page says up" within 60 page_says_up
}

# ---- the machine: one device with the PoP's address, a database

make_uplink() {
	cat >/etc/systemd/system/uplink.service <<-END
		[Unit]
		Before=network-pre.target popd.service
		Wants=network-pre.target
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/sh -c "ip link add uplink type dummy && ip address add 192.0.2.1/24 dev uplink && ip link set uplink up && sysctl -qw net.ipv6.conf.all.forwarding=1"
		[Install]
		WantedBy=multi-user.target
	END
	systemctl daemon-reload
	systemctl enable --now uplink.service
}

as_postgres() { runuser -u postgres -- "$@"; }

# Each daemon's own user is its role, by the socket; the owner's and the operator's commands are root's here.
let_in() {
	cat >/etc/postgresql/15/main/pg_hba.conf <<-END
		local all postgres peer
		local broker broker trust
		local broker ticd,webd peer
		local broker popd_demo01 peer map=pop
	END
	echo "pop popd popd_demo01" >>/etc/postgresql/15/main/pg_ident.conf
}

make_database() {
	pg_createcluster 15 main && let_in && systemctl enable --now postgresql.service postgresql@15-main.service || return
	within 60 as_postgres psql -qc 'select 1' || return
	as_postgres createuser broker && as_postgres createdb --owner broker broker || return
	as_postgres psql -q -v ON_ERROR_STOP=1 -d broker -f /usr/share/ipv6-broker/superuser.sql || return
	export DB="dbname=broker user=broker"
	ticctl migrate && ticctl pop add demo01 --certificate --ipv4 192.0.2.1 --ipv6 2001:db8:2ff:ffff::1 --tunnels 2001:db8:2ff::/48 \
		--subnets 2001:db8:3000::/40 --city Amsterdam --country "The Netherlands" --isp "Example ISP"
}

configure() {
	local examples=/usr/share/doc/ipv6-broker/examples name
	mkdir -p /etc/broker
	for name in popd ticd webd; do
		install -o root -g $name -m 0640 "$examples/$name.conf" "/etc/broker/$name.conf" || return
	done
	sed -i "s/^ipv4 = .*/ipv4 = 192.0.2.1/; s/^; *bpf_encap = .*/bpf_encap = yes/" /etc/broker/popd.conf
}

reloads() {
	local before
	before=$(pid_of popd)
	systemctl reload popd && sleep 2 && is_active popd && [ "$(pid_of popd)" = "$before" ] && told "s['feed']['loaded']"
}

comes_back_when_killed() {
	local before
	before=$(pid_of "$1")
	kill -9 "$before"
	is_another() { is_active "$1" && [ "$(pid_of "$1")" != "$2" ]; }
	within 30 is_another "$1" "$before"
}

install_it() { DEBIAN_FRONTEND=noninteractive dpkg -i /share/package/ipv6-broker_*.deb; }
# Interface and routes outlive popd; what the kernel did for it does not.
leaves_an_idle_device() { ip link show sixxs | grep -q NO-CARRIER && [ -z "$(tc filter show dev sixxs egress)" ]; }
starts_nothing() { ! is_active popd && ! is_active ticd && ! is_active webd; }

before() {
	check "the uplink" make_uplink
	check "the package installs" install_it
	check "it starts nothing" starts_nothing
	check "the database" make_database
	check "the examples become the configuration" configure
	check "it starts" systemctl enable --now popd ticd webd
	is_whole "started"
	check "a reload keeps the process" reloads
	check "a restart" systemctl restart popd ticd webd
	is_whole "restarted"
	check "a killed popd comes back" comes_back_when_killed popd
	check "a killed ticd comes back" comes_back_when_killed ticd
	local old
	old=$(pid_of popd)
	check "the package installs over itself" install_it
	check "and has restarted popd" test "$(pid_of popd)" != "$old"
	is_whole "installed again"
	cp /proc/sys/kernel/random/boot_id /var/lib/broker-boot
}

after() {
	check "the guest was booted anew" test "$(cat /proc/sys/kernel/random/boot_id)" != "$(cat /var/lib/broker-boot)"
	is_whole "booted"
	check "it stops" systemctl stop popd ticd webd
	check "and leaves its device, without the fast path" leaves_an_idle_device
}

case $1 in
before | after) "$1" ;;
*) exit 2 ;;
esac
exit $status
