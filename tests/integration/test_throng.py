"""Five hundred nodes at once on one real etcd: who leads, and what they ask of it.

throng.c holds them in one process, each with connections and an elector of its own, as a daemon with one group has
them. No time is looked at but what the protocol forbids: how early a successor may work. What is bounded is what etcd is
asked for, by etcd's own counters, for each node: five hundred may not ask more often than one would."""
import os
import resource
import subprocess
import time
import urllib.request

import pytest

import procs
from cluster import Cluster, clean_environment, wait_for
from conftest import program

NODES = 500
SECOND = 1000000000
FENCE, TTL = 6, 10  # of profile normal, seconds
PERIOD = TTL / 3  # of a follower's keep-alive, and of its look at etcd


class Throng:
    def __init__(self, directory, url):
        self.path = os.path.join(str(directory), "throng")
        binary = program("THRONG_BIN", "build/tests/integration/throng")
        with open(self.path + ".out", "wb") as out, open(self.path + ".err", "wb") as err:
            self.process = procs.spawn([binary, str(NODES), "normal", url], stdin=subprocess.PIPE, stdout=out,
                                       stderr=err, env=clean_environment())

    def lines(self, *kinds):
        """[word, node, number...] of what it said, in order; what it is writing right now is left for later."""
        with open(self.path + ".out", encoding="ascii") as file:
            whole = file.read().rpartition("\n")[0].splitlines()
        words = [line.split() for line in whole]
        return [[w[0], w[1]] + [int(x) for x in w[2:]] for w in words if w[0] in kinds]

    def ask(self, what):
        """Its answer."""
        before = len(self.lines(what))
        self.process.stdin.write(what.encode() + b"\n")
        self.process.stdin.flush()
        wait_for(what, lambda: len(self.lines(what)) > before or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.errors()
        return self.lines(what)[-1]

    def ask_leader(self, what):
        """The token of the term of whoever was asked; of a machine that stood still nobody may lead for a moment."""
        def answer():
            words = self.ask(what)
            return words[1] != "none" and words[2]
        return wait_for("somebody to " + what, answer, 60, 0.1)

    def seized(self):
        return self.ask("show")[-2]

    def late(self):
        """Of how many of the nodes etcd has left a request without an answer: on a machine with no time for it."""
        return self.ask("show")[-1] / NODES

    def wait_settled(self, count, above=0):
        """One of so many leads, and all others see its term, which is above that token."""
        def settled():
            _, leading, following, token, *_ = self.ask("show")
            return (int(leading), following) == (1, count - 1) and token > above
        try:
            wait_for("one of %d leads, the others follow" % count, settled, 120, 0.05)
        except Exception:
            print(self.ask("show"), self.errors())
            raise

    def errors(self):
        with open(self.path + ".err", encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def end(self):
        """Its exit code."""
        self.process.stdin.close()
        return self.process.wait(30)


class Asked:
    """What etcd was asked for, by its own counters: calls by name, and messages of streams that are kept."""

    def __init__(self, url):
        self.url, self.before, self.at = url, {}, 0
        self.anew()

    def _read(self):
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = {}
        for line in text.splitlines():
            name, _, rest = line.partition("{")
            if name not in ("grpc_server_msg_received_total", "grpc_server_started_total"):
                continue
            method = rest.split('grpc_method="')[1].split('"')[0]
            if (name == "grpc_server_msg_received_total") == (method in ("LeaseKeepAlive", "Watch")):
                found[method] = found.get(method, 0) + int(float(line.rsplit(" ", 1)[1]))
        return found

    def anew(self):
        """For each node since the last time: calls by name; and the seconds that were."""
        now, at = self._read(), time.monotonic()
        took = {name: (count - self.before.get(name, 0)) / NODES for name, count in now.items()}
        passed, self.before, self.at = at - self.at, now, at
        return dict({name: 0 for name in ("Txn", "LeaseGrant", "LeaseKeepAlive", "Watch")}, **took), passed


def judge_work(lines):
    """Tokens grow; nobody works but who leads; no term begins before the work of a crashed one must be dead."""
    leader, last, fence = None, 0, 0
    for what, node, token, *rest in lines:
        if what == "lead":
            assert leader is None, "%s leads beside %s" % (node, leader)
            assert token > last, "token %d of %s after %d" % (token, node, last)
            assert rest[0] >= fence, "%s leads %.3f s too early" % (node, (fence - rest[0]) / SECOND)
            leader, last = (node, token), token
            continue
        assert leader == (node, token), "%s by %s, token %d, while %s leads" % (what, node, token, leader)
        if what in ("stop", "crash"):
            leader = None
        if what == "crash":
            fence = rest[0] + FENCE * SECOND


def judge(throng, what, took, least, due=2):
    """A node asks as often as it has to, and once a period for each of two things, which may be due at once or not yet;
    without an answer, twice a second."""
    calls, seconds = took
    asked = sum(calls[name] for name in ("Txn", "LeaseGrant", "LeaseKeepAlive"))
    most = least + due + 2 * seconds / PERIOD + throng.late() * 2 * (seconds + 1)
    assert asked <= most, "%s: %.1f requests of each node in %.1f s, at most %.1f: %s" % (
        what, asked, seconds, most, calls)
    return asked


@pytest.fixture
def cluster(tmp_path, versions):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < 10 * NODES:  # eight for each were counted
        pytest.skip("a process may open %d files here, expected %d" % (most, 10 * NODES))
    with Cluster(tmp_path / "etcd", 1, False, versions.bindir("3.5")) as made:
        yield made


@pytest.fixture
def throng(tmp_path, cluster):
    made = Throng(tmp_path, cluster.members[0].url)
    yield made
    procs.end(made.process)


def test_five_hundred_nodes_start_at_once(cluster, throng, figure):
    asked = Asked(cluster.members[0].url)

    def registered():
        return len(cluster.etcdctl("get", "--prefix", "/onced/nodes/", "--keys-only").split()) == NODES
    throng.wait_settled(NODES)
    wait_for("each is registered", registered, 60, 0.1)
    # a lease, a test of the guard, a look at etcd, a bid, a registration
    start = asked.anew()
    begin = judge(throng, "the start", start, 5, due=0.5)
    assert start[0]["LeaseGrant"] <= 1 + throng.late() * (start[1] + 1), start
    time.sleep(PERIOD / 2)
    idle = judge(throng, "an idle time", asked.anew(), 0)

    before = throng.ask_leader("crash")
    wait_for("seizing", throng.seized, 60, 0.05)
    # two looks at etcd after as many silences of the leader, each with another stream of three parts
    silent = asked.anew()
    take = judge(throng, "a silent leader", silent, 2)
    assert silent[0]["Watch"] <= 3 * (3 + silent[1] * throng.late()), silent
    throng.wait_settled(NODES - 1, before)
    # a seizure, refused but for one, and another look; a bid of who has then seen that nobody leads
    take += judge(throng, "a takeover", asked.anew(), 3)
    assert throng.seized() <= 2 * NODES
    time.sleep(1)
    calm = judge(throng, "an idle time after it", asked.anew(), 0)

    before = throng.ask_leader("resign")
    throng.wait_settled(NODES - 1, before)
    give = judge(throng, "a handover", asked.anew(), 1)
    figure("%d nodes ask etcd, each: %.1f times until one leads and the others follow, %.1f to take over from it when "
           "it is silent, %.1f when it gives way; in between %.1f and %.1f" % (NODES, begin, take, give, idle, calm))

    wait_for("work of each", lambda: {line[2] for line in throng.lines("work")} >= {
        line[2] for line in throng.lines("lead")}, 20, 0.1)
    assert throng.end() == 0, throng.errors()
    judge_work(throng.lines("lead", "work", "stop", "crash"))
