# Sourced by run.sh: the database. The private PostgreSQL in $VAR/pg listens on a unix socket only. pg_ident.conf lets each daemon's user
# log in as its own role, PostgreSQL's user as the superuser, and root as any of them; the socket's directory keeps everybody else out.

PGBIN=/usr/lib/postgresql/15/bin
SOCKET_NAME=.s.PGSQL.5432
LONGEST_SOCKET=107 # bytes in sockaddr_un's path, without the final NUL

# The role that the PoP logs in as.
pop_role() { echo "popd_$POP"; }

# The sockets' directories are below $VAR/run, or, where that path is too long, below a short one that $VAR/socket-dir names: PostgreSQL's,
# and popd's control socket's.
make_runtime() {
	local base=$VAR/run
	if [ $((${#base} + 4 + ${#SOCKET_NAME})) -gt $LONGEST_SOCKET ]; then
		base=$(cat "$VAR/socket-dir" 2>/dev/null || true)
		if [ -z "$base" ]; then
			base=$(mktemp -d /run/broker-XXXXXX 2>/dev/null || mktemp -d /tmp/broker-XXXXXX)
			echo "$base" >"$VAR/socket-dir"
		fi
	fi
	SOCKETS=$base/pg
	CONTROL=$base/popd/popd.sock
	mkdir -p "$base"
	chown root:root "$base"
	chmod 0755 "$base"
	directory_of popd "$(group_of popd)" 0750 "$base/popd"
	[ -n "$DB" ] || directory_of "$CLUSTER_USER" "$SOCKET_GROUP" 0710 "$SOCKETS"
}

# popd's snapshot and journals have a directory of their own. Before, they and the sockets lay beside it, as root's and another user's.
make_state() {
	local group old
	group=$(group_of popd)
	directory_of popd "$group" 0700 "$VAR/popd"
	for old in "$VAR"/popd.snapshot*; do
		[ -e "$old" ] || continue
		chown "popd:$group" "$old"
		mv -f "$old" "$VAR/popd/snapshot${old#"$VAR/popd.snapshot"}"
	done
	rm -f "$VAR/popd.sock" "${SOCKETS%/*}/popd.sock" "${SOCKETS%/*}/$SOCKET_NAME" "${SOCKETS%/*}/$SOCKET_NAME.lock"
}

# Created beside its place and then moved there, so that an interrupted first start leaves no half of a cluster.
create_cluster() {
	[ ! -e "$VAR/pg/PG_VERSION" ] || return 0
	say "Creating a PostgreSQL cluster in $VAR/pg"
	rm -rf "$VAR/pg.new"
	directory_of "$CLUSTER_USER" "$(group_of $CLUSTER_USER)" 0700 "$VAR/pg.new"
	as "$CLUSTER_USER" "$PGBIN/initdb" -D "$VAR/pg.new" -U postgres --auth=peer --encoding=UTF8 --locale=C.UTF-8 --no-instructions >"$VAR/pg.log" 2>&1 ||
		fail_with_log "$VAR/pg.log" "The PostgreSQL cluster could not be created."
	rmdir "$VAR/pg" 2>/dev/null || true
	mv "$VAR/pg.new" "$VAR/pg"
}

configure_cluster() {
	local role
	[ "$(cat "$VAR/pg/PG_VERSION")" = 15 ] || fail "The cluster in $VAR/pg is not of PostgreSQL 15; choose another directory with VAR=."
	directory_of "$CLUSTER_USER" "$(group_of $CLUSTER_USER)" 0700 "$VAR/pg"
	echo "local all all peer map=broker" | for_user "$CLUSTER_USER" "$VAR/pg/pg_hba.conf" 0640
	{
		for role in postgres broker operator ticd webd "$(pop_role)"; do echo "broker root $role"; done
		echo "broker $CLUSTER_USER postgres"
		echo "broker popd $(pop_role)"
		echo "broker ticd ticd"
		echo "broker webd webd"
	} | for_user "$CLUSTER_USER" "$VAR/pg/pg_ident.conf" 0640
	for_user "$CLUSTER_USER" "$VAR/pg/postgresql.conf" 0640 <<-END
		# Written by deploy/run.sh at each start: a small cluster for the broker of one machine. fsync is on: committed data survive a crash.
		listen_addresses = ''
		unix_socket_directories = '$SOCKETS'
		unix_socket_group = '$SOCKET_GROUP'
		unix_socket_permissions = 0770
		max_connections = 40
		shared_buffers = 32MB
		dynamic_shared_memory_type = mmap
		max_wal_size = 256MB
		min_wal_size = 32MB
		max_worker_processes = 2
		max_parallel_workers_per_gather = 0
		timezone = 'UTC'
		log_timezone = 'UTC'
		log_line_prefix = '%m postgres[%p] %q%u@%d '
		log_checkpoints = off
		log_error_verbosity = terse
	END
}

# Prints the pids of this cluster's processes: those whose working directory it is, compared by inode, since a path reads differently in
# another mount namespace.
cluster_processes() {
	local process
	for process in /proc/[0-9]*; do
		if [ "$process/cwd" -ef "$VAR/pg" ]; then echo "${process#/proc/}"; fi
	done
}

cluster_is_empty() { [ -z "$(cluster_processes)" ]; }

# A killed start may have left a running server, or only its pid file, whose number may belong to another process by now.
clear_cluster() {
	local pid
	[ -d "$VAR/pg" ] || return 0
	if ! cluster_is_empty; then
		say "Stopping PostgreSQL, left running by an earlier start"
		pid=$(head -n 1 "$VAR/pg/postmaster.pid" 2>/dev/null || true)
		if [ -n "$pid" ] && [ "/proc/$pid/cwd" -ef "$VAR/pg" ]; then kill -INT "$pid" 2>/dev/null || true; fi
		wait_until 15 cluster_is_empty || for pid in $(cluster_processes); do kill -KILL "$pid" 2>/dev/null || true; done
		wait_until 5 cluster_is_empty || fail "PostgreSQL in $VAR/pg, left running by an earlier start, does not stop; stop it, or choose another directory with VAR=."
	fi
	rm -f "$VAR/pg/postmaster.pid" "$SOCKETS/$SOCKET_NAME" "$SOCKETS/$SOCKET_NAME.lock"
}

superuser_sql() { "$PGBIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -d "host=$SOCKETS dbname=postgres user=postgres" -c "$1"; }

cluster_answers() { ! is_running pg || "$PGBIN/pg_isready" -q -h "$SOCKETS" -d postgres -U postgres; }

start_cluster() {
	launch pg "$CLUSTER_USER" "$PGBIN/postgres" -D "$VAR/pg"
	wait_until 60 cluster_answers || fail_with_log "$VAR/pg.log" "PostgreSQL did not answer within a minute."
	is_running pg || fail_with_log "$VAR/pg.log" "PostgreSQL did not start."
	[ -n "$(superuser_sql "select 1 from pg_roles where rolname = 'broker'")" ] || superuser_sql "create role broker login"
	[ -n "$(superuser_sql "select 1 from pg_database where datname = 'broker'")" ] || superuser_sql "create database broker owner broker"
	OWNER_DB="host=$SOCKETS dbname=broker user=broker"
}

# The conninfo of one of our roles. On an existing server each logs in as the owner that DB names and takes the role at once, so that the
# server's pg_hba.conf need not know our roles.
conninfo_of() {
	local option="options=-crole=$1"
	case $DB in
	'') echo "host=$SOCKETS dbname=broker user=$1" ;;
	*://*\?*) echo "$DB&${option/=-crole=/=-crole%3D}" ;;
	*://*) echo "$DB?${option/=-crole=/=-crole%3D}" ;;
	*) echo "$DB $option" ;;
	esac
}

# After the migration: the owner must be a member of the roles to take them.
join_roles() {
	local error
	[ -n "$DB" ] || return 0
	error=$("$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$DB" 2>&1 <<-'END'
		do $$
		declare ours text;
		begin
			foreach ours in array array['ticd', 'webd', 'operator'] loop
				if not pg_has_role(current_user, ours, 'member') then
					execute format('grant %I to current_user', ours);
				end if;
			end loop;
		end $$
	END
	) || fail "The role in DB cannot take the roles ticd, webd and operator; its administrator must grant them to it (${error%%$'\n'*})."
}
