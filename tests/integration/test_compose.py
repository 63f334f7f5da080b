"""The containers of compose/, with a real Docker engine: built, started, struck and taken down.

Skipped where no engine answers: packages.list does not install one.
"""
import json
import os
import subprocess
import sys

import pytest

from cluster import wait_for

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def engine():
    try:
        return subprocess.run(["docker", "info"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=20, stdin=subprocess.DEVNULL).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


pytestmark = pytest.mark.skipif(not engine(), reason="no Docker engine answers")


def run(*command, seconds=120, **environment):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=TOP,
                          timeout=seconds, stdin=subprocess.DEVNULL, env={**os.environ, **environment})
    return done.returncode, done.stdout


@pytest.fixture(scope="module", autouse=True)
def prepared():
    code, said = run("compose/prepare", seconds=600)
    assert code == 0, said


def test_every_fault_of_the_demonstration():
    code, said = run(sys.executable, "tools/demo/demo.py", "--docker", seconds=1200)
    assert code == 0, said
    assert "never two jobs at once" in said, said


def health(project):
    """{service: what Docker says of its health} of all containers that run."""
    code, said = run("docker", "ps", "-q", "-f", "label=com.docker.compose.project=" + project)
    assert code == 0, said
    code, said = run("docker", "inspect", *said.split())
    assert code == 0, said
    return {c["Config"]["Labels"]["com.docker.compose.service"]: c["State"]["Health"]["Status"] for c in json.loads(said)}


def queried(expression, **project):
    """The values that Prometheus has for it."""
    code, said = run("compose/compose", "exec", "-T", "prometheus", "promtool", "query", "instant",
                     "http://localhost:9090", expression, **project)
    return [line.split("=> ")[1].split()[0] for line in said.splitlines() if "=> " in line] if code == 0 else None


def test_what_make_up_starts():
    """Healthy, guarded by certificate and password, and known to Prometheus."""
    project = {"COMPOSE_PROJECT_NAME": "onced-test", "PROMETHEUS": "1", "PROMETHEUS_PORT": "0"}
    try:
        code, said = run("compose/compose", "up", "-d", "--build", seconds=1200, **project)
        assert code == 0, said
        wait_for("seven healthy containers", lambda: list(health("onced-test").values()) == ["healthy"] * 7, 120, 1)
        wait_for("Prometheus to know three nodes and a leader", lambda: (
            queried('sum(up{job="onced"})', **project), queried("sum(onced_leader)", **project)) == (["3"], ["1"]), 120, 1)
        assert queried('count(ALERTS{alertname="OncedTwoLeaders"})', **project) == []
        code, said = run("compose/oncectl", "status", "--json", **project)
        assert code == 0 and '"leader"' in said, said
        code, said = run("compose/compose", "exec", "-T", "alpha", "oncectl", "--endpoints",
                         "https://etcd1:2379", "--cacert", "/secrets/client/ca.crt", "get", "/leader",
                         **project)
        assert code != 0, "without a certificate: " + said
        code, said = run("compose/compose", "exec", "-T", "alpha", "oncectl", "--endpoints",
                         "https://etcd1:2379", "--cacert", "/secrets/client/ca.crt",
                         "--cert", "/secrets/client/client.crt", "--key", "/secrets/client/client.key",
                         "get", "/leader", **project)
        assert code != 0, "without a password: " + said
    finally:
        run("compose/compose", "down", "-v", "-t", "3", **project)
