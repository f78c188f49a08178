#!/bin/bash
# Who includes what: the parts depend on each other in one direction, and a foreign library's header
# is named in one place.
#
#   check_includes.sh [ROOT]   ROOT: a source tree, default this one
#
# Prints each line that breaks a rule and exits 1. First it proves on a small tree of its own that
# each rule is still enforced.
set -uo pipefail

# Files (glob, the first that fits) and what of ours they may include. `lib/*.h` is the library
# without its folders; a glob's * also stands for slashes, so a part's folders are named one by one.
# A folder may always include itself.
DIRECTION='
lib/io/*         lib/[!/]*.h lib/io/*
lib/wire/*       lib/[!/]*.h
lib/*            lib/[!/]*.h
popd/core/*      lib/[!/]*.h lib/wire/*
popd/port/*      lib/* popd/core/*
popd/fastpath/*  lib/* popd/core/*
popd/feed/*      lib/* popd/core/*
popd/report/*    lib/* popd/core/*
popd/observe/*   lib/* popd/settings.h popd/core/* popd/port/* popd/fastpath/* popd/feed/* popd/report/*
popd/daemon/*    lib/* popd/settings.h popd/core/* popd/port/* popd/fastpath/* popd/feed/* popd/report/* popd/observe/*
popd/ctl/*       lib/*
popd/settings.?  lib/* popd/core/*
popd/main.c      lib/* popd/settings.h popd/daemon/*
ticd/proto/*     lib/[!/]*.h
ticd/core/*      lib/[!/]*.h ticd/settings.h ticd/proto/*
ticd/io/*        lib/* ticd/settings.h ticd/proto/* ticd/core/*
ticd/ctl/*       lib/*
ticd/settings.?  lib/*
ticd/main.c      lib/* ticd/settings.h ticd/io/*
web/page/*       lib/[!/]*.h
web/io/*         lib/* web/page/*
web/main.c       lib/* web/page/* web/io/*
tests/*          lib/* popd/* ticd/* web/* tests/*
'

# No folder holds more files of C than a reader can take in.
FOLDER_FILES=60

# Foreign headers and the only places that may name them.
FOREIGN='
libpq-fe.h      lib/io/pg* popd/feed/pg* popd/report/pg* ticd/io/pg* ticd/ctl/pg* web/io/pg*
microhttpd.h    web/io/httpd.c popd/observe/metrics.c
openssl/*       lib/digest.c ticd/io/tls.c
ev.h            lib/io/* popd/port/* popd/feed/* popd/report/* popd/observe/* popd/daemon/* popd/main.c ticd/io/* ticd/main.c web/io/* web/main.c tests/unit/*
jansson.h       popd/observe/* popd/ctl/* ticd/ctl/json.c web/page/status_json.c tests/*
ini.h           lib/config.c
libmnl/*        popd/daemon/netlink.c
bpf/*           popd/fastpath/bpf_encap.c popd/fastpath/*.bpf.c
cmocka.h        tests/*
immintrin.h     lib/sha1_* tests/*
'

# The C library, the kernel: free for all. Whatever is neither here nor above needs a row above
# first.
SYSTEM=$(echo assert.h ctype.h dirent.h errno.h fcntl.h float.h getopt.h glob.h grp.h ifaddrs.h inttypes.h limits.h locale.h malloc.h math.h \
	netdb.h poll.h pthread.h pwd.h sched.h setjmp.h signal.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h \
	stdlib.h string.h strings.h syslog.h termios.h threads.h time.h unistd.h wchar.h)

problems=0
problem() {
	echo "$1"
	problems=$((problems + 1))
}

# matches TEXT GLOB...
matches() {
	local text=$1 glob
	shift
	for glob in "$@"; do
		# shellcheck disable=SC2053 # the right side is a pattern
		[[ $text == $glob ]] && return 0
	done
	return 1
}

# row TABLE FILE: puts the right side of the first row whose left side matches into REPLY.
row() {
	local left right
	while read -r left right; do
		REPLY=$right
		# shellcheck disable=SC2053
		[[ -n $left && $2 == $left ]] && return 0
	done <<<"$1"
	return 1
}

check_ours() {
	local where=$1 file=$2 header=$3
	if [ ! -f "$header" ]; then
		problem "$where: \"$header\" is not the path of a file from the root"
	elif ! row "$DIRECTION" "$file"; then
		problem "$where: this folder has no row in tests/check_includes.sh"
	else
		# `lib/*` stands for lib/io too; only what is written with [!/] is confined to one
		# folder.
		set -f
		# shellcheck disable=SC2086
		if [ "${header%/*}" != "${file%/*}" ] && ! matches_confined "$header" $REPLY; then problem "$where: \"$header\" does not lie below ${file%/*}: includes point one way"; fi
		set +f
	fi
}

# Like matches, but "lib/[!/]*.h" does not reach into folders of lib.
matches_confined() {
	local text=$1 glob
	shift
	for glob in "$@"; do
		[[ $glob == 'lib/[!/]*.h' && ${text#lib/} == */* ]] && continue
		matches "$text" "$glob" && return 0
	done
	return 1
}

check_foreign() {
	local where=$1 file=$2 header=$3
	case $header in
	sys/* | net/* | netinet/* | netpacket/* | arpa/* | linux/* | asm/*) return ;;
	esac
	[[ " $SYSTEM " == *" $header "* ]] && return
	if ! row "$FOREIGN" "$header"; then
		problem "$where: <$header> has no place; name it in tests/check_includes.sh"
		return
	fi
	set -f
	# shellcheck disable=SC2086
	matches "$file" $REPLY || problem "$where: <$header> may be included only in $REPLY"
	set +f
}

# A .c file that has a header begins with it, so that every header is proved to stand alone.
check_own_first() {
	local file=$1 own=${1%.c}.h first
	[ -f "$own" ] || return 0
	first=$(grep -m1 -n '^[[:space:]]*#[[:space:]]*include' "$file" || true)
	[[ $first == *"\"$own\""* ]] || problem "$file:${first%%:*}: the first include must be \"$own\""
}

check_folders() {
	local count folder
	while read -r count folder; do
		[ "$count" -le $FOLDER_FILES ] || problem "$folder: $count files; a folder holds at most $FOLDER_FILES"
	done < <(find lib popd ticd web -name '*.[ch]' -printf '%h\n' 2>/dev/null | sort | uniq -c)
}

# No header includes itself by way of others; the guards would hide it from the compiler.
check_circles() {
	local circle
	circle=$(grep -rH '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' --include='*.h' lib popd ticd web 2>/dev/null |
		sed 's/^\([^:]*\):[^"]*"\([^"]*\)".*/\1 \2/' | tsort 2>&1 >/dev/null | sed 's/^tsort: //; 1d' | tr '\n' ' ')
	[ -z "$circle" ] || problem "headers include each other in a circle: $circle"
}

check_tree() {
	local line file number text
	cd "$1" || exit 2
	problems=0
	while IFS=: read -r file number text; do
		file=${file#./}
		if [[ $text =~ \#[[:space:]]*include[[:space:]]*\"([^\"]+)\" ]]; then
			check_ours "$file:$number" "$file" "${BASH_REMATCH[1]}"
		elif [[ $text =~ \#[[:space:]]*include[[:space:]]*\<([^\>]+)\> ]]; then
			check_foreign "$file:$number" "$file" "${BASH_REMATCH[1]}"
		else
			problem "$file:$number: an include this check cannot read"
		fi
	done < <(grep -rn '^[[:space:]]*#[[:space:]]*include' --include='*.[ch]' lib popd ticd web tests 2>/dev/null)
	while read -r file; do
		check_own_first "$file"
	done < <(find lib popd ticd web -name '*.c' 2>/dev/null | sort)
	check_folders
	check_circles
	[ "$problems" = 0 ]
}

# Each of these, alone in a tree that is right, must be found: file and line to add to it.
BREAKS='
lib/a.c|#include "lib/io/b.h"
lib/a.c|#include "lib/wire/c.h"
lib/a.c|#include "popd/core/d.h"
lib/a.c|#include <jansson.h>
lib/a.c|#include <zlib.h>
lib/a.c|#include "a.h"
lib/io/b.c|#include "lib/wire/c.h"
lib/io/b.c|#include <libpq-fe.h>
lib/wire/c.c|#include "lib/io/b.h"
lib/wire/c.c|#include "popd/core/d.h"
popd/core/d.c|#include "popd/port/e.h"
popd/core/d.c|#include "lib/io/b.h"
popd/core/d.c|#include <ev.h>
popd/port/e.c|#include "popd/fastpath/g.h"
popd/port/e.c|#include "popd/feed/h.h"
popd/port/e.c|#include "popd/report/i.h"
popd/port/e.c|#include "popd/observe/j.h"
popd/port/e.c|#include "popd/settings.h"
popd/port/e.c|#include <bpf/libbpf.h>
popd/port/e.c|#include "ticd/proto/f.h"
popd/port/e.c|#  include <openssl/evp.h>
popd/fastpath/g.c|#include "popd/port/e.h"
popd/feed/h.c|#include "popd/report/i.h"
popd/report/i.c|#include "popd/feed/h.h"
popd/observe/j.c|#include "popd/daemon/k.h"
popd/ctl/l.c|#include "popd/core/d.h"
popd/ctl/l.c|#include <ev.h>
popd/settings.h|#include "popd/port/e.h"
ticd/proto/f.c|#include "lib/wire/c.h"
ticd/proto/f.c|#include "popd/core/d.h"
lib/config.c|#include MACRO
'
prove_rules() {
	local file text missed=0
	tree=$(mktemp -d) || exit 2
	trap 'rm -rf "$tree"' EXIT
	(
		cd "$tree" || exit 2
		for file in lib/a lib/io/b lib/wire/c popd/core/d popd/port/e popd/fastpath/g popd/feed/h popd/report/i popd/observe/j \
			popd/daemon/k popd/ctl/l popd/settings ticd/proto/f; do
			mkdir -p "${file%/*}"
			echo '#include <stdint.h>' >$file.h
			printf '#include "%s.h"\n#include <stdlib.h>\n' $file >$file.c
		done
		echo '#include "popd/core/d.h"' >>popd/port/e.c
		echo '#include "popd/port/e.h"' >>popd/observe/j.c
		echo '#include "popd/observe/j.h"' >>popd/daemon/k.c
		echo '#include "lib/wire/c.h"' >>popd/ctl/l.c
		printf '#include <ini.h>\n' >lib/config.c
	)
	if ! (check_tree "$tree"); then
		echo "check_includes.sh: finds fault with a tree that has none"
		exit 2
	fi
	while IFS='|' read -r file text; do
		[ -n "$text" ] || continue
		cp "$tree/$file" "$tree/saved"
		echo "$text" >>"$tree/$file"
		if (check_tree "$tree") >/dev/null; then
			echo "check_includes.sh: does not see '$text' in $file"
			missed=1
		fi
		mv "$tree/saved" "$tree/$file"
	done <<<"$BREAKS"
	printf '#include <stdlib.h>\n#include "lib/a.h"\n' >"$tree/lib/a.c"
	if (check_tree "$tree") >/dev/null; then
		echo "check_includes.sh: does not see that an own header is not the first"
		missed=1
	fi
	printf '#include "lib/a.h"\n#include <stdlib.h>\n' >"$tree/lib/a.c"
	for file in $(seq $FOLDER_FILES); do echo '#include <stdlib.h>' >"$tree/popd/feed/more_$file.c"; done
	if (check_tree "$tree") >/dev/null; then
		echo "check_includes.sh: does not see a folder of more than $FOLDER_FILES files"
		missed=1
	fi
	rm "$tree"/popd/feed/more_*.c
	printf '#include <stdint.h>\n#include "popd/core/e.h"\n' >"$tree/popd/core/d.h"
	printf '#include <stdint.h>\n#include "popd/core/d.h"\n' >"$tree/popd/core/e.h"
	if (check_tree "$tree") >/dev/null; then
		echo "check_includes.sh: does not see a circle of headers"
		missed=1
	fi
	[ $missed = 0 ] || exit 2
}

prove_rules
check_tree "${1:-$(dirname "$0")/..}" || exit 1
echo "ok includes point one way"
