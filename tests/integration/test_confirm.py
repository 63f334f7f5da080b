"""oncectl confirm under faults: what it printed is in etcd, once, and nothing else is claimed."""
import os
import random
import signal
import subprocess
import sys
import time

import pytest

import procs
from cluster import clean_environment, wait_for
from conftest import TOP, describe
from tools import connection, path, run

sys.path.insert(0, os.path.join(TOP, "tests", "torture"))
from proxy import Proxy  # noqa: E402

MODES = ["individual", "txn", "packed"]
plain = pytest.mark.parametrize("cluster", [("3.4", 1, False)], indirect=True, ids=describe)
each = pytest.mark.parametrize("mode", MODES)


def confirm(cluster, *args, urls=None, **options):
    return run("oncectl", *connection(cluster, urls, "--"), "confirm", *args, **options)


def verify(cluster, mode, printed, tmp_path):
    """Nothing lost, nothing twice."""
    file = tmp_path / "printed"
    file.write_text("".join(i + "\n" for i in printed))
    out, _ = confirm(cluster, "--mode", mode, "--verify", str(file))
    assert " 0 lost;" in out and out.endswith(" 0 twice\n"), out


def lines(text):
    return "".join("%s\n" % i for i in text)


@pytest.mark.parametrize("cluster", [("3.4", 1, False), ("3.5", 3, True)], indirect=True, ids=describe)
@each
def test_every_id_comes_back_in_order(cluster, mode, tmp_path):
    ids = [str(i) for i in range(1, 3001)] + ["order-%d" % i for i in range(50)]
    random.Random(1).shuffle(ids)
    out, err = confirm(cluster, "--mode", mode, "--batch", "200", input=lines(ids))
    assert out.split() == ids and not err
    listed, _ = confirm(cluster, "--mode", mode, "--list")
    assert sorted(listed.split()) == sorted(ids)
    verify(cluster, mode, ids, tmp_path)
    out, _ = confirm(cluster, "--mode", mode, "--resume", input=lines(ids + ["new"]))
    assert sorted(out.split()) == sorted(ids + ["new"])
    verify(cluster, mode, ids + ["new"], tmp_path)


@plain
@each
def test_duplicates_are_told(cluster, mode):
    out, err = confirm(cluster, "--mode", mode, "--unordered", input="a\nb\na\nc\n", code=1)
    assert sorted(out.split()) == ["a", "b", "c"]
    assert err == "oncectl: duplicate: a\n"


@plain
def test_values_and_default_batch(cluster):
    """More keys than a txn may have operations: found out, and split."""
    out, _ = confirm(cluster, "--prefix", "/v/", input=lines("k%d\tvalue %d" % (i, i) for i in range(2000)))
    assert out.split() == ["k%d" % i for i in range(2000)]
    assert "value 77\n" in cluster.etcdctl("get", "/v/k77")
    _, err = confirm(cluster, "--mode", "packed", input="k\tv\n", code=3)
    assert "packed ids have no value" in err


@plain
@each
def test_too_large_is_split_or_refused_alone(cluster, mode):
    if mode == "packed":
        pytest.skip("an id is at most 4 KiB")
    big = "x" * 2000000
    rows = ["a%d\t%s" % (i, "y" * 30000) for i in range(100)] + ["big\t" + big]
    out, err = confirm(cluster, "--mode", mode, "--unordered", input=lines(rows), code=3)
    assert set(out.split()) == {"a%d" % i for i in range(100)}
    assert "not confirmed" in err


@plain
@each
def test_fenced(cluster, mode):
    cluster.etcdctl("put", "/leader", "me")
    token = cluster.etcdctl("get", "/leader", "-w", "fields").split('"CreateRevision" : ')[1].split()[0]
    env = {"ONCED_KEY": "/leader", "ONCED_TOKEN": token}
    out, _ = confirm(cluster, "--mode", mode, input="1\n2\n", env=env)
    assert out == "1\n2\n"
    cluster.etcdctl("del", "/leader")
    out, err = confirm(cluster, "--mode", mode, input="3\n4\n", env=env, code=75)
    assert out == "" and "fenced" in err
    assert confirm(cluster, "--mode", mode, "--list")[0] == "1\n2\n"


@pytest.fixture
def proxy(cluster):
    program = os.path.join(os.path.dirname(os.path.dirname(path("oncectl"))), "..", "tests", "torture",
                           "chaosproxy")
    target = cluster.members[0].endpoint
    port = int(target.split(":")[1]) + 7
    made = Proxy(program, [("127.0.0.1:%d" % port, target)], True, 5)
    made.url = "http://127.0.0.1:%d" % port
    yield made
    made.close()


@plain
@each
def test_cut_connections_and_lost_replies(cluster, proxy, mode, tmp_path):
    ids = [str(i) for i in range(4000)]
    process = procs.spawn([path("oncectl"), *connection(cluster, proxy.url, "--"), "confirm", "--mode",
                           mode, "--batch", "50"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=clean_environment())
    try:
        for i in range(0, len(ids), 400):
            proxy.tell("noreply", 0, 1)
            process.stdin.write(lines(ids[i:i + 400]))
            process.stdin.flush()
            if i == 0:
                wait_for("lost reply", lambda: proxy.stats()["swallowed"] > 0, 30)
            else:
                time.sleep(0.05)  # its victim may be reset before the answer comes: then none is lost
            proxy.tell("close", 0)
        proxy.heal()
        out, err = process.communicate(timeout=60)
    finally:
        procs.end(process)
    assert process.returncode == 0 and not err, err
    assert out.split() == ids
    verify(cluster, mode, ids, tmp_path)


@plain
@each
def test_killed_and_resumed(cluster, mode, tmp_path):
    ids = [str(i) for i in range(100000, 130000)]
    command = [path("oncectl"), *connection(cluster, dash="--"), "confirm", "--mode", mode, "--batch",
               "100", "--resume", "--inflight", "4"]
    (tmp_path / "ids").write_text(lines(ids))
    printed = []
    for _ in range(3):
        with open(tmp_path / "ids") as source, open(tmp_path / "out", "w+") as sink:
            process = procs.spawn(command, stdin=source, stdout=sink, env=clean_environment())
            end = time.monotonic() + 20
            try:
                while os.path.getsize(sink.name) < 5000 and time.monotonic() < end:
                    time.sleep(0.005)
            finally:
                procs.end(process, signal.SIGKILL)
            sink.seek(0)
            text = sink.read()
        printed += text[:text.rfind("\n") + 1].split()
        verify(cluster, mode, printed, tmp_path)
    assert printed
    ids = ids[:3000]
    out, _ = confirm(cluster, "--mode", mode, "--resume", input=lines(ids))
    assert sorted(out.split()) == sorted(ids)
    verify(cluster, mode, printed + ids, tmp_path)
