"""etcd-reporter on real etcd: what it says is what is there, whatever happens meanwhile."""
import base64
import json
import socket
import subprocess
import threading

import pytest

import procs
from cluster import clean_environment
from conftest import describe
from tools import connection, path, run

both = pytest.mark.parametrize("cluster", [("3.4", 1, False), ("3.5", 3, True)], indirect=True,
                               ids=describe)
plain = pytest.mark.parametrize("cluster", [("3.4", 1, False)], indirect=True, ids=describe)


def report(cluster, *args, **options):
    return run("etcd-reporter", *connection(cluster), *args, **options)


def fill(cluster, *args):
    run("etcd-faker", *connection(cluster), *args)


def recount(cluster, prefix):
    """The same figures from what etcdctl prints."""
    text = cluster.etcdctl("get", "--prefix", prefix, "-w", "json", seconds=30)
    kvs = [(base64.b64decode(kv["key"]), base64.b64decode(kv.get("value", "")))
           for kv in json.loads(text)["kvs"]]
    prices = []
    types = {"json": 0, "text": 0, "binary": 0, "other": 0}
    for key, value in kvs:
        kind = key[len(prefix):].split(b"/")[0].decode()
        types[kind] += 1
        if kind == "json" and "price" in json.loads(value):
            prices.append(json.loads(value)["price"])
    return kvs, types, prices


@both
@pytest.mark.parametrize("page", ["1000", "7"])
def test_known_data(cluster, page):
    fill(cluster, "-n", "600", "-prefix", "/k/")
    cluster.etcdctl("put", "/kk", "outside")
    kvs, types, prices = recount(cluster, "/k/")
    said = json.loads(report(cluster, "-prefix=/k/", "-json", "-batch", page, "-top", "3")[0])
    assert said["keys"] == said["count"] == 600 and said["count_ok"] is True
    assert said["key_bytes"] == sum(len(k) for k, _ in kvs)
    assert said["value_bytes"] == sum(len(v) for _, v in kvs)
    assert {name: said["types"][name]["keys"] for name in types} == types
    assert said["price"]["count"] == len(prices) > 10
    assert said["price"]["min"] == min(prices) and said["price"]["max"] == max(prices)
    assert abs(said["price"]["average"] - sum(prices) / len(prices)) < 0.01
    sizes = sorted((len(k) + len(v) for k, v in kvs), reverse=True)
    assert [e["bytes"] for e in said["largest"]] == sizes[:3]
    levels = {e["prefix"]: e["keys"] for e in said["prefixes"][0]}
    assert levels == {"/k/" + name + "/": n for name, n in types.items() if n}
    assert sum(e["keys"] for e in said["sizes"]) == 600


@plain
def test_text_form_and_everything(cluster):
    cluster.etcdctl("put", "a", '{"price": 2}')
    cluster.etcdctl("put", "b/\x01", "x")
    cluster.etcdctl("put", "c", "")
    out, _ = report(cluster)
    assert out.startswith("3 keys at revision ")
    assert "price in JSON: 1 documents, average 2.00, least 2.00, most 2.00" in out
    assert "b/\\x01" in out and "\x01" not in out
    assert "count check: 3 keys in etcd, 3 read: ok" in out
    out, _ = report(cluster, "-prefix", "/nothing/", "-serializable")
    assert out.startswith("0 keys under /nothing/")


class Gate:
    """A proxy before a plaintext etcd that holds back the second range request until it is opened."""

    def __init__(self, target):
        self.target, self.asked = target, 0
        self.held, self.opened = threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.sockets = [self.listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection(self.target)
                self.sockets += [client, server]
                for pair in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()
        except OSError:
            pass

    def _pass_on(self, source, sink, up):
        try:
            while data := source.recv(65536):
                self.asked += data.count(b"POST /v3/kv/range ") if up else 0
                if up and self.asked == 2:
                    self.held.set()
                    self.opened.wait(60)
                sink.sendall(data)
        except OSError:
            pass

    def close(self):
        self.opened.set()
        for each in self.sockets:
            each.close()


@plain
def test_compacted_in_the_middle(cluster):
    """The first page is read, the second is asked for at a revision that is gone by then."""
    fill(cluster, "-n", "2500", "-json")
    host, port = cluster.members[0].endpoint.split(":")
    gate = Gate((host, int(port)))
    process = procs.spawn([path("etcd-reporter"), *connection(cluster, gate.url), "-json", "-batch", "1000"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=clean_environment())
    try:
        assert gate.held.wait(30)
        put = cluster.etcdctl("put", "/other", "x", "-w", "json")
        cluster.etcdctl("compaction", str(json.loads(put)["header"]["revision"]))
        gate.opened.set()
        out, err = process.communicate(timeout=60)
    finally:
        gate.close()
        procs.end(process)
    said = json.loads(out)
    assert process.returncode == 0 and said["count_ok"] and said["keys"] == 2501
    assert said["types"]["json"]["keys"] == 2500
    assert "was compacted after 1000 keys; starting over" in err


def test_mistakes_are_told():
    for args, said in ((["-depth", "9"], "-depth: bad number"), (["-x"], "-x: unknown flag"),
                       (["-json=2"], "-json: bad value"), (["-timeout", "1"], "-timeout: bad")):
        _, err = run("etcd-reporter", *args, code=2)
        assert said in err and err.count("\n") == 1, err
    _, err = run("etcd-reporter", "-endpoints", "127.0.0.1:1", "-timeout", "500ms", code=3)
    assert err.startswith("etcd-reporter: etcd: ") and err.count("\n") == 1
