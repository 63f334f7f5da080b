#!/usr/bin/python3
"""Three nodes, one job, four faults: what onced does, in about a minute on one machine.

Three etcd members with TLS and three daemons on loopback. The job appends a line per tick with its
node and token. The leader is then terminated, robbed of its agent, killed whole and stopped, one
after another, and comes back each time. At the end a table; exit 0 only if every takeover happened
and no two jobs ever ran at once. Nothing is left running, except with --keep.
"""
import argparse
import collections
import os
import shutil
import signal
import sys
import tempfile
import time

import local
import view
import checker
import procs
from cluster import Cluster, ClusterError
from node import Group, now_ns

NAMES = ("alpha", "beta", "gamma")
TAKEOVER = 15      # seconds, at most
QUIET = 3.0        # seconds to watch between faults
ALIVE_NS = int(0.4e9)

Fault = collections.namedtuple("Fault", "title signal targets")
FAULTS = (
    Fault("SIGTERM of the leader", "term", ("guardian",)),
    Fault("kill -9 of its agent", "kill", ("agent",)),
    Fault("kill -9 of the whole node", "kill", ("guardian", "agent")),
    Fault("SIGSTOP of the whole node", "stop", ("guardian", "agent")),
)


class Demo:
    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.view = view.make(sys.stdout)
        self.cluster = Cluster(os.path.join(directory, "etcd"), 3, True, detach=options.keep)
        self.group, self.stopped, self.results = None, set(), []

    def start(self):
        self.view.event("three etcd members with TLS start")
        self.cluster.start()
        self.group = Group(self.directory, self.cluster, self.options.onced, self.options.lifejob)
        for name in NAMES:
            node = self.group.add(name)
            node.detach = self.options.keep
            node.start()
        self.group.history.wait_life(TAKEOVER)
        line = self.group.history.last()
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
        lines = self.group.history.lines()
        last = max(lines, key=lambda line: line.ns) if lines else None
        leads = last.node if last and now_ns() - last.ns < ALIVE_NS else None
        ticks = collections.Counter(line.node for line in lines)
        rows = []
        for name, node in self.group.nodes.items():
            state = ("leads" if name == leads else "stopped" if name in self.stopped else
                     "follows" if node.running() else "down")
            rows.append((name, state, last.token if name == leads else None, ticks[name]))
        self.view.draw(rows)

    def strike(self, fault):
        """One fault, the takeover after it, and the struck node back again."""
        history, node = self.group.history, self.group.leader()
        token = history.last().token
        self.view.event("%s: %s" % (fault.title, node.name))
        node.agent()  # found before the clock runs
        struck = now_ns()
        node.signal(fault.signal, *fault.targets)
        if fault.signal == "stop":
            self.stopped.add(node.name)
        line = self.wait_other(token, struck)
        took = (line.ns - struck) / 1e6
        self.view.event("%s leads with token %d after %.0f ms" % (line.node, line.token, took))
        self.watch(QUIET)
        self.revive(node)
        self.watch(QUIET)
        self.results.append([fault, took, token, line.token, node.name, line.node])

    def wait_other(self, token, struck):
        end = time.monotonic() + TAKEOVER
        while time.monotonic() < end:
            line = self.group.history.first_of_other(token, struck)
            if line:
                return line
            self.watch(0.01)
        raise ClusterError("no new leader within %d s" % TAKEOVER)

    def revive(self, node):
        if node.name in self.stopped:
            for pid in [node.guardian] + procs.children(node.guardian):
                if procs.alive(pid):
                    procs.send(pid, signal.SIGCONT)
            self.stopped.discard(node.name)
            self.watch(0.3)
        if not node.running():
            procs.end(node.process)
            node.start()
            self.view.event("%s is back" % node.name)

    def table(self):
        """Prints it; True when nothing ever ran twice."""
        lines = self.group.history.lines()
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

    def close(self):
        if self.group:
            for node in self.group.nodes.values():
                node.close()
        procs.end_orphans()
        self.cluster.close()


def arguments():
    build = os.path.join(local.TOP, "build")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--onced", default=os.path.join(build, "daemon", "onced"))
    parser.add_argument("--lifejob", default=os.path.join(build, "tests", "integration", "lifejob"))
    parser.add_argument("--keep", action="store_true", help="leave it all running; make down ends it")
    options = parser.parse_args()
    options.onced, options.lifejob = map(os.path.abspath, (options.onced, options.lifejob))
    for path in (options.onced, options.lifejob):
        if not os.access(path, os.X_OK):
            sys.exit("demo: no %s: run make first" % path)
    return options


def interrupt(*unused):
    raise KeyboardInterrupt


def main():
    options = arguments()
    for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signo, interrupt)
    procs.adopt()
    directory = local.DIRECTORY if options.keep else tempfile.mkdtemp(prefix="onced-demo-")
    if options.keep:
        local.down()
        os.makedirs(directory)
    demo, good, kept = Demo(options, directory), False, False
    try:
        demo.start()
        for fault in FAULTS:
            demo.strike(fault)
        demo.view.close()
        good = demo.table()
        if options.keep:
            state = local.save(demo.cluster, demo.group.nodes.values())
            kept = True
            print("\nStill running. In another terminal:\n")
            local.explain(state)
    except ClusterError as error:
        demo.view.close()
        print("demo: %s" % error, file=sys.stderr)
    except KeyboardInterrupt:
        demo.view.close()
        print("demo: interrupted", file=sys.stderr)
        good = None
    finally:
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signo, signal.SIG_IGN)
        if not kept:
            demo.close()
            if good is False:
                print("demo: the logs are in %s" % directory, file=sys.stderr)
            else:
                shutil.rmtree(directory, ignore_errors=True)
    sys.exit(130 if good is None else 0 if good else 1)


if __name__ == "__main__":
    main()
