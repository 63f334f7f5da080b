"""Daemons as units of a box: their configuration, their job, and the history of the lives it writes."""
import os
import time

import checker
import procs
from cluster import wait_for
from node import History

CONF = """[Etcd]
Endpoints=https://127.0.0.1:2379
CACert=onced.ca
Cert=onced.crt
Key=onced.key
[Node]
Name=%(name)s
[Election]
%(election)s
"""
ETCDCTL = ("etcdctl", "--endpoints=https://127.0.0.1:2379", "--cacert=/share/etcd.ca",
           "--cert=/share/etcd.client", "--key=/share/etcd.client_key")


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Unit:
    """onced@NAME, or onced itself for the name "host"."""

    def __init__(self, box, name, history, election):
        self.box, self.name, self.history = box, name, history
        self.unit = "onced.service" if name == "host" else "onced@%s.service" % name
        self.directory = "/etc/onced" if name == "host" else "/etc/onced/" + name
        box.write(self.directory + "/onced.conf", CONF % {"name": name, "election": election})

    def job(self, name="life", exec_line=None, **keys):
        exec_line = exec_line or "/share/lifejob %s %s" % (self.history, self.name)
        lines = ["[Job]", "Exec=" + exec_line] + ["%s=%s" % item for item in keys.items()]
        self.box.write("%s/jobs.d/%s.job" % (self.directory, name), "\n".join(lines) + "\n")

    def drop_in(self, text, name="test"):
        self.box.write("/run/systemd/system/%s.d/%s.conf" % (self.unit, name), "[Service]\n" + text)
        self.box.run("systemctl", "daemon-reload")

    def systemctl(self, verb, *options, **how):
        return self.box.run("systemctl", verb, *options, self.unit, **how)

    def show(self, *properties):
        return self.box.show(self.unit, *properties)

    def restarts(self):
        return int(self.show("NRestarts"))

    def guardian(self):
        return self.box.main_pid(self.unit)

    def agent(self):
        guardian = self.guardian()

        def found():
            return [p for p in procs.children(guardian) if procs.name(p) == "onced-agent"]
        return wait_for("agent of " + self.name, found, 5)[0]

    def started_ns(self):
        """When systemd last started the main process, on CLOCK_BOOTTIME."""
        usec = int(self.show("ExecMainStartTimestampMonotonic"))
        return usec * 1000 + now_ns() - time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    def wait_restart(self, number, seconds=15):
        wait_for("restart %d of %s" % (number, self.unit), lambda: self.restarts() >= number and
                 self.show("ActiveState") == "active", seconds)

    def processes(self):
        """All that is in the unit's cgroup and below, as counted by the kernel."""
        path = self.show("ControlGroup")
        if not path:
            return []
        return self.box.run("sh", "-c", "cat $(find /sys/fs/cgroup%s -name cgroup.procs) 2>/dev/null"
                            % path, check=False).split()


class Units:
    count = 0

    def __init__(self, box):
        Units.count += 1
        self.box, self.units = box, {}
        inside = "/share/history-%d" % Units.count
        self.inside = inside
        self.history = History(os.path.join(box.share, os.path.basename(inside)))
        self.etcdctl("del", "", "--from-key")

    def etcdctl(self, *words):
        return self.box.run("env", "ETCDCTL_API=3", *ETCDCTL, *words)

    def add(self, name, election="Profile=fast", job=True):
        unit = Unit(self.box, name, self.inside, election)
        if job:
            unit.job()
        self.units[name] = unit
        return unit

    def start(self, *names, seconds=15):
        """Start units; the leader's, once its job lives."""
        for name in names:
            unit = self.units.get(name) or self.add(name)
            unit.systemctl("start")
        self.history.wait_life(seconds)
        return self.leader()

    def leader(self):
        return self.units[self.history.last().node]

    def next_life(self, token, after_ns, seconds=15):
        return self.history.wait_other(token, after_ns, seconds)

    def check(self):
        problem = checker.check(self.history.lines())
        assert not problem, problem

    def close(self):
        if not self.units:
            return
        names = [u.unit for u in self.units.values()]
        self.box.run("systemctl", "stop", *names)
        left = {u.unit: u.processes() for u in self.units.values()}
        self.box.run("systemctl", "reset-failed", *names, check=False)
        self.box.run("sh", "-c", "rm -rf /etc/onced /run/onced /run/systemd/system/onced*.d")
        self.box.run("systemctl", "daemon-reload")
        assert not any(left.values()), "left behind: %s" % left
