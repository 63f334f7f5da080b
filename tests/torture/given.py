"""Numbers that are given out once: what the allocators (allocator.c) got, against the counters in etcd.

    I5  no number is given to two; none is given that etcd's counter has not passed; what is asked for
        after another's answer is greater, if both go to etcd for it; no counter goes back

Numbers that nobody got are no violation: what is left of a block, and requests without an answer.
"""
import base64
import bisect
import collections
import json

import wordfile

Given = collections.namedtuple("Given", "ns said name node pid seq first count")
HEAD = "/onced/ids/"
AT_ONCE = "direct"  # the counter whose numbers do not come out of blocks


def read(path):
    """None when nobody took numbers."""
    found = wordfile.words(path, "an allocator", lambda words: len(words) == 8 and words[1] in (
        "asked", "given", "refused"))
    return found and [Given(int(words[0]), *words[1:4], *map(int, words[4:])) for words in found]


def said(line):
    return "%d to %d of %s, given to pid %d on %s" % (
        line.first, line.first + line.count - 1, line.name, line.pid, line.node)


def counters(watch):
    """{name: [(revision, next free number)]}; deleted: 1."""
    found = collections.defaultdict(list)
    for change in watch:
        if change.get("key", "").startswith(HEAD):
            value = json.loads(base64.b64decode(change["value"])) if change["type"] == "put" else {"next": 1}
            found[change["key"][len(HEAD):]].append((change["revision"], value["next"]))
    return found


def _apart(lines):
    by_number = sorted(lines, key=lambda line: line.first)
    for before, after in zip(by_number, by_number[1:]):
        if after.first < before.first + before.count:
            return "given twice: %s, and %s" % (said(before), said(after))
    return None


def _pairs(lines):
    """(asked, given) by the order of the lines: the number of a process comes again."""
    open_ones = {}
    for line in lines:
        who = (line.node, line.pid)
        if line.said == "asked":
            open_ones[who] = line
        elif line.said == "given" and who in open_ones:
            yield open_ones.pop(who), line


def _in_order(lines):
    """By the kernel's clock: each answer that came before a request is smaller than that request's."""
    pairs = list(_pairs(lines))
    by_time = sorted((after for _, after in pairs), key=lambda line: line.ns)
    times, most = [line.ns for line in by_time], []
    for line in by_time:
        most.append(max(line, most[-1], key=lambda x: x.first) if most else line)
    for asked, line in pairs:
        at = bisect.bisect_left(times, asked.ns)
        if at and most[at - 1].first > line.first:
            return "%s, was asked for after %s" % (said(line), said(most[at - 1]))
    return None


def _counted(lines, values, complete):
    for (_, before), (revision, after) in zip(values, values[1:]):
        if after < before:
            return "revision %d: the counter goes back from %d to %d" % (revision, before, after)
    last = values[-1][1] if values else 1
    for line in lines if complete else []:
        if line.first < 1 or line.first + line.count > last:
            return "%s, and the counter is at %d" % (said(line), last)
    return None


def given_once(run):
    complete = not any("gap" in change for change in run.watch) and any(
        event["event"] == "caught up" for event in run.events)
    values = counters(run.watch)
    for name in sorted({line.name for line in run.given}):
        lines = [line for line in run.given if line.name == name]
        got = [line for line in lines if line.said == "given"]
        wrong = (_apart(got) or (name == AT_ONCE and _in_order(lines)) or
                 _counted(got, values[name], complete))
        if wrong:
            return wrong
    return None


CHECKS = [("I5", "no number is given twice", given_once)]


def figures(run):
    """Counts for the report; None when nobody took numbers."""
    if run.given is None or run.watch is None:
        return None
    count = collections.Counter(line.said for line in run.given)
    got = [line for line in run.given if line.said == "given"]
    once = {(line.name, number) for line in got for number in range(line.first, line.first + line.count)}
    numbers = sum(line.count for line in got)
    taken = sum(max(value for _, value in values) - 1 for values in counters(run.watch).values())
    return {"asked": count["asked"], "given": count["given"], "refused": count["refused"],
            "unanswered": count["asked"] - count["given"] - count["refused"],
            "numbers": numbers, "twice": numbers - len(once), "lost": taken - len(once)}
