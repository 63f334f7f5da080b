"""etcd-faker and etcd-reporter with a million keys, once: bulk.py with ten times as many."""
import bulk

COUNT = 1000000


def document(bench, found):
    return """## A million keys

Written by `make bench PART=million`, %s; as above, once; what runs beside: %s. etcd counts the rest of a
range with every page it answers, so the time of a scan in pages of one size grows with the square of the
keys, whoever reads: etcd-reporter makes pages of a 32nd of what there is, as far as 8 MiB hold them.

%s

%s
""" % (bench.host, bench.beside, bulk.tool_table(found), bulk.parts.aims_table(bulk.tool_aims(found, COUNT)))


def measure(bench):
    found = {}
    bulk.one(bench, COUNT, 0, bulk.collector(found))
    bench.check(bulk.tool_aims(found, COUNT))
    return document(bench, found)
