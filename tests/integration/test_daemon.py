"""The daemon with files on real etcd: what it tells the service manager, restarts, and reloads.

Two jobs run a shell that writes one line per start and then waits, so that the lines say who was
started, when, and as which process.
"""
import json
import os
import signal
import socket
import time

import pytest

import procs
from cluster import ClusterError, clean_environment, wait_for
from conftest import describe

pytestmark = pytest.mark.parametrize("cluster", [("3.4", 1, True), ("3.5", 1, True)], indirect=True,
                                     ids=describe)

CONF = """[Etcd]
Endpoints=%(endpoints)s
CACert=%(ca)s
Cert=%(cert)s
Key=%(key)s
%(etcd_keys)s[Node]
Name=node1
[Election]
Profile=fast
[Daemon]
RuntimeDirectory=%(run)s
"""
# Says "NAME TEXT PID TOKEN ATTEMPT" and lives until it is told to stop, and a moment longer.
STAY = ("echo $ONCED_JOB %s $$ $ONCED_TOKEN $ONCED_ATTEMPT >>%s; "
        "trap 'sleep 0.15; exit 0' TERM; while :; do sleep 0.05; done")


class Start:
    def __init__(self, line):
        self.job, self.text, pid, token, attempt = line.split()
        self.pid, self.token, self.attempt = int(pid), int(token), int(attempt)


class Daemon:
    """`onced -c FILE` under a service manager that is this test."""

    def __init__(self, directory, cluster, onced):
        self.directory, self.onced = str(directory), onced
        self.conf = os.path.join(self.directory, "onced.conf")
        self.jobs_dir = os.path.join(self.directory, "jobs.d")
        self.history = os.path.join(self.directory, "starts")
        self.log = os.path.join(self.directory, "log")
        run = os.path.join(self.directory, "run")
        os.mkdir(self.jobs_dir)
        os.mkdir(run, 0o700)
        tls = cluster.tls
        self.write(self.conf, CONF % {"endpoints": cluster.urls(), "ca": tls.ca, "cert": tls.client,
                                      "key": tls.client_key, "run": run, "etcd_keys": cluster.etcd_keys})
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.address = os.path.join(self.directory, "notify")
        self.socket.bind(self.address)
        self.socket.setblocking(False)
        self.said = []
        self.process = None

    @staticmethod
    def write(path, text):
        """As an editor does: never half a file."""
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def job(self, name, text="v1", script=None, more=""):
        script = STAY % (text, self.history) if script is None else script
        self.write(os.path.join(self.jobs_dir, name + ".job"),
                   "[Job]\nShell=yes\nExec=%s\n%s\n" % (script.replace("\\", "\\\\"), more))

    def remove(self, name):
        os.unlink(os.path.join(self.jobs_dir, name + ".job"))

    def start(self, **env):
        with open(self.log, "ab") as log:
            self.process = procs.spawn(
                [self.onced, "-c", self.conf], stdout=log, stderr=log,
                env=dict(clean_environment(), NOTIFY_SOCKET=self.address, **env))
        return self

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def wait(self, what, predicate, seconds=8):
        try:
            return wait_for(what, predicate, seconds)
        except ClusterError as error:
            raise AssertionError("%s; it said:\n%s" % (error, self.text())) from None

    # ---- what its jobs wrote

    def starts(self, job=None):
        try:
            with open(self.history, encoding="ascii") as history:
                all_lines = [Start(line) for line in history if line.endswith("\n")]
        except FileNotFoundError:
            return []
        return [s for s in all_lines if job in (None, s.job)]

    def wait_start(self, job, number=1, seconds=8):
        """Start number so of a job."""
        self.wait("start %d of %s" % (number, job), lambda: len(self.starts(job)) >= number,
                  seconds)
        return self.starts(job)[number - 1]

    # ---- what it told the service manager

    def messages(self):
        """All datagrams so far, each a list of lines."""
        while True:
            try:
                self.said.append(self.socket.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return self.said

    def lines(self):
        return [line for message in self.messages() for line in message]

    def wait_message(self, line, number=1):
        """The number so datagram that has this line."""
        def found():
            with_it = [m for m in self.messages() if line in m]
            return with_it[number - 1] if len(with_it) >= number else None
        return self.wait("%s, %d times" % (line, number), found)

    def reload(self):
        number = self.lines().count("RELOADING=1") + 1
        ready = self.lines().count("READY=1") + 1
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        procs.send(self.process.pid, signal.SIGHUP)
        message = self.wait_message("RELOADING=1", number)
        self.wait_message("READY=1", ready)
        stamps = [x for x in message if x.startswith("MONOTONIC_USEC=")]
        assert len(stamps) == 1, "systemd wants it in the same datagram: %r" % message
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert before <= int(stamps[0].split("=")[1]) <= after
        assert self.process.poll() is None

    def agent(self):
        found = [p for p in procs.children(self.process.pid) if procs.name(p) == "onced-agent"]
        return found[0] if found else None

    def stop(self, seconds=8):
        """The exit code after SIGTERM."""
        procs.send(self.process.pid, signal.SIGTERM)
        self.wait("its end", lambda: self.process.poll() is not None, seconds)
        return self.process.returncode

    def close(self):
        if self.process is not None:
            agent = self.agent()
            for pid in (agent, self.process.pid):
                if pid and procs.alive(pid):
                    procs.send(pid, signal.SIGCONT)
            procs.end(self.process, signal.SIGTERM, 5)
        self.socket.close()
        left = procs.end_orphans()
        assert not left, "left behind: %s" % left


@pytest.fixture
def daemon(tmp_path, cluster, onced):
    made = Daemon(tmp_path, cluster, onced)
    yield made
    made.close()


def is_quiet(daemon, job, seconds=1.5):
    """No start of the job for so long."""
    before = len(daemon.starts(job))
    time.sleep(seconds)
    return len(daemon.starts(job)) == before


# ---- life

def test_start_status_and_stop(daemon, cluster):
    daemon.job("one")
    daemon.job("two")
    daemon.start()
    one, two = daemon.wait_start("one"), daemon.wait_start("two")
    key = json.loads(cluster.etcdctl("get", "/leader", "-w", "json"))["kvs"][0]
    assert one.token == two.token == key["create_revision"]
    assert procs.alive(one.pid) and procs.alive(two.pid)
    daemon.wait_message("READY=1")
    daemon.wait_message("STATUS=Leading (token %d)" % one.token)
    assert daemon.lines().count("READY=1") == 1
    assert daemon.stop() == 0
    assert not procs.alive(one.pid) and not procs.alive(two.pid)
    lines = daemon.lines()
    assert lines.count("STOPPING=1") == 1
    assert lines.index("READY=1") < lines.index("STOPPING=1")
    assert not [x for x in lines if x.startswith("WATCHDOG")], "nobody asked for a watchdog"
    assert cluster.etcdctl("get", "/leader").strip() == "", "released"


def test_follower_is_ready_and_says_whom_it_follows(daemon, cluster):
    """READY=1 does not wait for leadership, which may never come."""
    lease = cluster.etcdctl("lease", "grant", "60").split()[1]
    cluster.etcdctl("put", "/leader", "somebody", "--lease", lease)
    daemon.job("one")
    daemon.start()
    daemon.wait_message("READY=1")
    daemon.wait_message("STATUS=Following somebody")
    assert daemon.starts() == []
    assert daemon.stop() == 0


def test_ready_without_etcd(daemon, cluster):
    """etcd that is not there yet is no reason to fail at boot."""
    daemon.job("one")
    cluster.pause(0)
    try:
        daemon.start()
        daemon.wait_message("READY=1")
        assert daemon.starts() == []
    finally:
        cluster.resume(0)
    daemon.wait_start("one", seconds=15)


def test_jobs_own_path_counts(daemon):
    """The program is searched there, and there alone."""
    programs = os.path.join(daemon.directory, "programs")
    os.mkdir(programs)
    daemon.write(os.path.join(programs, "found"), "#!/bin/sh\n" + STAY % ("v1", daemon.history))
    os.chmod(os.path.join(programs, "found"), 0o755)
    daemon.write(os.path.join(daemon.jobs_dir, "one.job"),
                 "[Job]\nExec=found\nEnvironment=PATH=%s:/bin:/usr/bin\n" % programs)
    daemon.start()
    assert procs.alive(daemon.wait_start("one").pid)


# ---- restart

def test_restart(daemon):
    once = "echo $ONCED_JOB x $$ $ONCED_TOKEN $ONCED_ATTEMPT >>%s; exit %d"
    daemon.job("always", script=once % (daemon.history, 0), more="RestartDelay=200ms")
    daemon.job("fails", script=once % (daemon.history, 3),
               more="Restart=on-failure\nRestartDelay=200ms")
    daemon.job("done", script=once % (daemon.history, 0),
               more="Restart=on-failure\nRestartDelay=200ms")
    daemon.job("never", script=once % (daemon.history, 3), more="Restart=no\nRestartDelay=200ms")
    daemon.job("stays")
    daemon.start()
    stays = daemon.wait_start("stays")
    daemon.wait_start("always", 4)
    daemon.wait_start("fails", 4)
    assert [s.attempt for s in daemon.starts("always")][:4] == [1, 2, 3, 4]
    assert len({s.token for s in daemon.starts()}) == 1
    assert len(daemon.starts("done")) == len(daemon.starts("never")) == 1
    assert len(daemon.starts("stays")) == 1 and procs.alive(stays.pid)
    # Killed from outside: again, as another process.
    procs.send(stays.pid, signal.SIGKILL)
    again = daemon.wait_start("stays", 2)
    assert again.pid != stays.pid and again.attempt == 2
    assert daemon.stop() == 0


# ---- reload

def test_reload_changes_only_what_differs(daemon):
    daemon.job("kept")
    daemon.job("changed")
    daemon.job("dropped")
    daemon.start()
    kept, changed, dropped = [daemon.wait_start(n) for n in ("kept", "changed", "dropped")]
    daemon.job("changed", "v2")
    daemon.remove("dropped")
    daemon.job("added")
    daemon.reload()
    second = daemon.wait_start("changed", 2)
    assert not procs.alive(changed.pid), "the old one ends before the new one starts"
    added = daemon.wait_start("added")
    daemon.wait("end of what was dropped", lambda: not procs.alive(dropped.pid))
    assert second.text == "v2"
    assert added.token == second.token == kept.token
    assert procs.alive(kept.pid) and procs.alive(added.pid) and procs.alive(second.pid)
    assert is_quiet(daemon, None)
    assert len(daemon.starts("kept")) == len(daemon.starts("dropped")) == 1
    assert "at the next start" not in daemon.text(), "only jobs have changed"
    daemon.reload()  # nothing has changed
    assert is_quiet(daemon, None)
    assert procs.alive(kept.pid) and procs.alive(added.pid) and procs.alive(second.pid)
    assert daemon.stop() == 0
    for start in daemon.starts():
        assert not procs.alive(start.pid)


@pytest.mark.parametrize("what", ["job", "conf", "gone"])
def test_broken_reload_keeps_the_old(daemon, what):
    daemon.job("one")
    daemon.start()
    one = daemon.wait_start("one")
    good = open(daemon.conf, encoding="ascii").read()
    daemon.job("one", "v2")
    if what == "job":
        daemon.job("two", more="Restart=perhaps")
        named = "two.job:4: Restart"
    elif what == "conf":
        daemon.write(daemon.conf, good + "Nonsense=1\n")
        named = "Nonsense"
    else:
        os.unlink(daemon.conf)
        named = "onced.conf"
    daemon.reload()
    daemon.wait("what is wrong", lambda: named in daemon.text() and
                "going on with the old one" in daemon.text())
    assert is_quiet(daemon, None)
    assert procs.alive(one.pid) and len(daemon.starts()) == 1
    # Repaired, it counts.
    if what == "job":
        daemon.remove("two")
    daemon.write(daemon.conf, good)
    daemon.reload()
    assert daemon.wait_start("one", 2).text == "v2"
    assert not procs.alive(one.pid)


@pytest.mark.parametrize("old, new", [
    ("Name=node1", "Name=node2"),
    ("Name=node1", "Name=node1\nAddress=elsewhere"),
    ("Profile=fast", "Profile=normal"),
    ("Profile=fast", "Profile=fast\nKey=/other"),
    ("Profile=fast", "Profile=fast\nPrefix=/other"),
    ("Endpoints=", "Endpoints=https://127.0.0.1:1,"),
    ("Endpoints=https", "AllowPlaintext=yes\nEndpoints=https"),
], ids=["name", "address", "timing", "key", "prefix", "endpoints", "plaintext"])
def test_reload_says_what_needs_a_restart(daemon, old, new):
    daemon.job("one")
    daemon.start()
    one = daemon.wait_start("one")
    with open(daemon.conf, encoding="ascii") as file:
        daemon.write(daemon.conf, file.read().replace(old, new))
    daemon.reload()
    daemon.wait("the warning", lambda: "takes effect at the next start" in daemon.text())
    assert procs.alive(one.pid) and len(daemon.starts()) == 1


# ---- watchdog

def test_watchdog(daemon):
    """Fed by the agent's progress: what systemd kills for is an agent that makes none."""
    daemon.job("one")
    daemon.start(WATCHDOG_USEC="1000000")
    daemon.wait_start("one")
    daemon.wait("four of it", lambda: daemon.lines().count("WATCHDOG=1") >= 4)
    agent = daemon.agent()
    procs.send(agent, signal.SIGSTOP)
    wait_for("the stop", lambda: procs._stat(agent)[0] == "T", 2)
    time.sleep(0.3)  # what was on its way
    before = daemon.lines().count("WATCHDOG=1")
    time.sleep(1.5)
    assert daemon.lines().count("WATCHDOG=1") == before
    procs.send(agent, signal.SIGCONT)
    daemon.wait("more of it", lambda: daemon.lines().count("WATCHDOG=1") >= before + 2)


def test_watchdog_of_another_process(daemon):
    daemon.job("one")
    daemon.start(WATCHDOG_USEC="400000", WATCHDOG_PID="1")
    daemon.wait_start("one")
    time.sleep(1)
    assert "WATCHDOG=1" not in daemon.lines()
