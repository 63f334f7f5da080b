"""Things done once, on real etcd: `oncectl once`, `step` and `ids`, called by many at the same moment, while
members and clients are killed.

    IDS_TOTAL     numbers to take in the last test (default 4000; the full proof takes 100000)
"""
import os
import random
import subprocess
import threading
import time

import pytest

import procs
from cluster import clean_environment, wait_for
from conftest import describe

BOTH = pytest.mark.parametrize("cluster", [("3.4", 1, True), ("3.5", 1, False)], indirect=True, ids=describe)
ONE = pytest.mark.parametrize("cluster", [("3.4", 1, True)], indirect=True, ids=describe)
THREE = pytest.mark.parametrize("cluster", [("3.4", 3, False)], indirect=True, ids=describe)
OWN_FAULT = 125


class Ctl:
    def __init__(self, onced, cluster):
        self.program = os.environ.get("ONCECTL_BIN") or os.path.join(
            os.path.dirname(os.path.dirname(onced)), "tools", "oncectl", "oncectl")
        self.environment = dict(clean_environment(), **cluster.etcdctl_environment())

    def start(self, *words):
        return procs.spawn([self.program, *words], env=self.environment, text=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def call(self, *words, seconds=60):
        """Exit code, standard output, standard error."""
        return self.finish(self.start(*words), seconds)

    @staticmethod
    def finish(process, seconds=60):
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            procs.end(process)
        return process.returncode, out, err


@pytest.fixture
def ctl(cluster, onced):
    return Ctl(onced, cluster)


def lines(path):
    try:
        with open(path, encoding="ascii") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


# ---- once -----------------------------------------------------------------------------------------


@BOTH
def test_ten_at_the_same_moment(ctl, tmp_path):
    """One runs it; all print what it printed and exit with its status, also those who come later."""
    log = tmp_path / "log"
    command = ["once", "migrate", "--", "sh", "-c", "echo ran >>%s; sleep 1; echo out $$; exit 7" % log]
    ends = [Ctl.finish(p) for p in [ctl.start(*command) for _ in range(10)]]
    assert [code for code, _, _ in ends] == [7] * 10, ends
    assert len({out for _, out, _ in ends}) == 1 and ends[0][1].startswith("out "), ends
    assert lines(log) == ["ran"]
    assert ctl.call(*command)[:2] == ends[0][:2]
    code, _, err = ctl.call("once", "migrate", "--", "something", "else")
    assert code == OWN_FAULT and "another content" in err
    assert lines(log) == ["ran"]


@ONE
def test_ends_of_every_kind(ctl):
    for words, code in ((["sh", "-c", "exit 0"], 0), (["sh", "-c", "kill -KILL $$"], 137),
                        (["/no/such/program"], 127), (["/etc/passwd"], 126)):
        name = "end-%d" % code
        assert ctl.call("once", name, "--", *words)[0] == code
        assert ctl.call("once", name, "--", *words)[0] == code, "read back"


@ONE
def test_a_killed_runner(ctl, tmp_path):
    """Those who wait are told, or run it again; and its command died with it."""
    pids, log = tmp_path / "pids", tmp_path / "log"
    script = "echo $$ >>%s; test -e %s && { echo two >>%s; exit 0; }; echo one >>%s; exec sleep 600" % (
        pids, log, log, log)
    runner = ctl.start("once", "x", "--live", "2s", "--", "sh", "-c", script)
    try:
        wait_for("the command", lambda: lines(log) == ["one"], 20)
        waiter = ctl.start("once", "x", "--live", "2s", "--", "sh", "-c", script)
        os.kill(runner.pid, 9)
        wait_for("the command's end", lambda: not procs.alive(int(lines(pids)[0])), 10)
        code, _, err = Ctl.finish(waiter)
        assert code == OWN_FAULT and "interrupted" in err, err
        assert lines(log) == ["one"]
    finally:
        procs.end(runner)
        runner.communicate()
    again = ["once", "x", "--on-interrupt", "rerun", "--", "sh", "-c", script]
    assert ctl.call(*again)[0] == 0
    assert ctl.call(*again)[0] == 0
    assert lines(log) == ["one", "two"]


@ONE
def test_a_stopped_runner_dies_before_another_runs(ctl, tmp_path):
    """oncectl stopped as by SIGSTOP cannot prove itself; the kernel's timer ends it and its command."""
    pids = tmp_path / "pids"
    command = ["once", "y", "--live", "2s", "--on-interrupt", "rerun", "--", "sh", "-c",
               "echo $$ >>%s; test $(wc -l <%s) = 1 || exit 0; exec sleep 600" % (pids, pids)]
    runner = ctl.start(*command)
    try:
        wait_for("the command", lambda: len(lines(pids)) == 1, 20)
        procs.send(runner.pid, 19)
        waiter = ctl.start(*command)
        wait_for("another run", lambda: len(lines(pids)) == 2, 40)
        assert not procs.alive(int(lines(pids)[0]))
        assert Ctl.finish(waiter)[0] == 0
        assert runner.wait(10) == -9
    finally:
        procs.end(runner)
        runner.communicate()


# ---- step -----------------------------------------------------------------------------------------


@BOTH
def test_a_script_of_steps_resumes(ctl, tmp_path):
    log, broken = tmp_path / "log", tmp_path / "broken"
    broken.touch()

    def run(name, more="true"):
        return ctl.call("step", "deploy-7", name, "--", "sh", "-c",
                        "echo %s >>%s; echo did %s; %s" % (name, log, name, more))

    second = "test ! -e %s" % broken
    assert run("a")[:2] == (0, "did a\n")
    assert run("b", second)[0] == 1
    broken.unlink()
    assert run("a")[:2] == (0, "did a\n"), "printed again, not run again"
    assert run("b", second)[0] == 0
    assert run("c")[0] == 0
    assert lines(log) == ["a", "b", "b", "c"]
    code, _, err = run("c", "echo changed")
    assert code == OWN_FAULT and "another content" in err
    assert ctl.call("step", "--forget", "deploy-7")[0] == 0
    assert run("a")[0] == 0
    assert lines(log) == ["a", "b", "b", "c", "a"]


# ---- the library ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cluster", [("3.4", 1, False), ("3.5", 1, False)], indirect=True, ids=describe)
def test_the_example(cluster, onced):
    """examples/ledger.c, five times at once: one takes the numbers, all say how it ended."""
    program = os.path.join(os.path.dirname(os.path.dirname(onced)), "examples", "ledger")
    program = os.environ.get("EXAMPLE_LEDGER_BIN", program)
    started = [procs.spawn([program, cluster.urls(), "node%d" % i, "invoice-1"], env=clean_environment(),
                           text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE) for i in range(5)]
    ends = [Ctl.finish(p) for p in started]
    assert [code for code, _, _ in ends] == [0] * 5, ends
    assert sum("took 1 to 10" in out for _, out, _ in ends) == 1, ends
    assert len({out.splitlines()[-1] for _, out, _ in ends}) == 1 and ends[0][1].endswith("\n")
    assert cluster.etcdctl("get", "--print-value-only", "/example/first-invoice").strip() == "1"
    bad = procs.spawn([program, cluster.urls(), "node", "a/b"], env=clean_environment(), text=True,
                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    code, _, err = Ctl.finish(bad)
    assert code == 1 and "key: expected" in err


# ---- refusals -------------------------------------------------------------------------------------


@ONE
def test_bad_words_are_refused_with_one_line(ctl, cluster):
    for words, needle in ((("once", "a b", "--", "x"), "id: bad name"), (("once", "a"), "-- COMMAND"),
                          (("once", "a", "--live", "1s", "--", "x"), "--live"),
                          (("once", "a", "--wait", "soon", "--", "x"), "--wait"),
                          (("once", "a", "--on-interrupt", "no", "--", "x"), "report or rerun"),
                          (("step", "f"), "FLOW STEP"), (("step", "f", "a/b", "--", "x"), "step: bad name"),
                          (("ids", "take", "n"), "expected alloc"), (("ids", "alloc", "a/b"), "bad name"),
                          (("ids", "alloc", "n", "--count", "0"), "--count"),
                          (("ids", "alloc", "n", "--count", "9999999999"), "--count")):
        code, out, err = ctl.call(*words)
        assert (code, out) == (2, "") and needle in err and len(err.splitlines()) == 1, (words, code, err)
    cluster.etcdctl("put", "/onced/once/foreign", "hello")
    code, _, err = ctl.call("once", "foreign", "--", "true")
    assert code == OWN_FAULT and "something else than a record" in err
    cluster.etcdctl("put", "/onced/ids/full", '{"v":1,"next":"9223372036854775800"}')
    assert ctl.call("ids", "alloc", "full", "--count", "8")[0] == 1
    assert ctl.call("ids", "alloc", "full", "--count", "7")[1] == "9223372036854775800 9223372036854775806\n"


# ---- ids ------------------------------------------------------------------------------------------


class Takers:
    """Eight threads that take blocks of 1 to 100 by a process each; now and then one is killed."""

    def __init__(self, ctl, total):
        self.ctl, self.total, self.blocks, self.killed, self.failed = ctl, total, [], 0, 0
        self.member_kills = 0
        self.lock, self.deadline = threading.Lock(), time.monotonic() + 60 + total / 20
        self.threads = [threading.Thread(target=self.take, daemon=True, args=(random.Random(i),)) for i in range(8)]

    def count(self):
        return sum(last - first + 1 for first, last in self.blocks)

    def take(self, rng):
        while (self.count() < self.total or not self.member_kills) and time.monotonic() < self.deadline:
            process = self.ctl.start("ids", "alloc", "orders", "--count", str(rng.randint(1, 100)))
            if rng.random() < 0.05:
                time.sleep(rng.random() * 0.05)
                process.kill()
                self.killed += 1
            code, out, _ = Ctl.finish(process)
            with self.lock:
                if code == 0:
                    self.blocks.append(tuple(map(int, out.split())))
                elif code > 0:
                    self.failed += 1


@THREE
def test_no_number_twice_while_members_and_clients_are_killed(ctl, cluster, figure):
    takers = Takers(ctl, int(os.environ.get("IDS_TOTAL", "4000")))
    began = time.monotonic()
    for thread in takers.threads:
        thread.start()
    try:
        while any(t.is_alive() for t in takers.threads):
            if takers.count() * 4 >= takers.total * (takers.member_kills + 1) and takers.member_kills < 3:
                cluster.kill(takers.member_kills)
                time.sleep(1)
                cluster.repair()
                takers.member_kills += 1
            time.sleep(0.05)
    finally:
        takers.deadline = 0
        for thread in takers.threads:
            thread.join(60)
    seconds = time.monotonic() - began
    blocks = sorted(takers.blocks)
    for (_, last), (first, _) in zip(blocks, blocks[1:]):
        assert first > last, "given out twice: %d" % first
    assert takers.count() >= takers.total, "only %d numbers in time" % takers.count()
    assert takers.member_kills, "no member was killed meanwhile"
    figure("ids: %d numbers in %d blocks, %.0f/s by 8 at once; gaps %d; %d clients killed, %d gave up, %d members "
           "killed" % (takers.count(), len(blocks), takers.count() / seconds, blocks[-1][1] - takers.count(),
                       takers.killed, takers.failed, takers.member_kills))
