"""Who is measured: onced with a profile, and etcdctl lock with a TTL, behind one face.

A candidate makes nodes; a node can be struck by a fault and mended. What a fault hits:
  term   onced: its main process. etcdctl: its process group, for alone it swallows the signal
  agent  onced: the agent (kill -9). etcdctl has nothing like it
  kill   onced: guardian and agent (kill -9). etcdctl: itself. Nobody kills the job
  stop   the same processes, SIGSTOP; the job goes on by itself
  cut    every packet between the node and etcd
"""
import os
import signal

import procs
from node import Node

FAULTS = ("term", "agent", "kill", "stop", "cut")


class OncedNode(Node):
    def strike(self, fault):
        if fault == "term":
            self.signal("term", "guardian")
        elif fault == "agent":
            self.signal("kill", "agent")
        else:
            self.signal(fault, "guardian", "agent")

    def prepare(self):
        self.agent()

    def mend(self):
        for pid in [self.guardian] + procs.children(self.guardian):
            procs.send(pid, signal.SIGCONT)


class LockNode(Node):
    def command(self):
        return self.flags + self.job

    def strike(self, fault):
        if fault == "term":
            os.killpg(self.process.pid, signal.SIGTERM)
        else:
            procs.send(self.process.pid, signal.SIGKILL if fault == "kill" else signal.SIGSTOP)

    def prepare(self):
        pass

    def mend(self):
        procs.send(self.process.pid, signal.SIGCONT)

    def close(self, seconds=4):
        if self.running():
            self.mend()
            os.killpg(self.process.pid, signal.SIGTERM)
        procs.end(self.process, signal.SIGTERM, seconds)


class Onced:
    faults = FAULTS

    def __init__(self, onced, profile):
        self.name, self.onced, self.profile = "onced " + profile, onced, profile
        self.cap = {"fast": 12, "normal": 25}[profile]  # seconds to wait for the next leader
        self.settle = {"fast": 0.6, "normal": 2.5}[profile]

    def node(self, name, directory, cluster, tag, job, prefix=()):
        flags = cluster.onced_flags() + ["--key", "/leader/" + tag, "--prefix", "/onced/" + tag,
                                         "--profile", self.profile]
        return OncedNode(name, directory, self.onced, flags, job, prefix)


class Lock:
    faults = ("term", "kill", "stop", "cut")

    def __init__(self, ttl):
        self.name, self.ttl, self.cap = "etcdctl lock, TTL %d" % ttl, ttl, 2 * ttl + 10
        self.settle = 0.6

    def node(self, name, directory, cluster, tag, job, prefix=()):
        command = cluster.etcdctl_command("lock", "--ttl", str(self.ttl), "/lock/" + tag)
        return LockNode(name, directory, None, command, job, prefix)
