"""The demonstration's nodes as processes on loopback, beside three etcd members with TLS."""
import collections
import os
import shutil
import signal
import tempfile
import time

import local
import procs
from cluster import Cluster
from node import Group, now_ns

Fault = collections.namedtuple("Fault", "title signal targets")


class Stage:
    names = ("alpha", "beta", "gamma")
    faults = (
        Fault("SIGTERM of the leader", "term", ("guardian",)),
        Fault("kill -9 of its agent", "kill", ("agent",)),
        Fault("kill -9 of the whole node", "kill", ("guardian", "agent")),
        Fault("SIGSTOP of the whole node", "stop", ("guardian", "agent")),
    )

    def __init__(self, options):
        procs.adopt()
        self.kept, self.stopped = False, set()
        if options.keep:
            local.down()
            self.directory = local.DIRECTORY
            os.makedirs(self.directory)
        else:
            self.directory = tempfile.mkdtemp(prefix="onced-demo-")
        self.detach = options.keep
        self.cluster = Cluster(os.path.join(self.directory, "etcd"), 3, True, detach=self.detach)
        self.group = Group(self.directory, self.cluster, options.onced, options.lifejob)
        self.history = self.group.history

    def start(self, event):
        event("three etcd members with TLS start")
        self.cluster.start()
        for name in self.names:
            node = self.group.add(name)
            node.detach = self.detach
            node.start()

    def state(self, name):
        node = self.group.nodes.get(name)
        return ("stopped" if name in self.stopped else
                "follows" if node and node.running() else "down")

    def strike(self, fault, name):
        """The instant of it."""
        node = self.group.nodes[name]
        node.agent()  # found before the clock runs
        struck = now_ns()
        node.signal(fault.signal, *fault.targets)
        if fault.signal == "stop":
            self.stopped.add(name)
        return struck

    def revive(self, fault, name):
        """True when it had ended and was started again."""
        node = self.group.nodes[name]
        if name in self.stopped:
            for pid in [node.guardian] + procs.children(node.guardian):
                if procs.alive(pid):
                    procs.send(pid, signal.SIGCONT)
            self.stopped.discard(name)
            time.sleep(0.3)
        if node.running():
            return False
        procs.end(node.process)
        node.start()
        return True

    def keep(self):
        state = local.save(self.cluster, self.group.nodes.values())
        self.kept = True
        local.explain(state)

    def close(self, failed):
        """Where the logs are when it failed."""
        if self.kept:
            return None
        for node in self.group.nodes.values():
            node.close()
        procs.end_orphans()
        self.cluster.close()
        if failed:
            return "the logs are in %s" % self.directory
        shutil.rmtree(self.directory, ignore_errors=True)
        return None
