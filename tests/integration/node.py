"""One node of a group: `onced run`, its two processes and its job; and the history its jobs write."""
import os
import signal
import time

import checker
import procs
from cluster import ClusterError, clean_environment, wait_for

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "cont": signal.SIGCONT,
           "term": signal.SIGTERM}


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Node:
    """flags: of `onced run`; job: the command after --; prefix: enters a network namespace."""

    detach = False

    def __init__(self, name, directory, onced, flags, job, prefix=()):
        self.name, self.onced = name, onced
        self.flags, self.job, self.prefix = list(flags), list(job), list(prefix)
        self.directory = str(directory)
        self.log = os.path.join(self.directory, "onced-%s.log" % name)
        self.runtime = os.path.join(self.directory, "run-" + name)
        self.process = self._agent = None
        self.front = []  # a program that becomes the command

    def command(self):
        return [self.onced, "run", *self.flags, "--node", self.name, "--runtime-dir", self.runtime,
                "--", *self.job]

    def start(self):
        os.makedirs(self.runtime, mode=0o700, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = procs.spawn(self.front + self.command(), self.prefix, self.detach, stdout=log,
                                       stderr=log, env=clean_environment())
        self._agent = None
        return self

    @property
    def guardian(self):
        return self.process.pid

    def agent(self, seconds=3):
        """By its name: the keeper, and the init of a job, run the same program."""
        if not (self._agent and procs.alive(self._agent)):
            self._agent = wait_for("agent of " + self.name, self._find_agent, seconds)
        return self._agent

    def own(self):
        """All processes that are the daemon's: guardian, agent and, over a cgroup, the keeper."""
        agent = self.agent()
        wait_for("keeper of " + self.name, self._find_keeper, 3)
        return [self.guardian, agent, self._find_keeper()]

    def _find_keeper(self):
        return self._child("run-keeper")

    def _find_agent(self):
        return self._child("onced-agent")

    def _child(self, name):
        found = [p for p in procs.children(self.guardian) if procs.name(p) == name]
        return found[0] if found else None

    def jobs(self):
        """Every process below the guardian except the agent and what runs onced itself."""
        exe = procs.link(self.guardian, "exe")
        return [p for p in procs.descendants(self.guardian) if procs.link(p, "exe") != exe]

    def signal(self, what, *targets):
        """what: kill, stop, cont or term; targets: guardian, agent. All are looked up first."""
        pids = [self.guardian if t == "guardian" else self.agent() for t in targets]
        for pid in pids:
            procs.send(pid, SIGNALS[what])

    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait_end(self, seconds):
        """The exit code."""
        wait_for("end of node " + self.name, lambda: not self.running(), seconds, 0.005)
        return self.process.returncode

    def text(self):
        try:
            with open(self.log, errors="replace") as log:
                return log.read()
        except OSError:
            return ""

    def wait_log(self, needle, seconds):
        wait_for("%r in the log of %s" % (needle, self.name), lambda: needle in self.text(), seconds)

    def close(self, seconds=4):
        """SIGTERM, then SIGKILL to the guardian and the agent."""
        if self.process is None:
            return
        agent = self._agent or self._find_agent()
        for pid in (agent, self.guardian):
            if pid and procs.alive(pid):
                procs.send(pid, signal.SIGCONT)
        procs.end(self.process, signal.SIGTERM, seconds)
        if agent and procs.alive(agent) and agent in procs.orphans():
            procs.send(agent, signal.SIGKILL)


class History:
    """What the jobs of a group have written so far."""

    def __init__(self, path):
        self.path = str(path)

    def lines(self):
        return checker.read(self.path)

    def lives(self):
        return checker.lives(self.lines())

    def last(self):
        lines = self.lines()
        return max(lines, key=lambda line: line.ns) if lines else None

    def first(self):
        return min(self.lines(), key=lambda line: line.ns)

    def first_of_other(self, token, after_ns):
        """The first line after an instant that another token wrote."""
        lines = [x for x in self.lines() if x.token != token and x.ns > after_ns]
        return min(lines, key=lambda line: line.ns) if lines else None

    def wait_life(self, seconds, after_ns=0):
        """A line written after that instant."""
        def newer():
            last = self.last()
            return last if last and last.ns > after_ns else None
        return wait_for("line of a job", newer, seconds, 0.005)

    def wait_other(self, token, after_ns, seconds):
        return wait_for("first line of a token other than %d" % token,
                        lambda: self.first_of_other(token, after_ns), seconds, 0.005)

    def check(self):
        problem = checker.check(self.lines())
        if problem:
            raise AssertionError(problem)


class Group:
    """Nodes that campaign for one key on one cluster, all with the job that writes one history."""

    def __init__(self, directory, cluster, onced, lifejob, profile="fast", key="/leader", flags=(),
                 job=(), net=None):
        self.directory, self.cluster, self.net = str(directory), cluster, net
        self.history = History(os.path.join(self.directory, "history"))
        self.key, self.onced, self.lifejob = key, onced, lifejob
        self.flags = [*cluster.onced_flags(), "--key", key, "--profile", profile, *flags]
        self.job, self.nodes = list(job), {}

    def add(self, name, *flags, job=None):
        """A node, not yet started."""
        job = [self.lifejob, self.history.path, name, *self.job] if job is None else job
        prefix = self.net.prefix(name) if self.net else ()
        node = Node(name, self.directory, self.onced, self.flags + list(flags), job, prefix)
        self.nodes[name] = node
        return node

    def start(self, *names, seconds=8):
        """Start nodes; returns the leader once its job lives and the others are up."""
        for name in names:
            self.add(name).start()
        self.history.wait_life(seconds)
        for name in names:
            self.nodes[name].agent()
        return self.leader()

    def leader(self):
        return self.nodes[self.history.last().node]

    def token(self):
        return self.history.last().token

    def followers(self):
        leader = self.leader()
        return [node for node in self.nodes.values() if node is not leader]

    def close(self):
        """End every node; what is left behind after that is a failure of its own."""
        for node in self.nodes.values():
            node.close()
        left = procs.end_orphans()
        if left:
            raise ClusterError("left behind: " + "; ".join(left))
