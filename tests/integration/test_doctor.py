"""oncectl doctor on etcds that have something wrong with them: who may log in with which certificate, alarms."""
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


@pytest.fixture
def ctl(cluster, oncectl):
    env = dict(clean_environment(), **cluster.etcdctl_environment())

    def call(*words, code=0, cert=None):
        more = dict(env, ETCDCTL_CERT=cert[0], ETCDCTL_KEY=cert[1]) if cert else env
        done = subprocess.run(procs.DIE_WITH_US + [oncectl, *words], env=more, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        assert done.returncode == code, "%s: exit %d\n%s%s" % (words, done.returncode, done.stdout, done.stderr)
        return done.stdout or done.stderr

    return call


def said(ctl, *words, **more):
    """{(about, level): [finding]}"""
    found = {}
    for f in json.loads(ctl("--json", *words, "doctor", **more))["findings"]:
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
