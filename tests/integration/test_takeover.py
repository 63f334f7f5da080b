"""The job moves whatever fails, and never runs twice: real daemons on real etcd.

Every test ends with the checker over what the jobs wrote (fixtures group and netgroup). Bounds here
are generous, for loaded machines; how fast it is, tests/bench measures.
"""
import json
import signal
import time

import pytest

import procs
from cluster import wait_for
from conftest import describe
from node import now_ns

HANDOVER = 5      # seconds: a term that was released
TAKEOVER = 10     # seconds: a term that was not, profile fast
FENCE = 1.5       # V of profile fast
SLACK = 0.35      # for a loaded machine


def on(*configs):
    """Run the test on clusters of these (version, members, tls)."""
    return pytest.mark.parametrize("cluster", configs, indirect=True, ids=describe)


TLS34, TLS35 = ("3.4", 1, True), ("3.5", 1, True)
PLAIN34, PLAIN35 = ("3.4", 1, False), ("3.5", 1, False)
THREE34, THREE35 = ("3.4", 3, True), ("3.5", 3, True)


def leader_key(group):
    kvs = json.loads(group.cluster.etcdctl("get", group.key, "-w", "json")).get("kvs")
    return kvs[0] if kvs else None


def next_life(group, token, fault_ns, seconds):
    """The first line of the next term, which must have a greater token."""
    line = group.history.wait_other(token, fault_ns, seconds)
    assert line.token > token
    return line


def gone_by(group, token, fault_ns, seconds):
    """The old term's last line came no later than so long after the fault."""
    last = max(x.ns for x in group.history.lines() if x.token == token)
    assert (last - fault_ns) / 1e9 <= seconds, "the old job lived on for too long"


# ---- start

@on(PLAIN34, TLS34, PLAIN35, TLS35, THREE34, THREE35)
def test_start(group, cluster):
    node = group.start("a")
    line = group.history.last()
    key = leader_key(group)
    assert line.token == key["create_revision"]
    assert key["lease"] != 0
    assert group.cluster.etcdctl("get", group.key, "--print-value-only").strip() == "a"
    wanted, other = ("HTTP/2", "HTTP/1.1") if cluster.tls else ("HTTP/1.1", "HTTP/2")
    node.wait_log(wanted, 2)
    assert other not in node.text()


@on(PLAIN34)
def test_environment_of_the_job(group, tmp_path):
    out = tmp_path / "environment"
    node = group.add("a", job=["/bin/sh", "-c", "env >%s.new; mv %s.new %s; exec sleep 60" %
                               (out, out, out)])
    node.start()
    wait_for("environment of the job", out.exists, 5)
    env = dict(x.split("=", 1) for x in out.read_text().splitlines())
    revision = str(leader_key(group)["create_revision"])
    assert env["ONCED_TOKEN"] == env["ETCD_LOCK_REV"] == revision
    assert env["ONCED_KEY"] == env["ETCD_LOCK_KEY"] == group.key
    assert "PYTEST_CURRENT_TEST" in env, "a command keeps the environment of who ran it"


@on(PLAIN35)
def test_one_of_three_runs_it(group):
    group.start("a", "b", "c")
    time.sleep(1)
    assert len(group.history.lives()) == 1
    assert sum(len(node.jobs()) for node in group.nodes.values()) == 1


@on(TLS35)
def test_etcd_absent_at_start(group, cluster):
    cluster.kill(0)
    group.add("a").start()
    time.sleep(2.5)
    node = group.nodes["a"]
    assert node.running() and not group.history.lines()
    said = [x for x in node.text().splitlines() if "etcd" in x.lower()]
    assert 1 <= len(said) <= 3, "says that it waits, and says it once: %r" % node.text()
    fault = now_ns()
    cluster.spawn(0)
    group.history.wait_life(TAKEOVER, fault)


# ---- a process of the leader goes

@on(TLS34, PLAIN35, THREE35)
def test_sigterm(group):
    old = group.start("a", "b")
    token, fault = group.token(), now_ns()
    old.signal("term", "guardian")
    line = next_life(group, token, fault, HANDOVER)
    assert line.node != old.name
    assert old.wait_end(HANDOVER) == 0


@on(TLS34, THREE35)
def test_kill_agent(group):
    old = group.start("a", "b")
    token, agent, fault = group.token(), old.agent(), now_ns()
    old.signal("kill", "agent")
    next_life(group, token, fault, HANDOVER)
    wait_for("new agent", lambda: old.agent() != agent, HANDOVER)
    assert old.running()


@on(TLS34, THREE35)
def test_kill_guardian(group):
    old = group.start("a", "b")
    token, agent, fault = group.token(), old.agent(), now_ns()
    old.signal("kill", "guardian")
    wait_for("end of the agent", lambda: not procs.alive(agent), 2)
    assert next_life(group, token, fault, TAKEOVER).node != old.name
    gone_by(group, token, fault, SLACK)


@on(TLS34, THREE35)
def test_kill_both(group):
    old = group.start("a", "b")
    token, fault = group.token(), now_ns()
    old.signal("kill", "guardian", "agent")
    assert next_life(group, token, fault, TAKEOVER).node != old.name
    gone_by(group, token, fault, SLACK)


@pytest.mark.parametrize("targets", [("agent",), ("guardian",), ("guardian", "agent")],
                         ids=["agent", "guardian", "both"])
@on(TLS34, THREE35)
def test_stop(group, targets):
    old = group.start("a", "b")
    token, fault = group.token(), now_ns()
    old.signal("stop", *targets)
    line = next_life(group, token, fault, TAKEOVER)
    gone_by(group, token, fault, FENCE + SLACK)
    time.sleep(0.5)
    for pid in (old.guardian, old.agent() if procs.alive(old.guardian) else None):
        if pid:
            procs.send(pid, signal.SIGCONT)
    thaw = now_ns()
    group.history.wait_life(HANDOVER, thaw + 500 * 1000000)
    assert not [x for x in group.history.lines() if x.token == token and x.ns > line.ns]


@on(PLAIN34)
def test_killed_node_comes_back(group):
    old = group.start("a", "b")
    token, fault = group.token(), now_ns()
    old.signal("kill", "guardian", "agent")
    old.wait_end(2)
    old.start()
    line = next_life(group, token, fault, TAKEOVER)
    again = now_ns()
    group.history.wait_life(2, again)
    group.leader().signal("term", "guardian")
    next_life(group, line.token, again, HANDOVER)


@pytest.mark.parametrize("isolate", [False, True], ids=["plain", "isolated"])
@pytest.mark.parametrize("what, targets", [("term", ["guardian"]), ("kill", ["agent"]),
                                           ("kill", ["guardian"]), ("kill", ["guardian", "agent"]),
                                           ("stop", ["guardian"]), ("stop", ["guardian", "agent"])],
                         ids=lambda x: x if isinstance(x, str) else "+".join(x))
@on(PLAIN35)
def test_stubborn_job(group, what, targets, isolate):
    """A job that ignores SIGTERM and whose grandchild left the session dies all the same."""
    group.job = ["--ignore-term", "--daemonise"]
    group.flags += ["--isolate"] if isolate else []
    old = group.start("a", "b")
    wait_for("grandchild", lambda: any(x.kind == "child" for x in group.history.lines()), 2)
    token, fault = group.token(), now_ns()
    old.signal(what, *targets)
    next_life(group, token, fault, HANDOVER if targets == ["agent"] or what == "term" else TAKEOVER)
    gone_by(group, token, fault, FENCE + SLACK)


# ---- the network

@pytest.mark.parametrize("netgroup", ["3.4", "3.5"], indirect=True)
def test_cut_off_from_all(netgroup, links):
    old = netgroup.start("a", "b")
    token = netgroup.token()
    links.cut(old.name)
    fault = now_ns()
    line = next_life(netgroup, token, fault, TAKEOVER)
    assert line.node != old.name
    gone_by(netgroup, token, fault, FENCE + SLACK)
    links.heal(old.name)
    time.sleep(1)
    assert netgroup.token() == line.token, "the healed node must follow"
    assert old.running()


@pytest.mark.parametrize("netgroup", ["3.5"], indirect=True)
def test_cut_off_from_one(netgroup, links):
    """Losing one member, the one that leads etcd, costs a request and not the term."""
    netgroup.flags[netgroup.flags.index("fast")] = "normal"
    old = netgroup.start("a", "b")
    token = netgroup.token()
    links.cut(old.name, [netgroup.cluster.leader()])
    fault = now_ns()
    time.sleep(7)
    assert netgroup.history.last().ns > fault + 6.5e9, "the job stopped"
    assert netgroup.token() == token


@pytest.mark.parametrize("netgroup", ["3.5"], indirect=True)
def test_follower_cut_off(netgroup, links):
    """The job does not notice; the follower finds its way back and takes over later."""
    old = netgroup.start("a", "b")
    token = netgroup.token()
    other = netgroup.followers()[0]
    links.cut(other.name)
    time.sleep(3)
    assert netgroup.token() == token
    links.heal(other.name)
    time.sleep(1)
    fault = now_ns()
    old.signal("term", "guardian")
    assert next_life(netgroup, token, fault, TAKEOVER).node == other.name


# ---- etcd

@on(THREE34, THREE35)
def test_etcd_leader_killed(group, cluster):
    """Profile fast may lose its term over it, but there is a leader again, and never two."""
    group.start("a", "b")
    cluster.kill(cluster.leader())
    fault = now_ns()
    group.history.wait_life(15, fault + int(3e9))


@on(THREE34, THREE35)
def test_etcd_leader_killed_profile_normal(group, cluster):
    """The default profile rides out an election of etcd."""
    group.flags[group.flags.index("fast")] = "normal"
    group.start("a", "b")
    token = group.token()
    cluster.kill(cluster.leader())
    fault = now_ns()
    time.sleep(7)
    assert group.history.last().ns > fault + 6.5e9, "the job stopped"
    assert group.token() == token


@on(THREE34, THREE35)
def test_quorum_lost_and_regained(group, cluster):
    group.start("a", "b")
    token = group.token()
    first = cluster.leader()
    for index in (first, (first + 1) % 3):
        cluster.pause(index)
    fault = now_ns()
    time.sleep(FENCE + 1.5)
    assert group.token() == token
    gone_by(group, token, fault, FENCE + SLACK)
    cluster.repair()
    line = group.history.wait_other(token, fault, 15)
    assert line.token > token


@on(TLS34, THREE35)
def test_etcd_restarted_with_its_data(group, cluster):
    group.start("a", "b")
    for member in cluster.members:
        cluster.kill(member.index)
    time.sleep(0.5)
    cluster.repair()
    group.history.wait_life(15, now_ns())


@on(TLS34, THREE35)
def test_watch_compacted(group, cluster):
    """A follower that slept through a compaction must list again instead of waiting for ever."""
    old = group.start("a", "b")
    token, other = group.token(), group.followers()[0]
    other.signal("stop", "guardian", "agent")
    for i in range(5):
        cluster.etcdctl("put", "/noise", str(i))
    revision = json.loads(cluster.etcdctl("get", "/noise", "-w", "json"))["header"]["revision"]
    cluster.etcdctl("compact", str(revision))
    time.sleep(0.3)
    other.signal("cont", "guardian", "agent")
    for i in range(5):
        revision = json.loads(cluster.etcdctl("put", "/noise", str(i), "-w", "json"))["header"]["revision"]
        cluster.etcdctl("compact", str(revision))
    fault = now_ns()
    old.signal("term", "guardian")
    assert next_life(group, token, fault, TAKEOVER).node == other.name


# ---- the operator

def lost_by(group, token, fault):
    """The old job is killed at once, well before its deadline, and another term begins."""
    next_life(group, token, fault, TAKEOVER)
    gone_by(group, token, fault, 0.6 + SLACK)


@on(TLS34, PLAIN35)
def test_operator_deletes_the_key(group, cluster):
    group.start("a", "b")
    token, fault = group.token(), now_ns()
    cluster.etcdctl("del", group.key)
    lost_by(group, token, fault)


@on(PLAIN34, TLS35)
def test_operator_revokes_the_lease(group, cluster):
    group.start("a", "b")
    token, lease, fault = group.token(), leader_key(group)["lease"], now_ns()
    cluster.etcdctl("lease", "revoke", "%x" % lease)
    lost_by(group, token, fault)


@on(PLAIN34, TLS35)
def test_operator_overwrites_the_key(group, cluster):
    """A put without a lease detaches the key from it: the term is over, and the key must not stay."""
    group.start("a", "b")
    token, fault = group.token(), now_ns()
    cluster.etcdctl("put", group.key, "me")
    lost_by(group, token, fault)


# ---- exit codes

@on(PLAIN35)
def test_once_ends_when_the_term_is_lost(group, cluster):
    group.flags.append("--once")
    node = group.start("a")
    cluster.etcdctl("del", group.key)
    assert node.wait_end(HANDOVER) == 75


@pytest.mark.parametrize("code", [0, 7, 75])
@on(PLAIN34)
def test_exit_code_of_the_command(group, cluster, code):
    group.job = ["--exit", str(code), "100"]
    node = group.add("a").start()
    assert node.wait_end(HANDOVER) == code
    assert [x.kind for x in group.history.lines()].count("end") == 1
    wait_for("release of the key", lambda: leader_key(group) is None, 2)


@on(PLAIN34)
def test_command_that_does_not_exist(group):
    node = group.add("a", job=["/nonexistent/command"]).start()
    assert node.wait_end(HANDOVER) in (126, 127)
    assert "/nonexistent/command" in node.text()


@on(PLAIN35)
def test_one_node_name_twice(group):
    """The second of a name never runs beside the first, which goes on."""
    first = group.start("a")
    token = group.token()
    second = group.add("a")
    group.nodes = {"first": first, "second": second}
    second.log += ".second"
    second.runtime += ".second"
    second.start()
    time.sleep(2)
    assert group.token() == token and first.running()
