# Sourced by run.sh: how the daemons' users reach what they need where this machine keeps it closed to them.
#
# A checkout in somebody's home is below a directory that only its owner may enter. Then each daemon gets a mount namespace in which that
# directory is an empty one with the way to VAR in it, under the same path, so that configuration and commands are the same on both sides.
# Nothing changes for the rest of the machine. The namespace ends with its daemon.

CLOSED=      # the directory that VAR's users cannot enter, or empty
TUN_CLOSED=  # set when popd's user may not open /dev/net/tun

# view_of USER: sets VIEW to the words before a command that make this user's mount namespace, or to nothing.
view_of() {
	local tun=
	VIEW=()
	if [ "$1" = popd ]; then tun=$TUN_CLOSED; fi
	[ -n "$CLOSED$tun" ] || return 0
	VIEW=(unshare --mount --propagation slave -- bash -euc "$(declare -f enter_view)"'; enter_view "$@"' enter_view "$CLOSED" "$VAR" "$tun")
}

# enter_view CLOSED VAR TUN COMMAND...: what root does in the new namespace before it becomes the user.
enter_view() {
	local closed=$1 var=$2 tun=$3 data
	shift 3
	umask 022
	if [ -n "$closed" ]; then
		exec {data}<"$var"
		mount -t tmpfs -o mode=0755,size=1m tmpfs "$closed"
		mkdir -p "$var"
		mount --no-canonicalize --bind "/proc/self/fd/$data" "$var"
		exec {data}<&-
		cd "$var" || exit
	fi
	if [ -n "$tun" ]; then
		mount -t tmpfs -o mode=0755,size=1m tmpfs /dev/net
		mknod -m 0600 /dev/net/tun c 10 200
		chown popd /dev/net/tun
	fi
	exec "$@"
}

users_of_var() {
	[ -n "$DB" ] || echo "$CLUSTER_USER"
	printf '%s\n' popd ticd webd
}

can_enter() { as "$1" test -x "$2/." 2>/dev/null; }

# Prints the topmost directory of VAR's path that one of its users cannot enter, or nothing.
closed_directory() {
	local user parts part directory
	IFS=/ read -ra parts <<<"${VAR#/}"
	for user in $(users_of_var); do
		! can_enter "$user" "$VAR" || continue
		directory=
		for part in "${parts[@]}"; do
			directory+=/$part
			can_enter "$user" "$directory" || break
		done
		echo "$directory"
		return
	done
}

# Sets CLOSED.
open_var() {
	local closed user
	closed=$(closed_directory)
	[ -n "$closed" ] || return 0
	[ "$closed" != "$VAR" ] || fail "The users of the daemons cannot enter $VAR; open it with 'chmod a+x $VAR', or choose another directory with VAR=."
	CLOSED=$closed
	for user in $(users_of_var); do
		can_enter "$user" "$VAR" ||
			fail "The users of the daemons cannot enter $closed, and no mount namespace can be made here to let them; choose another directory with VAR=."
	done
	say "The daemons' users may not enter $closed; each gets a mount namespace with the way to $VAR."
}

runs_program() { as "$1" "$PROGRAMS/$1" --version >/dev/null 2>&1; }

# Sets PROGRAMS: where the users find the daemons' programs. That is BUILD, or copies in VAR where BUILD is closed to them.
choose_programs() {
	local name
	PROGRAMS=$BUILD
	for name in popd ticd webd; do
		runs_program $name && continue
		PROGRAMS=$VAR/bin
		rm -rf "$PROGRAMS"
		install -D -m 0755 -t "$PROGRAMS" "$BUILD/popd" "$BUILD/ticd" "$BUILD/webd"
		break
	done
	for name in popd ticd webd; do
		runs_program $name || fail "The user $name can run $name neither in $BUILD nor as a copy in $VAR/bin; choose another directory with VAR=."
	done
}

opens_tun() { as popd bash -c 'exec 3<>/dev/net/tun' 2>/dev/null; }

# Sets TUN_CLOSED. udev makes the device with mode 0666; a container's is often root's alone.
open_tun() {
	opens_tun && return
	TUN_CLOSED=yes
	opens_tun || fail "The user popd may not open /dev/net/tun; give the device the mode that udev gives it: chmod 0666 /dev/net/tun."
}

open_view() {
	open_var
	choose_programs
	open_tun
}
