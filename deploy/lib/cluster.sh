# Sourced by run.sh: the database. The private PostgreSQL in $VAR/pg listens on a unix socket only; pg_ident.conf lets root and the
# user it runs as log in as any of the broker's roles, and nobody else.

PGBIN=/usr/lib/postgresql/15/bin
SOCKET_NAME=.s.PGSQL.5432
LONGEST_SOCKET=107 # bytes in sockaddr_un's path, without the final NUL
ROLES="postgres broker ticd webd operator"

# The socket's directory is $VAR/run, or, where that path is too long, a short one that $VAR/socket-dir names.
choose_socket_dir() {
	SOCKETS=$VAR/run
	if [ $((${#SOCKETS} + 1 + ${#SOCKET_NAME})) -gt $LONGEST_SOCKET ]; then
		SOCKETS=$(cat "$VAR/socket-dir" 2>/dev/null || true)
		if [ -z "$SOCKETS" ]; then
			SOCKETS=$(mktemp -d /run/broker-XXXXXX 2>/dev/null || mktemp -d /tmp/broker-XXXXXX)
			echo "$SOCKETS" >"$VAR/socket-dir"
		fi
	fi
	mkdir -p "$SOCKETS"
	chown "$RUN_USER:$RUN_GROUP" "$SOCKETS"
	chmod 0700 "$SOCKETS"
}

# Created beside its place and then moved there, so that an interrupted first start leaves no half of a cluster.
create_cluster() {
	[ ! -e "$VAR/pg/PG_VERSION" ] || return 0
	say "Creating a PostgreSQL cluster in $VAR/pg"
	rm -rf "$VAR/pg.new"
	install -d -o "$RUN_USER" -g "$RUN_GROUP" -m 0700 "$VAR/pg.new"
	as_user "$PGBIN/initdb" -D "$VAR/pg.new" -U postgres --auth=peer --encoding=UTF8 --locale=C.UTF-8 --no-instructions >"$VAR/pg.log" 2>&1 ||
		fail_with_log "$VAR/pg.log" "The PostgreSQL cluster could not be created."
	rmdir "$VAR/pg" 2>/dev/null || true
	mv "$VAR/pg.new" "$VAR/pg"
}

configure_cluster() {
	local role
	[ "$(cat "$VAR/pg/PG_VERSION")" = 15 ] || fail "The cluster in $VAR/pg is not of PostgreSQL 15; choose another directory with VAR=."
	if [ "$(stat -c %U "$VAR/pg")" != "$RUN_USER" ]; then chown -R "$RUN_USER:$RUN_GROUP" "$VAR/pg"; fi
	chmod 0700 "$VAR/pg"
	echo "local all all peer map=broker" | for_user "$VAR/pg/pg_hba.conf" 0640
	for role in $ROLES "popd_$POP"; do
		echo "broker root $role"
		echo "broker $RUN_USER $role"
	done | for_user "$VAR/pg/pg_ident.conf" 0640
	for_user "$VAR/pg/postgresql.conf" 0640 <<-END
		# Written by deploy/run.sh at each start: a small cluster for the broker of one machine. fsync is on: committed data survive a crash.
		listen_addresses = ''
		unix_socket_directories = '$SOCKETS'
		unix_socket_permissions = 0700
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
	launch pg as_user "$PGBIN/postgres" -D "$VAR/pg"
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
