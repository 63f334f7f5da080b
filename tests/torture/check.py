#!/usr/bin/python3
"""Judges a run of the torture, offline, from nothing but what was written down.

    check.py DIRECTORY...    one line per invariant; exit 1 and the shortest explanation if one fails

A directory holds: history (the jobs' lives, lifejob.c), sink (what the resource took and refused),
watch (every change in etcd, observer.py), runs (the ledger's own side, scribe.c), ticks (what the jobs with a schedule did, nodes.py), given (numbers, allocator.c), events
(what was done to it, torture.py), onced-NODE.log. The numbers:

    I1  lives of different tokens never overlap; also what no clock can hide: the kernel's lock
    I2  tokens grow strictly with the start of lives; those the sink accepted never fall
    I7  no beat of a term is written after a later one began, or while nobody holds the key; `clean`,
        which may come late, never falls back
    I8  `clean` names a term only after its last life
    I9  after a term that did not end itself (nobody said `clean`, or another ended it for its silence), work
        starts no sooner than the drift margin allows: the one may live until V after its last proof, the
        other waits V(1 + drift) from there
    L   after everything is healed there is a life within the bound
    I3 I5 I6, I7 once more: the ledger that the job keeps, see ledger.py
    I4, I3 and I7 once more: the jobs with a schedule, see instants.py
    I5  once more: numbers that are given out, see given.py
"""
import base64
import bisect
import collections
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import checker  # noqa: E402
import given  # noqa: E402
import instants  # noqa: E402
import ledger  # noqa: E402

# Seconds: 2 * LeaseTTL + 4 of profile fast, from the moment at which etcd is healthy. A run that was told
# another bound or margin says so in its first event.
BOUND = 10.0
MARGIN = 0.1     # seconds; V * drift of profile fast is 0.15, the rest is the kernel's to deliver signals
GROUP = "/onced/g/default/"

Write = collections.namedtuple("Write", "ns verdict token node pid greatest")
Run = collections.namedtuple("Run", "lines sink watch events seized runs ticks given",
                             defaults=(None, None))
SEIZED = re.compile(r"ended the silent term (\d+)")


def read_sink(path):
    writes = []
    if os.path.exists(path):
        with open(path) as file:
            text = file.read()
        for raw in text[:text.rfind("\n") + 1].splitlines():
            words = raw.split(" ")
            if len(words) != 6 or words[1] not in ("accept", "reject"):
                raise checker.Malformed("not a line of a sink: %r" % raw[:80])
            writes.append(Write(int(words[0]), words[1], int(words[2]), words[3], int(words[4]),
                                int(words[5])))
    return writes


def read_json_lines(path):
    if not os.path.exists(path):
        return None
    with open(path) as file:
        text = file.read()
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]


def read_seized(directory):
    """The tokens of terms that another node ended."""
    tokens = set()
    for path in glob.glob(os.path.join(glob.escape(directory), "onced-*.log")):
        with open(path, errors="replace") as log:
            tokens |= {int(token) for token in SEIZED.findall(log.read())}
    return tokens


def load(directory):
    path = lambda name: os.path.join(directory, name)  # noqa: E731
    return Run(checker.read(path("history")), read_sink(path("sink")), read_json_lines(path("watch")),
               read_json_lines(path("events")) or [], read_seized(directory),
               ledger.read(path("runs")), instants.read(path("ticks")), given.read(path("given")))


# ---- the invariants: None, or what is wrong

def lives_apart(run):
    return checker.check(run.lines)


def sink_monotonic(run):
    greatest = None
    for write in run.sink:
        if write.verdict == "accept" and greatest and write.token < greatest.token:
            return "the sink accepted token %d of %s after token %d of %s" % (
                write.token, write.node, greatest.token, greatest.node)
        if write.verdict == "reject" and not (greatest and write.token < greatest.token):
            return "the sink refused token %d of %s without a greater one" % (write.token, write.node)
        if write.verdict == "accept" and (not greatest or write.token > greatest.token):
            greatest = write
    return None


def value(change):
    return base64.b64decode(change.get("value", "")).decode(errors="replace")


def _incarnation(text):
    """What an epoch and a beat have in common: who wrote them. See lib/elect/keys.c."""
    return text.split(" ")[0].replace("incarnation=", "")


def no_old_writes(run):
    """By the record of changes: a beat is by whoever the epoch names, and comes while the key is
    there. `clean` may be written after the key is gone, but never over that of a later term."""
    clean = 0
    epoch = None  # (token, incarnation); unknown after a gap or when an operator deleted it
    by_revision = collections.defaultdict(list)
    for change in run.watch:
        if "gap" in change:
            by_revision[change["gap"][1]].append(change)
        else:
            by_revision[change["revision"]].append(change)
    present = None  # create revision of the leader key; 0: absent; None: unknown
    for revision in sorted(by_revision):
        changes = by_revision[revision]
        if any("gap" in change for change in changes):
            epoch = present = None
            clean = 0
            continue
        for change in changes:
            if change["key"] == GROUP + "epoch":
                epoch = (revision, _incarnation(value(change))) if change["type"] == "put" else None
            elif change["key"] == "/leader":
                present = change["create"] if change["type"] == "put" else 0
        for change in changes:
            if change["type"] == "put" and change["key"].startswith("/onced/beat/"):
                if epoch and _incarnation(value(change)) != epoch[1]:
                    return "revision %d: a beat of %s after the term of %s began at %d" % (
                        revision, _incarnation(value(change)), epoch[1], epoch[0])
                if present == 0:
                    return "revision %d: a beat while nobody held the key" % revision
            if change["type"] == "delete" and change["key"] == GROUP + "clean":
                clean = 0  # an operator's; a late `clean` of an older term may be written into its place
            if change["type"] == "put" and change["key"] == GROUP + "clean":
                token = int(value(change))
                if token < clean:
                    return "revision %d: clean=%d after clean=%d" % (revision, token, clean)
                clean = token
    return None


def clean_means_dead(run):
    ends = {}
    for line in run.lines:
        if line.token not in ends or line.ns > ends[line.token].ns:
            ends[line.token] = line
    for change in run.watch:
        if change.get("key") == GROUP + "clean" and change["type"] == "put":
            last = ends.get(int(value(change)))
            if last and last.ns > change["ns"]:
                return "clean=%s was seen %s before token %d on %s (pid %d) wrote its last line" % (
                    value(change), checker.ms(last.ns - change["ns"]), last.token, last.node, last.pid)
    return None


def waited(run):
    """Pairs of lives between which the record of changes has a gap are left out: `clean` may be there."""
    margin = run.events[0].get("margin", MARGIN) if run.events else MARGIN
    clean = {int(value(c)) for c in run.watch if c.get("key") == GROUP + "clean" and c["type"] == "put"}
    gaps = [change["gap"] for change in run.watch if "gap" in change]
    ordered = checker.lives(run.lines)
    for before, after in zip(ordered, ordered[1:]):
        if before.token not in run.seized and (
                before.token in clean or any(to >= before.token for _, to in gaps)):
            continue
        if before.token < after.token and after.start - before.end < margin * 1e9:
            return "%s began %s after the last line of %s, which did not end itself" % (
                after, checker.ms(after.start - before.end), before)
    return None


def alive_after_heal(run):
    bound = run.events[0].get("bound", BOUND) if run.events else BOUND
    times = sorted(line.ns for line in run.lines)
    for event in run.events:
        if event["event"] == "healthy":
            at = bisect.bisect_right(times, event["ns"])
            waited = (times[at] - event["ns"]) / 1e9 if at < len(times) else None
            if waited is None and run.events[-1]["ns"] - event["ns"] < bound * 1e9:
                continue  # the record ends before the bound does
            if waited is None or waited > bound:
                return "no life for %s after everything was healed at %.3f s" % (
                    "ever" if waited is None else "%.1f s" % waited, event["ns"] / 1e9)
    return None


CHECKS = [("I1", "lives of different tokens never overlap", lives_apart, None),
          ("I2", "tokens the sink accepted never fall", sink_monotonic, None),
          ("I7", "nothing of an old term is written", no_old_writes, "watch"),
          ("I8", "clean names only the dead", clean_means_dead, "watch"),
          ("I9", "who ends another's term waits for its deadline", waited, "watch"),
          ("L", "a life soon after each heal", alive_after_heal, None)]


CHECKS += [(*check, needs) for needs, judge in (("runs", ledger), ("ticks", instants), ("given", given))
           for check in judge.CHECKS]
NEEDED = {"watch": "no record of changes in etcd", "runs": "no ledger was kept",
          "ticks": "no job with a schedule", "given": "nobody took numbers"}


def verdicts(run):
    """(number, what, None | problem, None | why it was not checked) for each invariant."""
    found = []
    for number, what, check, needs in CHECKS:
        skipped = None
        if needs and getattr(run, needs) is None:
            skipped = NEEDED[needs]
        elif needs and run.watch is None:
            skipped = NEEDED["watch"]
        elif not run.lines:
            skipped = "no line at all"
        found.append((number, what, None if skipped else check(run), skipped))
    return found


def main(directories):
    failed = False
    for directory in directories:
        try:
            results = verdicts(load(directory))
        except (checker.Malformed, ValueError, KeyError) as error:
            results = [("-", "readable", str(error), None)]
        for number, what, problem, skipped in results:
            print("%s: %-3s %s" % (directory, number, "FAIL: " + problem if problem else
                                   "skipped: " + skipped if skipped else "ok, " + what))
        failed |= any(r[2] for r in results) or not any(r[2] is None and not r[3] for r in results)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
