# Sourced by run.sh: what the machine must offer before anything is started. Every refusal is one sentence.

check_root() {
	[ "$(id -u)" = 0 ] || fail "Only root may start the broker, since popd makes a TUN interface and raw sockets; try: sudo make run"
}

check_tools() {
	local tool
	[ -x "$PGBIN/psql" ] && { [ -x "$PGBIN/postgres" ] || [ -n "$DB" ]; } || fail "PostgreSQL 15 is not in $PGBIN; deploy/packages.sh run installs it."
	for tool in ip ss openssl setpriv setsid flock; do
		command -v $tool >/dev/null || fail "The program $tool is missing; deploy/packages.sh run installs it."
	done
	for tool in popd popctl ticd ticctl webd; do
		[ -x "$BUILD/$tool" ] || fail "$BUILD/$tool is not built; run make first."
	done
}

check_tun() {
	[ -c /dev/net/tun ] || fail "There is no /dev/net/tun; load it with 'modprobe tun', or let this container have it."
	# Opening it loads the module where it is not in the kernel yet.
	(exec 8<>/dev/net/tun) 2>/dev/null || fail "/dev/net/tun cannot be opened; this container or kernel does not allow TUN interfaces."
}

# The kernel's own 6in4 would answer protocol 41 beside popd: tunnel4 takes the protocol and refuses what no tunnel of its own matches.
check_protocol_41() {
	local name
	for name in sit tunnel4; do
		if [ -d /sys/module/$name ] || grep -q "^$name " /proc/modules 2>/dev/null; then
			fail "The kernel module $name is loaded and would answer protocol 41 in popd's place; remove it with 'modprobe -r sit ipip ip_vti tunnel4' and keep it out by copying deploy/modprobe/broker.conf to /etc/modprobe.d/."
		fi
	done
}

# The address this machine sends from along its default route; nothing without one. (192.0.0.8 is RFC 7600's dummy: nobody's.)
default_route_ipv4() {
	[ -z "$(ip -4 route show default)" ] || ip -4 route get 192.0.0.8 | sed -n 's/.* src \([0-9.]*\).*/\1/p'
}

choose_pop_ipv4() {
	if [ -z "$POP_IPV4" ]; then
		POP_IPV4=$(default_route_ipv4)
		[ -n "$POP_IPV4" ] ||
			fail "There is no IPv4 default route to take the PoP's address from; say POP_IPV4=<an IPv4 address of this machine>."
	fi
	[ -n "$(ip -4 -o address show to "$POP_IPV4/32")" ] || fail "POP_IPV4=$POP_IPV4 is not an address of this machine."
}

# check_port tcp|udp HOST PORT WHAT VARIABLE: refuses when a socket of another holds it.
check_port() {
	local protocol=$1 host=$2 port=$3 what=$4 remedy=$5 line fields taken who
	while read -r line; do
		read -ra fields <<<"$line"
		taken=${fields[3]%:*}
		taken=${taken%%%*}
		taken=${taken#[} taken=${taken%]}
		# A wildcard on either side collides; '*' is one socket for both families, '::' with nothing else is IPv6 only.
		case $taken in
		'*' | "$host") ;;
		0.0.0.0) [[ $host != *:* || $host = :: ]] || continue ;;
		::) [[ $host == *:* ]] || continue ;;
		*) is_wildcard "$host" || continue ;;
		esac
		who=$(sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/ by \1 (process \2)/p' <<<"$line")
		fail "The $what port, ${protocol^^} $port on $host, is taken$who; $remedy"
	done < <(ss -Hanp "--$protocol" "sport = :$port" 2>/dev/null | grep -E 'LISTEN|UNCONN' | sed 's/^[a-z]*  *\(LISTEN\|UNCONN\)/\1/')
}

check_ports() {
	check_port tcp "$(listen_host "$TIC")" "$(listen_port "$TIC")" TIC "stop that, or choose another with TIC=."
	check_port tcp "$(listen_host "$HTTP")" "$(listen_port "$HTTP")" HTTP "stop that, or choose another with HTTP=."
	check_port udp "$POP_IPV4" 5072 AYIYA "stop that, or choose another address with POP_IPV4=."
	check_port udp "$POP_IPV4" 3740 heartbeat "stop that, or choose another address with POP_IPV4=."
}
