# Sourced by run.sh: the unprivileged user PostgreSQL, ticd and webd run as, and how it reaches its files.

# The owner of the checkout, or postgres when that is root. Sets RUN_USER, RUN_GROUP and AS_USER (what setpriv is told).
choose_user() {
	RUN_USER=$(stat -c %U "$ROOT")
	if [ "$RUN_USER" = root ] || ! id "$RUN_USER" >/dev/null 2>&1; then RUN_USER=postgres; fi
	id "$RUN_USER" >/dev/null 2>&1 || fail "There is no user $RUN_USER to run PostgreSQL, ticd and webd as."
	RUN_GROUP=$(id -gn "$RUN_USER")
	AS_USER=("--reuid=$RUN_USER" "--regid=$RUN_GROUP" --init-groups)
}

as_user() { setpriv "${AS_USER[@]}" -- "$@"; }

# Tried in earnest: access(2), and so "test -x", does not look at the ability given below.
can_reach_files() { as_user stat "$VAR/." >/dev/null 2>&1 && as_user "$BUILD/ticd" --version >/dev/null 2>&1; }

# Below a directory closed to others (a checkout in /root) the user may not even walk to its own files. Then its processes keep one
# ability of root's: to pass through and read, not to write.
open_the_way() {
	can_reach_files && return
	AS_USER+=(--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search)
	can_reach_files || fail "The user $RUN_USER cannot reach $VAR and $BUILD, and this machine allows no way around; put them where it can."
	say "$RUN_USER may not walk to $VAR by itself; its processes keep CAP_DAC_READ_SEARCH for that."
}

# for_user FILE MODE: standard input becomes FILE, whole or not at all, root's, readable to the user's group.
for_user() {
	local new="$1.new"
	rm -f "$new"
	(umask 077 && cat >"$new")
	chown "root:$RUN_GROUP" "$new"
	chmod "$2" "$new"
	mv -f "$new" "$1"
}
