#!/usr/bin/python3
"""Many groups on three nodes: how long until all are owned, what they cost, how they move.

    groups.py --program build/tests/bench/groups [--counts 1,100,1000] [--seconds 20] [--bindir DIR]
    groups.py --onced build/daemon/onced ...

For each count: a fresh etcd of one member, three nodes. Time from the start until every group has a leader;
then, over some idle seconds, etcd's requests and the nodes' CPU and memory; then one node is killed, and the
time until its groups are led by the others; then the spread. Any group led twice at once is a failure.

With --onced the nodes are daemons, each with one job a group that is never due; who leads is what the keys
say, and memory is that of the daemon's processes together. Then /metrics and /status of a daemon that leads
its share are read, too, over TCP, further apart than an answer is kept.
"""
import argparse
import os
import signal
import socket
import sys
import tempfile
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
import procs  # noqa: E402
from cluster import Cluster  # noqa: E402

SECOND = 1000000000
FENCE = 6  # FenceAfter= of the profile: a killed node's word counts no longer


class Node:
    def __init__(self, program, name, count, endpoints, directory):
        self.name, self.path = name, os.path.join(directory, name + ".out")
        self.out = open(self.path, "wb")
        self.err = open(os.path.join(directory, name + ".err"), "wb")
        self.process = procs.spawn([program, name, str(count), *endpoints], stdout=self.out, stderr=self.err)

    def led(self):
        """The groups it leads, with their tokens."""
        led = {}
        with open(self.path) as lines:
            for line in lines:
                words = line.split()
                if words[0] == "lead":
                    led[int(words[1])] = int(words[2])
                elif words[0] == "stop":
                    led.pop(int(words[1]), None)
        return led

    def cost(self):
        """CPU seconds so far, resident kilobytes."""
        with open("/proc/%d/stat" % self.process.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        with open("/proc/%d/statm" % self.process.pid) as file:
            pages = int(file.read().split()[1])
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") // 1024

    def end(self, how):
        procs.end(self.process, how, 10)
        self.out.close()
        self.err.close()


CONF = """[Etcd]
Endpoints=%s
[Node]
Name=%s
[Daemon]
RuntimeDirectory=%s
LogLevel=warning
[Http]
Listen=127.0.0.1:%d
"""
READS = 20  # of each path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    """onced -c FILE, with all that Node has."""

    def __init__(self, onced, name, count, cluster, directory):
        self.name, self.cluster = name, cluster
        self.jobs = os.path.join(directory, "jobs.d")
        if not os.path.exists(self.jobs):
            self.write_jobs(count)
        run, conf = os.path.join(directory, "run-" + name), os.path.join(directory, name + ".conf")
        os.makedirs(run, mode=0o700, exist_ok=True)
        self.port = free_port()
        with open(conf, "w") as file:
            file.write(CONF % (cluster.urls(), name, run, self.port))
        self.out = open(os.path.join(directory, name + ".log"), "wb")
        self.process = procs.spawn([onced, "-c", conf], stdout=self.out, stderr=self.out)

    def write_jobs(self, count):
        os.makedirs(self.jobs)
        for i in range(count):
            with open(os.path.join(self.jobs, "g%d.job" % i), "w") as file:
                file.write("[Job]\nGroup=g%d\nType=cron\nSchedule=0 0 1 1 *\nExec=/bin/true\n" % i)

    def led(self):
        return {key: value for key, value in self.keys().items() if value == self.name}

    def read(self, path):
        """Milliseconds of each reading, from connecting to the last byte, sorted; and how many bytes."""
        times = []
        for _ in range(READS):
            time.sleep(0.25)
            start = time.monotonic()
            with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.port, path), timeout=10) as answer:
                size = len(answer.read())
            times.append((time.monotonic() - start) * 1000)
        return sorted(times), size

    def keys(self):
        lines = self.cluster.etcdctl("get", "--prefix", "/leader/").split("\n")
        return dict(zip(lines[0::2], lines[1::2]))

    def cost(self):
        pids = [self.process.pid] + procs.descendants(self.process.pid)
        ticks = memory = 0
        for pid in pids:
            try:
                with open("/proc/%d/stat" % pid) as file:
                    fields = file.read().rsplit(")", 1)[1].split()
                with open("/proc/%d/smaps_rollup" % pid) as file:
                    memory += sum(int(x.split()[1]) for x in file if x.startswith("Pss:"))
            except OSError:
                continue  # it has ended
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK"), memory

    def end(self, how):
        if self.process.poll() is None:
            for pid in procs.descendants(self.process.pid) if how == signal.SIGKILL else ():
                procs.send(pid, how)
        procs.end(self.process, how, 20)
        self.out.close()


def requests(url):
    """Unary calls that etcd has answered."""
    with urllib.request.urlopen(url + "/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith("grpc_server_handled_total") and "unary" in line)


def owners(nodes):
    """Who leads what; an error when two do."""
    found = {}
    if isinstance(nodes[0], Daemon):
        names = [node.name for node in nodes]
        return {key: node for key, node in nodes[0].keys().items() if node in names}
    for node in nodes:
        for group in node.led():
            if group in found:
                sys.exit("group %d: led by %s and %s" % (group, found[group], node.name))
            found[group] = node.name
    return found


def wait_all(nodes, count, seconds):
    start = time.monotonic()
    while len(owners(nodes)) < count:
        if time.monotonic() - start > seconds:
            sys.exit("only %d of %d groups are led after %d s" % (
                len(owners(nodes)), count, seconds))
        time.sleep(0.05)
    return time.monotonic() - start


def spread(nodes, count):
    """The farthest from even, in percent."""
    share = count / len(nodes)
    return max(abs(len(node.led()) - share) for node in nodes) / share * 100


def measure(options, count, directory):
    seconds = options.seconds
    directory = os.path.join(directory, str(count))
    cluster = Cluster(os.path.join(directory, "etcd"), 1, False, options.bindir).start()
    nodes = []
    try:
        url = cluster.urls().split(",")[0]
        for name in "abc":
            nodes.append(Daemon(options.onced, name, count, cluster, directory) if options.onced
                         else Node(options.program, name, count, [url], directory))
        owned = wait_all(nodes, count, 20)
        even = spread(nodes, count)
        time.sleep(3)
        before, cpu = requests(url), [node.cost()[0] for node in nodes]
        time.sleep(seconds)
        rate = (requests(url) - before) / seconds
        used = sum(node.cost()[0] - c for node, c in zip(nodes, cpu)) / seconds * 100
        memory = max(node.cost()[1] for node in nodes)
        for path in ("/metrics", "/status") if options.onced else ():
            times, size = nodes[0].read(path)
            print("%6d groups: %s, %d bytes, in %.1f ms, %.1f at worst of %d" % (
                count, path, size, times[len(times) // 2], times[-1], len(times)))
        nodes[0].end(signal.SIGKILL)
        moved = wait_all(nodes[1:], count, 30)
        print("%6d %10.2f %10.1f %10.1f %10.1f %10.1f %10.2f %10.1f" % (
            count, owned, even, rate, used, memory / 1024, moved, spread(nodes[1:], count)),
            flush=True)
        for node in nodes[1:]:
            node.end(signal.SIGTERM)
            if node.process.returncode != 0:
                sys.exit("%s ended with %d" % (node.name, node.process.returncode))
    finally:
        for node in nodes:
            node.end(signal.SIGKILL)
        cluster.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", help="of the library: build/tests/bench/groups")
    parser.add_argument("--onced", help="the daemon, in its place")
    parser.add_argument("--counts", default="1,100,1000")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--bindir", help="of another etcd than that in PATH")
    options = parser.parse_args()
    if bool(options.program) == bool(options.onced):
        parser.error("expected --program or --onced")
    procs.adopt()
    print("groups  owned (s) uneven (%)     req/s  CPU 3 (%)   RSS (MB)  moved (s) uneven (%)")
    with tempfile.TemporaryDirectory(prefix="onced-groups-") as directory:
        for count in options.counts.split(","):
            measure(options, int(count), directory)


if __name__ == "__main__":
    main()
