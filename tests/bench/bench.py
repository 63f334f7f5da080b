#!/usr/bin/python3
"""Measures onced and its tools, and writes docs/benchmarks.md.

In parts: failover, beside etcdctl; writers, rtt, bulk and million, the tools (see these files).

failover: one etcd with TLS; everything runs inside network namespaces of its own, on its loopback,
except for the cuts, where each node has its own namespace. Without root there are no namespaces and no
cuts.
"""
import argparse
import ctypes
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))

import bulk  # noqa: E402
import failover  # noqa: E402
import idle  # noqa: E402
import million  # noqa: E402
import net as network  # noqa: E402
import parts  # noqa: E402
import procs  # noqa: E402
import report  # noqa: E402
import rtt  # noqa: E402
import writers  # noqa: E402
from candidates import Lock, Onced  # noqa: E402
from cluster import Cluster, ClusterError  # noqa: E402
from rig import Rig  # noqa: E402

CLONE_NEWNET = 0x40000000
CANDIDATES = 4
TOOLS = {"writers": writers, "rtt": rtt, "bulk": bulk, "million": million}


class Bench:
    """What every measurement needs to know."""

    def __init__(self, options, directory):
        self.onced, self.lifejob = options.onced, options.lifejob
        self.runs, self.seconds, self.settle = options.runs, options.seconds, options.settle
        self.directory, self.net, self.cluster = directory, None, None
        self.missing = network.available()
        where = {}
        if not self.missing:
            names = ["%s%d" % (side, i) for i in range(CANDIDATES) for side in "ab"]
            self.net = network.Net(names, options.members)
            where = {"addresses": self.net.addresses}
        self.cluster = Cluster(os.path.join(directory, "etcd"), options.members, True,
                               options.etcd, **where)
        if self.net:
            enter(self.net.hub)

    def leaves(self, number):
        return ("a%d" % number, "b%d" % number) if self.net else (None, None)

    def close(self):
        self.cluster.close()
        if self.net:
            self.net.close()


def enter(namespace):
    """This process and all it starts from now on live in that network namespace."""
    with open("/proc/%d/ns/net" % namespace.holder.pid) as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def starts(bench, candidates):
    """Alone on an empty etcd, from the exec to the job's first line."""
    rows = []
    for candidate in candidates:
        for number in range(bench.runs):
            bench.cluster.wipe()
            run = failover.Run(bench, candidate, "start", number)
            begin = failover.History(os.path.join(run.directory, "begin"))
            try:
                run.start("a", front=[bench.lifejob, begin.path, "a", "--then"])
                run.history.wait_life(10)
                took = (run.history.first().ns - begin.first().ns) / 1e6
            except ClusterError:
                took = None
            finally:
                run.nodes["a"].close()
                procs.end_orphans(0.1)
            rows.append({"candidate": candidate.name, "fault": "start", "ms": took,
                         "overlap_ms": 0, "clash": False, "old_runs_on": False})
    return rows


def first_line(*command):
    try:
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return "?"
    return (out.splitlines() or ["?"])[0]


def machine():
    model = "unknown CPU"
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return "%d x %s, %.0f GiB, Linux %s, load at the start %.2f" % (
        os.cpu_count(), model, memory, platform.release(), os.getloadavg()[0])


def document(bench, options, rows, idle_rows, host):
    program = options.etcd and os.path.join(options.etcd, "etcd") or "etcd"
    ctl = options.etcd and os.path.join(options.etcd, "etcdctl") or "etcdctl"
    cut = "" if bench.net else "\nNo network cuts: %s.\n" % bench.missing
    return """# Benchmarks

Written by `make bench RUNS=%d`, %s.
%s; %s, %s, %s; %d member(s), TLS.

Median [min-max]. From the fault to the first line of the next leader's job; two jobs at once is what
the jobs' own lines show, to 10 ms, and the lock that each job holds while it lives. The etcdctl rows
are a lower bound where the old job was still running when the run ended, %g s after the takeover.
Faults that wait for a timeout ran side by side, the others alone.
%s
%s

At rest for %g s, a job that sleeps; onced: guardian, agent and keeper together; requests: messages that etcd
received from clients. `etcdctl elect` runs no job.

%s
""" % (options.runs, time.strftime("%Y-%m-%d"), host, first_line(options.onced, "--version"),
       first_line(program, "--version"), first_line(ctl, "version"), options.members,
       failover.OBSERVE["kill"], cut, report.failover_table(rows), options.seconds,
       report.idle_table(idle_rows))


def arguments():
    build = os.path.join(TOP, "build")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--onced", default=os.path.join(build, "daemon", "onced"))
    parser.add_argument("--lifejob", default=os.path.join(build, "tests", "integration", "lifejob"))
    parser.add_argument("--etcd", help="directory of etcd and etcdctl (default: $PATH)")
    parser.add_argument("--members", type=int, default=1, choices=(1, 3))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--part", choices=parts.ORDER, action="append", help="these parts alone")
    parser.add_argument("--each", type=float, default=3, help="writers, rtt: seconds of each row")
    parser.add_argument("--beside", help="what else the machine does meanwhile, to be said in the document")
    parser.add_argument("--seconds", type=float, default=20, help="of rest, per role")
    parser.add_argument("--settle", type=float, default=8, help="seconds before it")
    parser.add_argument("--only", choices=("start", "failover", "idle"), action="append")
    parser.add_argument("--check", action="store_true", help="hold the figures against the aims")
    parser.add_argument("--output", default=os.path.join(TOP, "docs", "benchmarks.md"))
    options = parser.parse_args()
    options.onced, options.lifejob = map(os.path.abspath, (options.onced, options.lifejob))
    return options


def say(row):
    print("%-22s %-6s %8s ms  two at once %6.0f ms %s" % (
        row["candidate"], row["fault"], "never" if row["ms"] is None else number(row["ms"]),
        row["overlap_ms"], row.get("error", "")), flush=True)


number = report.number


def tools(options, name):
    """A part of the tools; True: its aims were reached."""
    directory = tempfile.mkdtemp(prefix="onced-bench-")
    rig = Rig(options, directory, "%s, %s" % (time.strftime("%Y-%m-%d"), machine()))
    try:
        text = TOOLS[name].measure(rig)
    finally:
        procs.end_orphans(0)
        shutil.rmtree(directory, ignore_errors=True)
    parts.replace(options.output, name, text)
    print("\n" + text)
    return not rig.missed


def elections(options):
    host, only = machine(), options.only or ("start", "failover", "idle")
    directory = tempfile.mkdtemp(prefix="onced-bench-")
    bench, rows, idle_rows = Bench(options, directory), [], []
    candidates = [Onced(options.onced, "fast"), Onced(options.onced, "normal"), Lock(2), Lock(10)]
    try:
        bench.cluster.start()
        if "start" in only:
            rows += starts(bench, candidates)
        if "failover" in only:
            rows += failover.measure(bench, candidates, say)
        if "idle" in only:
            idle_rows = idle.measure(bench)
    finally:
        bench.close()
        procs.end_orphans(0)
        shutil.rmtree(directory, ignore_errors=True)
    text = document(bench, options, rows, idle_rows, host)
    parts.replace(options.output, "failover", text)
    print("\n" + text)
    aims = report.Aims(rows, idle_rows)
    good = aims.check(["kill", "stop"] + (["cut"] if bench.net else []))
    print("\n".join(aims.lines) if options.check else "", end="\n" * bool(options.check))
    return good


def main():
    options = arguments()
    procs.adopt()
    # failover last: it moves into a network namespace
    wanted = [name for name in parts.ORDER if not options.part or name in options.part]
    good = [tools(options, name) for name in wanted if name in TOOLS]
    if "failover" in wanted:
        good.append(elections(options))
    if options.check:
        sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
