#!/bin/bash
# Makes the disk of the guest of "make test-kernel": Debian 12 with its own kernel and what the tests need. As root.
#
#   root.sh FOLDER   leaves disk.img, vmlinuz and initrd.img there; does nothing when they were made for the same packages
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mkdir -p "$1" && cd "$1" && pwd)
here=tests/kernel
MIRROR=${KERNEL_MIRROR:-http://deb.debian.org/debian}
mapfile -t packages < <(deploy/packages.sh --list guest)

# A change of the packages, of this script or of what it copies makes a new disk.
recipe=$(cat "$here/root.sh" "$here"/guest/broker-test.service "$here"/guest/runner.sh <(printf '%s\n' "${packages[@]}") | sha256sum)
if [ "$recipe" = "$(cat "$folder/recipe" 2>/dev/null)" ] && [ -s "$folder/disk.img" ] && [ -s "$folder/initrd.img" ]; then exit 0; fi
rm -f "$folder/recipe"
[ "$(id -u)" = 0 ] || { echo "root.sh: only root can make the guest's root" >&2; exit 1; }

# A mount space of its own, so that /proc of the new root is seen by nobody else and ends with this script.
if [ -z "${ROOT_SPACE:-}" ]; then ROOT_SPACE=own exec unshare --mount "tests/kernel/root.sh" "$folder"; fi
root=$(mktemp -d /var/tmp/broker-guest-XXXXXX)
trap 'umount -l "$root/proc" 2>/dev/null || true; rm -rf --one-file-system "$root"' EXIT
trap 'exit 1' INT TERM

# inside COMMAND...: runs it in the guest's root.
inside() { LC_ALL=C DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }

# run STEP COMMAND...: one line a step; what it prints is shown when it fails.
run() {
	echo "guest: $1"
	shift
	"$@" >"$folder/root.log" 2>&1 </dev/null || { tail -n 20 "$folder/root.log" >&2; exit 1; }
}

# This machine's way to the archive holds in there too.
take_apt_settings() {
	apt-config dump | grep -E '^Acquire::(http|https|ftp)::' >"$root/etc/apt/apt.conf.d/80host" || true
	cat >"$root/etc/apt/sources.list" <<-END
		deb $MIRROR bookworm main
		deb $MIRROR bookworm-updates main
		deb ${MIRROR}-security bookworm-security main
	END
}

# No service starts while packages are installed; Debian's own PostgreSQL cluster is not made, since tests make theirs.
hold_services() {
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 0755 "$root/usr/sbin/policy-rc.d"
	mkdir -p "$root/etc/postgresql-common/createcluster.d"
	echo "create_main_cluster = false" >"$root/etc/postgresql-common/createcluster.d/none.conf"
}

configure() {
	rm -f "$root/usr/sbin/policy-rc.d"
	echo broker-test >"$root/etc/hostname"
	printf '127.0.0.1 localhost broker-test\n::1 localhost\n' >"$root/etc/hosts"
	echo "/dev/vda / ext4 defaults 0 1" >"$root/etc/fstab"
	mkdir -p "$root/share" "$root/work"
	install -m 0755 "$here/guest/runner.sh" "$root/usr/local/sbin/broker-test"
	install -m 0644 "$here/guest/broker-test.service" "$root/etc/systemd/system/"
	inside systemctl enable broker-test.service
	inside systemctl mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer man-db.timer
	for module in 9p 9pnet_virtio virtio_pci virtio_blk; do echo $module; done >>"$root/etc/initramfs-tools/modules"
	inside update-initramfs -u
	rm -f "$root"/var/cache/apt/archives/*.deb
}

run "debootstrap from $MIRROR" debootstrap --variant=minbase bookworm "$root" "$MIRROR"
take_apt_settings
hold_services
mount -t proc proc "$root/proc"
run "its package lists" inside apt-get -q update
run "${#packages[@]} packages" inside apt-get -q -y --no-install-recommends install "${packages[@]}"
run "its settings" configure
umount -l "$root/proc"
cp -L "$root"/boot/vmlinuz-* "$folder/vmlinuz"
cp -L "$root"/boot/initrd.img-* "$folder/initrd.img"
rm -f "$folder/disk.img"
run "the disk" mke2fs -q -t ext4 -d "$root" "$folder/disk.img" 8G
echo "$recipe" >"$folder/recipe"
