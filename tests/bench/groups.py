#!/usr/bin/python3
"""Many groups on three nodes: how long until all are owned, what they cost, how they move.

    groups.py --program build/tests/bench/groups [--counts 1,100,1000] [--seconds 20] [--etcd 3.4|3.5]

For each count: a fresh etcd of one member, three nodes. Time from the start until every group has a leader;
then, over some idle seconds, etcd's requests and the nodes' CPU and memory; then one node is killed, and the
time until its groups are led by the others; then the spread. Any group led twice at once is a failure.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
from cluster import Cluster  # noqa: E402

SECOND = 1000000000
FENCE = 6  # FenceAfter= of the profile: a killed node's word counts no longer


class Node:
    def __init__(self, program, name, count, endpoints, directory):
        self.name, self.path = name, os.path.join(directory, name + ".out")
        self.out = open(self.path, "wb")
        self.err = open(os.path.join(directory, name + ".err"), "wb")
        self.process = subprocess.Popen([program, name, str(count), *endpoints], stdout=self.out,
                                        stderr=self.err, stdin=subprocess.DEVNULL)

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
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.out.close()
        self.err.close()


def requests(url):
    """Unary calls that etcd has answered."""
    with urllib.request.urlopen(url + "/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith("grpc_server_handled_total") and "unary" in line)


def owners(nodes):
    """Who leads what; an error when two do."""
    found = {}
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


def measure(program, count, seconds, bindir, directory):
    cluster = Cluster(os.path.join(directory, "etcd%d" % count), 1, False, bindir).start()
    nodes = []
    try:
        url = cluster.urls().split(",")[0]
        for name in "abc":
            nodes.append(Node(program, name, count, [url], directory))
        owned = wait_all(nodes, count, 20)
        even = spread(nodes, count)
        time.sleep(3)
        before, cpu = requests(url), [node.cost()[0] for node in nodes]
        time.sleep(seconds)
        rate = (requests(url) - before) / seconds
        used = sum(node.cost()[0] - c for node, c in zip(nodes, cpu)) / seconds * 100
        memory = max(node.cost()[1] for node in nodes)
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
    parser.add_argument("--program", required=True)
    parser.add_argument("--counts", default="1,100,1000")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--bindir", help="of another etcd than that in PATH")
    options = parser.parse_args()
    print("groups  owned (s) uneven (%)     req/s  CPU 3 (%)   RSS (MB)  moved (s) uneven (%)")
    with tempfile.TemporaryDirectory(prefix="onced-groups-") as directory:
        for count in options.counts.split(","):
            measure(options.program, int(count), options.seconds, options.bindir, directory)


if __name__ == "__main__":
    main()
