#!/bin/sh
# check.sh [RULE INVARIANT]: every state of the election's model (election.pml), and a counterexample for
# every rule that is taken away. With a rule and an invariant: the steps of that counterexample.
#
# Exit 1: the unbroken model has an error, was not searched to its end or has steps never taken; or a
# broken rule is not caught. Exit 77: spin is not installed. A run takes at most 2 GB and about two
# minutes of one processor.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
LIMIT_MB=2000
LIMIT_SEC=170

# What is searched to the end; see the head of election.pml.
whole='
-DNODES=2 -DTERMS=4 -DV=3
-DNODES=2 -DTERMS=3 -DV=2 -DOPERATOR -DBEAT_DELAY
-DNODES=3 -DTERMS=2 -DV=2
-DNODES=3 -DTERMS=3 -DV=2 -DFEW_FAULTS
'
# In what the broken ones are searched, breadth first: the first violation is the shortest.
small='-DNODES=2 -DTERMS=3 -DV=2'
# Rule, and the invariants that fall with it. I1: no two jobs at once. I2: tokens grow. I3: clean=T means
# that the work of T is dead. I4: no write with an old token. I5: nobody else's key is released.
broken='
deadline_from_reply 1 3
trust_keepalive 1 2 3
no_guardian 1 3
no_wait 1 3
wait_from_send 1 3
no_drift_margin 1 3
shortcut_without_compare 1 3
replay_without_wait 1 3
lost_epoch_is_fresh 1 3
proof_without_trace 1 3
seize_early 1 3
seize_without_beat_compare 1 3
beat_without_token_compare 1 3
clean_while_waiting 1 3
clean_before_dead 1 3
recovered_clean_without_ready 1 3
leftovers 1 3
adopt 1 3
unfenced_write 4
release_without_token_compare 5
'

command -v spin >/dev/null || {
	echo 'spin is not installed'
	exit 77
}
dir=$(mktemp -d "${TMPDIR:-/tmp}/onced-model.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir"
cp "$here/election.pml" .
bad=0

# build OPTIMISE SEARCH MODEL...: the program that searches
build() {
	optimise=$1
	search=$2
	shift 2
	rm -f pan pan.* ./*.trail
	spin -a "$@" election.pml >spin.out || {
		cat spin.out
		exit 1
	}
	# shellcheck disable=SC2086 # options
	gcc "$optimise" -w -DSAFETY -DNOREDUCE -DMEMLIM="$LIMIT_MB" $search -o pan pan.c
}

# How many "states, stored" and "depth reached" the last search wrote
stored() { sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' out; }
depth() { sed -n 's/.*depth reached \([0-9]*\),.*/\1/p' out; }

# Everything was looked at, nothing was wrong, and no step of the model was never taken.
verdict() {
	if grep -q 'assertion violated' out; then
		echo VIOLATED
	elif ! grep -q 'errors: 0$' out ||
		grep -Eiq 'truncated|max search depth too small|out of memory|not completed' out ||
		! grep -q '[1-9].* states, stored' out; then
		echo 'NOT EXHAUSTED'
	elif grep 'election.pml:[0-9]*, state' out | grep -vq '"-end-"'; then
		echo 'STEPS NEVER TAKEN'
	else
		echo holds
	fi
}

# The steps of the last violation: who, and the line of the model.
steps() {
	spin -t -p "$@" election.pml |
		sed -n 's/^ *\([0-9]*\):.*proc *\([0-9]*\) (\([a-z]*\).* election.pml:\([0-9]*\) .*/\1 \3 \2 \4/p' |
		while read -r step who number line; do
			if [ "$step" != "${shown:-}" ]; then
				printf '%3d  %s %d  %s\n' "$step" "$who" "$number" \
					"$(sed -n "${line}s/^[[:space:]]*//p" election.pml)"
			fi
			shown=$step
		done
}

search_whole() {
	# shellcheck disable=SC2086 # options
	build -O2 '' -DCOVERAGE "$@"
	begun=$(date +%s)
	timeout "$LIMIT_SEC" ./pan -E -m100000 >out 2>&1 || true
	result=$(verdict)
	printf '%-58s %10s %7s %4s s  %s\n' "$*" "$(stored)" "$(depth)" \
		"$(($(date +%s) - begun))" "$result"
	if [ "$result" != holds ]; then
		bad=1
		tail -n 40 out
		[ ! -f election.pml.trail ] || steps -DCOVERAGE "$@"
	fi
}

# search_broken RULE INVARIANT
search_broken() {
	# shellcheck disable=SC2086 # options
	build -O0 -DBFS $small -D"ONLY=$2" -D"BREAK_$1"
	timeout "$LIMIT_SEC" ./pan -E >out 2>&1 || true
	result="caught"
	if ! grep -q "assertion violated (*($2!=$2)" out || [ ! -f election.pml.trail ]; then
		result='NOT CAUGHT'
		bad=1
	fi
	last=$(depth)
	printf '%-32s I%s %10s %7s  %s\n' "$1" "$2" "$(stored)" "$((${last:-0} + 1))" "$result"
}

if [ $# -eq 2 ]; then
	search_broken "$1" "$2"
	# shellcheck disable=SC2086 # options
	steps $small -D"ONLY=$2" -D"BREAK_$1"
	exit "$bad"
fi

printf '%-58s %10s %7s %6s  %s\n' 'unbroken, all states' stored depth time verdict
echo "$whole" | grep . >whole
while read -r options; do
	# shellcheck disable=SC2086 # options
	search_whole $options
done <whole

printf '\n%-35s %10s %7s  %s\n' "broken, $small" stored steps verdict
echo "$broken" | grep . >broken
while read -r rule invariants; do
	for invariant in $invariants; do
		search_broken "$rule" "$invariant"
	done
done <broken
exit "$bad"
