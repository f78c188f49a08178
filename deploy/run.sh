#!/bin/bash
# Runs the whole broker on this machine, to try it: a private PostgreSQL, the schema, a PoP with an account and three tunnels, popd, ticd
# and webd. Ctrl-C stops everything; the next start uses the same data. "make run" builds and calls this.
#
#   deploy/run.sh [NAME=VALUE...]
#
# VAR            directory of all data                   the checkout's var
# DB             conninfo of an existing server; its role must own the database and let root, popd, ticd and webd in
# POP            name of the PoP                         demo01
# POP_IPV4       its address, one of this machine's      that of the default route
# POP_IPV6       its address                             <TUNNEL_PREFIX>:ffff::1
# TUNNEL_PREFIX  a /48                                   2001:db8:2ff::/48
# SUBNET_PREFIX  a prefix of 16 to 48 bits               2001:db8:3000::/40
# STATIC_IPV4    endpoint of the static tunnel           192.0.2.1
# HTTP, TIC      where webd and ticd listen              127.0.0.1:8080, 0.0.0.0:3874
# BUILD          directory of the programs               build
#
# popd, ticd, webd and PostgreSQL run as users of their own, which the first start makes where they are absent (deploy/lib/user.sh).
# The steps are in deploy/lib, one file a subject. A failure is one sentence on standard error and exit 1.
set -euo pipefail

ROOT=$(cd "$(dirname "$0")/.." && pwd -P)
for assignment in "$@"; do
	case $assignment in
	VAR=* | DB=* | POP=* | POP_IPV4=* | POP_IPV6=* | TUNNEL_PREFIX=* | SUBNET_PREFIX=* | STATIC_IPV4=* | HTTP=* | TIC=* | BUILD=*)
		declare "$assignment"
		;;
	*)
		sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
		exit 2
		;;
	esac
done
for part in say values machine user view cluster superuser daemons conf forwarding seed; do
	# shellcheck source=/dev/null
	. "$ROOT/deploy/lib/$part.sh"
done

# One broker for each VAR. The lock ends with this process.
lock_var() {
	local owner
	mkdir -p "$VAR" || fail "The directory $VAR cannot be created; choose another with VAR=."
	VAR=$(cd "$VAR" && pwd -P)
	exec 9>>"$VAR/lock"
	owner=$(cat "$VAR/lock")
	flock -n 9 || fail "A broker already runs from $VAR (process ${owner:-unknown}); stop it first, or choose another directory with VAR=."
	echo $$ >"$VAR/lock"
}

prepare() {
	check_root
	set_default_values
	check_values
	check_tools
	check_tun
	check_protocol_41
	choose_pop_ipv4
	URL=http://$(reachable_host "$HTTP"):$(listen_port "$HTTP")
	umask 022
	lock_var
	cd "$VAR"
	choose_capabilities
	make_users
	open_view
	make_runtime
	for name in webd ticd popd; do clear_daemon $name; done
	clear_cluster
	check_ports
	make_state
}

start_database() {
	OWNER_DB=$DB
	if [ -z "$DB" ]; then
		create_cluster
		configure_cluster
		start_cluster
		run_superuser_sql
	fi
	migrate
	join_roles
	seed
	pop_login
}

start_daemons() {
	write_popd_conf
	write_ticd_conf
	write_webd_conf
	make_certificate
	start_forwarding
	start_daemon popd popd_answers "popctl got no answer" "$PROGRAMS/popd" -c "$VAR/popd.conf"
	start_daemon ticd tic_answers "there was no TIC greeting" "$PROGRAMS/ticd" -c "$VAR/ticd.conf"
	start_daemon webd http_answers "/healthz was not 200" "$PROGRAMS/webd" -c "$VAR/webd.conf"
}

show() {
	local type operator="DB='$(conninfo_of operator)'"
	# The connection string of an existing server may contain a password.
	[ -z "$DB" ] || operator='DB="$DB"'
	say
	say "The broker runs. Ctrl-C stops it."
	say
	say "  status page      $URL/pops/status"
	say "  TIC server       $(reachable_host "$TIC"), port $(listen_port "$TIC")"
	say "  account          $ACCOUNT"
	say "  TIC secret       $SECRET"
	list_tunnels
	for type in ayiya heartbeat static; do
		write_aiccu $type
		[ ! -e "$VAR/aiccu-$type.conf" ] || say "  AICCU            $VAR/aiccu-$type.conf"
	done
	say "  the operator     sudo $operator $BUILD/ticctl tunnel list"
	say "  the PoP          sudo $BUILD/popctl --socket $CONTROL status"
	say "  logs             $VAR/*.log, and here:"
	say
}

# A pipe that nobody writes to: to read from it with a limit is a sleep that needs no process and ends at a signal.
open_never() {
	rm -f "$VAR/never"
	mkfifo -m 0600 "$VAR/never"
	exec {never}<>"$VAR/never"
	rm -f "$VAR/never"
}

# Follows the logs until a daemon ends by itself, which stops everything. A signal ends the script here, through its EXIT trap.
watch_daemons() {
	local logs=() names=() name
	for name in popd ticd webd pg; do
		[ -z "${PIDS[$name]-}" ] || names+=("$name") logs+=("$VAR/$name.log")
	done
	hold_signals
	tail -q -n 0 -F --pid=$$ "${logs[@]}" 2>/dev/null 9>&- &
	PIDS["tail"]=$!
	disown $!
	release_signals
	while is_running tail; do
		for name in "${names[@]}"; do
			is_running "$name" || fail_with_log "$VAR/$name.log" "$name ended by itself; everything is stopped."
		done
		read -r -t 0.5 -u "$never" || true
	done
	fail "The logs can no longer be followed; everything is stopped."
}

stop_all() {
	local status=$?
	trap '' INT TERM HUP PIPE
	set +e
	[ ${#PIDS[@]} = 0 ] || say "Stopping"
	halt webd TERM
	halt ticd TERM
	if [ -n "${PIDS[popd]-}" ]; then
		halt popd TERM
		remove_tun
	fi
	halt pg INT
	halt tail TERM
	restore_forwarding
	case $status in
	0) exit 0 ;;
	"$EXPLAINED") exit 1 ;;
	esac
	say "deploy/run.sh failed unexpectedly (status $status); see $VAR/*.log" >&2
	exit 1
}

trap stop_all EXIT
trap on_signal INT TERM HUP PIPE
prepare
start_database
start_daemons
open_never
# From the first line on, no other program runs in the foreground: bash forgets a Ctrl-C at which one ends by itself.
text=$(show)
say "$text"$'\n'
watch_daemons
