"""Network namespaces: a hub where etcd lives, a leaf for every daemon node, a link between each pair.

    net = Net(["a", "b"], members=3)
    Cluster(directory, 3, tls=True, addresses=net.addresses, prefix=net.hub.prefix)
    net.cut("a"); net.heal("a")

A namespace is held by one sleeping process that dies with us, and has no name; so nothing is left on
the machine, whatever happens. Needs root.
"""
import os
import subprocess

import procs
from cluster import ClusterError, wait_for


def available():
    """None, or why not."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        net = Net(["probe"], 1)
    except (OSError, subprocess.SubprocessError, RuntimeError, ClusterError) as error:
        return "no network namespaces here: %s" % error
    net.close()
    return None


def _run(*command):
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20,
                          stdin=subprocess.DEVNULL, text=True)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stderr.strip()))


class Namespace:
    def __init__(self):
        ours = os.readlink("/proc/self/ns/net")
        self.holder = procs.spawn(["unshare", "--net", "sleep", "7200"])
        pid = self.holder.pid
        wait_for("network namespace", lambda: procs.link(pid, "ns/net") not in (None, ours)
                 and procs.command_line(pid).startswith("sleep"), 5, 0.005)
        self.prefix = ["nsenter", "--net=/proc/%d/ns/net" % pid]
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command):
        _run(*self.prefix, *command)

    def close(self):
        procs.end(self.holder)


class Net:
    """The hub owns one address per etcd member; leaf i reaches all of them over its own link."""

    def __init__(self, names, members):
        self.addresses = ["10.231.0.%d" % (i + 1) for i in range(members)]
        self.leaves, self.cuts = {}, {}
        self.hub = Namespace()
        try:
            for address in self.addresses:
                self.hub.run("ip", "address", "add", address + "/32", "dev", "lo")
            for number, name in enumerate(names, 1):
                self._add(number, name)
        except BaseException:
            self.close()
            raise

    def _add(self, number, name):
        leaf = self.leaves[name] = Namespace()
        hub_end, leaf_end = "10.231.%d.1" % number, "10.231.%d.2" % number
        self.hub.run("ip", "link", "add", "leaf%d" % number, "type", "veth", "peer", "name", "hub",
                     "netns", str(leaf.holder.pid))
        self.hub.run("ip", "address", "add", hub_end + "/30", "dev", "leaf%d" % number)
        self.hub.run("ip", "link", "set", "leaf%d" % number, "up")
        leaf.run("ip", "address", "add", leaf_end + "/30", "dev", "hub")
        leaf.run("ip", "link", "set", "hub", "up")
        leaf.run("ip", "route", "add", "default", "via", hub_end)
        self.cuts[name] = []

    def prefix(self, name):
        return self.leaves[name].prefix

    def cut(self, name, members=None):
        """Drop every packet between a leaf and these members (default: all), silently."""
        for i in range(len(self.addresses)) if members is None else members:
            for rule in (["OUTPUT", "-d", self.addresses[i]], ["INPUT", "-s", self.addresses[i]]):
                self.leaves[name].run("iptables", "-w", "-A", *rule, "-j", "DROP")
                self.cuts[name].append(rule)

    def heal(self, name):
        while self.cuts[name]:
            rule = self.cuts[name].pop()
            self.leaves[name].run("iptables", "-w", "-D", *rule, "-j", "DROP")

    def heal_all(self):
        for name in self.leaves:
            self.heal(name)

    def close(self):
        for namespace in list(self.leaves.values()) + [self.hub]:
            namespace.close()
