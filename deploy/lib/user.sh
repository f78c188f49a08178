# Sourced by run.sh: the users that the daemons run as, what each of them may do, and the files that belong to them.
#
# popd, ticd and webd run as users of their own (deploy/sysusers.d), the private PostgreSQL as the package's user postgres. The group
# ipv6-broker may enter the directory of PostgreSQL's socket. It has no members: run.sh gives it to the processes that it starts.

CLUSTER_USER=postgres
SOCKET_GROUP=ipv6-broker

has_user() { id -u "$1" >/dev/null 2>&1; }

# Makes the users and the group that this machine lacks. They stay when the broker stops, since they own its files.
make_users() {
	local missing=() name
	for name in popd ticd webd; do
		has_user "$name" || missing+=("user $name")
	done
	getent group "$SOCKET_GROUP" >/dev/null || missing+=("group $SOCKET_GROUP")
	[ ${#missing[@]} = 0 ] || add_users "${missing[@]}"
	[ -n "$DB" ] || has_user "$CLUSTER_USER" ||
		fail "There is no user $CLUSTER_USER to run PostgreSQL; deploy/packages.sh run installs PostgreSQL, which creates it."
}

# add_users "user NAME" or "group NAME"...
add_users() {
	local line error list
	list=$(printf ', %s' "$@")
	if command -v systemd-sysusers >/dev/null; then
		error=$({ cat "$ROOT/deploy/sysusers.d/broker.conf" && echo "g $SOCKET_GROUP -"; } | systemd-sysusers - 2>&1)
	else
		error=$(for line in "$@"; do
			case $line in
			user\ *) useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin "${line#user }" || exit ;;
			group\ *) groupadd --system "${line#group }" || exit ;;
			esac
		done 2>&1)
	fi || fail "The system users and groups that the broker needs could not be made (${list:2}): ${error%%$'\n'*}"
	say "Made on this machine, and kept when the broker stops: ${list:2}"
}

group_of() { id -gn "$1"; }

# has_capability NUMBER: whether this process may give the capability to others.
has_capability() { (($(sed -n 's/^CapBnd:[[:space:]]*/0x/p' /proc/self/status) >> $1 & 1)); }

# CAP_NET_ADMIN and CAP_NET_RAW are for the TUN, the routes and the raw sockets. CAP_BPF is for tun_steer and bpf_encap, without which
# popd runs too.
choose_capabilities() {
	if ! has_capability 12 || ! has_capability 13; then
		fail "popd needs CAP_NET_ADMIN and CAP_NET_RAW, which root does not have here; give them to this container."
	fi
	POPD_CAPABILITIES="net_admin net_raw"
	if has_capability 39; then POPD_CAPABILITIES+=" bpf"; fi
}

# become USER COMMAND...: sets BECOME to the command that runs COMMAND as this user. The process has the user's group and the socket's, no
# capability but popd's three, and no way to get more. Without root's HOME libpq looks for the user's own files.
become() {
	local user=$1 only=-all capability
	shift
	if [ "$user" = popd ]; then
		for capability in $POPD_CAPABILITIES; do only+=,+$capability; done
	fi
	view_of "$user"
	BECOME=("${VIEW[@]}" setpriv --reuid="$user" --regid="$(group_of "$user")" --groups="$SOCKET_GROUP" --inh-caps="$only" --ambient-caps="$only"
		--bounding-set="$only" --no-new-privs -- env -u HOME -- "$@")
}

# as USER COMMAND...
as() {
	local BECOME
	become "$@"
	"${BECOME[@]}"
}

# for_user USER FILE MODE: standard input replaces FILE at once; it belongs to root and the user's group.
for_user() {
	local new="$2.new"
	rm -f "$new"
	(umask 077 && cat >"$new")
	chown "root:$(group_of "$1")" "$new"
	chmod "$3" "$new"
	mv -f "$new" "$2"
}

# directory_of USER GROUP MODE DIRECTORY: makes it where it is absent; what an earlier start left in it changes to this user.
directory_of() {
	mkdir -p "$4"
	if [ "$(stat -c %U:%G "$4")" != "$1:$2" ]; then
		chown -hR "$1:$(group_of "$1")" "$4"
		chown "$1:$2" "$4"
	fi
	chmod "$3" "$4"
}

# log_of USER NAME: the log of a daemon, which its user and the administrators' group may read.
log_of() {
	touch "$VAR/$2.log"
	chown "$1:adm" "$VAR/$2.log"
	chmod 0640 "$VAR/$2.log"
}
