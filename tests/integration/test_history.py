"""An etcd that comes back older, or is another one: no job runs on it until somebody says that it counts."""
import json
import os
import shutil
import subprocess

import pytest

from cluster import Cluster, clean_environment, wait_for
from node import Group, now_ns
from web import Page


@pytest.fixture
def group(tmp_path, onced, lifejob):
    """Nodes on an etcd of their own."""
    with Cluster(tmp_path / "etcd") as cluster:
        made = Group(tmp_path, cluster, onced, lifejob)
        yield made
        for node in made.nodes.values():
            print("--- %s\n%s" % (node.name, node.text()))
        made.close()
        made.history.check()


def ctl(group, oncectl, *words, code=0):
    done = subprocess.run([oncectl, "--endpoints", group.cluster.urls(), *words], text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=clean_environment())
    assert done.returncode == code, done.stdout
    return done.stdout


def alarms(group, oncectl):
    told = json.loads(ctl(group, oncectl, "status", "--json", "--no-proof", "--no-etcd", "--no-jobs"))
    return {alarm["node"] for alarm in told["alarms"]}


def revision(cluster):
    return json.loads(cluster.etcdctl("get", "x", "-w", "json"))["header"]["revision"]


def swap(cluster, directory):
    """etcd ends, and begins again with the data of that directory (None: empty); where the old data are."""
    member = cluster.members[0]
    cluster.kill(0)
    kept = "%s-%d" % (member.data, now_ns())
    os.rename(member.data, kept)
    if directory:
        os.rename(directory, member.data)
    cluster.spawn(0)
    cluster.wait_healthy()
    return kept


def restore(cluster, snapshot):
    """The same members and the same token: the cluster's id is the same, too."""
    member, where = cluster.members[0], cluster.members[0].data + "-restored"
    subprocess.run([shutil.which("etcdctl"), "snapshot", "restore", snapshot, "--name", member.name,
                    "--data-dir", where, "--initial-cluster", "%s=%s" % (member.name, member.peer_url),
                    "--initial-advertise-peer-urls", member.peer_url,
                    "--initial-cluster-token", os.path.basename(cluster.directory)],
                   check=True, timeout=30, env=dict(clean_environment(), ETCDCTL_API="3"),
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    swap(cluster, where)


def show(group, *names):
    """What these nodes will be: each with a page."""
    return [group.add(name, "--http", "127.0.0.1:0") for name in names]


def wait_shown(node, alarmed, readiness):
    """The alarm on its page, as JSON, as a metric; and whether it would take over."""
    def told():
        try:
            page = Page(node)
            shown = page.get("/status").json()
            good = page.metrics()["onced_history_alarm"] == alarmed and page.status("/readiness") == readiness
        except OSError:
            return None  # it has just begun anew
        return shown if good and [x["node"] for x in shown["alarms"]] == [node.name] * alarmed else None
    return wait_for("what %s shows of the alarm" % node.name, told, 20, 0.1)


def test_an_older_etcd_runs_nothing_until_it_is_accepted(group, oncectl, tmp_path):
    for node in show(group, "a", "b"):
        node.start()
    group.history.wait_life(8)
    leader = group.leader()
    wait_shown(leader, 0, 200)
    snapshot = str(tmp_path / "backup")
    group.cluster.etcdctl("snapshot", "save", snapshot)
    saved = revision(group.cluster)
    token, before = group.token(), now_ns()
    leader.signal("kill", "guardian", "agent")  # the next token is above all that the backup has
    second = group.history.wait_other(token, before, 8)
    # what nodes ask again while etcd begins are revisions, too
    wait_for("beats", lambda: revision(group.cluster) > saved + 30, 15, 0.1)
    restore(group.cluster, snapshot)

    other = group.nodes[second.node]
    other.wait_log("etcd is older than it was", 8)
    wait_for("end of the job", lambda: not other.jobs(), 3)
    since = now_ns()
    wait_for("the alarm", lambda: alarms(group, oncectl) == {second.node}, 5, 0.1)
    leader.start()  # it knows nothing that the backup does not have, but hears of it
    leader.wait_log("whose node has seen a later etcd", 5)
    wait_for("both alarms", lambda: alarms(group, oncectl) == {"a", "b"}, 5, 0.1)
    assert "runs nothing until" in ctl(group, oncectl, "doctor", code=1)
    shown = wait_shown(other, 1, 503)
    told = json.loads(ctl(group, oncectl, "status", "--json", "--no-proof", "--no-etcd", "--no-jobs"))["alarms"]
    mine = next(alarm for alarm in told if alarm["node"] == other.name)
    assert [shown["alarms"][0][word] for word in ("cluster", "revision")] == [mine["cluster"], mine["revision"]]
    first = shown["groups"][0]
    assert (first["leader"], first["token"], first["remark"]) == (None, 0, "etcd is of another history")
    other.signal("kill", "guardian", "agent")  # and it does not forget
    other.start()
    other.wait_log("before this start", 5)
    wait_shown(other, 1, 503)
    assert group.history.last().ns < since

    assert "--yes" in ctl(group, oncectl, "new-generation", code=2)
    assert "writes raise" in ctl(group, oncectl, "new-generation", "--yes", "--reason", "the disk was lost")
    third = group.history.wait_life(10, since)
    assert third.token > second.token > token
    other.wait_log("etcd is taken as it is now", 3)
    wait_for("end of the alarms", lambda: not alarms(group, oncectl), 5, 0.1)
    for node in group.nodes.values():
        wait_shown(node, 0, 200)
    assert "nothing to accept" in ctl(group, oncectl, "new-generation", "--yes", code=1)


def test_another_etcd_is_noticed_by_a_node_that_starts(group, oncectl):
    cluster, node = group.cluster, group.start("a")
    token = group.token()
    node.signal("term", "guardian")
    node.wait_end(8)
    cluster.extra += ["--initial-cluster-token", "another"]
    ours = swap(cluster, None)

    since = now_ns()
    node.start()
    node.wait_log("etcd is another cluster", 8)
    another = swap(cluster, ours)
    node.wait_log("etcd continues what was known", 8)
    again = group.history.wait_life(8, since)
    assert again.token > token

    swap(cluster, another)
    wait_for("end of the job", lambda: not node.jobs(), 8)
    since = now_ns()
    wait_for("the alarm", lambda: alarms(group, oncectl) == {"a"}, 5, 0.1)
    assert "ALARM: a has seen" in ctl(group, oncectl, "status", "--no-proof", "--no-etcd")
    ctl(group, oncectl, "new-generation", "--yes")
    last = group.history.wait_life(10, since)
    assert last.token > again.token


def test_a_leader_stops_when_a_node_says_that_etcd_is_older(group, oncectl):
    node = group.start("a")
    token, since = group.token(), now_ns()
    group.cluster.etcdctl("put", "/onced/history/x", "revision=40 cluster=7 since=now")
    node.wait_log("etcd holds /onced/history/x", 3)
    wait_for("end of the job", lambda: not node.jobs(), 3)
    wait_for("its own word", lambda: alarms(group, oncectl) == {"a", "x"}, 3, 0.1)
    stopped = now_ns()
    ctl(group, oncectl, "new-generation", "--yes")
    assert group.history.wait_life(8, stopped).token > max(token, 40)


def test_a_first_start_takes_etcd_as_it_is_and_says_so(group):
    node = group.start("a")
    assert "no history of this etcd is kept" in node.text()
    kept = [name for name in os.listdir(node.runtime) if name.endswith(".history")]
    assert len(kept) == 1
    with open(os.path.join(node.runtime, kept[0])) as file:
        word, version, _, revision = file.read().split()
    assert (word, version) == ("onced-history", "1") and int(revision) >= group.token()
