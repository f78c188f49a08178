# Sourced by run.sh: what a superuser sets up in the broker's database, and the PoP's own log-in.

run_superuser_sql() {
	local error
	error=$("$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 -d "host=$SOCKETS dbname=broker user=postgres" -f "$ROOT/schema/superuser.sql" 2>&1) ||
		fail "schema/superuser.sql could not be run (${error%%$'\n'*})."
}

# After seed: popd logs in without a password, by its user's name on the socket or, on an existing server, through the role that DB names.
pop_login() {
	[ -z "$DB" ] || join_pop_role
	must "The PoP's log-in could not be set up" ctl pop secret "$POP" --certificate >/dev/null
}

# On an existing server the role may have to be made by hand, and the owner must be a member of it.
join_pop_role() {
	local error role
	role=$(pop_role)
	error=$("$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 -v role="$role" -d "$DB" 2>&1 <<-'END'
		select format('create role %I in role popd', :'role') where to_regrole(:'role') is null \gexec
		select format('grant %I to current_user', :'role') where not pg_has_role(current_user, :'role', 'member') \gexec
	END
	) || fail "The role in DB cannot take the role $role; its administrator must make it, as a member of popd, and grant it (${error%%$'\n'*})."
}
