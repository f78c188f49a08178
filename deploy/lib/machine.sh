# Sourced by run.sh: what the machine must have before anything is started. Every failure is one sentence.

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
	[ -c /dev/net/tun ] || fail "There is no /dev/net/tun; load it with 'modprobe tun', or give it to this container."
	# Opening the device loads the module.
	(exec 8<>/dev/net/tun) 2>/dev/null || fail "/dev/net/tun cannot be opened; this kernel or container has no TUN interfaces."
}

# The kernel's own 6in4 receives protocol 41 as well as popd: tunnel4 answers every packet that is not of a kernel's tunnel with an error.
check_protocol_41() {
	local name
	for name in sit tunnel4; do
		if [ -d /sys/module/$name ] || grep -q "^$name " /proc/modules 2>/dev/null; then
			fail "The kernel module $name is loaded and answers protocol 41 with errors; remove it with 'modprobe -r sit ipip ip_vti tunnel4' and keep it out by copying deploy/modprobe/broker.conf to /etc/modprobe.d/."
		fi
	done
}

# Prints this machine's source address for its default route, or nothing. (192.0.0.8 is the dummy address of RFC 7600.)
default_route_ipv4() {
	[ -z "$(ip -4 route show default)" ] || ip -4 route get 192.0.0.8 | sed -n 's/.* src \([0-9.]*\).*/\1/p'
}

choose_pop_ipv4() {
	if [ -z "$POP_IPV4" ]; then
		POP_IPV4=$(default_route_ipv4)
		[ -n "$POP_IPV4" ] ||
			fail "There is no IPv4 default route to take the PoP's address from; set POP_IPV4=<an IPv4 address of this machine>."
	fi
	[ -n "$(ip -4 -o address show to "$POP_IPV4/32")" ] || fail "POP_IPV4=$POP_IPV4 is not an address of this machine."
}

# check_port tcp|udp HOST PORT NAME REMEDY: fails when another socket has the port.
check_port() {
	local protocol=$1 host=$2 port=$3 name=$4 remedy=$5 line fields taken holder
	while read -r line; do
		read -ra fields <<<"$line"
		taken=${fields[3]%:*}
		taken=${taken%%%*}
		taken=${taken#[} taken=${taken%]}
		# A wildcard on either side collides. '*' is one socket for both families, '::' one for IPv6 only.
		case $taken in
		'*' | "$host") ;;
		0.0.0.0) [[ $host != *:* || $host = :: ]] || continue ;;
		::) [[ $host == *:* ]] || continue ;;
		*) is_wildcard "$host" || continue ;;
		esac
		holder=$(sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/ by \1 (process \2)/p' <<<"$line")
		fail "The $name port, ${protocol^^} $port on $host, is taken$holder; $remedy"
	done < <(ss -Hanp "--$protocol" "sport = :$port" 2>/dev/null | grep -E 'LISTEN|UNCONN' | sed 's/^[a-z]*  *\(LISTEN\|UNCONN\)/\1/')
}

check_ports() {
	check_port tcp "$(listen_host "$TIC")" "$(listen_port "$TIC")" TIC "stop that, or choose another with TIC=."
	check_port tcp "$(listen_host "$HTTP")" "$(listen_port "$HTTP")" HTTP "stop that, or choose another with HTTP=."
	check_port udp "$POP_IPV4" 5072 AYIYA "stop that, or choose another address with POP_IPV4=."
	check_port udp "$POP_IPV4" 3740 heartbeat "stop that, or choose another address with POP_IPV4=."
}
