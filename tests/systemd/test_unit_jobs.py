"""Jobs that are units of systemd, Unit=: started and stopped by it, proven dead by the guardian.

work-NODE.service is the job of onced@NODE; its process writes down its life as any job of the tests, and
the fixture's end judges that no two lived at once. systemd is asked for things behind onced's back.
"""
import os
import signal
import time

import pytest

import procs
from cluster import wait_for
from units import now_ns

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

UNIT = """[Unit]
BindsTo=onced@%(node)s.service
[Service]
Slice=onced-%(slice)s.slice
EnvironmentFile=-/run/onced/%(name)s.service.env
TimeoutStopSec=300ms
ExecStart=/share/lifejob %(history)s %(node)s %(options)s
"""


class Works:
    """Units and the jobs that name them; StopGrace= is 300 ms."""

    def __init__(self, units):
        self.units, self.box, self.made = units, units.box, []

    def unit(self, name, node, options="", more=""):
        self.made.append(name)
        self.box.write("/run/systemd/system/%s.service" % name, UNIT % {
            "name": name, "node": node, "slice": name.replace("-", "_"), "history": self.units.inside,
            "options": options} + more)

    def job(self, name, node, unit=None, **keys):
        keys["Unit"] = (unit or name) + ".service"
        self.box.write("/etc/onced/%s/jobs.d/%s.job" % (node, name), "[Job]\n" + "".join(
            "%s=%s\n" % item for item in keys.items()))

    def add(self, *nodes, options="", more=""):
        for node in nodes:
            self.units.add(node, job=False)
            self.unit("work-" + node, node, options, more)
            self.job("work-" + node, node, RestartDelay="200ms")
        self.box.run("systemctl", "daemon-reload")

    def start(self, *nodes, **how):
        self.add(*nodes, **how)
        return self.units.start(*nodes)

    def state(self, name):
        return self.box.show(name + ".service", "ActiveState")

    def says(self, node, *texts):
        def missing():
            journal = self.box.journal("-u", "onced@%s" % node)
            return [text for text in texts if text not in journal]
        wait_for("all of %s" % (texts,), lambda: not missing(), 10)

    def close(self):
        self.box.run("systemctl", "stop", "onced@*", *[name + ".service" for name in self.made], check=False)
        self.box.run("sh", "-c", "cd /run/systemd/system && rm -rf slow.service " +
                     " ".join(name + ".service*" for name in self.made))


@pytest.fixture
def works(units):
    made = Works(units)
    yield made
    made.close()


def test_started_and_stopped(works):
    node = works.start("a")
    last = works.units.history.last()
    assert last.node == "a" and last.token > 0 and works.state("work-a") == "active"
    assert "ONCED_TOKEN=\"%d\"\n" % last.token in works.box.run("cat", "/run/onced/work-a.service.env")
    before = now_ns()
    node.systemctl("restart")  # and systemd restarts what is bound to it, whoever leads then
    works.units.next_life(last.token, before)
    node.systemctl("stop")
    assert works.state("work-a") == "inactive" and node.show("Result") == "success"
    assert works.units.etcdctl("get", "/leader").strip() == "", "released"
    last = works.units.history.last()
    # It is not for anybody else to start, now: it gets no cgroup.
    works.box.run("systemctl", "start", "--no-block", "work-a")
    wait_for("a refusal", lambda: "Failed to create cgroup" in works.box.journal("-u", "work-a"), 5)
    assert works.units.history.last() == last


def drop_in():
    """The one of docs/systemd.md."""
    with open(os.path.join(TOP, "docs", "systemd.md"), encoding="utf-8") as file:
        text = file.read().split("# /etc/systemd/system/worker.service.d/onced.conf\n", 1)[1].split("\n\n", 1)[0]
    return text.replace("    ", "") + "\n"


def test_as_documented(works):
    """The example as it is shipped, with a unit that would start again by itself; systemd reloaded and executed anew."""
    box, node = works.box, works.units.add("host", election="Profile=normal", job=False)
    works.made.append("worker")
    box.write("/run/systemd/system/worker.service",
              "[Service]\nExecStart=/share/lifejob %s host\nRestart=always\n" % works.units.inside)
    box.write("/run/systemd/system/worker.service.d/onced.conf", drop_in())
    with open(os.path.join(TOP, "conf", "jobs.d", "unit.job.example"), encoding="utf-8") as file:
        box.write("/etc/onced/jobs.d/unit.job", file.read())
    box.run("systemctl", "daemon-reload")
    works.units.start("host")
    pid = works.units.history.last().pid
    for verb in ("daemon-reload", "daemon-reexec"):
        box.run("systemctl", verb)
        node.show("ActiveState")
    time.sleep(0.3)
    assert (works.units.history.last().pid, works.state("worker")) == (pid, "active")
    node.systemctl("stop")
    assert works.state("worker") == "inactive" and node.show("Result") == "success"
    assert not box.run("ls", "/run/onced").count(".env")


def test_killed_and_stopped(works):
    """The unit ignores SIGTERM. Of everything that may be killed or stopped, what is left ends it in time."""
    works.start("a", "b", options="--ignore-term")

    def starter(leader):
        return [p for p in procs.descendants(leader.guardian()) if procs.name(p) == "onced-unit"][0]
    for whom, how in ((lambda u: u.guardian(), signal.SIGKILL), (lambda u: u.guardian(), signal.SIGSTOP),
                      (lambda u: u.agent(), signal.SIGKILL), (starter, signal.SIGKILL), (None, None)):
        leader, last, count = works.units.leader(), works.units.history.last(), works.units.leader().restarts()
        before = now_ns()
        if whom is None:
            leader.systemctl("kill", "--signal=KILL")  # the keeper, too: systemd stops what was bound
        else:
            procs.send(whom(leader), how)
        if whom is starter:
            wait_for("another life", lambda: works.units.history.last().pid != last.pid, 10)
        else:
            works.units.next_life(last.token, before)
        if whom is None or leader.restarts() > count:
            leader.wait_restart(count + 1)


def test_fenced(works):
    """etcd is silent: the guardian kills it at the deadline, without anybody's help."""
    works.start("a", options="--ignore-term")
    last = works.units.history.last()
    works.box.run("systemctl", "kill", "--signal=STOP", "member")
    try:
        wait_for("its end", lambda: works.units.history.last().ns < now_ns() - 300_000_000, 10)
        assert works.units.history.last().ns - last.ns < 3_000_000_000
    finally:
        works.box.run("systemctl", "kill", "--signal=CONT", "member")


def test_start_that_waits_in_the_queue(works):
    """The daemon that asked for it is gone when systemd comes to it."""
    works.box.write("/run/systemd/system/slow.service", "[Service]\nType=oneshot\nExecStart=sleep 2.5\n")
    works.add("a", more="[Unit]\nAfter=slow.service\n")
    works.box.run("systemctl", "start", "--no-block", "slow.service")
    node, began = works.units.units["a"], time.monotonic()
    node.systemctl("start")
    wait_for("the queue", lambda: "work-a.service" in works.box.run("systemctl", "list-jobs", "--no-legend"), 5)
    node.systemctl("kill", "--signal=KILL")
    node.wait_restart(1)
    works.says("a", "in systemd's queue, and onced did not")
    works.units.history.wait_life(10)
    assert time.monotonic() - began > 2, "not before slow.service"
    assert "Failed to create cgroup" in works.box.journal("-u", "work-a.service")


REFUSED = {
    "Restart=always": "Restart=always, expected Restart=no",
    "Slice=other.slice": "Slice=other.slice, expected Slice=onced-bad_1.slice",
    "TimeoutStopSec=5s": "TimeoutStopSec=5s, expected at most 0.3s, which is StopGrace=",
    "ExecStop=true\nTimeoutStopSec=200ms":
        "TimeoutStopSec=0.2s, expected at most 0.15s, which is StopGrace= over SIGTERM and each ExecStop=",
    "ExecStopPost=true": "ExecStopPost= runs after the end, expected none",
    "KillMode=process": "KillMode=process, expected control-group or mixed",
}


def test_what_is_not_started(works):
    """Each for its reason, in one line; and what ends by itself, in the same daemon."""
    works.units.add("c", job=False)
    for i, more in enumerate(REFUSED):
        works.unit("bad-%d" % i, "c", more=more + "\n")
        works.job("bad-%d" % i, "c", RestartDelay="1h")
    works.job("nobody", "c", RestartDelay="1h")
    works.unit("unbound", "d")
    works.job("unbound", "c", RestartDelay="1h")
    works.unit("mine", "c")
    works.job("mine", "c", RestartDelay="1h")
    works.made.append("other")
    works.box.write("/run/systemd/system/other.service", "[Service]\nSlice=onced-mine.slice\nExecStart=sleep 600\n")
    works.unit("ends", "c", more="ExecStart=\nExecStart=/bin/sh -c 'kill -7 $$$$'\n")
    works.job("ends", "c", RestartDelay="200ms")
    works.unit("oneshot", "c", more="Type=oneshot\nExecStart=\n"
               "ExecStart=sh -c 'echo $$ONCED_RUN >>/share/$$ONCED_JOB; exit 5'\n")
    works.job("oneshot", "c", Type="cron", Schedule="@every 1s")
    works.box.run("systemctl", "daemon-reload")
    works.box.run("systemctl", "start", "other")
    works.units.units["c"].systemctl("start")
    works.says("c", *["bad-%d.service: %s" % item for item in enumerate(REFUSED.values())],
               "nobody.service: there is no such unit",
               "unbound.service: is not bound to the daemon, expected BindsTo=onced@c.service", "bad-0: ended with status 78",
               "slice mine.service: something is in it that this daemon has not started",
               "ends: ended with status 135", "failed, attempt 1, exit code 5")
    assert "oneshot/20" in works.box.run("cat", "/share/oneshot")
    assert not works.units.history.lines() and works.state("other") == "active"
    assert {works.state("bad-%d" % i) for i in range(len(REFUSED))} == {"inactive"}
