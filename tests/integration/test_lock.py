"""oncectl lock and elect between several, etcdctl among them: who waits for whom, signals, and what
becomes of a command whose lease ends."""
import os
import signal
import subprocess
import time

import pytest

import procs
from cluster import clean_environment, wait_for

NEWER = [("3.5", 1, False)]
BOTH = NEWER + [("3.4", 1, False)]
SECONDS = 30


def read(path):
    with open(path) as file:
        return file.read()


class Caller:
    """Starts etcdctl and oncectl against one cluster; ends what is left of them."""

    def __init__(self, cluster, oncectl, directory):
        self.cluster, self.directory, self.started = cluster, directory, []
        self.oncectl = [oncectl, "--endpoints", cluster.urls()]

    def program(self, name):
        return self.oncectl if name == "oncectl" else self.cluster.etcdctl_command()

    def start(self, *words, program="oncectl", out=subprocess.PIPE):
        env = dict(clean_environment(), ETCDCTL_API="3", ONCECTL=" ".join(self.oncectl))
        process = procs.spawn(self.program(program) + [str(word) for word in words], env=env, text=True,
                              cwd=self.directory, stdout=out, stderr=subprocess.PIPE)
        self.started.append(process)
        return process

    def end(self, process, signo=None):
        """Exit code, standard output and standard error."""
        if signo:
            process.send_signal(signo)
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err

    def keys(self, name):
        return self.cluster.etcdctl("get", name + "/", "--prefix", "--keys-only", "--sort-by",
                                    "CREATE").split()

    def wait_keys(self, name, count):
        return wait_for("%d in line for %s" % (count, name),
                        lambda: len(self.keys(name)) == count and self.keys(name), SECONDS)

    def path(self, name):
        return os.path.join(self.directory, name)

    def wait_file(self, name):
        wait_for("file " + name, lambda: os.path.exists(self.path(name)), SECONDS)

    def wait_text(self, name, text):
        wait_for("%s to hold %r" % (name, text), lambda: read(self.path(name)) == text, SECONDS)

    def close(self):
        for process in self.started:
            procs.end(process)


@pytest.fixture
def call(cluster, oncectl, tmp_path):
    made = Caller(cluster, oncectl, str(tmp_path))
    yield made
    made.close()


@pytest.mark.parametrize("cluster", BOTH, indirect=True)
def test_they_and_etcdctl_go_one_by_one_in_the_order_of_coming(call):
    script = 'echo "begin $0" >> log; [ $0 != 0 ] || while [ ! -e go ]; do sleep 0.05; done; ' \
             'echo "end $0 $ETCD_LOCK_KEY $ETCD_LOCK_REV" >> log'
    programs = ["etcdctl", "oncectl", "oncectl", "etcdctl", "oncectl"]
    running = []
    for i, program in enumerate(programs):
        running.append(call.start("lock", "turn", "--", "sh", "-c", script, i, program=program))
        keys = call.wait_keys("turn", i + 1)
    with open(call.path("go"), "w"):
        pass
    assert [call.end(process) for process in running] == [(0, "", "")] * len(programs)
    with open(call.path("log")) as log:
        lines = [line.split() for line in log]
    assert [line[:2] for line in lines] == [[word, str(i)] for i in range(len(programs))
                                            for word in ("begin", "end")]
    assert [line[2] for line in lines[1::2]] == keys
    revisions = [int(line[3]) for line in lines[1::2]]
    assert revisions == sorted(set(revisions)), "tokens must grow"
    assert call.keys("turn") == []


@pytest.mark.parametrize("cluster", NEWER, indirect=True)
@pytest.mark.parametrize("program", ["oncectl", "etcdctl"])
def test_what_is_fenced_holds_in_a_lock_that_was_waited_for(call, program):
    first = call.start("lock", "f", "--", "sh", "-c", "while [ ! -e go ]; do sleep 0.05; done")
    call.wait_keys("f", 1)
    second = call.start(
        "lock", "f", "--", "sh", "-c",
        "$ONCECTL fence > /dev/null && $ONCECTL put --fenced k v && "
        "$ONCECTL del f/ --prefix > /dev/null; $ONCECTL put --fenced k w; echo $? > code",
        program=program)
    call.wait_keys("f", 2)
    call.cluster.etcdctl("put", "other", "1")
    with open(call.path("go"), "w"):
        pass
    assert call.end(first)[0] == 0
    # once the key is deleted oncectl kills the command, etcdctl does not
    code, out, err = call.end(second)
    assert out == "OK\n"
    assert code == (125 if program == "oncectl" else 0), err
    assert call.cluster.etcdctl("get", "k", "--print-value-only") == "v\n"


@pytest.mark.parametrize("cluster", NEWER, indirect=True)
def test_a_signal_gives_the_lock_back_or_leaves_the_line(call):
    with open(call.path("holder"), "w") as out:
        holder = call.start("lock", "s", out=out)
    call.wait_text("holder", call.wait_keys("s", 1)[0] + "\n\n")
    waiter = call.start("lock", "s")
    call.wait_keys("s", 2)
    last = call.start("lock", "s", "--", "true")
    call.wait_keys("s", 3)
    assert call.end(waiter, signal.SIGINT) == (1, "", "Error: context canceled\n")
    assert len(call.keys("s")) == 2
    assert call.end(holder, signal.SIGTERM)[0] == 0
    assert call.end(last) == (0, "", "")
    assert call.cluster.etcdctl("lease", "list") == "found 0 leases\n"


@pytest.mark.parametrize("cluster", NEWER, indirect=True)
def test_signals_reach_the_command(call):
    process = call.start("lock", "s", "--", "sh", "-c",
                         "trap 'echo heard; exit 7' TERM; touch up; while :; do sleep 0.05; done")
    call.wait_file("up")
    code, out, err = call.end(process, signal.SIGTERM)
    assert (code, out) == (7, "heard\n") and err.endswith("Error: exit status 7\n")
    assert call.keys("s") == []
    # whoever does not care is ended as ever
    process = call.start("lock", "s")
    call.wait_keys("s", 1)
    assert call.end(process, signal.SIGHUP)[0] == -signal.SIGHUP


@pytest.mark.parametrize("cluster", NEWER, indirect=True)
def test_a_lease_lives_longer_than_its_ttl_while_it_is_held(call):
    holder = call.start("lock", "--ttl", "4", "long", "--", "sh", "-c",
                        "while [ ! -e go ]; do sleep 0.05; done")
    keys = call.wait_keys("long", 1)
    waiter = call.start("lock", "--ttl", "4", "long", "--", "true")
    keys += call.wait_keys("long", 2)[1:]
    time.sleep(5.5)
    assert call.keys("long") == keys
    with open(call.path("go"), "w"):
        pass
    assert call.end(holder)[0] == call.end(waiter)[0] == 0


@pytest.mark.parametrize("cluster", NEWER, indirect=True)
@pytest.mark.parametrize("how", ["lease", "key"])
def test_a_lost_lock_ends_the_command(call, how):
    process = call.start("lock", "l", "--", "sh", "-c", "echo $$ > pid.new; mv pid.new pid; sleep 60")
    held = call.start("lock", "m")
    waiter = call.start("elect", "m", "x")
    call.wait_file("pid")
    keys = call.wait_keys("l", 1) + call.wait_keys("m", 2)
    for key in reversed(keys):
        if how == "key":
            call.cluster.etcdctl("del", key)
        else:
            call.cluster.etcdctl("lease", "revoke", key.split("/")[1])
    code, out, err = call.end(process)
    assert (code, out) == (125, "") and err == (
        "Error: lock %s: its lease ended or its key was deleted: the command was killed\n" % keys[0])
    with open(call.path("pid")) as pid:
        assert not procs.alive(int(pid.read()))
    codes = [call.end(held), call.end(waiter)]
    assert [code[0] for code in codes] == [1, 1]
    assert all(code[2].endswith("session expired\n") for code in codes), codes
    assert call.cluster.etcdctl("lease", "list") == "found 0 leases\n"


@pytest.mark.parametrize("cluster", NEWER, indirect=True)
def test_without_etcd_the_command_ends_before_the_lease(call):
    began = "echo $$ > pid.new; mv pid.new pid; sleep 60"
    process = call.start("lock", "--ttl", "5", "l", "--", "sh", "-c", began)
    call.wait_keys("l", 1)
    waiter = call.start("lock", "--ttl", "5", "l")
    call.wait_file("pid")
    call.wait_keys("l", 2)
    call.cluster.kill(0)
    code, _, err = call.end(process)
    assert code == 125 and "the command was killed" in err
    with open(call.path("pid")) as pid:
        assert not procs.alive(int(pid.read()))
    assert call.end(waiter) == (1, "", "Error: session expired\n")
    assert call.end(call.start("--command-timeout", "300ms", "lock", "l"))[0] == 1


@pytest.mark.parametrize("cluster", NEWER, indirect=True)
def test_a_stopped_oncectl_takes_its_command_with_it(call):
    """Nothing of ours runs when the lease ends, but the kernel's timer."""
    process = call.start("lock", "--ttl", "4", "l", "--", "sh", "-c",
                         "echo $$ > pid.new; mv pid.new pid; exec sleep 60")
    call.wait_file("pid")
    with open(call.path("pid")) as pid:
        command = int(pid.read())
    process.send_signal(signal.SIGSTOP)
    ended = "grep -qs ') Z' /proc/%d/stat || [ ! -e /proc/%d ]; echo $?" % (command, command)
    successor = call.start("lock", "l", "--", "sh", "-c", ended, program="etcdctl")
    assert call.end(successor) == (0, "0\n", ""), "it came while the command lived"
    assert call.end(process)[0] == -signal.SIGKILL


@pytest.mark.parametrize("cluster", BOTH, indirect=True)
def test_elections_are_those_of_etcdctl(call):
    paths, leaders = [call.path(program) for program in ("oncectl", "etcdctl")], []
    listeners = []
    for path in paths:
        with open(path, "w") as out:
            listeners.append(call.start("elect", "-l", "e", program=os.path.basename(path), out=out))
    for i, program in enumerate(["etcdctl", "oncectl", "etcdctl", "oncectl"]):
        with open(call.path("leader %d" % i), "w") as out:
            leaders.append(call.start("elect", "e", "candidate %d" % i, program=program, out=out))
        keys = call.wait_keys("e", i + 1)
    for i, leader in enumerate(leaders):
        told = ["%s\ncandidate %d\n" % (keys[k], k) for k in range(i + 1)]
        call.wait_text("leader %d" % i, told[i])
        for path in paths:
            call.wait_text(path, "".join(told))
        assert call.end(leader, signal.SIGTERM)[0] == 0
        assert read(call.path("leader %d" % i)) == told[i]
    for listener in listeners:
        assert call.end(listener, signal.SIGINT)[0] == 0
    assert [read(path) for path in paths] == 2 * ["".join(told)]
