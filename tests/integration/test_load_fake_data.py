"""tools/load_fake_data.sh: what it puts, its knobs, the programs it uses, and what it refuses."""
import base64
import json
import os
import shutil
import subprocess

import pytest

from cluster import clean_environment
from conftest import TOP

SCRIPT = os.path.join(TOP, "tools", "load_fake_data.sh")
ONE = [("3.5", 1, False)]
FEW = {"STRING_COUNT": "3", "JSON_COUNT": "2", "BLOB_COUNT": "2", "BLOB_BYTES": "33"}


@pytest.fixture
def load(cluster, tmp_path, oncectl):
    """Runs it with only these programs beside the usual ones: exit code, standard output and error."""
    programs = {"etcdctl": shutil.which(cluster.etcdctl_command()[0]), "oncectl": oncectl}

    def run(*names, **env):
        path = tmp_path / ("bin-" + "-".join(names))
        path.mkdir(exist_ok=True)
        usual = ["sh", "head", "env"]
        for name, target in [(name, programs[name]) for name in names] + [
                (name, shutil.which(name)) for name in usual]:
            if not (path / name).exists():
                (path / name).symlink_to(target)
        done = subprocess.run(["sh", SCRIPT], env=dict(clean_environment(), PATH=str(path), **env),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr
    return run


def stored(cluster):
    """Values by key, under datasets/."""
    out = json.loads(cluster.etcdctl("get", "datasets/", "--prefix", "-w", "json"))
    return {base64.b64decode(kv["key"]).decode(): base64.b64decode(kv["value"])
            for kv in out.get("kvs", [])}


def check(cluster, strings, documents, blobs, size):
    found = stored(cluster)
    assert set(found) == {"datasets/%s/%d" % (kind, i) for kind, count in (
        ("strings", strings), ("json", documents), ("blobs", blobs)) for i in range(count)}
    for key, value in found.items():
        if "/json/" in key:
            assert json.loads(value)["price"] > 0
        elif "/blobs/" in key:
            assert len(value) == size
        else:
            assert value.decode() == "text number %s of a small data set" % key.split("/")[2]
    assert cluster.etcdctl("get", "", "--prefix", "--keys-only").split() == sorted(found)


@pytest.mark.parametrize("cluster", ONE, indirect=True)
def test_defaults(cluster, load):
    code, out, err = load("oncectl", ETCD_ENDPOINT=cluster.urls())
    assert (code, out, err) == (0, "50 texts, 20 JSON documents, 10 blobs under datasets/\n", "")
    check(cluster, 50, 20, 10, 1024)


@pytest.mark.parametrize("cluster", ONE, indirect=True)
@pytest.mark.parametrize("how", ["etcdctl", "oncectl named", "ETCDCTL_ENDPOINTS too"])
def test_knobs_and_programs(cluster, load, how):
    if how == "oncectl named":
        done = load("etcdctl", "oncectl", ETCD_ENDPOINT=cluster.urls(), ETCDCTL="oncectl", **FEW)
    elif how == "etcdctl":
        done = load("etcdctl", ETCD_ENDPOINT=cluster.urls(), **FEW)
    else:
        done = load("etcdctl", ETCDCTL_ENDPOINTS=cluster.urls(), **FEW)
    assert done == (0, "3 texts, 2 JSON documents, 2 blobs under datasets/\n", "")
    check(cluster, 3, 2, 2, 33)


@pytest.mark.parametrize("cluster", ONE, indirect=True)
def test_inside_a_service(cluster, load, tmp_path):
    """COMPOSE_CMD stands for docker compose: two words, then what it is to run inside."""
    compose = tmp_path / "compose"
    compose.write_text('#!/bin/sh\necho "$*" >> %s/calls\n[ "$1 $2 $3 $4" = "up exec -T store" ] || exit 9\n'
                       'shift 4\nPATH=%s\nexec "$@"\n' % (tmp_path, os.environ["PATH"]))
    compose.chmod(0o755)
    # no program here: it is inside
    assert load(COMPOSE_CMD="%s up" % compose, ETCD_SERVICE="store", ETCD_ENDPOINT=cluster.urls(),
                **FEW) == (0, "3 texts, 2 JSON documents, 2 blobs under datasets/\n", "")
    check(cluster, 3, 2, 2, 33)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 7 and calls[0].startswith("up exec -T store env ") and calls[0].endswith(
        " etcdctl put datasets/strings/0")


@pytest.mark.parametrize("cluster", ONE, indirect=True)
def test_what_it_refuses(cluster, load):
    for name in FEW:
        for bad in ("-1", "many", "1.5", "99999999999"):
            code, out, err = load("oncectl", ETCD_ENDPOINT=cluster.urls(), **{name: bad})
            assert (code, out) == (2, "") and err.count("\n") == 1 and '%s="%s"' % (name, bad) in err
    assert load("oncectl", ETCD_ENDPOINT=cluster.urls(), BLOB_BYTES="0")[0] == 2
    assert load(ETCD_ENDPOINT=cluster.urls(), ETCDCTL="nosuch") == (
        2, "", "load_fake_data.sh: nosuch: there is no such program\n")
    assert stored(cluster) == {}
    code, out, _ = load("oncectl", ETCD_ENDPOINT="http://127.0.0.1:1")
    assert code != 0 and out == "", "it must not claim what is not there"
