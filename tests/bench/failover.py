"""From a fault to the next leader's first line, and for how long two jobs ran at once."""
import multiprocessing
import os
import random
import time

import checker
import procs
from cluster import ClusterError, wait_for
from node import History, now_ns

OBSERVE = {"term": 0.3, "agent": 1.0, "kill": 3.0, "stop": 3.0, "cut": 3.0}


class Run:
    """One fault on one of two nodes of one candidate."""

    def __init__(self, bench, candidate, fault, number):
        self.bench, self.candidate, self.fault = bench, candidate, fault
        self.tag = "%s-%s-%d" % (candidate.name.replace(" ", "-").replace(",", ""), fault, number)
        self.directory = os.path.join(bench.directory, self.tag)
        os.makedirs(self.directory)
        self.history = History(os.path.join(self.directory, "history"))
        self.nodes = {}

    def start(self, name, leaf=None, front=()):
        prefix = self.bench.net.prefix(leaf) if leaf else ()
        job = [self.bench.lifejob, self.history.path, name]
        self.nodes[name] = self.candidate.node(name, self.directory, self.bench.cluster, self.tag,
                                               job, prefix)
        self.nodes[name].front = list(front)
        self.nodes[name].start()

    def measure(self, leaves=(None, None)):
        """A row; its "ms" is None when nobody took over in time."""
        try:
            self.start("a", leaves[0])
            self.history.wait_life(10)
            self.start("b", leaves[1])
            time.sleep(self.candidate.settle + random.random() * 0.7)
            return self._strike(leaves)
        finally:
            for node in self.nodes.values():
                node.close()
            procs.end_orphans(0.1)

    def _strike(self, leaves):
        line = self.history.last()
        node, token = self.nodes[line.node], line.token
        node.prepare()
        leaf = leaves[0] if line.node == "a" else leaves[1]
        struck = now_ns()
        if self.fault == "cut":
            self.bench.net.cut(leaf)
            struck = now_ns()
        else:
            node.strike(self.fault)
        try:
            after = wait_for("next leader", lambda: self.history.first_of_other(token, struck),
                             self.candidate.cap, 0.002)
        except ClusterError:
            after = None
        time.sleep(OBSERVE[self.fault])
        if self.fault == "cut":
            self.bench.net.heal(leaf)
        elif self.fault == "stop":
            node.mend()
        time.sleep(0.2)
        lines = self.history.lines()
        old = max(x.ns for x in lines if x.token == token)
        return {"ms": (after.ns - struck) / 1e6 if after else None,
                "overlap_ms": checker.overlap_ns(lines) / 1e6,
                "clash": any(x.kind == "clash" for x in lines),
                "old_runs_on": now_ns() - old < 200e6}


def lane(bench, candidate, faults, leaves, out):
    """Some faults of one candidate, in a process of its own so that lanes can wait side by side."""
    procs.adopt()
    for fault in faults:
        for number in range(bench.runs):
            try:
                row = Run(bench, candidate, fault, number).measure(
                    leaves if fault == "cut" else (None, None))
            except ClusterError as error:
                row = {"ms": None, "overlap_ms": 0, "clash": False, "old_runs_on": False,
                       "error": str(error)}
            out.put(dict(row, candidate=candidate.name, fault=fault))
    out.put(None)


def collect(lanes, say):
    """Runs (bench, candidate, faults, leaves) side by side; their rows."""
    out = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=lane, args=(*each, out)) for each in lanes]
    for worker in workers:
        worker.start()
    rows, open_lanes = [], len(workers)
    try:
        while open_lanes:
            row = out.get(timeout=300)
            if row is None:
                open_lanes -= 1
            else:
                rows.append(row)
                say(row)
    finally:
        for worker in workers:
            if open_lanes:
                worker.terminate()
            worker.join(20)
    return rows


def measure(bench, candidates, say):
    """What takes milliseconds runs alone; what waits for a timeout runs side by side."""
    rows = []
    for candidate in candidates:
        quick = [f for f in candidate.faults if f in ("term", "agent")]
        rows += collect([(bench, candidate, quick, None)], say)
    slow = ["kill", "stop"] + (["cut"] if bench.net else [])
    rows += collect([(bench, candidate, slow, bench.leaves(i)) for i, candidate in
                     enumerate(candidates)], say)
    return rows
