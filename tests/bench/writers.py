"""Confirmed ids a second: the three modes beside the gateway's own ceiling, in one run.

The ceiling is wrk with requests of the same shape on as many connections: a put, the txn that creates
one key, a txn of 128 puts. With $ONCED_PEERS, a directory with Go's writers (goputbench-*), those of
clientv3 are beside it. What a request costs the client is held against libcurl alone (curlfloor): no
library on top of it can take less.
"""
import glob
import json
import os

import load
import parts

BATCH = 128
PACKED_IDS = 30000000


def ceilings():
    for shape, connections, ops in (("put", 1, 1), ("create", 1, 1), ("put", 64, 1), ("create", 64, 1),
                                    ("txn", 1, BATCH), ("guarded", 1, BATCH), ("txn", 8, BATCH),
                                    ("guarded", 8, BATCH), ("txn", 64, BATCH)):
        yield shape, connections, ops


def modes():
    for mode, inflight in (("individual", 1), ("individual", 64), ("txn", 1), ("txn", 8), ("txn", 64),
                           ("packed", 8)):
        flags = ["--inflight", inflight] + (["--batch", BATCH] if mode == "txn" else [])
        yield mode, inflight, flags


def go_writer():
    found = sorted(glob.glob(os.path.join(os.environ.get("ONCED_PEERS", "/nonexistent"), "goputbench-*")))
    return found[-1] if found else None


def go(program, cluster, mode, workers, count, directory, prefix):
    sink = os.path.join(directory, "go")
    done = load.run([program, "-endpoints", cluster.members[0].endpoint, "-n", str(count), "-c",
                     str(workers), "-mode", mode, "-batch", str(BATCH), "-prefix", prefix, "-vsize", "44"],
                    [m.process for m in cluster.members], sink=sink)
    with open(sink) as text:
        done.rate = json.loads(text.read().strip().split("\n")[-1])["keys_s"]
    done.ids = count
    done.cpu_us = done.cpu_s * 1e6 / count
    return done


def one_round(bench, cluster, number, add):
    """Every row once, on an etcd of its own; ours between its ceilings."""
    for shape, connections, ops in ceilings():
        done = load.gateway(cluster, shape, connections, bench.directory, ops, seconds=bench.seconds,
                            prefix="/%s/%d/" % (shape, connections))
        if done:
            add(("wrk " + shape, connections), done)
    for inflight in (1, 64):
        add(("libcurl", inflight), load.floor(bench.curlfloor, cluster, inflight, bench.directory,
                                              bench.seconds, "/floor/%d/" % inflight))
    for mode, inflight, flags in modes():
        add((mode, inflight), load.confirm(
            bench.oncectl, cluster, mode, bench.ids, bench.directory, "--prefix",
            "/%s/%d/" % (mode, inflight), *flags, seconds=bench.seconds))
    program = go_writer()
    if program:
        for mode, workers, count in (("put", 1, 5000), ("put", 64, 50000), ("txn", 64, 200000)):
            add(("Go " + mode, workers),
                go(program, cluster, mode, workers, count, bench.directory, "/go/%s/%d/" % (mode, workers)))


NAMES = {"individual": "`--mode individual`", "txn": "`--mode txn --batch 128`", "packed": "`--mode packed`",
         "wrk put": "gateway, puts", "wrk create": "gateway, txns that create one key",
         "libcurl": "libcurl alone, txns that create one key", "wrk txn": "gateway, txns of 128 puts", "wrk guarded": "gateway, txns that create 128 keys",
         "Go put": "Go clientv3, puts", "Go txn": "Go clientv3, txns of 128 puts"}
SORTED = ("wrk put", "wrk create", "libcurl", "individual", "Go put", "wrk txn", "wrk guarded", "txn", "Go txn",
          "packed")


def rows_of(found):
    rows = []
    for name, inflight in sorted(found, key=lambda key: (SORTED.index(key[0]), key[1])):
        runs = found[name, inflight]
        rows.append((NAMES[name], inflight, parts.spread([r.rate for r in runs]),
                     parts.spread([r.cpu_us for r in runs]),
                     parts.spread([r.etcd_cpu_s * 1e6 / max(1, r.ids) for r in runs]),
                     parts.spread([r.peak_mb for r in runs])))
    return rows


def ratio(found, ours, theirs):
    if ours not in found or theirs not in found:
        return None
    return parts.median([r.rate for r in found[ours]]) / parts.median([r.rate for r in found[theirs]])


def aims(found):
    """(what, value or None, aim, held)."""
    for what, ours, theirs, aim in (
            ("individual, 1 in flight, of the gateway's ceiling for the same request", ("individual", 1), ("wrk create", 1), 0.95),
            ("individual, 64 in flight, of it", ("individual", 64), ("wrk create", 64), 0.95),
            ("txn, 1 in flight, of it", ("txn", 1), ("wrk guarded", 1), 0.9),
            ("txn, 8 in flight, of it", ("txn", 8), ("wrk guarded", 8), 0.9),
            ("txn, 1 in flight, of txns of plain puts, which guard nothing", ("txn", 1), ("wrk txn", 1), 0.9),
            ("txn, 8 in flight, of txns of plain puts", ("txn", 8), ("wrk txn", 8), 0.9),
            ("txn, 1 in flight, times Go one by one", ("txn", 1), ("Go put", 1), 10),
            ("txn, 64 in flight, times Go with 64 workers", ("txn", 64), ("Go put", 64), 3.5),
            ("packed, times Go with 64 workers", ("packed", 8), ("Go put", 64), 100)):
        value = ratio(found, ours, theirs)
        yield what, value, ">= %g" % aim, value is None or value >= aim
    yield from cpu_aims(found)
    value = parts.median([r.rate for r in found["packed", 8]])
    yield "packed, ids a second", value, ">= 2,000,000", value >= 2e6


def cpu_aims(found):
    """Below Go's at the same number in flight; 30 us is what Go's takes with 64 workers. One at a time, wrk takes as
    much, for each wait wakes the process."""
    for inflight, most in ((1, None), (64, 30)):
        def cpu_us(name):
            return parts.median([r.cpu_us for r in found.get((name, inflight), ())] or [float("nan")])
        value, floor, theirs = cpu_us("individual"), cpu_us("libcurl"), cpu_us("Go put")
        what = "individual, %d in flight, us of processor per id" % inflight
        wanted = "< %s; Go's %.3g, libcurl alone %.3g, wrk %.3g" % (most or "Go's", theirs, floor, cpu_us("wrk create"))
        yield what, value, wanted, not value >= (most or theirs)  # without Go: held
        yield what + ", of libcurl alone's", value / floor, "<= 1.3", value <= 1.3 * floor


def document(bench, found):
    return """## Confirming ids

Written by `make bench PART=writers`, %s; one member, plaintext, a fresh etcd for each of %d rounds, %g s
each row, values of about 44 bytes. Ids are decimal numbers from standard input, confirmed ones go to a
file. The ceiling is wrk with the same kind of request, on as many connections as requests are in flight; the
floor of the client's processor time is a loop of libcurl alone that does nothing else.
Median [min-max]; what runs beside: %s.

%s

%s
""" % (bench.host, bench.runs, bench.seconds, bench.beside, parts.table(
        ("what", "in flight", "ids/s", "client's processor per id, us", "etcd's, us", "client's peak, MB"),
        rows_of(found)), parts.aims_table(aims(found)))


def measure(bench):
    found = {}

    def add(key, done):
        found.setdefault(key, []).append(done)
        print("%-12s %3d in flight %12s ids/s %8.1f us an id" % (
            *key, parts.number(done.rate), done.cpu_us), flush=True)
    bench.ids = load.make_ids(os.path.join(bench.directory, "ids"), PACKED_IDS)
    for number in range(bench.runs):
        with bench.cluster("writers%d" % number, 1) as cluster:
            one_round(bench, cluster, number, add)
    bench.check(aims(found))
    return document(bench, found)
