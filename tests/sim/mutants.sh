#!/bin/sh
# mutants.sh BUILD [SEEDS]: every mutant, and the seed at which the simulator caught it. Fails when one
# escapes.
set -eu

escaped=0
for mutant in "$1"/tests/sim/sim-*; do
	if [ ! -f "$mutant" ]; then
		continue
	fi
	name=${mutant##*/sim-}
	if line=$("$mutant" --expect-violation --seeds "${2:-20000}"); then
		printf 'caught   %-30s %s\n' "$name" "$(echo "$line" | grep '^seed ')"
	else
		printf 'ESCAPED  %s\n' "$name"
		escaped=$((escaped + 1))
	fi
done
exit $((escaped > 0))
