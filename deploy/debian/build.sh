#!/bin/bash
# Builds the Debian package from a copy of the source tree, which stays clean: deploy/debian/build.sh [DIRECTORY OF THE PACKAGE]
# Needs dpkg-dev and the Build-Depends of deploy/debian/control, not debhelper.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mkdir -p "${1:-build}" && cd "${1:-build}" && pwd)
copy=$(mktemp -d /tmp/broker-package-XXXXXX)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/source"
tar -c --exclude=./build --exclude='./build-*' --exclude=./var --exclude=./.git --exclude=__pycache__ . | tar -x -C "$copy/source"
cp -r deploy/debian "$copy/source/debian"
cd "$copy/source"
# The variables of a calling make are not for this build.
env -u MAKEFLAGS -u MAKELEVEL -u BUILD -u SAN -u DESTDIR -u PREFIX dpkg-buildpackage -b -us -uc -j2
mv "$copy"/ipv6-broker_*.deb "$out"
ls "$out"/ipv6-broker_*.deb
