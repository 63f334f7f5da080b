#!/bin/sh
# mutate.sh MUTANT.sed OUTPUT.c INPUT.c...: breaks one rule in a copy, of all inputs as one. A script that
# changes nothing has lost its place in the code and is an error: a mutant that is no mutant would prove
# nothing.
set -eu

mutant=$1 output=$2
shift 2
cat "$@" > "$output.whole"
sed -f "$mutant" "$output.whole" > "$output"
if cmp -s "$output.whole" "$output"; then
	echo "$mutant changes nothing in" "$@" >&2
	exit 1
fi
rm "$output.whole"
