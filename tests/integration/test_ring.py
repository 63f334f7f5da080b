"""The event ring of a real daemon: dumped when leadership is lost, when asked for and when the
agent crashes; and every dump replayed by the simulator, which holds the same core, to the same
decisions."""
import glob
import os
import re
import signal
import subprocess
import time

import pytest

import procs
from cluster import wait_for
from conftest import describe, program
from node import now_ns

pytestmark = pytest.mark.parametrize("cluster", [("3.4", 1, True), ("3.5", 1, True)], indirect=True,
                                     ids=describe)


@pytest.fixture(scope="session")
def sim():
    path = program("SIM_BIN", "build/tests/sim/sim")
    assert os.access(path, os.X_OK), "no %s: run make first, or set SIM_BIN" % path
    return path


def dumps(node):
    """The newest first."""
    return sorted(glob.glob(os.path.join(node.runtime, "*.events*")))


def wait_dumps(node, number, seconds=4):
    def whole():
        """One that is being written has another name until it is whole."""
        found = dumps(node)
        return found if len(found) == number and not any(x.endswith(".new") for x in found) else None
    found = wait_for("%d dumps" % number, whole, seconds)
    assert [os.path.splitext(path)[1] for path in found] == [".events", ".1", ".2", ".3"][:number]
    for path in found:
        assert os.stat(path).st_mode & 0o7777 == 0o600, path
    return found[0]


def replay(sim, path):
    """The trace's lines without their times, the count last."""
    done = subprocess.run([sim, "--replay", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=30)
    lines = done.stdout.strip().split("\n")
    assert done.returncode == 0, lines[-5:]
    count = re.fullmatch(r"same decisions: (\d+) events, from event 1 on, \d+ bytes", lines[-1])
    assert count, lines[-5:]
    return [re.sub(r"^\[ *[0-9.]+\] a > ", "", line) for line in lines[:-1]], int(count.group(1))


def test_leadership_lost_by_an_operator(group, sim):
    """Somebody deletes the key: the dump ends where that was noticed."""
    node = group.start("a")
    token = group.token()
    before = now_ns()
    group.cluster.etcdctl("del", group.key)
    group.history.wait_other(token, before, 8)
    path = wait_dumps(node, 1)
    assert "leadership lost: the last events are in " + path in node.text()
    lines, _ = replay(sim, path)
    assert "leads %d" % token in lines
    assert lines[-2:] == ["%d is lost" % token, "stops job %d: lost, grace 0.000 s" % token], lines


def test_leadership_lost_by_the_deadline(group, sim):
    """etcd does not answer: the dump says that there was no proof in time."""
    node = group.start("a")
    token = group.token()
    group.cluster.pause(0)
    try:
        path = wait_dumps(node, 1)
    finally:
        group.cluster.resume(0)
    lines, _ = replay(sim, path)
    assert "%d has no proof in time" % token in lines
    assert lines[-1].startswith("stops job %d: deadline" % token), lines


def test_asked_for(group, sim):
    """SIGUSR1 to the guardian: once for each, the last four stay; the job never notices."""
    node = group.start("a")
    token = group.token()
    counts = []
    for number in range(1, 6):
        said = node.text().count("asked for: the last events are in")
        procs.send(node.guardian, signal.SIGUSR1)
        wait_for("the log line", lambda: node.text().count(
            "asked for: the last events are in") == said + 1, 4)
        path = wait_dumps(node, min(number, 4))
        counts.append(replay(sim, path)[1])
        time.sleep(0.3)  # two beats
    assert counts == sorted(set(counts)), "each holds more than the one before: %r" % counts
    assert [replay(sim, path)[1] for path in dumps(node)] == counts[:0:-1]
    assert group.token() == token and procs.alive(node.agent())


def test_an_orderly_end_leaves_nothing(group):
    node = group.start("a")
    procs.send(node.guardian, signal.SIGTERM)
    node.wait_end(6)
    assert dumps(node) == []


@pytest.mark.parametrize("signo", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS],
                         ids=["segv", "abort", "bus"])
def test_crash_of_the_agent(group, sim, signo):
    """It leaves its events, dies of the signal, and the guardian begins anew."""
    node = group.start("a")
    token = group.token()
    before = now_ns()
    procs.send(node.agent(), signo)
    group.history.wait_other(token, before, 8)
    path = wait_dumps(node, 1)
    assert "onced: the agent crashed; its last events are in " + path in node.text()
    assert "ended with signal %d" % signo in node.text()
    lines, _ = replay(sim, path)
    assert "leads %d" % token in lines
    # The next agent's ring begins with what the first one left.
    procs.send(node.guardian, signal.SIGUSR1)
    lines, _ = replay(sim, wait_dumps(node, 2))
    assert "releases %d, a term of its last agent" % token in lines
    assert "leads %d" % group.token() in lines


def test_memory(group):
    """The ring is there only as far as it is used."""
    node = group.start("a")
    time.sleep(1)
    with open("/proc/%d/smaps" % node.agent(), encoding="ascii") as file:
        maps = re.findall(r"^[0-9a-f]+-[0-9a-f]+ .*?(?=^[0-9a-f]+-[0-9a-f]+ |\Z)", file.read(),
                          re.M | re.S)
    ring = [m for m in maps if re.search(r"^Size: +(260[0-9]|26[0-9]{2}) kB", m, re.M)]
    assert len(ring) == 1, "no mapping of that size"
    assert int(re.search(r"^Rss: +(\d+) kB", ring[0], re.M).group(1)) <= 32
