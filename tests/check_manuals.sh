#!/bin/bash
# The manual pages: mandoc finds nothing to say, and each daemon's page of its file names every key
# the program has, and no other. One line a check: "ok ..." or "not ok ...".
set -uo pipefail
cd "$(dirname "$0")/.." || exit
BUILD=${BUILD:-build}
status=0

# verdict STATUS NAME
verdict() {
	if [ "$1" = 0 ]; then
		echo "ok $2"
	else
		echo "not ok $2"
		status=1
	fi
}

# Prints "section key" for each key the program dumps.
keys_of_program() {
	"$BUILD/$1" -c "$2" --dump-config | awk '
		/^\[/ { gsub(/[][]/, ""); section = $0; next }
		/^[a-z][a-z0-9_]* *=/ { print section, $1 }'
}

# The same from the manual, where a section is a .Ss and a key is a list item ".It Ic key".
keys_of_manual() {
	awk '$1 == ".Ss" { section = $2; gsub(/[][]/, "", section) } $1 == ".It" && $2 == "Ic" { print section, $3 }' "deploy/man/$1.conf.5"
}

for page in deploy/man/*.[1-9]; do
	found=$(mandoc -T lint -W warning "$page" 2>&1)
	verdict $? "lint ${page##*/}"
	[ -z "$found" ] || echo "$found"
done
for program in popd ticd webd; do
	difference=$(diff <(keys_of_manual $program | sort) <(keys_of_program $program deploy/etc/$program.conf | sort))
	verdict $? "keys of $program.conf"
	[ -z "$difference" ] || printf 'the manual (<) and the program (>) differ:\n%s\n' "$difference"
done
for program in popd popctl ticd ticctl webd; do
	[ -e "deploy/man/$program.8" ]
	verdict $? "manual of $program"
done
exit $status
