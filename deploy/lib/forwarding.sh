# Sourced by run.sh: changes to the machine's network while the broker runs, undone at the end.

TUN=sixxs
CHANGED=()

# change KEY VALUE: sets net/ipv6/conf/KEY and remembers its value.
change() {
	local file=/proc/sys/net/ipv6/conf/$1 before
	before=$(cat "$file")
	[ "$before" != "$2" ] || return 0
	echo "$2" 2>/dev/null >"$file" || return 1
	CHANGED=("$1=$before" "${CHANGED[@]}")
}

# A Linux host that forwards ignores router advertisements and drops the default route it has from them, unless accept_ra is 2; so the
# interfaces that accept them get that first.
start_forwarding() {
	local file interface
	[ "$(cat /proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null)" = 0 ] || return 0
	for file in /proc/sys/net/ipv6/conf/*/accept_ra; do
		interface=${file%/accept_ra}
		interface=${interface##*/}
		case $interface in all | default | lo) continue ;; esac
		[ "$(cat "$file")" != 1 ] || change "$interface/accept_ra" 2 || true
	done
	if change all/forwarding 1; then
		say "Switched IPv6 forwarding on (net.ipv6.conf.all.forwarding=1, accept_ra=2 where it was 1) until the broker stops"
	else
		say "IPv6 forwarding is off and may not be switched on here: tunnels reach the PoP but nothing beyond it" >&2
	fi
}

restore_forwarding() {
	local setting
	for setting in "${CHANGED[@]}"; do
		echo "${setting#*=}" 2>/dev/null >"/proc/sys/net/ipv6/conf/${setting%%=*}" || true
	done
	CHANGED=()
}

# popd keeps its TUN and the routes for its next start; here nothing is to be left.
remove_tun() {
	if [ -e "/sys/class/net/$TUN/tun_flags" ] || ip tuntap show 2>/dev/null | grep -q "^$TUN:"; then
		ip link delete dev "$TUN" 2>/dev/null || true
	fi
}
