# Sourced by run.sh: the schema, and once for each PoP the PoP itself, an account and a tunnel of each type, all added with ticctl. Every
# step checks first, so that the next start continues an interrupted one.

ACCOUNT=DEMO
SECRET_FILE=demo.secret

ctl() { DB=$OWNER_DB "$BUILD/ticctl" "$@"; }

# must SENTENCE COMMAND...: runs the command and prints its output; fails with SENTENCE and that output.
must() {
	local sentence=$1 out
	shift
	out=$("$@" 2>&1) || fail "$sentence: ${out:-no reason was given}"
	printf '%s\n' "$out"
}

# Prints the value of a key from a JSON record of ticctl --json, which has one key a line.
json_value() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\"]*[^\",]\)\"\{0,1\},\{0,1\}\$/\1/p" | head -n 1; }

migrate() {
	must "The schema could not be applied" ctl migrate >"$VAR/migrate.log"
}

seed_pop() {
	local there
	if there=$(ctl pop show "$POP" --json 2>/dev/null); then
		there=$(json_value ipv4 <<<"$there")
		[ "$there" = "$POP_IPV4" ] || fail "The PoP $POP in this database has the address $there, not $POP_IPV4; set POP_IPV4=$there, or start with another VAR."
		return
	fi
	must "The PoP could not be added" ctl pop add "$POP" --certificate --ipv4 "$POP_IPV4" --ipv6 "$POP_IPV6" --tunnels "$TUNNEL_PREFIX" \
		--subnets "$SUBNET_PREFIX" --city "Demo City" --country "Nowhere" --isp DEMO --isp-name "Demo ISP"
}

# ticctl shows the secret once; $VAR/demo.secret keeps it for the next start. Without that file the account gets a new one.
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
	[ -n "$SECRET" ] || fail "ticctl printed no secret for the account $ACCOUNT."
	(umask 077 && printf '%s\n' "$SECRET" >"$VAR/$SECRET_FILE.new")
	mv -f "$VAR/$SECRET_FILE.new" "$VAR/$SECRET_FILE"
}

# first_of_type TYPE: from a JSON list of tunnels or requests, prints the number of the account's first one on this PoP, or nothing.
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

# Sets TUNNELS to the account's tunnels on this PoP.
list_tunnels() { TUNNELS=$(must "The tunnels could not be listed" ctl tunnel list "$ACCOUNT" --pop "$POP" --json); }

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

# $VAR/seeded lists the PoPs that were seeded, so that what an operator deletes later stays deleted.
seed() {
	seed_pop
	seed_account
	grep -qxF "$POP" "$VAR/seeded" 2>/dev/null && return
	list_tunnels
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
		echo "# The TIC server listens on port $port. AICCU knows only port 3874: forward that one to it."
	fi
	echo "server ${server//[][]/}"
	echo "tunnel_id T$2"
	echo "ipv6_interface aiccu"
	echo "automatic true"
	echo "# TLS is used when the client has it; the demo's certificate is self-signed."
	echo "requiretls false"
	echo "verbose true"
	echo "daemonize true"
	echo "defaultroute true"
	echo "makebeats true"
	echo "behindnat false"
	echo "noconfigure false"
	echo "pidfile /var/run/aiccu.pid"
}

# write_aiccu TYPE: writes $VAR/aiccu-TYPE.conf from TUNNELS, for the owner of the checkout.
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
