# Sourced by run.sh: the variables a user may set, their defaults and their checks. Nothing here touches the machine.

is_ip4() {
	local IFS=. part
	[[ $1 =~ ^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$ ]] || return 1
	for part in $1; do
		[ "$((10#$part))" -le 255 ] || return 1
		[ "$part" = "$((10#$part))" ] || return 1
	done
}

# Prints the eight groups of an IPv6 address in hex without leading zeros; false when the text is none.
ip6_groups() {
	local text=$1 head tail group n=0 out=()
	[[ $text =~ ^[0-9a-fA-F:]+$ && $text != *:::* && $text != *::*::* ]] || return 1
	[[ $text != :* || $text == ::* ]] && [[ $text != *: || $text == *:: ]] || return 1
	if [[ $text == *::* ]]; then
		head=${text%%::*} tail=${text#*::}
		for group in ${head//:/ } ${tail//:/ }; do n=$((n + 1)); done
		[ $n -lt 8 ] || return 1
		text=$head
		for ((; n < 8; n++)); do text+=:0; done
		text+=:$tail
	fi
	for group in ${text//:/ }; do
		[ ${#group} -le 4 ] || return 1
		out+=("$(printf '%x' "0x$group")")
	done
	[ ${#out[@]} = 8 ] || return 1
	echo "${out[@]}"
}

is_ip6() { ip6_groups "$1" >/dev/null; }

# is_prefix6 PREFIX MIN MAX: address/length, the length from MIN to MAX, no bit set beyond it.
is_prefix6() {
	local length=${1##*/} groups group at=0 keep
	[[ $1 == */* && $length =~ ^[0-9]{1,3}$ ]] && [ "$length" -ge "$2" ] && [ "$length" -le "$3" ] || return 1
	groups=$(ip6_groups "${1%/*}") || return 1
	for group in $groups; do
		keep=$((length - at > 16 ? 16 : length - at > 0 ? length - at : 0))
		[ $((0x$group & (0xffff >> keep))) = 0 ] || return 1
		at=$((at + 16))
	done
}

# is_listen HOST:PORT: a numeric address and a port; an IPv6 one in brackets.
is_listen() {
	local port=${1##*:} host=${1%:*}
	[[ $1 == *:* && $port =~ ^[1-9][0-9]{0,4}$ ]] && [ "$port" -le 65535 ] || return 1
	if [[ $host == \[*\] ]]; then
		host=${host#[}
		is_ip6 "${host%]}"
	else
		is_ip4 "$host"
	fi
}

listen_host() {
	local host=${1%:*}
	host=${host#[}
	echo "${host%]}"
}

listen_port() { echo "${1##*:}"; }

is_wildcard() { [ "$1" = 0.0.0.0 ] || [ "$1" = :: ]; }

# The address at which others reach a listener: its own, or the PoP's when it listens on all.
reachable_host() {
	local host
	host=$(listen_host "$1")
	if is_wildcard "$host"; then host=$POP_IPV4; fi
	if [[ $host == *:* ]]; then host="[$host]"; fi
	echo "$host"
}

set_default_values() {
	VAR=${VAR:-$ROOT/var}
	DB=${DB:-}
	POP=${POP:-demo01}
	POP_IPV4=${POP_IPV4:-}
	POP_IPV6=${POP_IPV6:-}
	TUNNEL_PREFIX=${TUNNEL_PREFIX:-2001:db8:2ff::/48}
	SUBNET_PREFIX=${SUBNET_PREFIX:-2001:db8:3000::/40}
	STATIC_IPV4=${STATIC_IPV4:-192.0.2.1}
	HTTP=${HTTP:-127.0.0.1:8080}
	TIC=${TIC:-0.0.0.0:3874}
	BUILD=${BUILD:-build}
}

check_values() {
	[[ $VAR == /* ]] || VAR=$PWD/$VAR
	[[ $BUILD == /* ]] || BUILD=$ROOT/$BUILD
	# The path is written into configuration files and connection strings, where a blank or a quote has another meaning.
	[[ $VAR =~ ^[A-Za-z0-9/._+@%,=~-]+$ ]] || fail "VAR=$VAR has a character other than letters, digits and /._+@%,=~- in its path; choose another directory."
	[[ $POP =~ ^[a-z][a-z0-9]{1,31}$ ]] || fail "POP=$POP is not the name of a PoP; it must have 2 to 32 lower-case letters and digits and begin with a letter."
	[[ $DB != *$'\n'* ]] || fail "DB must be one line."
	is_prefix6 "$TUNNEL_PREFIX" 48 48 || fail "TUNNEL_PREFIX=$TUNNEL_PREFIX is not an IPv6 /48 like 2001:db8:2ff::/48."
	is_prefix6 "$SUBNET_PREFIX" 16 48 || fail "SUBNET_PREFIX=$SUBNET_PREFIX is not an IPv6 prefix of 16 to 48 bits like 2001:db8:3000::/40."
	is_ip4 "$STATIC_IPV4" || fail "STATIC_IPV4=$STATIC_IPV4 is not an IPv4 address."
	is_listen "$HTTP" || fail "HTTP=$HTTP is not an address and a port like 127.0.0.1:8080."
	is_listen "$TIC" || fail "TIC=$TIC is not an address and a port like 0.0.0.0:3874."
	[ -z "$POP_IPV4" ] || is_ip4 "$POP_IPV4" || fail "POP_IPV4=$POP_IPV4 is not an IPv4 address."
	[ -z "$POP_IPV6" ] || is_ip6 "$POP_IPV6" || fail "POP_IPV6=$POP_IPV6 is not an IPv6 address."
	if [ -z "$POP_IPV6" ]; then
		local groups
		groups=$(ip6_groups "${TUNNEL_PREFIX%/*}")
		# shellcheck disable=SC2086 # the groups are words
		POP_IPV6=$(set -- $groups && echo "$1:$2:$3:ffff::1")
	fi
}
