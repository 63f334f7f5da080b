"""A client of the status page, small enough to misbehave; and a strict reader of its metrics."""
import http.client
import json
import re
import socket

from cluster import wait_for

SAMPLE = re.compile(r"([a-z_]+)(?:\{((?:[a-z_]+=\"(?:[^\"\\\n]|\\[\\\"n])*\",?)+)\})? (-?[0-9.]+)$")
ADDRESS = re.compile(r"status page on http://([^/]+):(\d+)/")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Page:
    """The page of a node that was started with --http 127.0.0.1:0."""

    def __init__(self, node, seconds=10):
        def address():
            found = ADDRESS.findall(node.text())
            return found[-1] if found else None
        host, port = wait_for("the page's address in the log of " + node.name, address, seconds)
        self.host, self.port = host, int(port)

    def get(self, path, method="GET", headers=None, seconds=5):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()

    def status(self, path):
        return self.get(path).status

    def wait(self, path, status, seconds):
        return wait_for("%s to answer %d" % (path, status),
                        lambda: (lambda a: a if a.status == status else None)(self.get(path)), seconds)

    def metrics(self):
        return samples(self.get("/metrics").body)

    def connect(self, seconds=5):
        return socket.create_connection((self.host, self.port), seconds)


def samples(text):
    """{'name{label="value"}': number}; every line must be one of OpenMetrics, families in one piece."""
    assert text.endswith("\n# EOF\n"), "the last line is not # EOF"
    found, family, families = {}, None, {}
    for line in text[:-len("# EOF\n")].splitlines():
        if line.startswith("# "):
            kind, name, rest = line[2:].split(" ", 2)
            assert kind in ("HELP", "TYPE", "UNIT"), line
            assert name == family or name not in families, "%s is in two pieces" % name
            family = name
            assert kind not in families.setdefault(name, {}), line
            families[name][kind] = rest
            if kind == "UNIT":
                assert name.endswith("_" + rest), line
            continue
        match = SAMPLE.match(line)
        assert match, "no sample: %r" % line
        suffixes = {"counter": ["_total"], "info": ["_info"], "histogram": ["_bucket", "_count", "_sum"]}
        assert match.group(1) in [family + s for s in suffixes.get(families[family]["TYPE"], [""])], line
        name = line.rsplit(" ", 1)[0]
        assert name not in found, "twice: " + name
        found[name] = float(match.group(3))
    return found
