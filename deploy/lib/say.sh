# Sourced by run.sh: how the script talks.

say() { printf '%s\n' "$*"; }

# The status that means "the reason was told", from a subshell too; whoever called the script sees 1.
TOLD=70

# One plain sentence on standard error, exit 1. The EXIT trap stops what is running.
fail() {
	printf '%s\n' "$*" >&2
	exit $TOLD
}

# fail with the last lines of a log in front.
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
