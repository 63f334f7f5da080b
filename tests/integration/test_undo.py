"""Flows that are undone: what their steps did is taken back in reverse order, each once, while leaders die."""
import os

import pytest

import tools
from cluster import wait_for
from conftest import describe

pytestmark = pytest.mark.parametrize("cluster", [("3.4", 1, True)], indirect=True, ids=describe)
# Each line: what it is, the step, the attempt.
SAY = "%%s: echo %s.$ONCED_STEP.$ONCED_ATTEMPT >>%s; sleep %s; echo end-%s.$ONCED_STEP >>%s"


def written(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return file.read().split()


def states(records):
    return {name: record["state"] for name, record in records.items()}


def undone(jobs, flow="roll"):
    return jobs.records("/onced/undo/%s/" % flow)


def ctl(jobs, *words, code=0):
    return tools.run("oncectl", "-c", os.path.join(jobs.directory, "onced-a.conf"), *words, code=code)


class Rollout:
    """Four steps, of which the last one fails; the second has nothing to take it back."""

    def __init__(self, jobs, tmp_path, last="false", **keys):
        self.jobs, self.path = jobs, str(tmp_path / "ran")
        do = SAY % ("do", self.path, "0", "do", self.path)
        undo = SAY % ("undo", self.path, "0.6", "undo", self.path)
        jobs.job("roll", Type="steps", Shell="yes", Step=[do % n for n in ("a", "b", "c")] + ["d: " + last],
                 Undo=[undo % n for n in ("a", "c", "d")], **keys)

    def lines(self, what):
        return [line for line in written(self.path) if line.split(".")[0] == what]

    def wait_lines(self, what, lines):
        wait_for("%s as %s" % (what, lines), lambda: self.lines(what) == lines, 20, 0.02)

    def kill_within(self, line):
        """Kills the leader after that line, and starts it again."""
        wait_for(line, lambda: line in written(self.path), 20, 0.02)
        node = self.jobs.leader()
        node.signal("kill", "guardian", "agent")
        node.wait_end(5)
        return node.start()


def test_a_failed_flow_is_undone_in_reverse_while_leaders_die(jobs, tmp_path):
    r = Rollout(jobs, tmp_path)
    jobs.start("a", "b")
    r.kill_within("undo.c.1")
    r.kill_within("undo.a.1")
    wait_for("its end", lambda: states(undone(jobs)) == {"a": "ok", "c": "ok"}, 20)
    assert r.lines("end-do") == ["end-do.a", "end-do.b", "end-do.c"]
    # Each came to its end one time; what was cut off began again, OnInterrupt=rerun.
    assert r.lines("undo") == ["undo.c.1", "undo.c.2", "undo.a.1", "undo.a.2"]
    assert r.lines("end-undo") == ["end-undo.c", "end-undo.a"]
    assert states(jobs.steps("roll")) == {"a": "ok", "b": "ok", "c": "ok", "d": "failed"}
    flow = jobs.records("/onced/flow/")["roll"]
    assert flow["by"] in ("a", "b") and flow["reason"] == "d ended as failed with exit code 1"
    node = r.kill_within("end-undo.a")
    wait_for("a leader", jobs.leader, 15)
    wait_for("the end again", lambda: any("all 2 undone" in n.text() for n in jobs.nodes.values()), 15)
    assert r.lines("undo") == ["undo.c.1", "undo.c.2", "undo.a.1", "undo.a.2"], node


def test_an_interrupted_undoing_is_held(jobs, tmp_path):
    r = Rollout(jobs, tmp_path, OnInterrupt="hold")
    jobs.start("a", "b")
    r.kill_within("undo.c.1")
    wait_for("its hold", lambda: states(undone(jobs)) == {"c": "lost"}, 20)
    assert r.lines("undo") == ["undo.c.1"]
    ctl(jobs, "trigger", "roll")
    wait_for("its end", lambda: states(undone(jobs)) == {"a": "ok", "c": "ok"}, 20)
    assert r.lines("undo") == ["undo.c.1", "undo.c.2", "undo.a.1"]


def test_an_operator_undoes_a_flow_that_is_done(jobs, tmp_path):
    r = Rollout(jobs, tmp_path, last="true")
    jobs.start("a")
    wait_for("its end", lambda: states(jobs.steps("roll")) == dict.fromkeys("abcd", "ok"), 20)
    assert "4 steps are done" in ctl(jobs, "flow", "status", "roll")[0]
    assert undone(jobs) == {}
    ctl(jobs, "flow", "undo", "roll", "--reason", "customers complain")
    r.wait_lines("end-undo", ["end-undo.d", "end-undo.c", "end-undo.a"])
    wait_for("its records", lambda: states(undone(jobs)) == dict.fromkeys("acd", "ok"), 10)
    shown = ctl(jobs, "flow", "status", "roll")[0]
    assert "undone since" in shown and "customers complain" in shown and "3 of them are undone" in shown
    assert jobs.get("/onced/trigger/") == {}
    # It is for good: no step runs again, and another word changes nothing.
    ctl(jobs, "flow", "undo", "roll")
    ctl(jobs, "trigger", "roll")
    wait_for("both triggers", lambda: jobs.get("/onced/trigger/") == {}, 10)
    assert r.lines("do") == ["do.a.1", "do.b.1", "do.c.1"] and len(r.lines("undo")) == 3


def test_an_undoing_that_fails_waits_for_a_trigger(jobs, tmp_path):
    flag = tmp_path / "flag"
    jobs.job("roll", Type="steps", Shell="yes", Step=["a: true", "b: false"], Undo="a: test -e %s" % flag)
    jobs.start("a")
    jobs.nodes["a"].wait_log("undoing: a, number 1 of 1, ended as failed with exit code 1 on a", 15)
    flag.write_text("")
    ctl(jobs, "flow", "undo", "roll")
    wait_for("its end", lambda: states(undone(jobs)) == {"a": "ok"}, 15)
    assert undone(jobs)["a"]["attempt"] == 2


def test_hold_waits_and_an_operator_may_undo_then(jobs, tmp_path):
    r = Rollout(jobs, tmp_path, OnFailure="hold")
    jobs.start("a")
    jobs.nodes["a"].wait_log("d, number 4 of 4, ended as failed with exit code 1 on a", 15)
    assert undone(jobs) == {}
    ctl(jobs, "flow", "undo", "roll")
    r.wait_lines("end-undo", ["end-undo.c", "end-undo.a"])


def test_what_never_ended_is_decided_before_the_rest_is_undone(jobs, tmp_path):
    """Else its end could be recorded when what was before it is undone already."""
    r = Rollout(jobs, tmp_path, last="echo d >>%s; exec sleep 1000" % (tmp_path / "began"), OnInterrupt="rerun")
    jobs.start("a")
    wait_for("the last step", lambda: (tmp_path / "began").exists(), 20, 0.02)
    node = jobs.nodes["a"]
    node.signal("kill", "guardian", "agent")
    node.wait_end(5)
    ctl(jobs, "flow", "undo", "roll")
    node.start()
    r.wait_lines("undo", ["undo.c.1", "undo.a.1"])
    wait_for("the end", lambda: states(undone(jobs)) == {"c": "ok", "a": "ok"}, 20)
    assert states(jobs.steps("roll")) == {"a": "ok", "b": "ok", "c": "ok", "d": "lost"}
    assert (tmp_path / "began").read_text() == "d\n"


def test_only_steps_are_undone(jobs):
    jobs.job("tick", Type="cron", Schedule="0 0 1 1 *", Exec="true")
    jobs.job("first", Type="once", Exec="true")
    jobs.start("a")
    wait_for("a leader", jobs.leader, 15)
    for job in ("tick", "first"):
        ctl(jobs, "flow", "undo", job)
        jobs.nodes["a"].wait_log(job + ": cannot be undone, expected a job of Type=steps", 10)
    assert jobs.runs("tick") == {}


# ---- scripts

def step(jobs, *words, code=0):
    return tools.run("oncectl", *tools.connection(jobs.cluster, dash="--"), "step", *words, code=code)


def test_a_script_undoes_its_steps(jobs, tmp_path):
    path = str(tmp_path / "ran")
    say = ("--", "sh", "-c", "echo $0 | tee -a " + path)
    step(jobs, "rel", "a", *say, "a")
    step(jobs, "rel", "b", "--", "false", code=1)
    assert step(jobs, "rel", "b", "--undo", *say, "undo-b")[0] == ""
    assert step(jobs, "rel", "c", "--undo", *say, "undo-c")[0] == ""
    for _ in range(2):
        assert step(jobs, "rel", "a", "--undo", *say, "undo-a")[0] == "undo-a\n"
    assert written(path) == ["a", "undo-a"]
    # A step that was undone is not done, and does not run again in this flow.
    assert "was undone" in step(jobs, "rel", "a", *say, "a", code=125)[1]
    step(jobs, "--forget", "rel")
    assert undone(jobs, "rel") == {}
    assert step(jobs, "rel", "a", *say, "a")[0] == "a\n"
