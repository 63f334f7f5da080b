"""What a run is made of: three members of etcd on disks that can stall, nodes in network namespaces of
their own with a chaosproxy before each, and the one who starts again what has ended."""
import base64
import json
import os
import subprocess
import sys

import checker
import instants
import procs
from cluster import Cluster, ClusterError, PortBlock, clean_environment, wait_for
from ground import enter, make_mounts, make_net
from node import now_ns
from nodes import KEY, PASSWORD, PeerNode, TortureNode
from observer import Observer
from proxy import Proxy

MEMBERS = 3
QUOTA = 16 << 20
TOKEN_SECONDS = 3


class DiskCluster(Cluster):
    """Every member writes its log to a disk of its own, and the database may not grow for long."""

    def __init__(self, directory, mounts, tls, bindir, net):
        super().__init__(directory, MEMBERS, tls, bindir, net.addresses,
                         enter(mounts.prefix, net.hub.prefix),
                         extra=["--quota-backend-bytes", str(QUOTA), "--snapshot-count", "2000",
                                "--auth-token", "simple", "--auth-token-ttl", str(TOKEN_SECONDS),
                                # else each login costs a tenth of a second of a processor that all share
                                "--bcrypt-cost", "4"])
        self.auth = False
        self.mounts = mounts
        # The ports of the block that the members do not use: a proxy before each, for the others.
        self.between = ["%s:%d" % (address, self.block.base + 2 * MEMBERS + 1 + i)
                        for i, address in enumerate(net.addresses)]
        for member, address in zip(self.members, self.between):
            member.advertised = member.peer_url.split("://")[0] + "://" + address
        self.disks = [member.data + ".disk" for member in self.members]
        for disk in self.disks:
            mounts.disk(disk)

    def enable_auth(self):
        """From now on everybody needs a token, and none is good for long. The daemons may read and write
        what is theirs and no more."""
        for words in (["user", "add", "root:" + PASSWORD], ["user", "grant-role", "root", "root"],
                      ["user", "add", "onced:" + PASSWORD], ["role", "add", "onced"],
                      ["role", "grant-permission", "onced", "readwrite", "/onced/", "--prefix"],
                      ["role", "grant-permission", "onced", "readwrite", KEY, "--prefix"],
                      ["user", "grant-role", "onced", "onced"], ["auth", "enable"]):
            self.etcdctl(*words)
        self.auth = True

    def etcdctl_command(self, *args, members=None):
        user = ["--user", "root:" + PASSWORD] if self.auth else []
        return super().etcdctl_command(*user, *args, members=members)

    def _flags(self, member):
        return super()._flags(member) + ["--wal-dir", self.disks[member.index] + "/wal"]


class Tail:
    """The last line of a growing history."""

    def __init__(self, path):
        self.path, self.offset, self.last, self.tokens = path, 0, None, []

    def read(self):
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return None
        end = data.rfind(b"\n") + 1
        self.offset += end
        for line in checker.parse(data[:end].decode()):
            if not self.last or line.ns >= self.last.ns:
                self.last = line
            if line.token not in self.tokens:
                self.tokens.append(line.token)
        return self.last


class World:
    def __init__(self, directory, chance, record, options, tls, bindir):
        self.directory, self.chance, self.event = str(directory), chance, record
        self.onced, self.lifejob, self.scribe = options.onced, options.lifejob, options.scribe
        self.allocator, self.clockstep = options.allocator, options.clockstep
        self.runs, self.ticks, self.given = (
            os.path.join(self.directory, name) for name in ("runs", "ticks", "given"))
        self.history = os.path.join(self.directory, "history")
        self.sink = os.path.join(self.directory, "sink")
        self.tail, self.nodes, self.proxies, self.spinners = Tail(self.history), {}, {}, []
        self.stalls, self.blocks, self.cluster, self.net, self.observer = {}, [], None, None, None
        self.between, self.reaped = None, 0
        self.space_is_short, self.lacks, self.newer = False, options.lacks, options.newer
        self.without_jobs, self.patience = options.without_jobs, options.patience
        self.mounts = make_mounts(self.lacks)
        try:
            self._build(options, tls, bindir)
        except BaseException:
            self.close()
            raise

    def _build(self, options, tls, bindir):
        names = ["abcdefgh"[i] for i in range(options.nodes)]
        self.net = make_net(self.lacks, names, MEMBERS)
        self.cluster = DiskCluster(os.path.join(self.directory, "etcd"), self.mounts, tls, bindir,
                                   self.net)
        links = [(address, member.peer_url.split("://")[1]) for address, member
                 in zip(self.cluster.between, self.cluster.members)]
        self.between = Proxy(options.chaosproxy, links, False, self.chance.randrange(1 << 30),
                             self.net.hub.prefix)
        self.cluster.start(40 * self.patience)
        if options.auth == "yes":
            self.cluster.enable_auth()
        self.observer = Observer(self.cluster, os.path.join(self.directory, "watch"))
        for name in names:
            ports = PortBlock()
            self.blocks.append(ports)
            links = [("%s:%d" % (address, ports.base + 1 + i), member.endpoint) for i, (address, member)
                     in enumerate(zip(self.net.addresses, self.cluster.members))]
            self.proxies[name] = Proxy(options.chaosproxy, links, not tls,
                                       self.chance.randrange(1 << 30), self.net.hub.prefix)
            urls = ",".join("%s://%s" % ("https" if tls else "http", link[0]) for link in links)
            prefix = enter(self.mounts.prefix, self.net.prefix(name))
            kind = PeerNode if options.peer else TortureNode
            node = self.nodes[name] = kind(self, name, urls, prefix)
            self.mounts.small(node.runtime)
            node.start()
            node.start_allocator()

    # ---- who is there

    def leader(self):
        """The node whose job wrote last, or None."""
        last = self.tail.read()
        if last and now_ns() - last.ns < 1e9:
            return self.nodes.get(last.node)
        return None

    def target(self, chance):
        """A node to be hit: mostly the leader. One that runs, or LookupError."""
        leader = self.leader()
        running = [node for node in self.nodes.values() if node.running()]
        if leader in running and chance.random() < 0.7:
            return leader
        if not running:
            raise LookupError("no node runs")
        return chance.choice(running)

    def member(self, chance):
        """The index of a member: mostly etcd's leader. Not one whose disk stalls."""
        usable = [m.index for m in self.cluster.running() if m.index not in self.stalled()]
        if not usable:
            raise LookupError("no member runs")
        if chance.random() < 0.6:
            first = self.cluster.leader(1)
            if first in usable:
                return first
        return chance.choice(usable)

    def stalled(self):
        self.stalls = {i: p for i, p in self.stalls.items() if p.poll() is None}
        return self.stalls

    # ---- going on

    def tick(self):
        """Start again what has ended, a little later, as a service manager does. And collect what was left
        to us: storms leave many."""
        if now_ns() > self.reaped + 1e9:
            procs.reap()
            self.reaped = now_ns()
        for node in self.nodes.values():
            if node.allocator and node.allocator.poll() is not None:
                procs.end(node.allocator)
                node.start_allocator()
            if node.running() or node.held:
                continue
            if node.due is None:
                self.event("ended", node=node.name, code=node.process.returncode)
                node.due = now_ns() + int(self.chance.uniform(0.05, 1.5) * 1e9)
            elif now_ns() >= node.due:
                node.start()

    def free_space(self):
        """What an operator does about NOSPACE. A member that is down meanwhile keeps its large database
        and raises the alarm again when it is back: then all of it is left to the heal."""
        self.cluster.etcdctl("del", "/fill/", "--prefix", seconds=4)
        self.compact()
        running = self.cluster.running()
        for member in running:
            self.cluster.etcdctl("defrag", members=[member], seconds=6)
        self.cluster.etcdctl("alarm", "disarm", seconds=4)
        self.space_is_short = len(running) < MEMBERS

    def revision(self):
        out = self.cluster.etcdctl("get", "health", "-w", "json", seconds=3)
        return json.loads(out)["header"]["revision"]

    def compact(self):
        """Up to what the observer has seen, so that the record has no gap."""
        revision = min(self.revision(), self.observer.revision)
        if revision > 0:
            self.cluster.etcdctl("compact", str(revision), seconds=4, check=False)

    def take_back_key(self):
        """An operator's put that was applied after the key was gone makes one that never ends. Nobody
        campaigns then, and all say so; who made it has to delete it."""
        kvs = json.loads(self.cluster.etcdctl("get", KEY, "-w", "json", seconds=4)).get("kvs")
        if kvs and not kvs[0].get("lease"):
            self.event("takes back the operator's key", create=kvs[0]["create_revision"])
            self.cluster.etcdctl("del", KEY, seconds=4)

    def spin(self, count, seconds):
        for _ in range(count):
            self.spinners.append(procs.spawn(["timeout", "%.1f" % seconds, sys.executable, "-c",
                                              "while True: pass"], stderr=subprocess.DEVNULL))

    def stop_spinning(self):
        for process in self.spinners:
            for pid in procs.descendants(process.pid):
                procs.send(pid, 9)
            procs.end(process)
        self.spinners = []

    def heal(self):
        """Everything as it should be, whatever was done to it."""
        self.stop_spinning()
        self.net.heal_all()
        for proxy in [*self.proxies.values(), self.between]:
            proxy.heal()
        for node in self.nodes.values():
            node.pipe.unblock()
            node.step_clock(0)
            node.held = False
            if node.running():
                for pid in [node.guardian] + procs.descendants(node.guardian):
                    procs.send(pid, 18)
        wait_for("end of the stalls", lambda: not self.stalled(), 30 * self.patience)
        self.cluster.repair(40 * self.patience)
        if self.space_is_short or self.cluster.etcdctl("alarm", "list", seconds=4).strip():
            self.free_space()
        wait_for("leader of etcd", self.cluster._leader, 20 * self.patience)
        self.take_back_key()

    def decided(self, job, until_s):
        """Whether each of its instants until then is decided, and each run of them over."""
        def answer(*words):
            return json.loads(self.cluster.etcdctl("get", *words, "-w", "json", seconds=8)).get("kvs", [])

        def value(kv):
            return json.loads(base64.b64decode(kv["value"]))
        cursor = answer("/onced/job/%s/next" % job)
        if not cursor or instants.moment(value(cursor[0])["decided"]) < until_s:
            return False
        return all(value(kv)["state"] != "begun" for kv in answer("/onced/run/%s/" % job, "--prefix")
                   if instants.moment(base64.b64decode(kv["key"]).decode().split("/")[-1]) <= until_s)

    def _catch_up(self):
        """The record of changes as complete as it can be."""
        try:
            revision = self.revision()
            wait_for("observer", lambda: self.observer.reached(revision), 10)
            self.event("caught up", revision=revision)
        except (ClusterError, OSError, ValueError, subprocess.SubprocessError) as error:
            self.event("not caught up", why=str(error)[:200])

    def close(self):
        for stall in list(self.stalls.values()):
            try:
                stall.wait(30)
            except subprocess.TimeoutExpired:
                pass
        self.stop_spinning()
        if self.net:
            self.net.heal_all()
        for proxy in self.proxies.values():
            try:
                proxy.heal()
            except ClusterError:
                pass
        for node in self.nodes.values():
            node.pipe.unblock()
            if node.allocator:
                procs.end(node.allocator)
            node.close()
        if self.observer:
            self._catch_up()
            self.observer.close()
        for thing in [*self.proxies.values(), self.cluster, self.between, *self.blocks, self.net, self.mounts]:
            if thing:
                thing.close()
        return procs.end_orphans()
