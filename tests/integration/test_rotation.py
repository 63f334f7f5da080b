"""Certificates and passwords that are replaced while a node leads: it goes on leading, with the new ones."""
import os
import shutil
import time

import pytest

import certs
import procs
from cluster import wait_for
from jobnode import FileNode, JobGroup
from passwords import AuthCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = AuthCluster(tmp_path_factory.mktemp("rotation"), 1, True)
    yield made.start()
    made.close()


@pytest.fixture
def leader(cluster, tmp_path, onced):
    """A node with certificate files of its own, which leads and runs a job."""
    jobs = JobGroup(tmp_path, cluster, onced)
    jobs.job("idle", Exec="/bin/sleep 1000")
    node = FileNode("alpha", tmp_path, onced, cluster)
    node.tls = tmp_path / "tls"
    node.tls.mkdir(mode=0o700)
    for path in (cluster.tls.client, cluster.tls.client_key):
        shutil.copy2(path, node.tls)
    with open(node.conf, encoding="ascii") as conf:
        text = conf.read()
    with open(node.conf, "w", encoding="ascii") as conf:
        conf.write(text.replace(os.path.dirname(cluster.tls.client), str(node.tls)).replace(
            "CACert=%s" % node.tls, "CACert=%s" % os.path.dirname(cluster.tls.ca)))
    node.start()
    jobs.nodes["alpha"] = node
    wait_for("a leader with its job", node.jobs, 20, 0.05)
    yield node
    print(node.text())
    jobs.close()
    cluster.wipe()


def reload(node, said):
    before = node.text().count(said)
    procs.send(node.guardian, 1)
    wait_for("%r in the log" % said, lambda: node.text().count(said) > before, 10, 0.05)


def goes_on(node, job, seconds=4):
    """Longer than a lease lives, with the same process of the job."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert node.jobs() == job and node.running()
        time.sleep(0.1)
    assert "lost" not in node.text() and "in time: stopping" not in node.text()


def test_certificate_is_renewed(leader, cluster, tmp_path):
    job, tls = leader.jobs(), cluster.tls
    new = certs.issue(str(tmp_path), "renewed", "/O=renewed", tls.ca, tls.ca_key, "clientAuth")
    for path, name in zip(new, (tls.client, tls.client_key)):
        os.chmod(path, 0o600)
        os.replace(path, leader.tls / os.path.basename(name))
    before = leader.text().count("connected to")
    reload(leader, "info reloaded")
    wait_for("a new connection", lambda: leader.text().count("connected to") > before, 10, 0.05)
    goes_on(leader, job)


def test_certificate_and_key_that_do_not_fit_change_nothing(leader, cluster, tmp_path):
    job, tls = leader.jobs(), cluster.tls
    cert, _ = certs.issue(str(tmp_path), "other", "/O=other", tls.ca, tls.ca_key, "clientAuth")
    os.replace(cert, leader.tls / os.path.basename(tls.client))
    reload(leader, "going on with the old")
    goes_on(leader, job)


def test_password_is_changed(cluster, tmp_path, onced, oncectl):
    cluster.add_role(oncectl, "node")
    cluster.ask_for_passwords()
    try:
        jobs = JobGroup(tmp_path, cluster, onced)
        password = tmp_path / "password"
        shutil.copy2(cluster.password_file, password)
        jobs.etcd_keys = "User=onced\nPasswordFile=%s" % password
        jobs.job("idle", Exec="/bin/sleep 1000")
        jobs.start("alpha")
        node = jobs.nodes["alpha"]
        wait_for("a leader with its job", node.jobs, 20, 0.05)
        job = node.jobs()
        password.write_text("another-one\n")
        cluster.etcdctl("user", "passwd", "onced", "--interactive=false", said="another-one\n")
        reload(node, "info reloaded")
        goes_on(node, job, 6)  # twice as long as a token is good for
    finally:
        print(jobs.logs())
        jobs.close()
