#!/bin/sh
# replay.sh SIM MUTANT...: dumps that the simulator wrote are decided the same by the core that was
# recorded and not by one with a broken rule; what is no dump is said to be none.
set -eu

sim=$1
shift
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

fail()
{
	echo "$*"
	exit 1
}

# Recorded, written, replayed: small rings that wrap, one that holds everything.
"$sim" --seed 3 --seconds 60 --faults none --ring 4x64x8192 --dump "$work/small" >"$work/said"
grep -q '^same decisions: .* [1-9][0-9]* of them wrapped' "$work/said" || fail "nothing wrapped"
"$sim" --replay "$work/small" >"$work/trace" || fail "another decision: $(tail -1 "$work/trace")"
tail -1 "$work/trace" |
	grep -Eq '^same decisions: (19[3-9]|2[0-5][0-9]) events, from event [0-9]{3,}' ||
	fail "not the last events: $(tail -1 "$work/trace")"

# The words are those of the traces: the whole life of an agent, as its schedule printed it.
words()
{
	sed -n 's/^\[ *[0-9.]*\] \(a > \(leads\|stops job\|acquires\|releases\) .*\)$/\1/p' "$1"
}
"$sim" --seed 3 --seconds 20 --nodes 1 --faults none --ring 9x4096x262144 --trace \
	--dump "$work/all" >"$work/said"
"$sim" --replay "$work/all" >"$work/trace" || fail "another decision: $(tail -1 "$work/trace")"
words "$work/said" >"$work/expected"
words "$work/trace" >"$work/words"
grep -q 'a > stops job [0-9]*: shutdown' "$work/words" || fail "no words"
cmp "$work/expected" "$work/words" || fail "other words than the schedule's"

# Damaged, cut off, empty, something else.
size=$(wc -c <"$work/small")
head -c $((size - 1)) "$work/small" >"$work/cut"
: >"$work/empty"
{ head -c $((size - 100)) "$work/small"; printf 'xxxx'; tail -c 96 "$work/small"; } >"$work/damaged"
for file in cut empty damaged trace missing; do
	if "$sim" --replay "$work/$file" >"$work/said" 2>&1; then
		fail "$file was replayed: $(tail -1 "$work/said")"
	fi
done

# A broken rule shows, in one of so many lives.
for mutant; do
	seed=0
	: >"$work/said"
	until grep -q 'first difference' "$work/said"; do
		seed=$((seed + 1))
		[ $seed -le 600 ] || fail "${mutant##*/} decides the same"
		[ -e "$work/life-$seed" ] || "$sim" --seed $seed --ring 9x4096x262144 \
			--dump "$work/life-$seed" >"$work/ran"
		"$mutant" --replay "$work/life-$seed" >"$work/said" 2>&1 || true
	done
	echo "${mutant##*/}, life $seed: $(tail -1 "$work/said" | cut -d: -f2-)"
done
