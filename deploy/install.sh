#!/bin/sh
# "make install" calls this: DESTDIR, PREFIX (default /usr/local) and BUILD (default build) as in the Makefile. It copies files and
# activates nothing: firewall, sysctl, modprobe and configuration go to the documentation as examples.
set -eu
cd "$(dirname "$0")/.."
PREFIX=${PREFIX:-/usr/local}
BUILD=${BUILD:-build}
to=${DESTDIR-}$PREFIX
examples=$to/share/doc/ipv6-broker/examples

install -d "$to/sbin" "$to/bin" "$to/share/man/man5" "$to/share/man/man8" "$to/lib/systemd/system" "$to/lib/sysusers.d" "$to/share/ipv6-broker" "$examples"
install -m 0755 "$BUILD/popd" "$BUILD/ticd" "$BUILD/webd" "$to/sbin"
install -m 0755 "$BUILD/popctl" "$BUILD/ticctl" "$to/bin"
install -m 0644 deploy/man/*.5 "$to/share/man/man5"
install -m 0644 deploy/man/*.8 "$to/share/man/man8"
for unit in popd ticd webd; do
	sed "s|/usr/sbin/|$PREFIX/sbin/|" deploy/systemd/$unit.service >"$to/lib/systemd/system/$unit.service"
	chmod 0644 "$to/lib/systemd/system/$unit.service"
done
install -m 0644 deploy/sysusers.d/broker.conf "$to/lib/sysusers.d"
install -m 0644 schema/superuser.sql "$to/share/ipv6-broker"
install -m 0644 README.md LICENSE "$to/share/doc/ipv6-broker"
install -m 0644 deploy/etc/*.conf deploy/nftables/broker.nft "$examples"
install -m 0644 deploy/sysctl.d/broker.conf "$examples/sysctl.conf"
install -m 0644 deploy/modprobe/broker.conf "$examples/modprobe.conf"
