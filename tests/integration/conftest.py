"""What the tests over real processes share. Clusters and namespaces are made once and used again.

    ONCED_BIN     the daemon (default build/daemon/onced)
    ONCECTL_BIN   the operator's command (default build/tools/oncectl/oncectl)
    LIFEJOB_BIN   the job under test (default build/tests/integration/lifejob)
    EXAMPLE_BIN   the program on libonce (default build/examples/elect)
    THRONG_BIN    hundreds of nodes in one process (default build/tests/integration/throng)
    SIM_BIN       the simulator (default build/tests/sim/sim)
    ONCED_TEST_AUTH=yes  the clusters that tests share ask for passwords, with tokens of three seconds; daemons and
                  oncectl have the rights that `oncectl rbac` prints for a node, no more
"""
import os
import subprocess

import pytest

import net as network
import procs
from cluster import Cluster
from jobnode import JobGroup
from node import Group
from passwords import AuthCluster

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
procs.adopt()


def program(variable, default):
    path = os.environ.get(variable) or os.path.join(TOP, default)
    return os.path.abspath(path)


ONCECTL = ("ONCECTL_BIN", "build/tools/oncectl/oncectl")
AUTH = os.environ.get("ONCED_TEST_AUTH") == "yes"
# Why a module has nothing to say about a node with its role.
WITHOUT_AUTH = dict.fromkeys((
    "test_client", "test_client_peer", "test_confirm", "test_etcdctl", "test_faker", "test_harness",
    "test_load_fake_data", "test_lock", "test_reporter"), "reads and writes keys that are not onced's")
WITHOUT_AUTH.update(dict.fromkeys((
    "test_compose", "test_doctor", "test_example", "test_hostile_answers", "test_hostile_certs",
    "test_hostile_logins", "test_install", "test_kubernetes", "test_maintenance", "test_rbac", "test_rotation",
    "test_throng", "test_tutorial"), "makes a cluster of its own, or needs none"))
WITHOUT_AUTH.update({
    "test_a_job_writes_only_in_its_term": "writes a key that is not onced's",
    "test_commands_of_our_programs": "fills an etcd with keys that are not onced's",
    "test_configuration_file": "leads by keys that are not those of the role",
    "test_runs_that_get_no_process_are_recorded": "a user who may not read the password",
    "test_a_start_without_a_process_says_why": "a user who may not read the password",
    "test_an_orderly_end_needs_no_descriptor_without_a_cgroup": "a user who may not read the password",
    "test_the_example": "the example is not about logging in"})


def pytest_collection_modifyitems(items):
    for item in items if AUTH else ():
        reason = WITHOUT_AUTH.get(item.module.__name__) or WITHOUT_AUTH.get(item.originalname)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


FIGURES = pytest.StashKey()


@pytest.fixture
def figure(request):
    """What a test measured, printed behind the results."""
    return request.config.stash.setdefault(FIGURES, []).append


def pytest_terminal_summary(terminalreporter, config):
    for text in config.stash.get(FIGURES, []):
        terminalreporter.write_line(text)


@pytest.fixture(scope="session", autouse=True)
def leaves():
    """A daemon that was killed leaves its cgroup, empty, for its next start; there is none here."""
    before = procs.leaves()
    yield
    procs.remove_leaves(procs.leaves() - before)


@pytest.fixture(scope="session")
def onced():
    path = program("ONCED_BIN", "build/daemon/onced")
    assert os.access(path, os.X_OK), "no %s: run make first, or set ONCED_BIN" % path
    return path


@pytest.fixture(scope="session")
def oncectl():
    path = program(*ONCECTL)
    assert os.access(path, os.X_OK), "no %s: run make first, or set ONCECTL_BIN" % path
    return path


@pytest.fixture(scope="session")
def lifejob():
    path = program("LIFEJOB_BIN", "build/tests/integration/lifejob")
    assert os.access(path, os.X_OK), "no %s: run make first, or set LIFEJOB_BIN" % path
    return path


class Versions:
    """Where each etcd is; the newer one is fetched when a test first asks for it."""

    def __init__(self):
        self.found = {}

    def bindir(self, version):
        if version == "3.4":
            return None
        if version not in self.found:
            done = subprocess.run([os.path.join(TOP, "tools", "etcd-versions.sh")], text=True,
                                  stdout=subprocess.PIPE, timeout=300)
            line = done.stdout.strip().split("\n")[-1]
            self.found[version] = (done.returncode, line)
        code, line = self.found[version]
        if code == 77:
            pytest.skip(line)
        assert code == 0, "tools/etcd-versions.sh: exit %d" % code
        return line.split("\t")[1]


@pytest.fixture(scope="session")
def versions():
    return Versions()


class Pool:
    """Clusters by what they are; repaired and emptied before each use."""

    def __init__(self, root, versions):
        self.root, self.versions, self.clusters = root, versions, {}

    def get(self, version, members, tls, net=None):
        key = (version, members, tls, net)
        if key not in self.clusters:
            where = {"addresses": net.addresses, "prefix": net.hub.prefix} if net else {}
            directory = self.root / ("etcd%d" % len(self.clusters))
            kind = AuthCluster if AUTH else Cluster
            made = kind(directory, members, tls, self.versions.bindir(version), **where).start()
            self.clusters[key] = made.guard(program(*ONCECTL)) if AUTH else made
        cluster = self.clusters[key].repair()
        cluster.wipe()
        return cluster

    def close(self):
        for cluster in self.clusters.values():
            cluster.close()


@pytest.fixture(scope="session")
def pool(tmp_path_factory, versions):
    made = Pool(tmp_path_factory.mktemp("clusters"), versions)
    yield made
    made.close()


def describe(config):
    version, members, tls = config
    return "%s-%d-%s" % (version, members, "tls" if tls else "plain")


@pytest.fixture
def cluster(request, pool):
    """Parametrise indirectly with (version, members, tls)."""
    return pool.get(*request.param)


@pytest.fixture
def group(cluster, tmp_path, onced, lifejob):
    """Nodes on the cluster; the end checks that no two lives overlapped and nothing was left behind."""
    made = Group(tmp_path, cluster, onced, lifejob)
    yield made
    made.close()
    made.history.check()


@pytest.fixture
def jobs(cluster, tmp_path, onced):
    """Daemons with job files, started by the test once these are written."""
    made = JobGroup(tmp_path, cluster, onced)
    yield made
    print(made.logs())  # shown when the test failed
    made.close()


@pytest.fixture(scope="session")
def links():
    """Namespaces a and b around a hub for three members."""
    reason = network.available()
    if reason:
        pytest.skip(reason)
    made = network.Net(["a", "b"], 3)
    yield made
    made.close()


@pytest.fixture
def netgroup(request, pool, links, tmp_path, onced, lifejob):
    """Like group, every node in its own network namespace. Parametrise with the etcd version."""
    made = Group(tmp_path, pool.get(request.param, 3, True, links), onced, lifejob, net=links)
    yield made
    links.heal_all()
    made.close()
    made.history.check()
