"""An operator with oncectl and real daemons with jobs: what he asks for happens, and is told."""
import json
import os
import subprocess
import time

import pytest

import procs
from cluster import clean_environment, wait_for
from conftest import describe

pytestmark = pytest.mark.parametrize("cluster", [("3.4", 3, True)], indirect=True, ids=describe)
NAMES = ("alpha", "beta", "gamma")


@pytest.fixture
def ctl(cluster, onced):
    program = os.path.join(os.path.dirname(os.path.dirname(onced)), "tools", "oncectl", "oncectl")
    env = dict(clean_environment(), TZ="UTC", **cluster.etcdctl_environment())

    def call(*words, code=0):
        done = subprocess.run(
            procs.DIE_WITH_US + [os.environ.get("ONCECTL_BIN", program), *words], env=env, timeout=120,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == code, "%s: exit %d\n%s%s" % (
            words, done.returncode, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stdout + done.stderr

    call.json = lambda *words, **more: json.loads(call("--json", *words, **more))
    return call


def start(jobs, ctl):
    """All three up and known, one of them leading; its name."""
    jobs.start(*NAMES)
    wait_for("three nodes and a leader", lambda: len(ctl.json("status", "--no-proof")["nodes"]) == 3
             and jobs.leader() is not None, 40, 0.2)
    return jobs.leader().name


def test_switchover_and_resign(jobs, ctl):
    jobs.job("idle", Exec="/bin/sleep 1000")
    first = start(jobs, ctl)
    second, third = [name for name in NAMES if name != first]
    told = ctl.json("switchover", "--to", second, "--wait", "--reason", "kernel")
    assert (told["from"], told["to"]) == (first, second) and told["to_token"] > told["from_token"]
    # At once again: a reservation that was followed keeps nobody from the key.
    told = ctl.json("resign", "--wait")
    assert told["from"] == second and told["to"] != second and told["seconds"] < 8
    assert "leads already" in ctl("switchover", "--to", told["to"]) and third in NAMES
    terms = ctl.json("leaders")["terms"]
    assert [t["end"] for t in terms] == [None, "handed over on request", "handed over on request"]
    assert [t["node"] for t in terms[1:]] == [second, first]
    # One that has just resigned leads all the same when it is named.
    told = ctl.json("switchover", "--to", second, "--wait")
    assert told["to"] == second and told["seconds"] < 8


def test_a_node_stays_away(jobs, ctl):
    """oncectl resign --for holds across a restart of the node, until the time is over or it is taken back."""
    jobs.job("idle", Exec="/bin/sleep 1000")
    first = start(jobs, ctl)
    told = ctl.json("resign", "--for", "1h", "--reason", "new disk", "--wait")
    assert told["from"] == first and told["to"] != first
    remark = {n["node"]: n["remark"] for n in ctl.json("status", "--no-etcd")["nodes"]}
    assert remark[first].startswith("stays away from default until ") and "new disk" in remark[first]
    assert [remark[name] for name in NAMES if name != first] == [None, None]
    jobs.nodes[first].signal("kill", "guardian", "agent")
    jobs.nodes[first].wait_end(10)
    for name in NAMES:
        if name != first:
            jobs.nodes[name].signal("term", "guardian")
            jobs.nodes[name].wait_end(20)
    jobs.nodes[first].start()
    wait_for("it is there again", lambda: jobs.nodes[first].text().count("not campaigning for") > 1, 20)
    time.sleep(2)
    assert jobs.leader() is None
    assert "no leader now" in ctl("resign", code=4)
    assert "1 node may lead again" in ctl("resign", "--cancel")
    wait_for("the node that is back", lambda: jobs.leader() is jobs.nodes[first], 20)
    assert "no node stays away" in ctl("resign", "--cancel", code=4)
    assert "no other node" in ctl("resign", "--for", "3s", code=1)
    begun = time.monotonic()
    told = ctl.json("resign", "--for", "12s", "--force", "--wait")
    assert told["to"] == first and time.monotonic() - begun > 11, "longer than the custom ten seconds"


def test_a_switchover_at_a_moment(jobs, ctl):
    jobs.job("idle", Exec="/bin/sleep 1000")
    first = start(jobs, ctl)
    begun = time.monotonic()
    told = ctl.json("switchover", "--at", "+3s", "--wait")
    assert time.monotonic() - begun > 2 and told["from"] == first and told["to"] != first


def test_a_switchover_can_be_taken_back(jobs, ctl):
    jobs.job("idle", Exec="/bin/sleep 1000")
    first = start(jobs, ctl)
    ctl("switchover", "--at", "+5s")
    ctl("switchover", "--cancel")
    time.sleep(7)
    assert jobs.leader().name == first and len(ctl.json("leaders")["terms"]) == 1


def test_runs_by_hand(jobs, ctl):
    jobs.job("good", Type="cron", Schedule="@every 1d", Exec="/bin/echo done")
    jobs.job("bad", Type="cron", Schedule="@every 1d", Exec="/bin/sh -c \"exit 7\"")
    jobs.job("slow", Type="cron", Schedule="@every 1d", Exec="/bin/sleep 1000")
    start(jobs, ctl)
    run = ctl.json("trigger", "good", "--wait", "--reason", "by hand")
    assert (run["state"], run["cause"]) == ("ok", "trigger") and run["output_tail"].strip() == "done"
    assert "done" in ctl("runs", "good", run["moment"])
    assert json.loads(ctl("--json", "trigger", "bad", "--wait", code=1))["exit_code"] == 7
    assert "taken back" in ctl("trigger", "nosuch", "--wait", "--timeout", "2s", code=1)
    assert ctl.json("trigger", "slow")["known"]
    wait_for("slow runs", lambda: "running" in ctl("jobs"), 20, 0.2)
    assert "it runs on" in ctl("why", "slow")
    run = ctl.json("runs", "slow")[0]["moment"]
    assert ctl.json("kill", "slow/" + run, "--reason", "stuck", "--wait")["reason"] == "killed"
    assert "an operator ended it" in ctl("why", "slow") and "stuck" in ctl("why", "slow/" + run)
    assert "no run that is going on" in ctl("kill", "slow", code=4)


def test_jobs_without_moments_are_explained(jobs, ctl):
    jobs.job("first", Type="once", Exec="/bin/echo done")
    jobs.job("walk", Type="steps", Step=["one: /bin/true", "two: /bin/sleep 1000", "three: /bin/true"])
    start(jobs, ctl)
    wait_for("the second step", lambda: [r["state"] for r in jobs.steps("walk").values()] == ["ok", "begun"], 20)
    wait_for("the one time", lambda: "it ran on" in ctl("why", "first"), 20, 0.2)
    shown = ctl("why", "walk")
    assert shown.startswith("walk two: it runs on") and "1 of 2 recorded steps are done" in shown
    assert [(r["step"], r["state"]) for r in ctl.json("runs", "walk")] == [("one", "ok"), ("two", "begun")]
    assert "done" in ctl("runs", "first")
    assert ctl.json("kill", "walk", "--wait")["state"] == "failed"
    assert "an operator ended it" in ctl("why", "walk") and "two" in ctl("why", "walk")
    assert "nothing is known of a job nobody" in ctl("why", "nobody")


def skipped_runs(jobs):
    return sum(r["state"] == "skipped" for r in jobs.runs("tick").values())


def test_a_pause_skips_and_says_so(jobs, ctl):
    jobs.job("tick", Type="cron", Schedule="@every 1s", Exec="/bin/true")
    start(jobs, ctl)
    wait_for("a run", lambda: jobs.runs("tick"), 20, 0.2)
    ctl("pause", "tick", "--reason", "moving house")
    wait_for("a skipped one", lambda: ctl.json("runs", "tick", "--limit", "1")[0]["state"] == "skipped", 20,
             0.2)
    skipped = ctl.json("runs", "tick", "--limit", "1")[0]["moment"]
    assert "it did not run: it was paused" in ctl("why", "tick", skipped)
    assert "moving house" in ctl("jobs")
    ctl("resume", "tick")
    before = skipped_runs(jobs)
    assert ctl.json("pause", "--for", "4s")["paused"]
    wait_for("a pause of all", lambda: skipped_runs(jobs) > before, 20, 0.2)
    wait_for("a run again", lambda: ctl.json("runs", "tick", "--limit", "1")[0]["state"] == "ok", 20, 0.2)
