"""Confirmed ids a second by the round trip between the members of etcd, one request at a time.

Three members; what they say to each other passes a proxy that holds every byte back for half a round
trip in each direction. The client is beside all of them and finds the one that leads.
"""
import os

import load
import parts
import plot
import procs

ROUND_TRIPS_MS = (0, 1, 2, 5, 30, 100)
ROWS = (("individual", 1, ()), ("individual", 64, ()), ("txn", 1, ("--batch", 128)), ("packed", 1, ()))
NAMES = {("individual", 1): "individual", ("individual", 64): "individual, 64 in flight",
         ("txn", 1): "txn of 128", ("packed", 1): "packed"}
PACKED_IDS = 20000000


def delayed(bench, name, rtt_ms):
    """A cluster of three, not yet started, and the proxy between its members."""
    cluster = bench.cluster(name, 3)
    links = []
    for member in cluster.members:
        port = int(member.peer_url.rsplit(":", 1)[1])
        near = cluster.block.base + 7 + member.index
        member.advertised = "http://127.0.0.1:%d" % near
        links.append("%d=%d" % (near, port))
    return cluster, procs.spawn([bench.delayproxy, str(int(rtt_ms * 500))] + links)


def one(bench, rtt_ms, number, found):
    cluster, proxy = delayed(bench, "rtt%g-%d" % (rtt_ms, number), rtt_ms)
    try:
        cluster.start(60)
        for mode, inflight, flags in ROWS:
            done = load.confirm(bench.oncectl, cluster, mode, bench.ids, bench.directory, "--inflight",
                                inflight, *flags, "--prefix", "/%s%d/" % (mode, inflight),
                                seconds=bench.seconds)
            found.setdefault((mode, inflight), {}).setdefault(rtt_ms, []).append(done.rate)
            print("%5g ms %-12s %3d in flight %12s ids/s" % (
                rtt_ms, mode, inflight, parts.number(done.rate)), flush=True)
    finally:
        cluster.close()
        procs.end(proxy)


def limit(rtt_ms):
    return 1000 / rtt_ms if rtt_ms else None


def document(bench, found):
    rows = []
    for rtt in ROUND_TRIPS_MS:
        most = limit(rtt)
        rows.append(["%g ms" % rtt, parts.number(most) if most else "-"] +
                    [parts.spread(found[row[:2]][rtt]) for row in ROWS])
    return """## Confirmed ids a second by round trip

Written by `make bench PART=rtt`, %s; three members, plaintext, every byte between them late by half the
round trip in each direction, %d runs of %g s; the client beside the member that leads. One request at a
time, unless it says 64. One by one, 1/RTT is the limit that no client can pass; one request that holds many
ids can. At 0 ms the members, the proxy and the client share %d processors. Median [min-max]; what runs
beside: %s.

![Confirmed ids a second by round trip](rtt.svg)

%s

%s
""" % (bench.host, bench.runs, bench.seconds, os.cpu_count(), bench.beside,
       parts.table(["round trip", "1/RTT"] + [NAMES[row[:2]] for row in ROWS], rows),
       parts.aims_table(aims(found)))


def aims(found):
    value = parts.median(found["packed", 1][30])
    yield "packed at 30 ms round trip, ids a second", value, ">= 100,000", value >= 1e5
    value = parts.median(found["individual", 1][30]) * 30 / 1000
    yield "one by one at 30 ms, of 1/RTT (a follower would make it half)", value, ">= 0.8", value >= 0.8


def measure(bench):
    found = {}
    bench.ids = load.make_ids(os.path.join(bench.directory, "ids"), PACKED_IDS)
    for number in range(bench.runs):
        for rtt in ROUND_TRIPS_MS:
            one(bench, rtt, number, found)
    lines = {NAMES[key]: [(rtt, parts.median(found[key][rtt])) for rtt in ROUND_TRIPS_MS if rtt]
             for key in found}
    lines["1/RTT"] = [(rtt, limit(rtt)) for rtt in ROUND_TRIPS_MS if rtt]
    plot.write(os.path.join(os.path.dirname(bench.output), "rtt.svg"), lines,
               "round trip between members, ms", "confirmed ids a second")
    bench.check(aims(found))
    return document(bench, found)
