#!/bin/sh
# mutate.sh MUTANT.sed INPUT.c OUTPUT.c: breaks one rule in a copy. A script that changes nothing has lost
# its place in the code and is an error: a mutant that is no mutant would prove nothing.
set -eu

sed -f "$1" "$2" > "$3"
if cmp -s "$2" "$3"; then
	echo "$1 changes nothing in $2" >&2
	exit 1
fi
