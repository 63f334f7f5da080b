"""Jobs in groups of their own on real etcd: every group has one leader, a dead node's groups move, and what
operators ask reaches the group it is for."""
import json
import os
import signal
import subprocess
import time

import pytest

import checker
from cluster import clean_environment, wait_for
from conftest import describe
from node import History

GROUPS = int(os.environ.get("ONCED_GROUPS", "50"))
three = pytest.mark.parametrize("cluster", [("3.5", 3, True)], indirect=True, ids=describe)
one = pytest.mark.parametrize("cluster", [("3.4", 1, True)], indirect=True, ids=describe)


class Lives:
    """A service in each of some groups, and what each wrote of its life."""

    def __init__(self, jobs, lifejob, names):
        self.jobs, self.lifejob, self.names = jobs, lifejob, list(names)
        self.files = {name: History(os.path.join(jobs.directory, "life-" + name)) for name in names}
        for name in names:
            self.job(name)

    def job(self, name, group=None):
        if name not in self.files:
            self.files[name] = History(os.path.join(self.jobs.directory, "life-" + name))
        return self.jobs.job(name, Group=group or name, Shell="yes", RestartDelay="200ms",
                             Exec="exec %s %s $ONCED_NODE --period 100" % (
                                 self.lifejob, self.files[name].path))

    def last(self, name):
        return self.files[name].last()

    def all(self):
        """{group: its last line}"""
        return {name: self.last(name) for name in self.names}

    def wait(self, what, names, good, seconds):
        wait_for(what, lambda: all(self.last(n) and good(self.last(n)) for n in names), seconds, 0.05)

    def check(self):
        for name, history in self.files.items():
            problem = checker.check(history.lines())
            assert not problem, "%s: %s" % (name, problem)


def leaders(jobs):
    """{group: node} by the keys."""
    return {key[len("/leader/"):]: value for key, value in jobs.get("/leader/").items()}


def ctl(oncectl, cluster, *words):
    done = subprocess.run([oncectl, *cluster.onced_flags(), *words], text=True, timeout=20,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def goes_on(jobs, name, before, after):
    """The term of the group goes on, but for one that a busy machine could not prove in time."""
    if before.token == after.token:
        return True
    reason = "group %s: leadership (token %d) could not be proven" % (name, before.token)
    return reason in jobs.nodes[before.node].text()


def everywhere(lives, jobs, *nodes, seconds=20):
    """Started, and every group's job lives."""
    jobs.start(*nodes)
    lives.wait("a job in every group", lives.names, lambda line: True, seconds)


@three
def test_groups_are_spread_and_move(jobs, cluster, lifejob):
    lives = Lives(jobs, lifejob, ["g%d" % i for i in range(GROUPS)])
    began = time.monotonic()
    everywhere(lives, jobs, "a", "b", "c")
    owned = time.monotonic() - began
    before = lives.all()
    share = {n: sum(line.node == n for line in before.values()) for n in "abc"}
    dead = max(share, key=share.get)
    killed = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    jobs.nodes[dead].signal("kill", "guardian", "agent")
    orphaned = [n for n, line in before.items() if line.node == dead]
    lives.wait("the groups of the dead node", orphaned,
               lambda line: line.node != dead and line.ns > killed, 25)
    moved = (max(lives.files[n].first_of_other(before[n].token, killed).ns for n in orphaned)
             - killed) / 1e9
    after = lives.all()
    print("%d groups: owned after %.2f s, spread %s, moved after %.2f s to %s" % (
        GROUPS, owned, share, moved,
        {n: sum(after[name].node == n for name in orphaned) for n in "abc"}))
    for name, line in before.items():
        if name in orphaned:
            assert after[name].token > line.token
        else:
            assert goes_on(jobs, name, line, after[name])
    for node in jobs.nodes.values():
        node.close()
        assert "not campaigning" not in node.text()  # of terms that are seen part by part
    lives.check()


@one
def test_a_crashed_agent_gives_every_group_away_at_once(jobs, cluster, lifejob):
    names = ["x%d" % i for i in range(20)]
    lives = Lives(jobs, lifejob, names)
    everywhere(lives, jobs, "a")
    before = {name: lives.last(name).token for name in names}
    jobs.nodes["a"].signal("kill", "agent")
    for name in names:
        lives.wait("a new term of " + name, [name], lambda line, old=before[name]: line.token > old, 15)
    text = jobs.nodes["a"].text()
    for name in names:
        assert "group %s: released token %d of an earlier process" % (name, before[name]) in text
        assert "group %s: waiting" % name not in text  # each end was known to be clean
    jobs.nodes["a"].close()
    lives.check()


@one
def test_what_is_asked_reaches_the_group(jobs, cluster, lifejob, oncectl):
    lives = Lives(jobs, lifejob, ["mail", "web"])
    out = os.path.join(jobs.directory, "out")
    say = {"Shell": "yes", "Exec": "echo $ONCED_JOB $ONCED_KEY $ETCD_LOCK_KEY >>%s" % out}
    jobs.job("tick", Group="mail", Type="cron", Schedule="@every 1s", **say)
    jobs.job("asked", Group="web", Type="cron", Schedule="0 0 1 1 *", **say)
    jobs.job("done", Group="web", Type="once", **say)
    jobs.job("plain", Type="once", **say)
    everywhere(lives, jobs, "a", "b")
    web, mail = lives.last("web"), lives.last("mail")

    def ok(job):
        return [r for r in jobs.runs(job).values() if r["state"] == "ok"]
    wait_for("the once jobs", lambda: [r["state"] for r in jobs.records("/onced/once/").values()]
             == ["ok", "ok"], 15)
    ctl(oncectl, cluster, "trigger", "asked")
    wait_for("the triggered run", lambda: ok("asked"), 15)

    other = "b" if mail.node == "a" else "a"
    ctl(oncectl, cluster, "--group", "mail", "switchover", "--to", other)
    lives.wait("mail on the other node", ["mail"], lambda line: line.node == other, 15)
    assert goes_on(jobs, "web", web, lives.last("web"))
    wait_for("an instant of the new term", lambda: [r for r in ok("tick") if r["node"] == other
                                                    and r["token"] > mail.token], 15)
    with open(out, encoding="ascii") as file:
        assert set(file.read().splitlines()) == {
            "tick /leader/mail /leader/mail", "asked /leader/web /leader/web",
            "done /leader/web /leader/web", "plain /leader /leader"}
    shown = json.loads(ctl(oncectl, cluster, "status", "--json"))
    assert {"mail", "web", "default"} <= {g["group"] for g in shown["groups"]}
    for node in jobs.nodes.values():
        node.close()
    lives.check()


@one
def test_a_reload_brings_and_takes_groups(jobs, cluster, lifejob):
    lives = Lives(jobs, lifejob, ["stays", "goes"])
    everywhere(lives, jobs, "a")
    stays = lives.last("stays")
    os.remove(os.path.join(jobs.jobs_dir, "goes.job"))
    lives.job("comes")
    jobs.nodes["a"].process.send_signal(signal.SIGHUP)
    lives.wait("the new group", ["comes"], lambda line: True, 15)
    wait_for("the end of the old one", lambda: set(leaders(jobs)) == {"stays", "comes"}, 10)
    assert lives.last("goes").kind == "end"
    assert goes_on(jobs, "stays", stays, lives.last("stays"))
    lives.job("goes")
    jobs.nodes["a"].process.send_signal(signal.SIGHUP)
    lives.wait("the old one again", ["goes"], lambda line: line.token > stays.token, 15)
    jobs.nodes["a"].close()
    lives.check()


@one
def test_a_job_that_changes_its_group_ends_before_it_begins(jobs, cluster, lifejob):
    lives = Lives(jobs, lifejob, ["x", "y"])
    jobs.start("a")
    node = jobs.nodes["a"]
    lives.wait("life in both groups", ["x", "y"], lambda line: True, 20)
    lives.job("x", group="y")
    node.process.send_signal(signal.SIGHUP)
    node.wait_log("begins in group y with the next reload or start", 10)
    wait_for("its end", lambda: len(node.jobs()) == 1, 10, 0.05)
    time.sleep(1)
    assert len(node.jobs()) == 1
    moved = lives.last("x").ns
    node.process.send_signal(signal.SIGHUP)
    wait_for("its life in the other group", lambda: lives.last("x").ns > moved, 10, 0.05)
    # one history, two groups' tokens: they need not grow, but the lock tells of two at once
    assert not any(line.kind == "clash" for line in lives.files.pop("x").lines())
    lives.check()


@one
def test_a_first_group_waits_for_the_next_start(jobs, cluster, lifejob):
    jobs.job("plain", Exec="/bin/sleep 1000")
    jobs.start("a")
    node = jobs.nodes["a"]
    node.wait_log("plain: started", 15)
    lives = Lives(jobs, lifejob, ["late"])
    node.process.send_signal(signal.SIGHUP)
    node.wait_log("run from the next start on", 10)
    assert leaders(jobs) == {}
    node.close()
    jobs.start("a")
    lives.wait("the group", ["late"], lambda line: True, 15)
    jobs.nodes["a"].close()
    lives.check()
