"""oncectl confirm under faults: what it printed is in etcd, once, and nothing else is claimed."""
import os
import pty
import random
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

import procs
from cluster import clean_environment, wait_for
from conftest import TOP, describe
from tools import connection, path, run

sys.path.insert(0, os.path.join(TOP, "tests", "torture"))
from proxy import Proxy  # noqa: E402

MODES = ["individual", "txn", "packed"]
plain = pytest.mark.parametrize("cluster", [("3.4", 1, False)], indirect=True, ids=describe)
each = pytest.mark.parametrize("mode", MODES)


def confirm(cluster, *args, urls=None, **options):
    return run("oncectl", *connection(cluster, urls, "--"), "confirm", *args, **options)


def verify(cluster, mode, printed, tmp_path):
    """Nothing lost, nothing twice."""
    file = tmp_path / "printed"
    file.write_text("".join(i + "\n" for i in printed))
    out, _ = confirm(cluster, "--mode", mode, "--verify", str(file))
    assert " 0 lost;" in out and out.endswith(" 0 twice\n"), out


def lines(text):
    return "".join("%s\n" % i for i in text)


@pytest.mark.parametrize("cluster", [("3.4", 1, False), ("3.5", 3, True)], indirect=True, ids=describe)
@each
def test_every_id_comes_back_in_order(cluster, mode, tmp_path):
    ids = [str(i) for i in range(1, 3001)] + ["order-%d" % i for i in range(50)]
    random.Random(1).shuffle(ids)
    out, err = confirm(cluster, "--mode", mode, "--batch", "200", input=lines(ids))
    assert out.split() == ids and not err
    listed, _ = confirm(cluster, "--mode", mode, "--list")
    assert sorted(listed.split()) == sorted(ids)
    verify(cluster, mode, ids, tmp_path)
    out, _ = confirm(cluster, "--mode", mode, "--resume", input=lines(ids + ["new"]))
    assert sorted(out.split()) == sorted(ids + ["new"])
    verify(cluster, mode, ids + ["new"], tmp_path)


@plain
def test_a_file_that_cannot_be_read_verifies_nothing(cluster, tmp_path):
    _, err = confirm(cluster, "--verify", str(tmp_path), code=2)
    assert err == "oncectl: --verify: %s: Is a directory\n" % tmp_path


@plain
@each
def test_duplicates_are_told(cluster, mode):
    out, err = confirm(cluster, "--mode", mode, "--unordered", input="a\nb\na\nc\n", code=1)
    assert sorted(out.split()) == ["a", "b", "c"]
    assert err == "oncectl: duplicate: a\n"


@plain
def test_values_and_default_batch(cluster):
    """More keys than a txn may have operations: found out, and split."""
    out, _ = confirm(cluster, "--prefix", "/v/", input=lines("k%d\tvalue %d" % (i, i) for i in range(2000)))
    assert out.split() == ["k%d" % i for i in range(2000)]
    assert "value 77\n" in cluster.etcdctl("get", "/v/k77")
    _, err = confirm(cluster, "--mode", "packed", input="k\tv\n", code=3)
    assert "packed ids have no value" in err


@plain
@each
def test_too_large_is_split_or_refused_alone(cluster, mode):
    if mode == "packed":
        pytest.skip("an id is at most 4 KiB")
    big = "x" * 2000000
    rows = ["a%d\t%s" % (i, "y" * 30000) for i in range(100)] + ["big\t" + big]
    out, err = confirm(cluster, "--mode", mode, "--unordered", input=lines(rows), code=3)
    assert set(out.split()) == {"a%d" % i for i in range(100)}
    assert "not confirmed" in err


@plain
@each
def test_fenced(cluster, mode):
    cluster.etcdctl("put", "/leader", "me")
    token = cluster.etcdctl("get", "/leader", "-w", "fields").split('"CreateRevision" : ')[1].split()[0]
    env = {"ONCED_KEY": "/leader", "ONCED_TOKEN": token}
    out, _ = confirm(cluster, "--mode", mode, input="1\n2\n", env=env)
    assert out == "1\n2\n"
    cluster.etcdctl("del", "/leader")
    out, err = confirm(cluster, "--mode", mode, input="3\n4\n", env=env, code=75)
    assert out == "" and "fenced" in err
    assert confirm(cluster, "--mode", mode, "--list")[0] == "1\n2\n"


@pytest.fixture
def proxy(cluster):
    program = os.path.join(os.path.dirname(os.path.dirname(path("oncectl"))), "..", "tests", "torture",
                           "chaosproxy")
    target = cluster.members[0].endpoint
    port = int(target.split(":")[1]) + 7
    made = Proxy(program, [("127.0.0.1:%d" % port, target)], True, 5)
    made.url = "http://127.0.0.1:%d" % port
    yield made
    made.close()


@plain
@each
def test_cut_connections_and_lost_replies(cluster, proxy, mode, tmp_path):
    ids = [str(i) for i in range(4000)]
    process = procs.spawn([path("oncectl"), *connection(cluster, proxy.url, "--"), "confirm", "--mode",
                           mode, "--batch", "50"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=clean_environment())
    try:
        for i in range(0, len(ids), 400):
            proxy.tell("noreply", 0, 1)
            process.stdin.write(lines(ids[i:i + 400]))
            process.stdin.flush()
            if i == 0:
                wait_for("lost reply", lambda: proxy.stats()["swallowed"] > 0, 30)
            else:
                time.sleep(0.05)  # its victim may be reset before the answer comes: then none is lost
            proxy.tell("close", 0)
        proxy.heal()
        out, err = process.communicate(timeout=60)
    finally:
        procs.end(process)
    assert process.returncode == 0 and not err, err
    assert out.split() == ids
    verify(cluster, mode, ids, tmp_path)


@plain
@each
def test_killed_and_resumed(cluster, mode, tmp_path):
    ids = [str(i) for i in range(100000, 130000)]
    command = [path("oncectl"), *connection(cluster, dash="--"), "confirm", "--mode", mode, "--batch",
               "100", "--resume", "--inflight", "4"]
    (tmp_path / "ids").write_text(lines(ids))
    printed = []
    for _ in range(3):
        with open(tmp_path / "ids") as source, open(tmp_path / "out", "w+") as sink:
            process = procs.spawn(command, stdin=source, stdout=sink, env=clean_environment())
            end = time.monotonic() + 20
            try:
                while os.path.getsize(sink.name) < 5000 and time.monotonic() < end:
                    time.sleep(0.005)
            finally:
                procs.end(process, signal.SIGKILL)
            sink.seek(0)
            text = sink.read()
        printed += text[:text.rfind("\n") + 1].split()
        verify(cluster, mode, printed, tmp_path)
    assert printed
    ids = ids[:3000]
    out, _ = confirm(cluster, "--mode", mode, "--resume", input=lines(ids))
    assert sorted(out.split()) == sorted(ids)
    verify(cluster, mode, printed + ids, tmp_path)


@plain
def test_rate(cluster):
    start = time.monotonic()
    out, _ = confirm(cluster, "--rate", "100", input=lines(range(101)))
    assert time.monotonic() - start >= 1.0 and out == lines(range(101))


def read_terminal(fd, until, seconds):
    """What was written to a terminal up to that text."""
    text, end = b"", time.monotonic() + seconds
    while until not in text:
        ready = select.select([fd], [], [], max(0, end - time.monotonic()))[0]
        assert ready, text
        text += os.read(fd, 65536)
    return text


@plain
def test_progress_on_a_terminal(cluster, tmp_path):
    (tmp_path / "ids").write_text(lines(range(3000)))
    master, slave = pty.openpty()
    with open(tmp_path / "ids") as source, open(tmp_path / "out", "w") as sink:
        process = procs.spawn([path("oncectl"), *connection(cluster, dash="--"), "confirm", "--rate", "3000"],
                              stdin=source, stdout=sink, stderr=slave, env=clean_environment())
    try:
        text = read_terminal(master, b"s left, p50 ", 30)
        assert b"ids confirmed, " in text and b"/s, " in text
        assert process.wait(30) == 0
    finally:
        procs.end(process)
        os.close(slave)
        os.close(master)
    assert (tmp_path / "out").read_text() == lines(range(3000))


class Fed:
    """A confirm in one mode that is given ids until told otherwise, never far ahead of what it prints."""

    def __init__(self, cluster, mode, tmp_path, *flags, urls=None):
        self.mode, self.given, self.bytes, self.stop = mode, 0, 0, threading.Event()
        self.out = str(tmp_path / mode)
        with open(self.out, "w") as sink:
            self.process = procs.spawn(
                [path("oncectl"), *connection(cluster, urls, "--"), "confirm", "--mode", mode, *flags],
                stdin=subprocess.PIPE, stdout=sink, stderr=subprocess.PIPE, text=True,
                env=clean_environment())
        self.thread = threading.Thread(target=self._feed, daemon=True)
        self.thread.start()

    def _feed(self):
        try:
            while not self.stop.is_set():
                if self.bytes - self.printed() < 20000:
                    text = lines(range(self.given, self.given + 100))
                    self.process.stdin.write(text)
                    self.process.stdin.flush()
                    self.given += 100
                    self.bytes += len(text)
                time.sleep(0.02)
        except BrokenPipeError:
            pass

    def printed(self):
        return os.path.getsize(self.out)

    def wait_more(self, bytes_more=300, seconds=60):
        before = self.printed()
        wait_for("more of " + self.mode, lambda: self.printed() > before + bytes_more, seconds)

    def end(self, seconds=60):
        """Its exit code, its ids, its errors."""
        self.stop.set()
        self.thread.join(seconds)
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait(seconds)
        with open(self.out) as out:
            return self.process.returncode, out.read(), self.process.stderr.read()

    def close(self):
        self.stop.set()
        procs.end(self.process)
        self.thread.join(10)
        self.process.stderr.close()


@pytest.fixture
def feed(cluster, tmp_path):
    started = []

    def start(mode, *flags, **options):
        started.append(Fed(cluster, mode, tmp_path, *flags, **options))
        return started[-1]
    yield start
    for each in started:
        each.close()


@pytest.mark.parametrize("cluster", [("3.5", 3, True)], indirect=True, ids=describe)
def test_members_killed(cluster, feed, tmp_path):
    """All modes at once: the member that leads etcd is killed, then two, so that there is no quorum."""
    running = [feed(mode, "--batch", "50") for mode in MODES]
    for victims in (1, 2):
        for each in running:
            each.wait_more()
        leader = cluster.leader()
        for index in [leader, (leader + 1) % 3][:victims]:
            cluster.kill(index)
        time.sleep(0.3)
        cluster.repair()
    for each in running:
        each.wait_more()
    for each in running:
        code, out, err = each.end()
        assert (code, err) == (0, ""), err
        assert out == lines(range(each.given))
        verify(cluster, each.mode, out.split(), tmp_path)


@plain
@each
def test_interrupted(cluster, proxy, feed, mode, tmp_path):
    """What is in flight is settled: what is printed is in etcd, and nothing else is."""
    proxy.tell("delay", 0, 150, 150)
    fed = feed(mode, "--batch", "20", urls=proxy.url)
    fed.wait_more(50)
    procs.send(fed.process.pid, signal.SIGINT)
    code, out, err = fed.end()
    assert code == 130 and "interrupted: " in err and "of 0 it is not known" in err, err
    ids = out.split()
    assert out == lines(range(len(ids)))
    verify(cluster, mode, ids, tmp_path)
    assert sorted(confirm(cluster, "--mode", mode, "--list")[0].split()) == sorted(ids)


@plain
def test_interrupted_while_etcd_is_silent(cluster, proxy, feed, tmp_path):
    fed = feed("txn", "--batch", "50", urls=proxy.url)
    fed.wait_more()
    proxy.tell("blackhole", 0)
    given = fed.given
    wait_for("ids in flight", lambda: fed.given > given, 20)
    procs.send(fed.process.pid, signal.SIGINT)
    code, out, err = fed.end(20)
    assert code == 130 and " it is not known; --resume goes on" in err and "of 0 it" not in err, err
    assert out == lines(range(len(out.split())))
    proxy.heal()
    verify(cluster, "txn", out.split(), tmp_path)


@plain
@each
def test_resumed_duplicates_are_confirmed(cluster, mode, tmp_path):
    """The same line twice in one run, and one of an earlier run: printed each time, written once."""
    confirm(cluster, "--mode", mode, input="old\n")
    out, err = confirm(cluster, "--mode", mode, "--resume", input="a\nb\na\nold\nc\na")
    assert sorted(out.split()) == ["a", "a", "a", "b", "c", "old"] and not err
    assert sorted(confirm(cluster, "--mode", mode, "--list")[0].split()) == ["a", "b", "c", "old"]
    verify(cluster, mode, out.split(), tmp_path)


@plain
def test_resumed_packed_duplicate_of_one_in_flight(cluster, proxy):
    """Etcd is silent: an id that was given is not confirmed, however often it is given."""
    process = procs.spawn([path("oncectl"), *connection(cluster, proxy.url, "--"), "confirm", "--mode",
                           "packed", "--resume"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=clean_environment())
    try:
        process.stdin.write("first\n")
        process.stdin.flush()
        assert process.stdout.readline() == "first\n"
        proxy.tell("blackhole", 0)
        process.stdin.write("a\nb\na\n")
        process.stdin.flush()
        assert not select.select([process.stdout], [], [], 1)[0], process.stdout.readline()
        procs.send(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        procs.end(process)
    assert (process.returncode, out) == (130, "") and "1 ids are confirmed, of 2 it is not known" in err, err


def received(cluster):
    """Bytes of requests that each member's gateway passed on."""
    found = []
    for member in cluster.members:
        with urllib.request.urlopen(member.url + "/metrics", timeout=20) as answer:
            found.append(sum(float(line.split()[1]) for line in answer.read().decode().split("\n")
                             if line.startswith("etcd_network_client_grpc_received_bytes_total")))
    return found


@pytest.mark.parametrize("cluster", [("3.4", 3, False)], indirect=True, ids=describe)
def test_bulk_work_is_where_etcd_leads(cluster, feed):
    """Whatever endpoint comes first: a follower would double the way of every request."""
    leader = cluster.leader()
    urls = ",".join(cluster.members[(leader + i) % 3].url for i in (1, 2, 0))
    fed = feed("txn", "--batch", "50", urls=urls)

    def is_there():
        before = received(cluster)
        fed.wait_more(2000)
        grown = [b - a for a, b in zip(before, received(cluster))]
        return grown[cluster.leader()] > 0.9 * sum(grown) > 0
    wait_for("all of it at etcd's leader", is_there, 20)
    assert fed.end()[0] == 0
