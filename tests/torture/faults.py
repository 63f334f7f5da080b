"""The faults. Each is a generator: it does something, yields (seconds, on what), and undoes it when it
is resumed or closed. LookupError: it makes no sense now. TABLE holds them with their weights."""
import json
import os
import signal
import subprocess

import procs
from cluster import clean_environment
from node import SIGNALS
from nodes import KEY

GROUP = "/onced/g/default/"


# ---- processes of a node

def _targets(node, what, wanted):
    return sorted({node.guardian if t == "guardian" else node.agent(1) for t in wanted})


def once(what, *wanted):
    def fault(world, chance):
        node = world.target(chance)
        for pid in _targets(node, what, wanted):
            procs.send(pid, SIGNALS[what])
        yield 0, node.name
    return fault


def stop(*wanted):
    def fault(world, chance):
        node = world.target(chance)
        pids = _targets(node, "stop", wanted)
        started = [(pid, procs.start_time(pid)) for pid in pids]
        for pid in pids:
            procs.send(pid, signal.SIGSTOP)
        try:
            yield chance.uniform(0.2, 4), node.name
        finally:
            for pid, start in started:
                if procs.start_time(pid) == start:
                    procs.send(pid, signal.SIGCONT)
    return fault


def job_signal(signo):
    def fault(world, chance):
        node = world.leader()
        pids = node.jobs() if node else []
        if not pids:
            raise LookupError("no job runs")
        for pid in pids:
            procs.send(pid, signo)
        yield 0, node.name
    return fault


def kill_allocator(world, chance):
    node = world.target(chance)
    if not node.allocator:
        raise LookupError("nobody takes numbers")
    procs.send(node.allocator.pid, signal.SIGKILL)
    yield 0, node.name


# ---- network

def cut_all(world, chance):
    node = world.target(chance)
    world.net.cut(node.name)
    try:
        yield chance.uniform(0.3, 5), node.name
    finally:
        world.net.heal(node.name)


def cut_one(world, chance):
    node, member = world.target(chance), world.member(chance)
    world.net.cut(node.name, [member])
    try:
        yield chance.uniform(0.5, 6), "%s m%d" % (node.name, member)
    finally:
        world.net.heal(node.name)


def cut_direction(world, chance):
    node = world.target(chance)
    chain, flag = chance.choice([("OUTPUT", "-d"), ("INPUT", "-s")])
    for address in world.net.addresses:
        rule = [chain, flag, address]
        world.net.leaves[node.name].run("iptables", "-w", "-A", *rule, "-j", "DROP")
        world.net.cuts[node.name].append(rule)
    try:
        yield chance.uniform(0.3, 4), "%s %s" % (node.name, chain)
    finally:
        world.net.heal(node.name)


def proxied(verb, arguments, seconds, plaintext=False):
    """arguments(chance): the words after verb and link. One link, or all of a node."""
    def fault(world, chance):
        node = world.target(chance)
        proxy = world.proxies[node.name]
        if plaintext and not proxy.http:
            raise LookupError("only in plaintext")
        link = chance.choice(["*", "*", 0, 1, 2])
        words = arguments(chance)
        proxy.tell(verb, link, *words)
        try:
            yield chance.uniform(*seconds), " ".join(map(str, (node.name, verb, link, *words)))
        finally:
            proxy.tell("pass", link)
    return fault


def between(verb, arguments, seconds):
    """The same between the members of etcd: what others send to one of them, or to any."""
    def fault(world, chance):
        link = chance.choice(["*", world.member(chance), world.member(chance)])
        words = arguments(chance)
        world.between.tell(verb, link, *words)
        try:
            yield chance.uniform(*seconds), " ".join(map(str, ("members", verb, link, *words)))
        finally:
            world.between.tell("pass", link)
    return fault


def _delay(chance):
    least = chance.choice([1, 20, 100, 400])
    return [least, least * chance.choice([1, 3, 6])]


def _replay(chance):
    return [chance.randint(1, 10), chance.choice([0, 50, 700, 2500])]


PROXIED = [
    ("proxy: delay", 5, proxied("delay", _delay, (0.5, 5))),
    ("proxy: drop a direction", 3, proxied("drop", lambda c: [c.choice(["up", "down"])], (0.3, 3))),
    ("proxy: blackhole", 4, proxied("blackhole", lambda c: c.choice([[], ["up"], ["down"]]), (0.3, 4))),
    ("proxy: slow drip", 2, proxied("drip", lambda c: [c.choice([1, 20, 200]), 20], (0.5, 3))),
    ("proxy: half-open", 2, proxied("halfopen", lambda c: [], (0.5, 4))),
    ("proxy: refuse", 1, proxied("refuse", lambda c: [], (0.3, 3))),
    ("proxy: close", 3, proxied("close", lambda c: [], (0, 0.1))),
    ("proxy: cut mid-body", 3, proxied("cut", lambda c: [c.randint(1, 8), c.randint(0, 120)], (0.5, 2))),
    ("proxy: drop the reply", 5, proxied("noreply", lambda c: [c.randint(1, 6)], (0.5, 2))),
    ("proxy: replay a POST", 3, proxied("replay", _replay, (0.5, 3), True)),
    ("proxy: garble", 3, proxied("garble", lambda c: [c.randint(1, 10)], (0.5, 2))),
]


# ---- etcd

def member_kill(world, chance):
    index = world.member(chance)
    world.cluster.kill(index)
    try:
        yield chance.uniform(0.2, 5), "m%d" % index
    finally:
        if not world.cluster.members[index].alive:
            world.cluster.spawn(index)


def member_stop(world, chance):
    index = world.member(chance)
    world.cluster.pause(index)
    try:
        yield chance.uniform(0.3, 5), "m%d" % index
    finally:
        world.cluster.resume(index)


def member_version(world, chance):
    """A rolling change to the newer version, or back: never of the last of the older ones, after which
    there is no way back."""
    changed = [m for m in world.cluster.members if m.bindir]
    member = world.cluster.members[world.member(chance)]
    if member not in changed and len(changed) == len(world.cluster.members) - 1:
        member = chance.choice(changed)
    member.bindir = None if member.bindir else world.newer
    procs.end(member.process, signal.SIGTERM, 3)
    world.cluster.spawn(member.index)
    yield chance.uniform(0.5, 2), "m%d, %s" % (member.index, "newer" if member.bindir else "older")


def member_duty_cycle(world, chance):
    """Stopped for most of the time, and so slow at everything."""
    index, share = world.member(chance), chance.choice([0.5, 0.8, 0.9])
    said = "m%d %d %%" % (index, 100 * share)
    try:
        for _ in range(chance.randint(8, 30)):
            world.cluster.pause(index)
            yield 0.15 * share, said
            world.cluster.resume(index)
            yield 0.15 * (1 - share), said
    finally:
        world.cluster.resume(index)


def quorum_loss(world, chance):
    usable = [m.index for m in world.cluster.running() if m.index not in world.stalled()]
    if len(usable) < 2:
        raise LookupError("too few members run")
    hit = chance.sample(usable, 2)
    seconds = chance.choice([1, 1.5, 2, 3, 5, 15]) * chance.uniform(0.7, 1)
    for index in hit:
        world.cluster.pause(index)
    try:
        yield seconds, "m%d m%d" % tuple(hit)
    finally:
        for index in hit:
            world.cluster.resume(index)


def leader_move(world, chance):
    first = world.cluster.leader(1)
    others = [m for m in world.cluster.running() if m.index != first]
    status = world.cluster.status(chance.choice(others)) if others else None
    if not status:
        raise LookupError("no other member answers")
    world.cluster.etcdctl("move-leader", "%x" % status["header"]["member_id"],
                          members=[world.cluster.members[first]], seconds=3)
    yield 0, "from m%d" % first


def compaction(world, chance):
    world.compact()
    yield 0, "r%d" % world.observer.revision


def defrag(world, chance):
    index = world.member(chance)
    world.cluster.etcdctl("defrag", members=[world.cluster.members[index]], seconds=5)
    yield 0, "m%d" % index


def no_space(world, chance):
    """Fill the database until etcd takes no more puts."""
    world.space_is_short = True
    put = world.cluster.etcdctl_command("--command-timeout=2s", "put")
    env = dict(clean_environment(), ETCDCTL_API="3")
    for i in range(20):
        done = subprocess.run(put + ["/fill/%d" % i], input=b"x" * 1400000, timeout=6, env=env,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if b"space" in done.stderr:
            break
        if done.returncode != 0 and i > 3:
            raise LookupError("etcd does not take the filling")
    else:
        raise LookupError("the quota was not reached")
    try:
        yield chance.uniform(1, 6), "after %d puts" % i
    finally:
        world.free_space()


def disk_stall(world, chance):
    index = world.member(chance)
    seconds = chance.uniform(1, 9)
    world.stalls[index] = world.mounts.stall(world.cluster.disks[index], seconds)
    yield seconds, "m%d" % index  # its process ends it


# ---- the operator

def operator(*words):
    def fault(world, chance):
        world.cluster.etcdctl(*words, seconds=3)
        yield 0, " ".join(words)
    return fault


def revoke(world, chance):
    kvs = json.loads(world.cluster.etcdctl("get", KEY, "--prefix", "-w", "json", seconds=3)).get("kvs")
    lease = kvs[0].get("lease") if kvs else None
    if not lease:
        raise LookupError("no lease")
    world.cluster.etcdctl("lease", "revoke", "%x" % lease, seconds=3)
    yield 0, "%x" % lease


# ---- the machine

def starve(world, chance):
    seconds = chance.uniform(0.5, 3)
    world.spin(chance.choice([4, 8, 16]), seconds)
    try:
        yield seconds, "%d spinners" % len(world.spinners)
    finally:
        world.stop_spinning()


def clock_step(world, chance):
    """The time of day jumps, perhaps again, and jumps back. Never far ahead: a leader that believes in a
    day to come decides what is due until then, and that is decided for good."""
    node = world.target(chance)
    steps = [chance.choice([0.2, 3, -0.2, -3, -90, -3600, -86400, -30 * 86400])
             for _ in range(chance.randint(1, 3))]
    try:
        for seconds in steps:
            node.step_clock(seconds)
            yield chance.uniform(0.3, 3), "%s %s" % (node.name, " ".join("%+g s" % s for s in steps))
    finally:
        node.step_clock(0)


def disk_full(world, chance):
    node = world.target(chance)
    path = os.path.join(world.mounts.inside(node.runtime), "fill")
    try:
        with open(path, "wb", buffering=0) as out:
            for _ in range(64):
                out.write(b"x" * 4096)
    except OSError:
        pass
    try:
        yield chance.uniform(1, 6), node.name
    finally:
        os.unlink(path)


def read_only(world, chance):
    """A daemon that is running holds files open, so it ends first and finds it when it comes back."""
    node = world.target(chance)
    node.held = True
    try:
        procs.send(node.guardian, signal.SIGTERM)
        for _ in range(30):
            if not node.running():
                break
            yield 0.1, node.name
        world.mounts.run("mount", "-o", "remount,ro", node.runtime)
        node.held = False
        yield chance.uniform(1.5, 3), node.name
    finally:
        node.held = False
        world.mounts.run("mount", "-o", "remount,rw", node.runtime)


def blocked_log(world, chance):
    node = world.target(chance)
    node.pipe.block()
    try:
        yield chance.uniform(1, 6), node.name
    finally:
        node.pipe.unblock()


# ---- work that comes after its term

def late_work(world, chance):
    """Something handed to others writes to the resource, and to the ledger, with a token of the past."""
    node = world.target(chance)
    world.tail.read()
    tokens = sorted(world.tail.tokens)
    if len(tokens) < 2:
        raise LookupError("no term is over yet")
    env = dict(clean_environment(), ONCED_TOKEN=str(tokens[-2]))
    command = [world.lifejob, world.history, "late", "--sink", world.sink, "--late"]
    subprocess.run(command, env=env, timeout=5, check=True, stdin=subprocess.DEVNULL)
    scribe = procs.spawn(node.scribe("late", "--max", "2"), node.prefix, env=env, stderr=subprocess.DEVNULL)
    try:
        yield 2, "token %d" % tokens[-2]
    finally:
        procs.end(scribe)


TABLE = [
    ("SIGTERM", 4, once("term", "guardian")),
    ("kill -9 agent", 5, once("kill", "agent")),
    ("kill -9 guardian", 4, once("kill", "guardian")),
    ("kill -9 both", 6, once("kill", "guardian", "agent")),
    ("SIGSTOP agent", 5, stop("agent")),
    ("SIGSTOP guardian", 5, stop("guardian")),
    ("SIGSTOP both", 6, stop("guardian", "agent")),
    ("SIGSTOP job", 3, job_signal(signal.SIGSTOP)),
    ("kill -9 job", 2, job_signal(signal.SIGKILL)),
    ("kill -9 of who takes numbers", 2, kill_allocator),
    ("cut from all", 6, cut_all),
    ("cut from one member", 3, cut_one),
    ("cut in one direction", 5, cut_direction),
    *PROXIED,
    ("member: kill -9", 5, member_kill),
    ("member: SIGSTOP", 4, member_stop),
    ("member: duty cycle", 3, member_duty_cycle),
    ("member: another version", 6, member_version),
    ("quorum loss", 3, quorum_loss),
    ("leader of etcd moved", 4, leader_move),
    ("compaction", 3, compaction),
    ("defragmentation", 2, defrag),
    ("NOSPACE", 1, no_space),
    ("log disk of etcd stalls", 4, disk_stall),
    ("between members: delay", 2, between("delay", _delay, (0.5, 5))),
    ("between members: blackhole", 2, between("blackhole", lambda c: c.choice([[], ["up"], ["down"]]), (0.5, 4))),
    ("between members: drop a direction", 1, between("drop", lambda c: [c.choice(["up", "down"])], (0.3, 3))),
    ("between members: close", 1, between("close", lambda c: [], (0, 0.1))),
    ("operator: deletes the key", 2, operator("del", KEY)),
    ("operator: overwrites the key", 2, operator("put", KEY, "operator")),
    ("operator: revokes the lease", 2, revoke),
    ("operator: deletes clean", 2, operator("del", GROUP + "clean")),
    ("operator: deletes beats", 2, operator("del", "/onced/beat/", "--prefix")),
    ("operator: deletes epoch", 1, operator("del", GROUP + "epoch")),
    ("clock steps", 3, clock_step),
    ("CPU starved", 2, starve),
    ("runtime directory full", 2, disk_full),
    ("runtime directory read-only", 1, read_only),
    ("log reader blocked", 2, blocked_log),
    ("late work", 3, late_work),
]
# What a fault needs of the machine (ground.NEEDS).
NEEDS = {cut_all: "net", cut_one: "net", cut_direction: "net", disk_stall: "disks",
         disk_full: "mounts", read_only: "mounts", clock_step: "clock", member_version: "newer"}
# What a peer has no part for is done to the whole of it.
PEER = [row for row in TABLE if not row[0].startswith(("operator: deletes", "operator: overwrites",
                                                       "runtime", "kill -9 agent", "kill -9 guardian",
                                                       "SIGSTOP agent", "SIGSTOP guardian",
                                                       "kill -9 of who"))]


def possible(table, lacks):
    """The rows that can be done where that is missing, and (name, why) of the others."""
    kept = [row for row in table if NEEDS.get(row[2]) not in lacks]
    return kept, [(row[0], lacks[NEEDS[row[2]]]) for row in table if row not in kept]
