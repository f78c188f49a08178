# Sourced by run.sh: the unprivileged user of PostgreSQL, ticd and webd, and its access to their files.

# The owner of the checkout, or postgres when that is root. Sets RUN_USER, RUN_GROUP and AS_USER (the options of setpriv).
choose_user() {
	RUN_USER=$(stat -c %U "$ROOT")
	if [ "$RUN_USER" = root ] || ! id "$RUN_USER" >/dev/null 2>&1; then RUN_USER=postgres; fi
	id "$RUN_USER" >/dev/null 2>&1 || fail "There is no user $RUN_USER to run PostgreSQL, ticd and webd; deploy/packages.sh run creates it."
	RUN_GROUP=$(id -gn "$RUN_USER")
	AS_USER=("--reuid=$RUN_USER" "--regid=$RUN_GROUP" --init-groups)
}

as_user() { setpriv "${AS_USER[@]}" -- "$@"; }

# Tries it: access(2), and so "test -x", ignores the capability given below.
can_reach_files() { as_user stat "$VAR/." >/dev/null 2>&1 && as_user "$BUILD/ticd" --version >/dev/null 2>&1; }

# Below a directory closed to others (a checkout in /root) the user cannot reach even its own files. Then its processes keep one of
# root's capabilities, which lets them enter directories and read, not write.
grant_access() {
	can_reach_files && return
	AS_USER+=(--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search)
	can_reach_files || fail "The user $RUN_USER cannot reach $VAR and $BUILD, and CAP_DAC_READ_SEARCH does not help here; move them to where it can."
	say "The user $RUN_USER cannot reach $VAR by itself; its processes get CAP_DAC_READ_SEARCH."
}

# for_user FILE MODE: standard input replaces FILE at once; it belongs to root and the user's group.
for_user() {
	local new="$1.new"
	rm -f "$new"
	(umask 077 && cat >"$new")
	chown "root:$RUN_GROUP" "$new"
	chmod "$2" "$new"
	mv -f "$new" "$1"
}
