"""The bulk tools: filling, reporting, and what a beat feels of it.

etcd-faker beside Go's writer key by key (with $ONCED_PEERS); etcd-reporter beside one curl that fetches
the same pages over one connection; and a beat's txn, fifty times a second on a connection of its own, at
rest and under each kind of bulk work.
"""
import base64
import http.client
import json
import os
import shutil
import threading
import time

import load
import parts
import writers

COUNT = 100000
SCANS = 3  # of the same keys, taking turns
RATE = 20000
PACED = "txn --rate %d" % RATE
GO = "Go clientv3, key by key, 64 workers"
REPORTER = "etcd-reporter -batch of curl's pages"
CURL = "curl, pages of a fiftieth, 1,000 at least"


def page_of(count):
    """Keys in a page: a large scan in small pages is spent on counting what is left."""
    return max(1000, count // 50)


def fake(bench, cluster, count):
    # values of about 150 bytes, as in the measurements of others
    return load.run([bench.faker, "-endpoints", cluster.urls(), "-n", str(count), "-c", "64", "-blob-bytes",
                     "150"], [m.process for m in cluster.members])


def report(bench, cluster, *flags):
    return load.run([bench.reporter, "-endpoints", cluster.urls(), "-prefix", "/fake/", "-json", *flags],
                    [m.process for m in cluster.members], sink=os.path.join(bench.directory, "report"))


def text64(data):
    return base64.b64encode(data).decode()


def pages(cluster, directory, page):
    """A file for curl -K: the requests of a scan in pages, one connection."""
    host, port = cluster.members[0].endpoint.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    lines, key, revision, more = [], b"/fake/", 0, True
    while more:
        body = json.dumps({"key": text64(key), "range_end": text64(b"/fake0"), "limit": page,
                           "revision": revision})
        lines += ["next"] * bool(lines) + [
            'url = "%s/v3/kv/range"' % cluster.members[0].url, 'output = "/dev/null"', "silent",
            "data = " + json.dumps(body)]
        connection.request("POST", "/v3/kv/range", body.replace('"limit"', '"keys_only": true, "limit"'))
        said = json.loads(connection.getresponse().read())
        revision = revision or int(said["header"]["revision"])
        key = base64.b64decode(said["kvs"][-1]["key"]) + b"\0"
        more = said.get("more", False)
    connection.close()
    path = os.path.join(directory, "pages")
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    return path


class Beats:
    """The txn of a beat, many times a second, and how long each took."""

    PERIOD_S = 0.02

    def __init__(self, cluster):
        host, port = cluster.members[0].endpoint.split(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=30)
        key = text64(b"/bench/leader")
        self._post("/v3/kv/put", {"key": key, "value": text64(b"bench")})
        said = self._post("/v3/kv/range", {"key": key})
        self.body = {"compare": [{"key": key, "target": "CREATE", "result": "EQUAL",
                                  "create_revision": said["kvs"][0]["create_revision"]}],
                     "success": [{"request_put": {"key": text64(b"/bench/beat"), "value": text64(b"1")}}]}
        self.took_ms, self.ended = [], threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)
        self.thread.start()

    def _post(self, path, body):
        self.connection.request("POST", path, json.dumps(body))
        return json.loads(self.connection.getresponse().read())

    def _beat(self):
        while not self.ended.wait(self.PERIOD_S):
            start = time.monotonic()
            if not self._post("/v3/kv/txn", self.body).get("succeeded"):
                raise RuntimeError("a beat was refused")
            self.took_ms.append((time.monotonic() - start) * 1e3)

    def end(self):
        """Its times, sorted."""
        self.ended.set()
        self.thread.join(60)
        self.connection.close()
        return sorted(self.took_ms)


def quantile(values, part):
    return values[min(len(values) - 1, int(part * len(values)))] if values else float("nan")


def beat_loads(bench, cluster, seconds, number):
    """(what, a function that loads etcd for so long)."""
    def confirm(mode, *flags):
        return lambda: load.confirm(bench.oncectl, cluster, mode, bench.ids, bench.directory, "--prefix",
                                    "/%s%d/%d/" % (mode, len(flags), number), *flags, seconds=seconds)
    yield "at rest", lambda: time.sleep(seconds)
    for mode in ("individual", "txn", "packed"):
        yield mode, confirm(mode)
    yield PACED, confirm("txn", "--rate", RATE)
    program = writers.go_writer()
    if program:
        yield GO, lambda: writers.go(program, cluster, "put", 64, 5000 * seconds, bench.directory,
                                     "/go/%d/" % number)


def beats(bench, found):
    """At rest, then under each kind of load, in rounds on one cluster."""
    with bench.cluster("beats", 1) as cluster:
        seconds = max(5, int(2 * bench.seconds))
        for number in range(max(2, bench.runs)):
            for what, work in beat_loads(bench, cluster, seconds, number):
                probe = Beats(cluster)
                try:
                    work()
                finally:
                    times = probe.end()
                found[what] = sorted(found.get(what, []) + times)
                print("beats %-38s p50 %.2f ms, p99 %.2f ms" % (
                    what, quantile(times, 0.5), quantile(times, 0.99)), flush=True)


def one(bench, count, number, add):
    program = writers.go_writer()
    with bench.cluster("bulk%d-%d" % (count, number), 1, extra=["--quota-backend-bytes", "8000000000"]) as cluster:
        done = fake(bench, cluster, count)
        assert done.code == 0, done.error
        add("etcd-faker -c 64", count, done)
        if program and count == COUNT:
            peer = writers.go(program, cluster, "put", 64, count, bench.directory, "/go/")
            add(GO, count, peer)
        page = page_of(count)
        requests = pages(cluster, bench.directory, page)
        for _ in range(SCANS):
            for what, flags in (("etcd-reporter", ()), (REPORTER, ("-batch", str(page)))):
                done = report(bench, cluster, *flags)
                assert done.code == 0, done.error
                add(what, count, done)
            if shutil.which("curl"):
                done = load.run(["curl", "-K", requests], [cluster.members[0].process])
                assert done.code == 0, done.error
                add(CURL, count, done)


def tool_aims(found, count):
    def seconds(what):
        return parts.median([r.seconds for r in found[what, count]]) if (what, count) in found else None

    def over(a, b):
        return None if a is None or b is None else a / b

    if count == COUNT:
        value = over(seconds(GO), seconds("etcd-faker -c 64"))
        yield "etcd-faker, times Go key by key", value, ">= 3", value is None or value >= 3
    value = max(r.peak_mb for r in found["etcd-faker -c 64", count])
    yield "etcd-faker, peak MB", value, "< 20", value < 20
    value = max(r.peak_mb for r in found["etcd-reporter", count])
    yield "etcd-reporter, peak MB", value, "< 12", value < 12
    # each beside the curl that ran next: what else the machine did is much the same for both
    pairs = list(zip(found.get((REPORTER, count), ()), found.get((CURL, count), ())))
    value = parts.median([a.seconds / b.seconds for a, b in pairs]) if pairs else None
    yield "etcd-reporter, times curl's time", value, "<= 1.3", value is None or value <= 1.3


def beat_aims(beat):
    rest = quantile(beat["at rest"], 0.99)
    for mode in ("individual", "txn", PACED, "packed"):
        value = quantile(beat[mode], 0.99) / rest
        yield "p99 of a beat under %s, times that at rest" % mode, value, "<= 3", value <= 3


def tool_table(found):
    rows = [(what, parts.number(count), parts.spread([r.seconds for r in runs]),
             parts.number(count / parts.median([r.seconds for r in runs])),
             parts.spread([r.cpu_s for r in runs]), parts.spread([r.etcd_cpu_s for r in runs]),
             parts.spread([r.peak_mb for r in runs])) for (what, count), runs in sorted(
                 found.items(), key=lambda item: list(found).index(item[0]))]
    return parts.table(("what", "keys", "s", "keys/s", "client's processor, s", "etcd's, s",
                        "client's peak, MB"), rows)


def document(bench, found, beat):
    felt = [(mode, len(times), *("%.2f" % quantile(times, part) for part in (0.5, 0.9, 0.99)))
            for mode, times in beat.items()]
    return """## Filling and reporting

Written by `make bench PART=bulk`, %s; one member, plaintext, a fresh etcd each run, values of about 150
bytes, %d runs. Median [min-max]; what runs beside: %s.

%s

What a beat feels: its txn, fifty times a second on a connection of its own, while a writer confirms as
fast as it can on the same host, with as many requests in flight as it chooses. Pauses of etcd's own, to
collect garbage and to commit, grow with the keys a second: there only --rate helps.

%s

%s
""" % (bench.host, bench.runs, bench.beside, tool_table(found),
       parts.table(("bulk work", "beats", "p50, ms", "p90, ms", "p99, ms"), felt),
       parts.aims_table([*tool_aims(found, COUNT), *beat_aims(beat)]))


def collector(found):
    def add(what, count, done):
        found.setdefault((what, count), []).append(done)
        print("%-38s %8d keys %8.2f s %6.1f MB" % (what, count, done.seconds, done.peak_mb), flush=True)
    return add


def measure(bench):
    found, beat = {}, {}
    add = collector(found)
    bench.ids = load.make_ids(os.path.join(bench.directory, "ids"), writers.PACKED_IDS)
    for number in range(bench.runs):
        one(bench, COUNT, number, add)
    beats(bench, beat)
    bench.check([*tool_aims(found, COUNT), *beat_aims(beat)])
    return document(bench, found, beat)
