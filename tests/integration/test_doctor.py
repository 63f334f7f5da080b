"""oncectl doctor on etcds that have something wrong with them: who may log in with which certificate, alarms, what is
open to whom it should not be."""
import json
import os
import ssl
import subprocess
import urllib.request

import pytest

import certs
import procs
from cluster import clean_environment
from passwords import AuthCluster


@pytest.fixture
def cluster(tmp_path, oncectl):
    made = AuthCluster(tmp_path / "etcd", 1, True)
    try:
        made.start()
        made.add_role(oncectl, "node")
        yield made
    finally:
        made.close()


def caller(cluster, oncectl):
    env = dict(clean_environment(), **cluster.etcdctl_environment())

    def call(*words, code=0, cert=None):
        more = dict(env, ETCDCTL_CERT=cert[0], ETCDCTL_KEY=cert[1]) if cert else env
        done = subprocess.run(procs.DIE_WITH_US + [oncectl, *words], env=more, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        assert done.returncode == code, "%s: exit %d\n%s%s" % (words, done.returncode, done.stdout, done.stderr)
        return done.stdout or done.stderr

    return call


@pytest.fixture
def ctl(cluster, oncectl):
    return caller(cluster, oncectl)


def said(ctl, *words, **more):
    """{(about, level): [finding]}"""
    found = {}
    for f in json.loads(ctl("--json", "--command-timeout", "60s", *words, "doctor", **more))["findings"]:
        found.setdefault((f["about"], f["level"]), []).append(f["finding"])
    return found


def alarm(cluster, action):
    url = cluster.urls().split(",")[0] + "/v3/maintenance/alarm"
    context = ssl.create_default_context(cafile=cluster.tls.ca)
    context.load_cert_chain(cluster.tls.client, cluster.tls.client_key)
    body = json.dumps({"action": action, "alarm": "NOSPACE"}).encode()
    with urllib.request.urlopen(url, body, timeout=20, context=context) as answer:
        answer.read()


def test_who_may_log_in_and_alarms(ctl, cluster, tmp_path):
    ca = cluster.tls.ca
    named = certs.issue(str(tmp_path), "named", "/CN=alice", ca, os.path.splitext(ca)[0] + ".key", "clientAuth")
    found = said(ctl)
    assert "holds for" in found["certificate", "ok"][0] and ("login", "BAD") not in found
    found = said(ctl, cert=named)  # works, as long as nobody turns auth on
    assert "has the CommonName alice" in found["certificate", "warning"][0]

    alarm(cluster, "ACTIVATE")
    found = said(ctl, code=1)
    assert "NOSPACE" in found["alarm", "BAD"][0]
    alarm(cluster, "DEACTIVATE")
    assert ("alarm", "BAD") not in said(ctl)

    cluster.ask_for_passwords()
    found = said(ctl, code=1)
    assert "wants a user" in found["login", "BAD"][0] and len(found["access", "BAD"]) == 3
    user = ("--user", "onced", "--password-file", cluster.password_file)
    found = said(ctl, *user)
    assert ("access", "BAD") not in found and ("round trip", "ok") in found
    line = ctl(*user, "doctor", code=3, cert=named)
    assert "no client certificate with a CommonName" in line and line.count("\n") == 1, line


@pytest.fixture
def made(tmp_path, oncectl, versions):
    """made(version, tls, flags of etcd): a cluster of one with the role of a node; auth is off."""
    clusters = []

    def make(version, tls, *flags):
        cluster = AuthCluster(tmp_path / "holes", 1, tls, versions.bindir(version))
        clusters.append(cluster)
        cluster.extra += flags
        cluster.start().add_role(oncectl, "node")
        return cluster

    yield make
    for cluster in clusters:
        cluster.close()


def as_node(cluster):
    return "--user", "onced", "--password-file", cluster.password_file


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_what_a_login_leaves_open(made, oncectl, version):
    cluster = made(version, True)
    found = said(caller(cluster, oncectl), *as_node(cluster))
    assert "user onced and its password protect nothing" in found["auth", "warning"][0]
    assert "m0: who has no certificate is not let in" in found["TLS", "ok"]
    assert ("auth", "warning") not in said(caller(cluster, oncectl))  # who has a certificate, on this host

    cluster.ask_for_passwords()
    found = said(caller(cluster, oncectl), *as_node(cluster))
    assert found["auth", "ok"] == ["auth is on: no key without a login"] and ("TLS", "warning") not in found
    leases = found.get(("auth", "warning"), [])
    if version == "3.4":
        assert len(leases) == 1 and leases[0].startswith("m0: leases are listed, granted and renewed without a login")
        assert "--client-cert-auth" not in leases[0]
    else:  # its status is for root
        assert leases == [] and "m0 tells nothing of itself: " in found["member", "warning"][0]


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_a_certificate_that_nobody_has_to_have(made, oncectl, version):
    cluster = made(version, True, "--client-cert-auth=false", "--trusted-ca-file=")
    cluster.ask_for_passwords()
    found = said(caller(cluster, oncectl), *as_node(cluster))
    assert found["TLS", "warning"][0].startswith("m0: who has no certificate is let in") and ("TLS", "ok") not in found
    assert ("auth", "warning") not in found if version != "3.4" else "--client-cert-auth" in found["auth", "warning"][0]


def test_plaintext_beyond_this_host(made, oncectl):
    cluster = made("3.4", False)
    found = said(caller(cluster, oncectl))
    assert found["TLS", "ok"] == ["plaintext, on this host only"] and ("TLS", "warning") not in found
    assert found["auth", "warning"] == ["auth is off: every user of this host may lead"]

    cluster.kill(0)  # what it advertises is for documentation, and not asked: nobody allowed plaintext to there
    cluster.extra += ["--advertise-client-urls", "http://192.0.2.1:2379"]
    cluster.spawn(0)
    cluster.wait_healthy()
    found = said(caller(cluster, oncectl))
    assert "http://192.0.2.1:2379 is plaintext: everybody on the network may read and lead" in found["TLS", "warning"][0]
    assert "auth is off: whoever reaches http://192.0.2.1:2379 may lead" in found["auth", "warning"][0]
    found = said(caller(cluster, oncectl), *as_node(cluster))
    assert "may read the password and lead" in found["TLS", "warning"][0]
    assert "protect nothing" in found["auth", "warning"][0]
