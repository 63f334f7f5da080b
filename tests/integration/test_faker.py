"""etcd-faker on real etcd: same seed, same data, whatever the order, the faults, the restarts."""
import json
import signal
import subprocess
import time

import pytest

import procs
from conftest import describe
from cluster import clean_environment
from tools import connection, path, run

PLAIN, TLS = [("3.4", 1, False)], [("3.5", 3, True)]
both = pytest.mark.parametrize("cluster", PLAIN + TLS, indirect=True, ids=describe)
plain = pytest.mark.parametrize("cluster", PLAIN, indirect=True, ids=describe)


def fake(cluster, *args, **options):
    return run("etcd-faker", *connection(cluster), *args, **options)


def dump(cluster, prefix):
    """Keys below the prefix and values, as etcd holds them."""
    found = json.loads(cluster.etcdctl("get", "--prefix", prefix, "-w", "json", seconds=30))
    return [(kv["key"], kv.get("value", "")) for kv in found.get("kvs", [])]


def count(cluster, prefix):
    return len(cluster.etcdctl("get", "--prefix", prefix, "--keys-only", seconds=30).split())


@both
def test_same_seed_same_bytes_at_any_concurrency(cluster):
    fake(cluster, "-n=1000", "-c=1", "-seed", "7", "-prefix", "/x/", "-verify")
    first = dump(cluster, "/x/")
    assert len(first) == 1000
    cluster.wipe()
    out, _ = fake(cluster, "-n", "1000", "-c", "16", "-seed=7", "-prefix=/x/", "-batch=37", "-verify")
    assert dump(cluster, "/x/") == first
    assert out.startswith("1000 keys created, 0 were there")
    assert "verified: 1000 of 1000" in out


@plain
def test_kinds_and_sizes(cluster):
    fake(cluster, "-n", "60", "-json=true", "-prefix", "/j/", "-value-bytes", "500")
    for line in cluster.etcdctl("get", "--prefix", "/j/", "--print-value-only").split("\n"):
        if line:
            assert len(line.encode()) >= 500 and json.loads(line)["type"]
    fake(cluster, "-n", "5", "-binary", "-blob-bytes", "77", "-prefix", "/b/")
    assert {len(value) for _, value in dump(cluster, "/b/")} == {104}
    fake(cluster, "-n", "5", "-text", "-batch", "1", "-prefix", "/t/")
    assert count(cluster, "/t/text/") == 5


@plain
def test_started_again_it_goes_on(cluster):
    fake(cluster, "-n", "500")
    out, _ = fake(cluster, "-n", "1500", "-verify")
    assert out.startswith("1000 keys created, 500 were there")
    cluster.etcdctl("del", "--prefix", "/fake/text/")
    gone = 1500 - count(cluster, "/fake/")
    out, _ = fake(cluster, "-n", "1500", "-batch", "128", "-verify")
    assert gone > 100 and out.startswith("%d keys created, %d were there" % (gone, 1500 - gone))


@plain
def test_killed_in_the_middle(cluster):
    command = [path("etcd-faker"), *connection(cluster), "-n", "200000", "-c", "4"]
    for _ in range(3):
        process = procs.spawn(command, stdout=subprocess.DEVNULL, env=clean_environment())
        try:
            before, end = count(cluster, "/fake/"), time.monotonic() + 20
            while count(cluster, "/fake/") == before and time.monotonic() < end:
                time.sleep(0.01)
        finally:
            procs.end(process, signal.SIGKILL)
    left = count(cluster, "/fake/")
    assert left > 0
    n = max(1, left // 2)
    out, _ = fake(cluster, "-n", str(n), "-verify")
    assert "verified: %d of %d" % (n, n) in out


@plain
def test_what_is_there_already_is_left_alone(cluster):
    fake(cluster, "-n", "50", "-json")
    key = cluster.etcdctl("get", "--prefix", "/fake/", "--keys-only").split()[0]
    cluster.etcdctl("put", key, "mine")
    _, err = fake(cluster, "-n", "50", "-json", code=1)
    assert "1 keys were there with another value" in err
    assert "mine" in cluster.etcdctl("get", key)
    cluster.etcdctl("del", key)
    cluster.etcdctl("put", "/fake/other", "x")
    out, _ = fake(cluster, "-n", "50", "-json", "-verify")
    assert "50 of 50 keys are as they should be, 1 others" in out


@plain
def test_rate(cluster):
    start = time.monotonic()
    fake(cluster, "-n", "101", "-rate", "100", "-batch", "1")
    assert time.monotonic() - start >= 1.0


def test_mistakes_are_told():
    for args, said in ((["-n", "x"], "-n: bad number"), (["-n"], "-n: expected an argument"),
                       (["-foo"], "-foo: unknown flag"), (["word"], "unexpected word"),
                       (["-json=maybe"], "-json: bad value"), (["-n=0"], "-n: bad number"),
                       (["-password", "x"], "expected -password-file"), (["-prefix="], "-prefix:"),
                       (["-endpoints", "ftp://x"], "ftp://x")):
        _, err = run("etcd-faker", *args, code=2)
        assert said in err and err.count("\n") == 1, err
    assert run("etcd-faker", "-version")[0].startswith("etcd-faker ")
    assert "-blob-bytes" in run("etcd-faker", "-h")[0]
    _, err = run("etcd-faker", "-endpoints", "127.0.0.1:1", "-timeout", "1s", code=3)
    assert "1000 keys were not written" in err
