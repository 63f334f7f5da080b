#!/usr/bin/python3
"""Three nodes, one job, a few faults: what onced does, in about a minute on one machine.

Three etcd members with TLS and three daemons, as processes on loopback or, with --docker, as the
containers of compose/. The job appends a line per tick with its node and token. The faults strike
the node that leads, one after another, and it comes back each time. At the end a table; exit 0 only
if every takeover happened and no two jobs ever ran at once. Nothing is left running, except with
--keep.
"""
import argparse
import collections
import os
import sys
import time

import local
import view
import checker
import containers
import processes
import procs
from cluster import ClusterError
from node import now_ns

TAKEOVER = 15      # seconds, at most
QUIET = 3.0        # seconds to watch between faults
ALIVE_NS = int(0.4e9)


class Demo:
    """The play. The stage (processes.py, containers.py) has the nodes and does the harm."""

    def __init__(self, stage):
        self.stage, self.view, self.results = stage, view.make(sys.stdout), []

    def start(self):
        self.stage.start(self.view.event)
        line = self.stage.history.wait_life(TAKEOVER)
        self.view.event("%s leads with token %d and runs the job" % (line.node, line.token))
        self.watch(QUIET)

    def watch(self, seconds):
        end = time.monotonic() + seconds
        while True:
            self.draw()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(0.1, left))

    def draw(self):
        lines = self.stage.history.lines()
        last = max(lines, key=lambda line: line.ns) if lines else None
        leads = last.node if last and now_ns() - last.ns < ALIVE_NS else None
        ticks = collections.Counter(line.node for line in lines)
        self.view.draw([(name, "leads" if name == leads else self.stage.state(name),
                         last.token if name == leads else None, ticks[name])
                        for name in self.stage.names])

    def strike(self, fault):
        """One fault, the takeover after it, and the struck node back again."""
        old = self.stage.history.last()
        self.view.event("%s: %s" % (fault.title, old.node))
        struck = self.stage.strike(fault, old.node)
        line = self.wait_other(old.token, struck)
        took = (line.ns - struck) / 1e6
        self.view.event("%s leads with token %d after %.0f ms" % (line.node, line.token, took))
        self.watch(QUIET)
        if self.stage.revive(fault, old.node):
            self.view.event("%s is back" % old.node)
        self.watch(QUIET)
        self.results.append([fault, took, old.token, line.token, old.node, line.node])

    def wait_other(self, token, struck):
        end = time.monotonic() + TAKEOVER
        while time.monotonic() < end:
            line = self.stage.history.first_of_other(token, struck)
            if line:
                return line
            self.watch(0.01)
        raise ClusterError("no new leader within %d s" % TAKEOVER)

    def table(self):
        """Prints it; True when nothing ever ran twice."""
        lines = self.stage.history.lines()
        by_pair = {(earlier.token, later.token): ns
                   for ns, earlier, later in checker.overlaps(checker.lives(lines))}
        print("%-27s %16s %11s  %s" % ("fault", "next first line", "overlap", "token before, after"))
        for fault, took, before, after, old, new in self.results:
            overlap = sum(ns for (first, _), ns in by_pair.items() if first == before) / 1e6
            print("%-27s %13.0f ms %8.0f ms  %d on %s, %d on %s"
                  % (fault.title, took, overlap, before, old, after, new))
        problem = checker.check(lines)
        ticks = len(lines)
        print("\n%d ticks by %d terms; %s" % (ticks, len(checker.lives(lines)), problem or
                                             "never two jobs at once, every token greater than the last"))
        return problem is None


def arguments():
    build = os.path.join(local.TOP, "build")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--onced", default=os.path.join(build, "daemon", "onced"))
    parser.add_argument("--lifejob", default=os.path.join(build, "tests", "integration", "lifejob"))
    parser.add_argument("--keep", action="store_true", help="leave it all running; make down ends it")
    parser.add_argument("--docker", action="store_true", help="in containers, see compose/README.md")
    options = parser.parse_args()
    options.onced, options.lifejob = map(os.path.abspath, (options.onced, options.lifejob))
    for path in () if options.docker else (options.onced, options.lifejob):
        if not os.access(path, os.X_OK):
            sys.exit("demo: no %s: run make first" % path)
    return options


def play(demo, keep):
    """Whether nothing ever ran twice; None when it was interrupted."""
    try:
        demo.start()
        for fault in demo.stage.faults:
            demo.strike(fault)
        demo.view.close()
        good = demo.table()
        if keep:
            print("\nStill running. In another terminal:\n")
            demo.stage.keep()
        return good
    except ClusterError as error:
        demo.view.close()
        print("demo: %s" % error, file=sys.stderr)
        return False
    except KeyboardInterrupt:
        demo.view.close()
        print("demo: interrupted", file=sys.stderr)
        return None


def main():
    options = arguments()
    procs.unwind_on_signals()
    stage = (containers if options.docker else processes).Stage(options)
    good = False
    try:
        good = play(Demo(stage), options.keep)
    finally:
        procs.ignore_signals()
        left = stage.close(failed=good is False)
        if left:
            print("demo: %s" % left, file=sys.stderr)
    sys.exit(130 if good is None else 0 if good else 1)


if __name__ == "__main__":
    main()
