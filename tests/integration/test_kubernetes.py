"""The manifest of conf/kubernetes: well-formed, and what it configures is what onced takes.

No cluster runs here: that a kubelet takes it is not shown.
"""
import os
import subprocess

import pytest

import certs
from cluster import clean_environment

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANIFEST = os.path.join(TOP, "conf", "kubernetes", "onced.yaml")
yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")


@pytest.fixture(scope="module")
def documents():
    with open(MANIFEST, encoding="ascii") as file:
        return {d["kind"]: d for d in yaml.safe_load_all(file)}


def test_lint():
    done = subprocess.run(["yamllint", "-d", "{extends: default, rules: {line-length: {max: 110}, "
                           "braces: {max-spaces-inside: 1}}}", MANIFEST], timeout=30, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout


def test_what_is_mounted_is_there(documents):
    pod = documents["DaemonSet"]["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    data = documents["ConfigMap"]["data"]
    for mount in pod["containers"][0]["volumeMounts"]:
        assert mount["name"] in volumes
        assert mount.get("subPath") is None or mount["subPath"] in data
    assert volumes["conf"]["configMap"]["name"] == documents["ConfigMap"]["metadata"]["name"]
    selector = documents["DaemonSet"]["spec"]["selector"]["matchLabels"]
    assert selector.items() <= documents["DaemonSet"]["spec"]["template"]["metadata"]["labels"].items()


def test_configuration_is_good(documents, onced, tmp_path):
    tls = certs.make(str(tmp_path / "etcd"), {"127.0.0.1"})
    data = documents["ConfigMap"]["data"]
    text = data["onced.conf"].replace("/etcd/ca.crt", tls.ca).replace(
        "/etcd/healthcheck-client.crt", tls.client).replace("/etcd/healthcheck-client.key", tls.client_key)
    (tmp_path / "jobs.d").mkdir()
    (tmp_path / "onced.conf").write_text(text)
    for name in set(data) - {"onced.conf"}:
        (tmp_path / "jobs.d" / name).write_text(data[name])
    done = subprocess.run([onced, "--check", "-c", str(tmp_path / "onced.conf")], timeout=20, text=True,
                          env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0 and "hello" in done.stdout, done.stdout
