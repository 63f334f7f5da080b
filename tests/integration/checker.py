#!/usr/bin/python3
"""Judges what jobs wrote about their own lives (lifejob.c), offline.

Holds if: no two lives of different tokens overlap; no two main processes of one token overlap; one
token belongs to one node; tokens grow strictly in the order in which their lives start; no job met
another one's lock. A life is the time from a token's first line to its last, whichever of its
processes wrote them. All on one kernel's CLOCK_BOOTTIME, so no clock error hides an overlap.

    checker.py FILE...    prints each history's lives; exit 1 and the shortest explanation if it fails
"""
import collections
import sys

Line = collections.namedtuple("Line", "ns kind node token pid seq")
KINDS = {"life", "child", "term", "end", "clash"}


class Malformed(Exception):
    pass


class Life:
    """All lines of one token."""

    def __init__(self, line):
        self.token, self.node, self.pid = line.token, line.node, line.pid
        self.start = self.end = line.ns
        self.last = line

    def add(self, line):
        if line.ns < self.start:
            self.start, self.node, self.pid = line.ns, line.node, line.pid
        if line.ns >= self.end:
            self.end, self.last = line.ns, line

    def __str__(self):
        return "token %d on %s (pid %d)" % (self.token, self.node, self.pid)


def parse(text):
    """The lines of a history. A last line without its newline is being written: left out."""
    lines = []
    complete = text[:text.rfind("\n") + 1]
    for number, raw in enumerate(complete.splitlines(), 1):
        words = raw.split(" ")
        try:
            ns, kind, node, token, pid, seq = words
            line = Line(int(ns), kind, node, int(token), int(pid), int(seq))
        except ValueError:
            raise Malformed("line %d is not a line of a life: %r" % (number, raw[:80])) from None
        if kind not in KINDS:
            raise Malformed("line %d has an unknown kind: %r" % (number, raw[:80]))
        lines.append(line)
    return lines


def read(path):
    try:
        with open(path) as history:
            return parse(history.read())
    except FileNotFoundError:
        return []


def lives(lines):
    """Lives by token, in order of their start."""
    found = {}
    for line in lines:
        if line.token in found:
            found[line.token].add(line)
        else:
            found[line.token] = Life(line)
    return sorted(found.values(), key=lambda life: (life.start, life.token))


def ms(ns):
    return "%.1f ms" % (ns / 1e6)


def _check_tokens(lines):
    owner = {}
    for line in lines:
        if line.token <= 0:
            return "%s ran without a token (pid %d)" % (line.node, line.pid)
        first = owner.setdefault(line.token, line)
        if first.node != line.node:
            return "token %d was used on %s (pid %d) and on %s (pid %d)" % (
                line.token, first.node, first.pid, line.node, line.pid)
    return None


def _check_order(sorted_lives):
    highest = None
    for life in sorted_lives:
        if highest and life.token < highest.token:
            return "%s started %s after %s: tokens must grow" % (
                life, ms(life.start - highest.start), highest)
        if not highest or life.token > highest.token:
            highest = life
    return None


def overlaps(sorted_lives):
    """(ns, earlier life, later life) for each life that began before an earlier one had ended."""
    found, longest = [], None
    for life in sorted_lives:
        if longest and life.start <= longest.end:
            found.append((min(longest.end, life.end) - life.start, longest, life))
        if not longest or life.end > longest.end:
            longest = life
    return found


def _check_overlap(sorted_lives):
    for _, earlier, later in overlaps(sorted_lives):
        return "%s began %s before %s wrote its last line (pid %d, %s)" % (
            later, ms(earlier.end - later.start), earlier, earlier.last.pid, earlier.last.kind)
    return None


def _check_restarts(lines):
    """Within a term the job may be started again, but only after its predecessor."""
    mains = {}
    for line in lines:
        if line.kind == "child":
            continue
        run = mains.setdefault((line.token, line.node, line.pid), Life(line))
        run.add(line)
    by_token = collections.defaultdict(list)
    for run in mains.values():
        by_token[run.token].append(run)
    for runs in by_token.values():
        runs.sort(key=lambda run: run.start)
        problem = _check_overlap(runs)
        if problem:
            return "within one term, " + problem
    return None


def check(lines):
    """None when the history holds, else the shortest explanation of what is wrong with it."""
    for line in lines:
        if line.kind == "clash":
            return "token %d on %s (pid %d) started while another job still held the lock" % (
                line.token, line.node, line.pid)
    ordered = lives(lines)
    return (_check_tokens(lines) or _check_overlap(ordered) or _check_order(ordered)
            or _check_restarts(lines))


def overlap_ns(lines):
    """The time during which lives of two tokens ran at once; 0 is what everything here is about."""
    return sum(ns for ns, _, _ in overlaps(lives(lines)))


def main(paths):
    bad = 0
    for path in paths:
        try:
            lines = read(path)
            problem = check(lines) if lines else "no line at all"
        except Malformed as error:
            lines, problem = [], str(error)
        ordered = lives(lines)
        for life in ordered:
            print("%14.3f .. %14.3f s  %s" % (life.start / 1e9, life.end / 1e9, life))
        print("%s: %s" % (path, problem or "%d lives, none at once, tokens grow" % len(ordered)))
        bad += problem is not None
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
