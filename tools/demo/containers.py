"""The demonstration's nodes as the containers of compose/, in a project of its own.

A container that only follows the job's file brings what the job writes. All on one kernel, so its
CLOCK_BOOTTIME is everybody's.
"""
import collections
import os
import shutil
import subprocess
import tempfile

import procs
from cluster import ClusterError
from node import History, now_ns

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPOSE = os.path.join(TOP, "compose", "compose")

Fault = collections.namedtuple("Fault", "title harm mend")


def run(*command, seconds=60):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(str(error)) from None
    if done.returncode != 0:
        raise ClusterError("%s: %s" % (" ".join(command), done.stderr.strip()[-400:]))
    return done.stdout.strip()


class Stage:
    names = ("alpha", "beta", "gamma")
    faults = (
        Fault("docker stop", ("stop",), ("start",)),
        Fault("docker kill", ("kill",), ("start",)),
        Fault("docker network disconnect", ("network", "disconnect"), ("network", "connect")),
    )

    def __init__(self, options):
        self.kept, self.struck = False, set()
        self.project = "onced" if options.keep else "onced-demo"
        os.environ["COMPOSE_PROJECT_NAME"] = self.project
        self.directory = tempfile.mkdtemp(prefix="onced-demo-")
        self.history = History(os.path.join(self.directory, "history"))
        self.follower, self.ids = None, {}

    def start(self, event):
        event("the images are built")
        run(COMPOSE, "build", seconds=900)
        event("three etcd members with TLS and passwords start, then three nodes")
        run(COMPOSE, "up", "-d", seconds=180)
        for name in self.names:
            self.ids[name] = run(COMPOSE, "ps", "-q", name)
        with open(self.history.path, "w") as out:
            self.follower = procs.spawn(
                ["docker", "run", "--rm", "--network", "none", "-v", self.project + "_life:/life:ro",
                 "--name", self.project + "-follower", "onced-etcd",
                 "tail", "-s", "0.01", "-n", "+1", "-F", "/life/ticks"], stdout=out,
                stderr=subprocess.DEVNULL)

    def state(self, name):
        return "struck" if name in self.struck else "follows"

    def _docker(self, words, name):
        target = [self.ids[name]]
        if words[0] == "network":
            target.insert(0, self.project + "_default")
        run("docker", *words, *target)

    def strike(self, fault, name):
        """The instant before docker was asked, which takes its time too."""
        struck = now_ns()
        self.struck.add(name)
        self._docker(fault.harm, name)
        return struck

    def revive(self, fault, name):
        self._docker(fault.mend, name)
        self.struck.discard(name)
        return True

    def keep(self):
        self.kept = True
        print("compose/oncectl status\ncompose/compose logs -f alpha beta gamma\nmake down")

    def close(self, failed):
        """What the nodes said last when it failed."""
        said = "\n" + run(COMPOSE, "logs", "--tail", "20", *self.names) if failed and self.ids else None
        if self.follower:
            run("docker", "rm", "-f", self.project + "-follower")
            procs.end(self.follower)
        if not self.kept:
            run(COMPOSE, "down", "-v", "-t", "3", seconds=120)
        shutil.rmtree(self.directory, ignore_errors=True)
        return said
