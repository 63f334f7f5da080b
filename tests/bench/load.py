"""Runs a program under load and says what it cost: time, processor, memory, lines on its output."""
import json
import os
import select
import shutil
import signal
import subprocess
import time

import procs
from cluster import clean_environment

TICKS = os.sysconf("SC_CLK_TCK")
LOOK_S = 0.05


def cpu_s(pid):
    """Processor time of a process so far."""
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_kb(pid):
    """Of this program, not of what was there before its exec, as ru_maxrss would have it."""
    try:
        with open("/proc/%d/status" % pid) as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def count_lines(path):
    count = 0
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            count += piece.count(b"\n")
    return count


class Run:
    """What is left of a run: seconds, cpu_s, etcd_cpu_s, peak_mb, text (its last output), code."""


def run(command, etcd=(), seconds=None, source=None, sink=None, env=None, limit=900):
    """seconds: SIGINT after so long. etcd: processes whose time counts as the server's."""
    result, start = Run(), time.monotonic()
    before = sum(cpu_s(p.pid) for p in etcd)
    with open(source or os.devnull) as stdin, open(sink or os.devnull, "w+") as stdout:
        process = procs.spawn(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True,
                              env=dict(clean_environment(), **(env or {})))
        result.peak_mb, told = 0, False
        end = os.pidfd_open(process.pid)
        try:
            # Rarely, since looking takes of the same processors; its end is seen at once.
            while not select.select([end], [], [], LOOK_S)[0]:
                result.peak_mb = max(result.peak_mb, peak_kb(process.pid) / 1024)
                passed = time.monotonic() - start
                if seconds and passed >= seconds and not told:
                    told = True
                    process.send_signal(signal.SIGINT)
                if passed > limit:
                    break
            result.seconds = time.monotonic() - start
            result.cpu_s = cpu_s(process.pid)
            result.etcd_cpu_s = sum(cpu_s(p.pid) for p in etcd) - before
            result.error = process.stderr.read()
            result.code = process.wait(5)
        finally:
            os.close(end)
            procs.end(process)
            process.stderr.close()
    return result


def confirm(oncectl, cluster, mode, ids, directory, *flags, seconds=3, members=None):
    """Confirmed ids a second of oncectl confirm, and its Run."""
    sink = os.path.join(directory, "confirmed")
    command = [oncectl, "--endpoints", cluster.urls(members), "confirm", "--mode", mode, *map(str, flags)]
    done = run(command, [m.process for m in cluster.members], seconds, ids, sink)
    if done.code not in (0, 128 + signal.SIGINT):
        raise RuntimeError("%s: exit %d: %s" % (" ".join(command), done.code, done.error))
    done.ids = count_lines(sink)
    done.rate = done.ids / done.seconds
    done.cpu_us = done.cpu_s * 1e6 / max(1, done.ids)
    os.unlink(sink)
    return done


def gateway(cluster, shape, connections, directory, ops=1, value=44, seconds=3, prefix="/ceiling/"):
    """The same of wrk with requests of that shape; None without wrk."""
    wrk = shutil.which("wrk")
    if not wrk:
        return None
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gateway.lua")
    sink = os.path.join(directory, "wrk")
    done = run([wrk, "-t1", "-c%d" % connections, "-d%ds" % seconds, "--latency", "-s", script,
                cluster.members[0].url], [m.process for m in cluster.members], sink=sink,
               env={"SHAPE": shape, "OPS": str(ops), "VALUE": str(value), "PREFIX": prefix})
    with open(sink) as text:
        said = json.loads(text.read().strip().split("\n")[-1])
    if done.code or said["errors"]:
        raise RuntimeError("wrk %s: exit %d, %d errors" % (shape, done.code, said["errors"]))
    done.ids = said["requests"] * ops
    done.rate = done.ids / said["seconds"]
    done.cpu_us = done.cpu_s * 1e6 / max(1, done.ids)
    return done


def floor(curlfloor, cluster, inflight, directory, seconds=3, prefix="/floor/"):
    """Keys created by libcurl alone, without the library."""
    sink = os.path.join(directory, "floor")
    done = run([curlfloor, cluster.members[0].url + "/v3/kv/txn", prefix, str(inflight), str(seconds)],
               [m.process for m in cluster.members], sink=sink)
    with open(sink) as text:
        said = json.loads(text.read().strip().split("\n")[-1])
    if done.code:
        raise RuntimeError("curlfloor: exit %d, %d errors" % (done.code, said["errors"]))
    done.ids = said["requests"]
    done.rate = done.ids / said["seconds"]
    done.cpu_us = done.cpu_s * 1e6 / max(1, done.ids)
    return done


def make_ids(path, count):
    """Decimal numbers, one a line."""
    with open(path, "w") as out:
        subprocess.run(["seq", "1", str(count)], stdout=out, check=True)
    return path
