# Sourced by run.sh: starts, watches and stops processes by their pids. Each runs in a session of its own, so that Ctrl-C reaches only
# this script, which then stops them in order.

declare -A PIDS=()

# launch NAME USER COMMAND...: output to $VAR/NAME.log, pid to $VAR/NAME.pid. Descriptor 9, the script's lock, is not inherited.
launch() {
	local name=$1 BECOME
	shift
	become "$@"
	log_of "$1" "$name"
	hold_signals
	setsid "${BECOME[@]}" </dev/null >>"$VAR/$name.log" 2>&1 9>&- &
	PIDS[$name]=$!
	echo $! >"$VAR/$name.pid"
	disown $! # or the shell would print how it ends
	release_signals
}

# A signal between the start of a process and the note of its number would end the script without the process.
hold_signals() { HOLDS=yes; }
release_signals() {
	HOLDS=
	[ -z "${SIGNALLED-}" ] || exit 0
}
on_signal() {
	if [ -n "${HOLDS-}" ]; then
		SIGNALLED=yes
	else
		exit 0
	fi
}

is_running() { [ -n "${PIDS[$1]-}" ] && kill -0 "${PIDS[$1]}" 2>/dev/null; }

# A zombie counts as gone: its parent may take its time to wait for it.
is_gone() { ! kill -0 "$1" 2>/dev/null || grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"; }

# halt NAME SIGNAL: sends the signal, waits ten seconds, then kills.
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

# Stops a daemon that outlived its script, if the pid still is of the process started here.
clear_daemon() {
	local name=$1 pid
	pid=$(cat "$VAR/$name.pid" 2>/dev/null || true)
	if [ -n "$pid" ] && cat "/proc/$pid/cmdline" 2>/dev/null | tr '\0' ' ' | grep -qF -- "-c $VAR/$name.conf"; then
		say "Stopping $name, left running by an earlier start"
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

# ask_port LISTEN TEXT: sends TEXT to a server and prints its first line.
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

# start_daemon NAME READY FAILURE COMMAND...: launches it as the user of its name and waits until READY is true; else fails with FAILURE and
# the end of the log.
start_daemon() {
	local name=$1 ready=$2 failure=$3
	shift 3
	launch "$name" "$name" "$@"
	wait_until 20 "$ready" || fail_with_log "$VAR/$name.log" "$name started, but $failure within 20 seconds."
	is_running "$name" || fail_with_log "$VAR/$name.log" "$name ended at its start."
}
