"""Rights in etcd: what `oncectl rbac` prints is enough for each role, and no more than that. With passwords,
certificates without a common name, and tokens that are good for three seconds."""
import os
import subprocess
import time

import pytest

import procs
from cluster import clean_environment, wait_for
from jobnode import JobGroup
from passwords import AuthCluster


@pytest.fixture(scope="module", params=["3.4", "3.5"])
def cluster(request, tmp_path_factory, versions, oncectl):
    made = AuthCluster(tmp_path_factory.mktemp("auth"), 1, True, versions.bindir(request.param))
    try:
        made.start()
        for role in ("node", "operator", "viewer"):
            made.add_role(oncectl, role)
        made.ask_for_passwords()
        yield made
    finally:
        made.close()


@pytest.fixture
def nodes(cluster, tmp_path, onced):
    made = JobGroup(tmp_path, cluster, onced)
    made.etcd_keys = "User=onced\nPasswordFile=%s" % cluster.password_file
    made.job("tick", Type="cron", Schedule="@every 1s", Exec="/bin/true")
    made.job("idle", Exec="/bin/sleep 1000")
    yield made
    print(made.logs())
    made.close()
    cluster.etcdctl("del", "", "--from-key")


@pytest.fixture
def ctl(cluster, oncectl):
    env = dict(clean_environment(), TZ="UTC", **cluster.etcdctl_environment())

    def call(user, *words, code=0):
        done = subprocess.run(
            procs.DIE_WITH_US + [oncectl, "--user", user, "--password-file", cluster.password_file, *words],
            env=env, timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        assert done.returncode == code, "%s %s: exit %d\n%s%s" % (
            user, words, done.returncode, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr

    return call


def ran(nodes, count):
    return wait_for("%d runs" % count, lambda: len(
        [r for r in nodes.runs("tick").values() if r["state"] == "ok"]) >= count, 30, 0.2)


def test_a_role_has_what_it_needs_and_no_more(nodes, ctl):
    nodes.start("alpha", "beta")
    ran(nodes, 2)
    first = nodes.leader()
    first.signal("kill", "guardian", "agent")
    wait_for("the other leads", lambda: nodes.leader() not in (None, first), 20, 0.1)
    ran(nodes, 5)

    assert nodes.leader().name in ctl("onced-viewer", "status")
    for words in (("runs", "tick"), ("why", "tick"), ("jobs",), ("leaders",)):
        ctl("onced-viewer", *words)
    for words in (("pause", "tick"), ("trigger", "tick"), ("put", "/onced/pause", "{}"),
                  ("del", "/leader")):
        said = ctl("onced-viewer", *words, code=1 if words[0] in ("put", "del") else 3)
        assert "permission denied" in said and said.count("\n") == 1, said

    ctl("onced-operator", "pause", "tick", "--reason", "a test")
    ctl("onced-operator", "resume", "tick")
    ctl("onced-operator", "trigger", "tick", "--wait")
    ctl("onced-operator", "new-generation", "--yes", "--above", "1")
    for words in (("put", "/leader", "me"), ("put", "/onced/run/tick/x", "{}"), ("del", "/leader"),
                  ("get", "/elsewhere")):
        assert "permission denied" in ctl("onced-operator", *words, code=1)

    assert ctl("onced", "ids", "alloc", "invoices").split()
    ctl("onced", "once", "one", "--", "true")
    assert "permission denied" in ctl("onced", "put", "/elsewhere", "x", code=1)


def test_a_right_that_is_missing_is_named_and_waited_for(nodes, cluster):
    cluster.etcdctl("role", "revoke-permission", "onced", "/onced/", "--prefix")
    nodes.start("alpha")
    node = nodes.nodes["alpha"]
    node.wait_log("permission denied", 15)
    time.sleep(2)
    assert node.running() and nodes.leader() is None
    assert node.text().count("permission denied") < 8, "said again and again:\n" + node.text()
    cluster.etcdctl("role", "grant-permission", "onced", "readwrite", "/onced/", "--prefix")
    ran(nodes, 1)
    # and taken from one who leads: the work ends in time, the node goes on trying
    cluster.etcdctl("role", "revoke-permission", "onced", "/onced/", "--prefix")
    wait_for("the job's end", lambda: not node.jobs(), 20, 0.1)
    assert node.running()
    cluster.etcdctl("role", "grant-permission", "onced", "readwrite", "/onced/", "--prefix")
    wait_for("the job again", node.jobs, 30, 0.1)
