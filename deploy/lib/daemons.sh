# Sourced by run.sh: starting, watching and stopping processes by their pids. Each runs in a session of its own, so that a Ctrl-C
# reaches only this script, which then stops them in order.

declare -A PIDS=()

# launch NAME COMMAND...: output to $VAR/NAME.log, pid to $VAR/NAME.pid. File 9 is the script's lock and stays the script's.
launch() {
	local name=$1
	shift
	[ "$1" != as_user ] || set -- setpriv "${AS_USER[@]}" -- "${@:2}"
	setsid "$@" </dev/null >>"$VAR/$name.log" 2>&1 9>&- &
	PIDS[$name]=$!
	echo $! >"$VAR/$name.pid"
	disown $! # the shell is not to comment on how it ends; that is our job
}

is_running() { [ -n "${PIDS[$1]-}" ] && kill -0 "${PIDS[$1]}" 2>/dev/null; }

# A process nobody has waited for yet (the parent of what was left behind may take its time) is gone too.
is_gone() { ! kill -0 "$1" 2>/dev/null || grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"; }

# halt NAME SIGNAL: asks, waits ten seconds, then ends it.
halt() {
	local name=$1 pid=${PIDS[$1]-}
	[ -n "$pid" ] || return 0
	unset "PIDS[$name]"
	kill "-$2" "$pid" 2>/dev/null || true
	if ! wait_until 10 is_gone "$pid"; then
		say "$name did not stop within 10 seconds and is killed" >&2
		kill -KILL "$pid" 2>/dev/null || true
	fi
	rm -f "$VAR/$name.pid"
}

# A daemon whose script was killed lives on: stop it, if the pid still is what was started here.
clear_daemon() {
	local name=$1 pid
	pid=$(cat "$VAR/$name.pid" 2>/dev/null || true)
	if [ -n "$pid" ] && cat "/proc/$pid/cmdline" 2>/dev/null | tr '\0' ' ' | grep -qF -- "-c $VAR/$name.conf"; then
		say "Stopping the $name a start before this one left behind"
		kill -TERM "$pid" 2>/dev/null || true
		wait_until 10 is_gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
	fi
	rm -f "$VAR/$name.pid"
}

popd_answers() { ! is_running popd || "$BUILD/popctl" --socket "$CONTROL" status >/dev/null 2>&1; }

tic_answers() {
	! is_running ticd || [[ $(ask_port "$TIC" "quit") == 200* ]]
}

http_answers() {
	! is_running webd || [[ $(ask_port "$HTTP" $'GET /healthz HTTP/1.0\r\n\r') == HTTP/1.[01]\ 200* ]]
}

# ask_port LISTEN TEXT: the first line a server says, when sent TEXT.
ask_port() {
	local host line=
	host=$(listen_host "$1")
	case $host in
	0.0.0.0) host=127.0.0.1 ;;
	::) host=::1 ;;
	esac
	{
		exec 7<>"/dev/tcp/$host/$(listen_port "$1")" || return 1
		printf '%s\n' "$2" >&7
		read -r -t 5 line <&7 || true
		exec 7>&-
	} 2>/dev/null
	echo "$line"
}

# start_daemon NAME READY WHAT COMMAND...: launches it and waits for READY; says what failed, with the log's end, when it does not come.
start_daemon() {
	local name=$1 ready=$2 what=$3
	shift 3
	launch "$name" "$@"
	wait_until 20 "$ready" || fail_with_log "$VAR/$name.log" "$name started, but $what within 20 seconds."
	is_running "$name" || fail_with_log "$VAR/$name.log" "$name ended at its start."
}
