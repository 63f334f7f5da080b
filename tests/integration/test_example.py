"""examples/elect.c on real etcd: the elector as a program of somebody else uses it."""
import os
import signal
import time

import pytest

import procs
from cluster import Cluster, ClusterError, clean_environment, wait_for
from conftest import describe, program

TTL = 3          # of profile fast, seconds
HANDOVER, TAKEOVER, SLACK = 5, 10, 4

on_plain = pytest.mark.parametrize("cluster", [("3.4", 1, False), ("3.5", 1, False)], indirect=True,
                                   ids=describe)


@pytest.fixture(scope="session")
def example():
    path = program("EXAMPLE_BIN", "build/examples/elect")
    assert os.access(path, os.X_OK), "no %s: run make first, or set EXAMPLE_BIN" % path
    return path


class Elect:
    """One process of the example."""

    def __init__(self, directory, example, url, node):
        self.name = node
        self.path = os.path.join(str(directory), "%s-%d" % (node, len(os.listdir(str(directory)))))
        with open(self.path + ".out", "wb") as out, open(self.path + ".err", "wb") as err:
            self.process = procs.spawn([example, url, node], stdout=out, stderr=err,
                                       env=clean_environment())

    @staticmethod
    def read(path):
        with open(path, errors="replace") as file:
            return file.read()

    def out(self):
        return self.read(self.path + ".out").splitlines()

    def err(self):
        return self.read(self.path + ".err")

    def running(self):
        return self.process.poll() is None

    def wait(self, what, predicate, seconds):
        try:
            return wait_for("%s of %s" % (what, self.name), predicate, seconds)
        except ClusterError as error:
            raise AssertionError("%s; it said:\n%s" % (error, self.err())) from None

    def wait_err(self, needle, seconds):
        self.wait(repr(needle), lambda: needle in self.err(), seconds)

    def working(self):
        """The tokens under which it worked, in order."""
        return [int(x.split()[-1]) for x in self.out() if x.startswith("working, token")]

    def wait_working(self, seconds, more_than=0):
        self.wait("work", lambda: len(self.working()) > more_than, seconds)
        return self.working()[-1]

    def signal(self, signo):
        procs.send(self.process.pid, signo)

    def wait_end(self, seconds):
        self.wait("end", lambda: not self.running(), seconds)
        return self.process.returncode


@pytest.fixture
def start(tmp_path, example, cluster):
    started = []

    def one(node, url=None):
        started.append(Elect(tmp_path, example, url or cluster.urls(), node))
        return started[-1]
    yield one
    for each in started:
        procs.end(each.process)


def leader(cluster):
    return cluster.etcdctl("get", "/example/leader", "--print-value-only").strip()


@on_plain
def test_hand_over(cluster, start):
    first = start("node1")
    token = first.wait_working(HANDOVER)
    second = start("node2")
    second.wait_err("following node1 (token %d)" % token, HANDOVER)
    assert leader(cluster) == "node1"
    first.signal(signal.SIGTERM)
    assert first.wait_end(HANDOVER) == 0
    assert first.out()[-1] == "stopped, token %d" % token
    later = second.wait_working(HANDOVER)
    assert later > token
    assert leader(cluster) == "node2"
    second.signal(signal.SIGINT)
    assert second.wait_end(HANDOVER) == 0
    assert leader(cluster) == ""
    assert cluster.etcdctl("lease", "list").split("\n")[0].endswith(" 0 leases"), "revoked"


@on_plain
def test_take_over(cluster, start):
    first = start("node1")
    token = first.wait_working(HANDOVER)
    second = start("node2")
    second.wait_err("following node1", HANDOVER)
    assert second.working() == []
    first.signal(signal.SIGKILL)
    assert second.wait_working(TAKEOVER) > token
    # The dead one's name is free again once its lease has ended.
    third = start("node1")
    third.wait_err("following node2", HANDOVER)
    time.sleep(1.5 * TTL)
    assert third.running() and "another living node" not in third.err()


@on_plain
def test_one_name_twice(cluster, start):
    """The second ends and names the node, the first goes on; work is never in two places."""
    first = start("node1")
    token = first.wait_working(HANDOVER)
    # The name is on the lease: nobody has to guess who lives.
    wait_for("registration", lambda: cluster.etcdctl(
        "get", "/example/state/nodes/node1", "--keys-only").strip(), HANDOVER)
    begun = time.monotonic()
    twin = start("node1")
    twin.wait_end(1.5 * TTL + TTL + SLACK)
    assert time.monotonic() - begun > TTL, "not before a dead one's lease would have ended"
    last = [x for x in twin.err().splitlines() if x][-1]
    assert "another living node is named node1" in last
    assert twin.process.returncode == 1
    assert twin.working() == []
    count = len(first.working())
    assert first.wait_working(HANDOVER, count) == token
    assert leader(cluster) == "node1"
    # Only its own lease is left.
    assert "found 1 leases" in cluster.etcdctl("lease", "list")


@on_plain
def test_a_name_is_free_after_its_owner(cluster, start):
    for _ in range(2):
        node = start("node1")
        node.wait_working(HANDOVER)
        node.signal(signal.SIGTERM)
        assert node.wait_end(HANDOVER) == 0
        assert cluster.etcdctl("get", "/example/state/nodes/node1", "--keys-only").strip() == ""


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_etcd_comes_later(tmp_path, versions, example, version):
    """It says once that there is none, campaigns when there is, and can be stopped meanwhile."""
    logs = tmp_path / "logs"
    logs.mkdir()
    cluster = Cluster(tmp_path / "etcd", 1, False, versions.bindir(version))
    nodes = [Elect(logs, example, cluster.urls(), name) for name in ("node1", "node2")]
    try:
        for node in nodes:
            node.wait_err("etcd does not serve us", 5)
        nodes[1].signal(signal.SIGTERM)
        assert nodes[1].wait_end(HANDOVER) == 0
        time.sleep(1)
        assert nodes[0].running() and nodes[0].err().count("etcd does not serve us") == 1
        cluster.start()
        nodes[0].wait_err("etcd answers again", 10)
        assert nodes[0].wait_working(HANDOVER) > 0
    finally:
        for node in nodes:
            procs.end(node.process)
        cluster.close()


def test_wrong_arguments(tmp_path, example):
    for url, node, named in (("nonsense://x", "node1", "nonsense"),
                             ("http://127.0.0.1:2", "No", "node")):
        one = Elect(tmp_path, example, url, node)
        assert one.wait_end(5) == 1
        assert named in one.err() and len(one.err().splitlines()) == 1
