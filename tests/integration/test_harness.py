"""The harness does what the scenarios rely on: faults take effect, and nothing outlives a test."""
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

import checker
import procs
from cluster import PortBlock, wait_for
from conftest import describe

HERE = os.path.dirname(os.path.abspath(__file__))
THREE = pytest.mark.parametrize("cluster", [("3.4", 3, True), ("3.5", 3, True)], indirect=True,
                                ids=describe)


@THREE
def test_member_killed_and_restarted_keeps_its_data(cluster):
    cluster.etcdctl("put", "/kept", "yes")
    first = cluster.leader()
    cluster.kill(first)
    assert len(cluster.running()) == 2
    assert cluster.leader() != first
    cluster.repair()
    assert len(cluster.running()) == 3
    member = [cluster.members[first]]
    assert cluster.etcdctl("get", "/kept", "--print-value-only", members=member).strip() == "yes"


@THREE
def test_no_quorum_no_answer(cluster):
    cluster.pause(0)
    cluster.pause(1)
    assert cluster.etcdctl("get", "/a", check=False, seconds=2) is None
    cluster.repair()
    assert cluster.etcdctl("get", "/a") == ""


@pytest.mark.parametrize("cluster", [("3.4", 1, True)], indirect=True, ids=describe)
def test_wipe_and_tls(cluster):
    cluster.etcdctl("put", "/a", "1")
    cluster.wipe()
    assert cluster.etcdctl("get", "", "--from-key") == ""
    plain = ["etcdctl", "--endpoints", cluster.urls(), "--cacert", cluster.tls.ca,
             "--dial-timeout=1s", "--command-timeout=1s", "get", "/a"]
    done = subprocess.run(plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10)
    assert done.returncode != 0, "a client without a certificate must be turned away"


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_cut_and_heal(pool, links, version):
    cluster = pool.get(version, 3, True, links)

    def reachable(name):
        seen = []
        for member in cluster.members:
            hub, cluster.prefix = cluster.prefix, links.prefix(name)
            seen.append(cluster.status(member) is not None)
            cluster.prefix = hub
        return seen
    try:
        links.cut("a", [1])
        assert reachable("a") == [True, False, True]
        links.cut("a")
        assert reachable("a") == [False, False, False]
        assert reachable("b") == [True, True, True]
        links.heal("a")
        assert reachable("a") == [True, True, True]
    finally:
        links.heal_all()


def test_port_blocks_are_disjoint():
    blocks = [PortBlock() for _ in range(3)]
    assert len({b.base for b in blocks}) == 3
    for block in blocks:
        block.close()


def test_cluster_dies_with_its_owner(tmp_path):
    """Even when that is killed without a chance to clean up."""
    owner = subprocess.Popen([sys.executable, os.path.join(HERE, "cluster.py"), str(tmp_path / "c")],
                             stdout=subprocess.PIPE, text=True)
    assert owner.stdout.readline().startswith("export ")
    members = procs.children(owner.pid)
    assert len(members) == 1 and "etcd" in procs.command_line(members[0])
    owner.kill()
    owner.wait(5)
    owner.stdout.close()
    wait_for("end of etcd", lambda: not procs.alive(members[0]), 5)


def test_orphans_are_found_and_ended():
    shell = procs.spawn(["sh", "-c", "setsid sleep 300 & exec sleep 0"])
    shell.wait(5)
    wait_for("orphan", procs.orphans, 2)
    assert procs.end_orphans(0.1) == ["sleep 300"]
    assert procs.orphans() == []
    procs.end(shell)


LEAVER = """
import os, signal, subprocess, sys, time
sys.path[:0] = %r
import procs, run
procs.adopt()
def leave(then):
    try:
        shell = procs.spawn(["sh", "-c", "setsid sleep 300 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
        print("left", shell.stdout.readline().strip(), flush=True)
        then()
    finally:
        print("unwound", flush=True)
def stay():
    time.sleep(300)
def fork():
    os.fork() and os.wait() and stay()
def die():
    os.kill(os.getpid(), signal.SIGKILL)
""" % [HERE, os.path.dirname(HERE)]
RUNS = LEAVER + "print('code', run.run([sys.executable, '-c', %r], %d), flush=True)\n"


class Leaver:
    """A process of this harness, the sleep that it has left in a session of its own, and what it says."""

    def __init__(self, script, path):
        self.path = path
        with open(path, "w") as out:
            self.process = subprocess.Popen(["env", "--default-signal", sys.executable, "-c", script], stdout=out)
        self.sleep = wait_for("what it leaves", lambda: self.left() or self.process.poll() is not None, 60)
        self.born = procs.start_time(self.sleep)

    def said(self):
        with open(self.path) as file:
            return re.findall("^((?:left|code|unwound|it left behind:).*)\n", file.read(), re.M)

    def left(self):
        return next((int(line.split()[1]) for line in self.said() if line.startswith("left ")), None)

    def there(self):
        return procs.alive(self.sleep) and procs.start_time(self.sleep) == self.born

    def ended(self):
        """What it said in the end, after all of it is gone."""
        self.process.wait(30)
        wait_for("end of the sleep", lambda: not self.there(), 30)
        return self.said()[1:]

    def close(self):
        self.process.kill()
        self.process.wait(5)
        procs.end_orphans(0)


@pytest.fixture
def leaver(tmp_path):
    made = []

    def start(script):
        made.append(Leaver(script, tmp_path / str(len(made))))
        return made[-1]
    yield start
    for each in made:
        each.close()


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGHUP], [signal.SIGINT, signal.SIGTERM, signal.SIGTERM]])
def test_a_signal_ends_everything_in_its_order(leaver, signals):
    """Told more than once, it still goes through every finally."""
    made = leaver(LEAVER + "leave(stay)")
    for signo in signals:
        made.process.send_signal(signo)
        time.sleep(0.05)
    assert made.ended() == ["unwound"]


def test_what_was_ignored_stays_ignored(leaver):
    made = leaver("import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + LEAVER + "leave(stay)")
    made.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert made.process.poll() is None and made.there()


def test_a_fork_of_it_ends_nothing(leaver):
    made = leaver(LEAVER + "leave(fork)")
    wait_for("end of the fork", lambda: made.said()[1:] == ["unwound"], 30)
    time.sleep(0.2)
    assert made.there()


def test_what_takes_too_long_is_told_first(leaver):
    for seconds in (2, 8, 32):
        made = leaver(RUNS % (LEAVER + "leave(stay)", seconds))
        if made.left():  # else this machine was too busy to begin by then
            break
    assert made.ended() == ["unwound", "code 124"]


def test_a_run_that_is_ended_ends_what_it_runs(leaver):
    made = leaver(RUNS % (LEAVER + "leave(stay)", 300))
    made.process.terminate()
    assert made.ended() == ["unwound"]


def test_what_a_killed_suite_leaves_is_ended(leaver):
    made = leaver(RUNS % (LEAVER + "leave(die)", 300))
    assert made.ended() == ["it left behind: sleep 300", "code -9"]


def test_a_suite_whose_run_was_killed_ends(leaver):
    made = leaver(RUNS % (LEAVER + "leave(stay)", 300))
    made.process.kill()
    assert made.ended() == ["unwound"]


def history(path, *commands):
    processes = [procs.spawn(c, env=dict(os.environ, ONCED_TOKEN=t)) for c, t in commands]
    time.sleep(0.3)
    for process in processes:
        procs.end(process, signal.SIGTERM)
    procs.end_orphans(0)
    return checker.read(path)


def test_two_jobs_at_once_are_seen_by_lines_and_by_the_lock(tmp_path, lifejob):
    path = str(tmp_path / "history")
    lines = history(path, ([lifejob, path, "a"], "5"), ([lifejob, path, "b"], "7"))
    assert "still held the lock" in checker.check(lines)
    assert "began" in checker.check([x for x in lines if x.kind != "clash"])


def test_job_writes_its_life(tmp_path, lifejob):
    path = str(tmp_path / "history")
    lines = history(path, ([lifejob, path, "a", "--daemonise"], "5"))
    assert checker.check(lines) is None
    assert {x.kind for x in lines} == {"life", "child", "term", "end"}
    assert len({x.pid for x in lines}) == 2
    gaps = [b.ns - a.ns for a, b in zip(lines, lines[1:])]
    assert len(lines) > 30 and max(gaps) < 2e9


def test_job_that_ignores_sigterm(tmp_path, lifejob):
    path = str(tmp_path / "history")
    job = procs.spawn([lifejob, path, "a", "--ignore-term"], env={"ONCED_TOKEN": "5"})
    wait_for("line", lambda: checker.read(path), 2)
    procs.send(job.pid, signal.SIGTERM)
    time.sleep(0.2)
    assert job.poll() is None
    assert procs.end(job) == -signal.SIGKILL
    assert {x.kind for x in checker.read(path)} == {"life", "term"}


def test_job_that_forks_without_end(tmp_path, lifejob):
    """In a PID namespace, with which all of it ends."""
    path = str(tmp_path / "history")
    job = procs.spawn(["unshare", "--pid", "--fork", "--kill-child", lifejob, path, "a", "--storm"],
                      env={"ONCED_TOKEN": "5"})
    wait_for("line of a tenth process", lambda: len(
        {x.pid for x in checker.read(path) if x.kind == "child"}) > 9, 10)
    most = 0
    for _ in range(50):
        most = max(most, len(procs.descendants(job.pid)))
        time.sleep(0.005)
    assert 5 < most <= 30, "%d processes at once" % most
    procs.end(job)
    wait_for("end of all", lambda: not procs.orphans(), 3)
    size = len(checker.read(path))
    time.sleep(0.3)
    assert len(checker.read(path)) == size and checker.check(checker.read(path)) is None


def test_etcdctl_environment_works(pool):
    cluster = pool.get("3.4", 1, True)
    env = dict(os.environ, **cluster.etcdctl_environment())
    out = subprocess.run(["etcdctl", "endpoint", "status", "-w", "json"], env=env, timeout=10,
                         stdout=subprocess.PIPE, text=True).stdout
    assert json.loads(out)[0]["Endpoint"] == cluster.urls()
