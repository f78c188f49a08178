# Sourced by run.sh: messages, failures, and waiting.

say() { printf '%s\n' "$*"; }

# The exit status of "the reason was printed", from a subshell too. The script's caller sees 1.
EXPLAINED=70

# Prints one sentence on standard error and exits. The EXIT trap stops what is running.
fail() {
	printf '%s\n' "$*" >&2
	exit $EXPLAINED
}

# fail_with_log LOG SENTENCE: the last lines of a log, then the sentence.
fail_with_log() {
	local log=$1
	shift
	if [ -s "$log" ]; then
		printf 'The last lines of %s:\n' "$log" >&2
		tail -n 8 "$log" | sed 's/^/    /' >&2
	fi
	fail "$*"
}

# wait_until SECONDS COMMAND...: true as soon as the command is, false after the deadline.
wait_until() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.05
	done
}
