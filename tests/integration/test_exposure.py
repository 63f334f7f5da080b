"""What a process with secrets shows of itself: memory, command line, environment, log, --check, core dumps; and what
it does where secrets cannot be kept."""
import os
import pty
import shutil
import subprocess
import tempfile
import time

import pytest

import procs
from cluster import clean_environment, wait_for

NOBODY = 65534
SECRET = "do-not-show-me"


@pytest.fixture
def corner(onced, oncectl):
    """A directory of nobody's with the programs in it."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    with tempfile.TemporaryDirectory() as directory:
        for program in (onced, oncectl):
            shutil.copy(program, directory)
        with open(os.path.join(directory, "password"), "w", encoding="ascii") as file:
            file.write(SECRET + "\n")
        for name in ["", "password"]:
            os.chown(os.path.join(directory, name), NOBODY, NOBODY)
        os.chmod(os.path.join(directory, "password"), 0o600)
        os.chmod(directory, 0o755)
        yield directory


def as_nobody(directory, *words, **options):
    return procs.spawn([os.path.join(directory, words[0]), *words[1:]],
                       ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"],
                       env=clean_environment(), cwd="/", **options)


def closed(pid):
    """Not dumpable: /proc shows what is the process's own as root's."""
    return os.stat("/proc/%d/environ" % pid).st_uid == 0


def test_memory_with_secrets_is_closed_to_the_user_it_runs_as(corner):
    flags = ["--endpoints", "http://127.0.0.1:1", "--user", "u", "--password-file", os.path.join(corner, "password")]
    log = open(os.path.join(corner, "log"), "w+", encoding="utf-8")
    daemon = as_nobody(corner, "onced", "run", *flags, "--node", "a", "--runtime-dir", os.path.join(corner, "run"),
                       "--", "/bin/sleep", "100", stdout=log, stderr=log)
    other = as_nobody(corner, "oncectl", *flags, "watch", "k", stdout=log, stderr=log)
    sleeper = subprocess.Popen(["setpriv", "--reuid", str(NOBODY), "--clear-groups", "sleep", "60"])
    try:
        agents = wait_for("the agent", lambda: procs.children(daemon.pid), 10)
        wait_for("both set up", lambda: closed(daemon.pid), 10)
        assert all(closed(pid) for pid in agents)
        assert other.poll() is not None or wait_for("oncectl set up", lambda: other.poll() is not None or
                                                    closed(other.pid), 10)
        # the counter-test: another process of that user is open
        wait_for("the counter-test", lambda: procs.name(sleeper.pid) == "sleep", 10)
        assert not closed(sleeper.pid)
        for pid in [daemon.pid, *agents]:
            with open("/proc/%d/cmdline" % pid, "rb") as line, open("/proc/%d/environ" % pid, "rb") as environ:
                assert SECRET.encode() not in line.read() + environ.read()
    finally:
        sleeper.kill()
        sleeper.wait()
        procs.end(other)
        procs.end(daemon, 15)
        log.seek(0)
        assert SECRET not in log.read()
        log.close()
        procs.end_orphans()


def test_plaintext_to_another_host_is_warned_of(onced, tmp_path):
    log = open(tmp_path / "log", "w+", encoding="utf-8")
    # 0.0.0.0 is this host, and no loopback address to those who are careful
    daemon = procs.spawn([onced, "run", "--endpoints", "http://0.0.0.0:1", "--allow-plaintext", "--node", "a",
                          "--runtime-dir", str(tmp_path / "run"), "--", "/bin/sleep", "100"],
                         env=clean_environment(), stdout=log, stderr=log)

    def said():
        with open(tmp_path / "log", encoding="utf-8") as file:
            return [line for line in file if "without encryption" in line]
    try:
        lines = wait_for("the warning", said, 10)
        time.sleep(0.5)
        assert len(said()) == 1 and "warning" in lines[0] and "http://0.0.0.0:1" in lines[0]
    finally:
        procs.end(daemon, 15)
        log.close()
        procs.end_orphans()


HOSTILE = "\x1b]0;title\x07\x1b[2Jred\x9b31m"


def on_terminal(command, env):
    """What a command writes to a terminal."""
    near, far = pty.openpty()
    done = subprocess.run(command, env=env, timeout=20, stdin=subprocess.DEVNULL, stdout=far, stderr=far)
    os.close(far)
    text = b""
    try:
        while True:
            more = os.read(near, 65536)
            if not more:
                break
            text += more
    except OSError:
        pass  # the other end is closed: that was all
    os.close(near)
    assert done.returncode == 0, text
    return text


@pytest.mark.parametrize("cluster", [("3.4", 1, False)], indirect=True, ids=["3.4"])
def test_a_value_cannot_drive_the_terminal_it_is_shown_on(cluster, oncectl):
    cluster.etcdctl("put", "/onced/k", HOSTILE)
    env = dict(clean_environment(), **cluster.etcdctl_environment())
    for words in (("get", "/onced/k"), ("get", "/onced/k", "-w", "json"), ("get", "/onced/k", "-w", "fields"),
                  ("get", "/onced/k", "--print-value-only")):
        shown = on_terminal([oncectl, *words], env)
        assert b"\x1b" not in shown and b"\x07" not in shown, (words, shown)
        assert b"red" in shown or "json" in words, shown
    piped = subprocess.run([oncectl, "get", "/onced/k", "--print-value-only"], env=env, timeout=20, check=True,
                           stdout=subprocess.PIPE).stdout
    assert piped.decode() == HOSTILE + "\n"
