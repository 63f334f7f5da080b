"""Nothing more may be opened, nothing more be forked: what runs goes on, what cannot be begun is said and recorded,
nobody spins, and when the limit is raised all works again."""
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import procs
from cluster import ClusterError, clean_environment, wait_for
from conftest import describe
from jobnode import FileNode
from node import Node
from web import Page

TLS = pytest.mark.parametrize("cluster", [("3.5", 1, True)], indirect=True, ids=describe)
PLAIN = pytest.mark.parametrize("cluster", [("3.5", 1, False)], indirect=True, ids=describe)
# A proof is worth longer than this machine may pause.
SLOW = ("--profile", "normal", "--fence-after", "4s", "--stop-grace", "200ms")
NOTHING = 3  # descriptors 0 to 2 are taken
EMFILE, EAGAIN = "Too many open files", "Resource temporarily unavailable"


def lowest_free(pid):
    """The lowest number that no descriptor had at some moment of the next second."""
    def now():
        taken = set(os.listdir("/proc/%d/fd" % pid))
        time.sleep(0.01)
        return next(n for n in range(10000) if str(n) not in taken)
    end = time.monotonic() + 1
    return min(iter(lambda: now() if time.monotonic() < end else None, None))


class Descriptors:
    """For as long as the block a process may open nothing whose number is not below this one."""

    def __init__(self, pid, below=None):
        self.pid = pid
        self.below = below or lowest_free(pid)

    def __enter__(self):
        self.former = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (self.below, self.former[1]))

    def __exit__(self, *unused):
        if procs.alive(self.pid):
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, self.former)


def work_of(pid, seconds):
    """The time that it has a processor meanwhile."""
    def spent():
        with open("/proc/%d/schedstat" % pid, encoding="ascii") as file:
            return int(file.read().split()[0])
    before = spent()
    time.sleep(seconds)
    return spent() - before


def lines(text, *words):
    return [line for line in text.splitlines() if all(word in line for word in words)]


# ---- the agent ----------------------------------------------------------------------------------------------------

@TLS
def test_a_client_that_gets_no_descriptor_waits_and_nothing_spins(group):
    node = group.add("a", "--http", "127.0.0.1:0", *SLOW).start()
    group.history.wait_life(15)
    page, agent = Page(node), node.agent()
    page.wait("/leader", 200, 10)
    token, said = group.token(), len(node.text())
    with Descriptors(agent):
        idle = work_of(agent, 1.5)
        client = page.connect(20)
        client.sendall(b"GET /leader HTTP/1.0\r\n\r\n")
        busy = work_of(agent, 1.5)
        new = node.text()[said:]
    with client:
        assert client.recv(12) == b"HTTP/1.1 200"
    assert busy < 100 * idle, "%d ns of work with a client that waits, %d without" % (busy, idle)
    assert len(new.splitlines()) == len(lines(new, "warning", "clients have to wait: " + EMFILE)) == 1, new
    assert page.get("/leader").json()["token"] == group.token() == token


@TLS
def test_a_leader_that_cannot_connect_ends_in_time_and_leads_again(group):
    node = group.start("a")
    follower = group.add("b").start()
    token, agent = group.token(), node.agent()
    follower.agent()
    follower.wait_log("connected to", 10)
    with Descriptors(agent, NOTHING):
        group.cluster.kill(0)
        group.cluster.spawn(0)
        node.wait_log("no socket: " + EMFILE, 10)
        node.wait_log("could not be proven in time: stopping", 20)
        wait_for("end of the job", lambda: not node.jobs(), 20)
        group.history.wait_other(token, 0, 30)
        assert group.leader() is follower
    wait_for("etcd again", lambda: lines(node.text(), "etcd answers again"), 30)
    assert node.agent() == agent
    after = group.history.last().ns
    procs.end(follower.process, signal.SIGTERM, 10)
    wait_for("it leads again", lambda: group.history.wait_life(30, after) and group.leader() is node, 30)


# ---- the guardian -------------------------------------------------------------------------------------------------

def run_that(jobs, state):
    """Waits for a run of the cron job that ends so from now on; its record."""
    before = set(jobs.runs("often"))
    return wait_for("a run that is " + state, lambda: next(
        (run for moment, run in jobs.runs("often").items() if moment not in before and run["state"] == state), None),
        20, 0.1)


def two_jobs(jobs):
    jobs.job("steady", Type="service", Restart="always", RestartDelay="300ms", Exec="/bin/sleep 0.5")
    jobs.job("often", Type="cron", Schedule="@every 1s", Exec="/bin/true")


def check_refusals(jobs, node, reason):
    """No run can be begun: each is said, and recorded."""
    run = run_that(jobs, "failed")
    assert run["reason"] == "exec" and run["detail"].endswith(": " + reason), run
    wait_for("word of both", lambda: lines(node.text(), "error", "steady: cannot be started:", reason) and
             lines(node.text(), "warning", "often/", "exit code 126", reason), 20)


def check_without_agent(node, agent, reason):
    """Its agent is gone, and there can be no other yet."""
    procs.send(agent, signal.SIGKILL)
    wait_for("word of it", lambda: lines(node.text(), "no agent can be started", ": " + reason), 20)
    time.sleep(1)
    assert len(lines(node.text(), "no agent can be started")) == 1, node.text()
    assert procs.alive(node.guardian) and not node.jobs()


def check_recovery(jobs, node, restarted):
    assert node.agent(20) and restarted
    run_that(jobs, "ok")
    said = len(node.text())
    wait_for("the service again", lambda: lines(node.text()[said:], "steady: started"), 20)
    assert node.running()


@TLS
def test_runs_that_get_no_descriptor_are_recorded(jobs):
    two_jobs(jobs)
    jobs.start("a")
    node = jobs.nodes["a"]
    run_that(jobs, "ok")
    agent = node.agent()
    with Descriptors(node.guardian):
        check_refusals(jobs, node, EMFILE)
        check_without_agent(node, agent, EMFILE)
    check_recovery(jobs, node, node.agent(20) != agent)


# ---- processes ----------------------------------------------------------------------------------------------------

CONF = """[Etcd]
Endpoints=%s
[Node]
Name=a
[Election]
Profile=fast
[Daemon]
RuntimeDirectory=%s
"""


class OtherNode(Node):
    """`onced -c FILE` of somebody else."""

    def __init__(self, cluster, *words):
        super().__init__("a", *words)
        self.conf = os.path.join(self.directory, "onced.conf")
        with open(self.conf, "w", encoding="ascii") as file:
            file.write(CONF % (cluster.urls(), self.runtime))

    def command(self):
        return [self.onced, "-c", self.conf]


class Somebody:
    """A user of whom nobody else has processes, with a daemon of its own."""

    def __init__(self, directory, onced):
        self.uid = str(61000 + os.getpid() % 4000)
        self.front = ["setpriv", "--reuid", self.uid, "--regid", self.uid, "--clear-groups"]
        self.directory, self.onced = directory, shutil.copy(onced, directory)
        os.chown(directory, int(self.uid), int(self.uid))
        os.chmod(directory, 0o755)

    def node(self, jobs):
        """A daemon of this user with those jobs, not yet started."""
        directory = tempfile.mkdtemp(dir=self.directory)
        os.chmod(directory, 0o755)
        node = jobs.nodes["a"] = OtherNode(jobs.cluster, directory, self.onced, (), (), self.front)
        shutil.copytree(jobs.jobs_dir, os.path.join(directory, "jobs.d"))
        os.makedirs(node.runtime)
        os.chown(node.runtime, int(self.uid), int(self.uid))
        return node

    def limit(self, pid, what):
        """As prlimit(1) says it, of a process of this user."""
        subprocess.run([*self.front, "prlimit", "--pid", str(pid), what], check=True, timeout=10)


@pytest.fixture
def somebody(onced):
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    with tempfile.TemporaryDirectory() as directory:
        yield Somebody(directory, onced)


@PLAIN
def test_runs_that_get_no_process_are_recorded(jobs, somebody):
    two_jobs(jobs)
    node = somebody.node(jobs).start()
    run_that(jobs, "ok")
    agent = node.agent()
    somebody.limit(node.guardian, "--nproc=1:")
    check_refusals(jobs, node, EAGAIN)
    check_without_agent(node, agent, EAGAIN)
    somebody.limit(node.guardian, "--nproc=100:")
    check_recovery(jobs, node, node.agent(20) != agent)


def trapper(jobs, directory):
    """A service that writes down what it is told; the file."""
    said = os.path.join(directory, "said")
    with open(os.path.join(directory, "trapper"), "w", encoding="ascii") as script:
        script.write("trap 'echo told > %s; exit 0' TERM\necho up > %s\nwhile :; do sleep 0.05; done\n" % (said, said))
    jobs.job("trapper", Type="service", Exec="/bin/sh %s" % script.name)
    return said


def with_grace(node):
    """Two seconds of it rather than a third of one."""
    with open(node.conf, "r+", encoding="ascii") as file:
        text = file.read()
        file.seek(0)
        file.write(text.replace("Profile=fast", "Profile=normal"))
    return node


def check_told(node, said, limit):
    """Its end, with no descriptor left for the guardian, is as any other."""
    def says(word):
        with open(said, encoding="ascii") as file:
            return file.read() == word + "\n"
    wait_for("the job", lambda: os.path.exists(said) and says("up"), 8)
    limit(lowest_free(node.guardian))
    node.process.terminate()
    assert node.wait_end(30) == 0, node.text()
    assert says("told")
    assert lines(node.text(), "released token", "its work is dead"), node.text()


@TLS
def test_an_orderly_end_needs_no_descriptor(jobs, tmp_path):
    said = trapper(jobs, str(tmp_path))
    node = jobs.nodes["a"] = with_grace(FileNode("a", jobs.directory, jobs.onced, jobs.cluster,
                                                 etcd_keys=jobs.etcd_keys)).start()
    check_told(node, said, lambda below: Descriptors(node.guardian, below).__enter__())


@PLAIN
def test_an_orderly_end_needs_no_descriptor_without_a_cgroup(jobs, somebody):
    said = trapper(jobs, somebody.directory)
    node = with_grace(somebody.node(jobs)).start()
    check_told(node, said, lambda below: somebody.limit(node.guardian, "--nofile=%d:" % below))


# ---- starts -------------------------------------------------------------------------------------------------------

def start_with(group, below):
    """`onced run --once` with so few descriptors: its exit code and log, -1 when it waits for etcd for good."""
    node = group.add("n%d" % below, "--once", *SLOW, job=["/bin/echo", "done"])
    node.front = ["prlimit", "--nofile=%d:%d" % (below, below)]
    node.start()
    wait_for("its end or word", lambda: not node.running() or lines(node.text(), "etcd does not serve us"), 20)
    try:
        return node.wait_end(3), node.text()
    except ClusterError:
        node.process.terminate()
        code = node.wait_end(20)
        return -1 if code == 128 + signal.SIGTERM else code, node.text()


@TLS
def test_a_start_with_few_descriptors_works_or_says_why(group):
    """Down to the four that the loader of programs needs."""
    ends = {}
    for below in [*range(4, 17), 20, 24, 32]:
        code, text = start_with(group, below)
        ends.setdefault(code, []).append(below)
        assert code in (-1, 0, 1, 126), "%d: exit %d\n%s" % (below, code, text)
        if code == 0:
            assert lines(text, "done"), text
        elif code != -1:
            assert len(lines(text, " error ", EMFILE)) == len(lines(text, " error ")) == 1, text
    assert 4 in ends[1] and {24, 32} <= set(ends[0]), ends


@PLAIN
def test_a_start_without_a_process_says_why(jobs, somebody):
    node = somebody.node(jobs)
    node.front = ["prlimit", "--nproc=1:1"]
    node.start()
    assert node.wait_end(20) == 1
    assert len(node.text().splitlines()) == len(lines(node.text(), " error cannot start: " + EAGAIN)) == 1, node.text()


@TLS
def test_oncectl_with_few_descriptors_works_or_says_why(cluster, oncectl):
    env, worked = dict(clean_environment(), **cluster.etcdctl_environment()), set()
    cluster.etcdctl("put", "/onced/k", "v")
    for below in [*range(4, 13), 16]:
        patience = "1s" if below < 12 else "10s"
        for words in (("get", "/onced/k"), ("status",)):
            done = subprocess.run(["prlimit", "--nofile=%d:%d" % (below, below), oncectl, "--command-timeout",
                                   patience, *words], env=env, timeout=30, text=True, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            said = "%d descriptors, %s: exit %d\n%s%s" % (below, words, done.returncode, done.stdout, done.stderr)
            assert done.returncode in (0, 1, 2, 3), said
            if done.returncode == 0:
                worked.add(below)
                assert done.stderr == "" and done.stdout == "/onced/k\nv\n" or words == ("status",), said
            else:
                assert done.stdout == "" and len(done.stderr.splitlines()) == 1, said
    assert {12, 16} <= worked, worked
