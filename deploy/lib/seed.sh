# Sourced by run.sh: the schema, and once for each PoP what a first look needs: the PoP, an account and a tunnel of each type, all made
# by ticctl as an operator would. Every step looks first, so that an interrupted start is continued by the next one.

ACCOUNT=DEMO
SECRET_FILE=demo.secret

ctl() { DB=$OWNER_DB "$BUILD/ticctl" "$@"; }

# must WHAT COMMAND...: runs it; its own sentence and ours when it fails. Prints its output.
must() {
	local what=$1 out
	shift
	out=$("$@" 2>&1) || fail "$what: ${out:-no reason was given}"
	printf '%s\n' "$out"
}

# Prints the value of a key of one JSON record, as ticctl --json writes it: a key a line.
json_value() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\"]*[^\",]\)\"\{0,1\},\{0,1\}\$/\1/p" | head -n 1; }

migrate() {
	must "The schema could not be applied" ctl migrate >"$VAR/migrate.log"
}

seed_pop() {
	local there
	if there=$(ctl pop show "$POP" --json 2>/dev/null); then
		there=$(json_value ipv4 <<<"$there")
		[ "$there" = "$POP_IPV4" ] || fail "The PoP $POP in this database has the address $there, not $POP_IPV4; say POP_IPV4=$there, or begin anew with another VAR."
		return
	fi
	must "The PoP could not be added" ctl pop add "$POP" --ipv4 "$POP_IPV4" --ipv6 "$POP_IPV6" --tunnels "$TUNNEL_PREFIX" \
		--subnets "$SUBNET_PREFIX" --city "Demo City" --country "Nowhere" --isp DEMO --isp-name "Demo ISP"
}

# The secret is shown once by ticctl and kept in $VAR/demo.secret, for the next start to print; lost there, it is renewed.
seed_account() {
	local answer
	SECRET=$(cat "$VAR/$SECRET_FILE" 2>/dev/null || true)
	if ! ctl user show "$ACCOUNT" >/dev/null 2>&1; then
		answer=$(must "The account could not be added" ctl user add "$ACCOUNT" --name "Demo User" --email demo@example.org --credit 100 --json)
	elif [ -z "$SECRET" ]; then
		answer=$(must "The account's secret could not be renewed" ctl user secret "$ACCOUNT" --json)
	else
		return 0
	fi
	SECRET=$(json_value secret <<<"$answer")
	[ -n "$SECRET" ] || fail "ticctl made the account $ACCOUNT but told no secret."
	(umask 077 && printf '%s\n' "$SECRET" >"$VAR/$SECRET_FILE.new")
	mv -f "$VAR/$SECRET_FILE.new" "$VAR/$SECRET_FILE"
}

# From a list of tunnels or requests as JSON, the number of the account's first one of a type on this PoP, or nothing.
first_of_type() {
	awk -F '"' -v handle="$ACCOUNT" -v pop="$POP" -v type="$1" '
		{ value[$2] = $3 ~ /[0-9]/ ? $3 : $4 }
		/^ *}/ {
			if (value["handle"] == handle && value["pop"] == pop && value["type"] == type) {
				gsub(/[^0-9]/, "", value["id"])
				print value["id"]
				exit
			}
			delete value
		}'
}

# The account's tunnels on this PoP, as they are now, in TUNNELS.
look_at_tunnels() { TUNNELS=$(must "The tunnels could not be listed" ctl tunnel list "$ACCOUNT" --pop "$POP" --json); }

request_of_type() {
	local list
	list=$(must "The requests could not be listed" ctl request list --json)
	first_of_type "$1" <<<"$list"
}

# seed_tunnel TYPE [--endpoint A]
seed_tunnel() {
	local type=$1 request
	shift
	[ -z "$(first_of_type "$type" <<<"$TUNNELS")" ] || return 0
	request=$(request_of_type "$type")
	if [ -z "$request" ]; then
		request=$(must "The $type tunnel could not be requested" ctl tunnel request "$ACCOUNT" --pop "$POP" --type "$type" "$@" --why "first start" --json)
		request=$(json_value request <<<"$request")
	fi
	must "The $type tunnel could not be approved" ctl request approve "$request" --why "first start"
}

# The marker says which PoPs were seeded, so that what an operator deleted later stays deleted.
seed() {
	seed_pop
	seed_account
	grep -qxF "$POP" "$VAR/seeded" 2>/dev/null && return
	look_at_tunnels
	seed_tunnel ayiya
	seed_tunnel heartbeat
	seed_tunnel static --endpoint "$STATIC_IPV4"
	echo "$POP" >>"$VAR/seeded"
}

# aiccu_lines TYPE ID FILE
aiccu_lines() {
	local server port
	server=$(reachable_host "$TIC")
	port=$(listen_port "$TIC")
	echo "# For AICCU 2007.01.15: aiccu start $3"
	echo "# The demo account's $1 tunnel T$2 on $POP, written by deploy/run.sh at each start."
	echo "username $ACCOUNT"
	echo "password $SECRET"
	echo "protocol tic"
	if [ "$port" != 3874 ]; then
		echo "# The TIC server listens on port $port. AICCU knows only port 3874 and takes no other here: forward that one to it."
	fi
	echo "server ${server//[][]/}"
	echo "tunnel_id T$2"
	echo "ipv6_interface aiccu"
	echo "automatic true"
	echo "# TLS is used when the client has it; the demo's certificate is signed by nobody."
	echo "requiretls false"
	echo "verbose true"
	echo "daemonize true"
	echo "defaultroute true"
	echo "makebeats true"
	echo "behindnat false"
	echo "noconfigure false"
	echo "pidfile /var/run/aiccu.pid"
}

# write_aiccu TYPE: $VAR/aiccu-TYPE.conf, from TUNNELS, for the checkout's owner.
write_aiccu() {
	local type=$1 file="$VAR/aiccu-$1.conf" id
	id=$(first_of_type "$type" <<<"$TUNNELS")
	if [ -z "$id" ]; then
		rm -f "$file"
		return
	fi
	rm -f "$file.new"
	(umask 077 && aiccu_lines "$type" "$id" "$file" >"$file.new")
	chown "$(stat -c %u:%g "$ROOT")" "$file.new"
	mv -f "$file.new" "$file"
}
