"""What runs hand back: recorded with their end, and never without."""
import json
import os
import time

import pytest

import tools
from cluster import wait_for
from conftest import describe
from jobnode import moment

pytestmark = pytest.mark.parametrize("cluster", [("3.4", 1, True)], indirect=True, ids=describe)
NEVER = {"Type": "cron", "Schedule": "0 0 29 2 *", "Shell": "yes"}


def ctl(jobs, *words, code=0, **more):
    return tools.run("oncectl", "-c", os.path.join(jobs.directory, "onced-a.conf"), *words, code=code, **more)


def runs(jobs, job):
    return list(jobs.runs(job).values())


def ended(jobs, job, n=1):
    def look():
        found = [r for r in runs(jobs, job) if r["state"] != "begun"]
        return found if len(found) >= n else None
    return wait_for("%d runs of %s" % (n, job), look, 20)


def trigger(jobs, job):
    ctl(jobs, "trigger", job)


def test_a_result_is_recorded_with_the_end(jobs, tmp_path):
    put = tools.path("oncectl") + " result put"
    jobs.job("fd", Exec="echo out; echo '{\"rows\": 3}' >&$ONCED_RESULT_FD", **NEVER)
    jobs.job("put", Exec="echo first | %s; %s 'second one'" % (put, put), **NEVER)
    jobs.job("none", Exec="true", **NEVER)
    jobs.job("fails", Exec="echo half >&4; exit 3", **NEVER)
    jobs.job("much", Exec="head -c 16385 /dev/zero >&4", Retries="3", **NEVER)
    jobs.job("most", Exec="head -c 16384 /dev/zero >&4", **NEVER)
    jobs.job("alone", Exec="echo mine >&4", Isolate="yes", User="nobody", **NEVER)
    jobs.start("a")
    wait_for("a leader", jobs.leader, 15)
    for job in ("fd", "put", "none", "fails", "much", "most", "alone"):
        trigger(jobs, job)
    got = {job: ended(jobs, job)[0] for job in ("fd", "put", "none", "fails", "much", "most", "alone")}
    assert got["fd"]["result"] == '{"rows": 3}\n' and got["fd"]["tail"] == "out\n"
    assert got["put"]["result"] == "second one"
    assert got["none"]["state"] == "ok" and "result" not in got["none"]
    assert got["fails"]["state"] == "failed" and "result" not in got["fails"]
    assert (got["much"]["state"], got["much"]["reason"], got["much"]["attempt"]) == ("failed", "result", 1)
    assert got["much"]["detail"] == "its result has 16385 bytes, at most 16384 fit"
    assert got["alone"]["result"] == "mine\n"
    assert ctl(jobs, "result", "get", "fd")[0] == '{"rows": 3}\n'
    assert ctl(jobs, "result", "get", "most")[0] == "\0" * 16384
    assert '{"rows": 3}' in ctl(jobs, "runs", "fd")[0]
    shown = json.loads(ctl(jobs, "--json", "runs", "fd")[0])[0]
    assert shown["result"] == '{"rows": 3}\n'
    assert "result     12 bytes:\n    {\"rows\": 3}\n" in ctl(jobs, "runs", "fd", shown["moment"])[0]
    assert "handed back no result" in ctl(jobs, "result", "get", "none", code=4)[1]
    assert moment(shown["moment"]) <= time.time()


@pytest.mark.parametrize("policy", ["skip", "rerun"])
def test_a_run_that_is_cut_off_hands_back_nothing(jobs, tmp_path, policy):
    path = tmp_path / "wrote"
    jobs.job("slow", OnInterrupt=policy, Exec="test $ONCED_ATTEMPT = 1 || { echo again >&4; exit 0; }; "
             "echo lost >&4; : >%s; sleep 30" % path, **NEVER)
    jobs.start("a", "b")
    wait_for("a leader", jobs.leader, 15)
    trigger(jobs, "slow")
    wait_for("its result", path.exists, 20)
    node = jobs.leader()
    node.signal("kill", "guardian", "agent")
    node.wait_end(5)
    run = ended(jobs, "slow")[0]
    if policy == "skip":
        assert run["state"] == "interrupted" and "result" not in run
        assert "has no such run" in ctl(jobs, "result", "get", "slow", code=4)[1]
    else:
        assert (run["state"], run["attempt"], run["result"]) == ("ok", 2, "again\n")


def test_steps_and_claims_hand_back_theirs(jobs):
    jobs.job("roll", Type="steps", Shell="yes", Step=["a: echo 17 >&4", "b: true"])
    jobs.start("a")
    wait_for("the end", lambda: len(jobs.steps("roll")) == 2 and jobs.steps("roll")["b"]["state"] == "ok", 15)
    assert ctl(jobs, "result", "get", "roll/a")[0] == "17\n"
    assert " 17 " in ctl(jobs, "flow", "status", "roll")[0]
    ctl(jobs, "result", "get", "roll/b", code=4)
    hand = ("sh", "-c", "echo printed; eval 'echo handed >&'$ONCED_RESULT_FD")
    for _ in range(2):
        assert ctl(jobs, "step", "script", "a", "--", *hand)[0] == "printed\n"
        assert ctl(jobs, "once", "init", "--", *hand)[0] == "printed\n"
    assert ctl(jobs, "result", "get", "script/a")[0] == "handed\n"
    assert jobs.records("/onced/once/")["init"]["result"] == "handed\n"
    much = ("sh", "-c", "head -c 20000 /dev/zero >/dev/fd/$ONCED_RESULT_FD")
    assert "its result of 20000 bytes cannot be kept" in ctl(jobs, "once", "much", "--", *much, code=125)[1]


@pytest.mark.parametrize("env, stdin, code, line", [
    ({}, "x", 1, "ONCED_RESULT_FD is not set"),
    ({"ONCED_RESULT_FD": "77"}, "x", 1, "ONCED_RESULT_FD=77: is no descriptor for a result"),
    ({"ONCED_RESULT_FD": "-1"}, "x", 1, "ONCED_RESULT_FD=-1: is no descriptor"),
    ({"ONCED_RESULT_FD": "4x"}, "x", 1, "ONCED_RESULT_FD=4x: is no descriptor"),
])
def test_put_outside_a_job_gets_one_line(cluster, env, stdin, code, line):
    out, err = tools.run("oncectl", "result", "put", code=code, env=env, input=stdin)
    assert out == "" and line in err and len(err.splitlines()) == 1


def test_put_refuses_what_does_not_fit(cluster, tmp_path):
    fd = os.open(tmp_path / "result", os.O_RDWR | os.O_CREAT)
    try:
        env = {"ONCED_RESULT_FD": str(fd)}
        tools.run("oncectl", "result", "put", env=env, input="x" * 16384, pass_fds=[fd])
        err = tools.run("oncectl", "result", "put", env=env, input="x" * 16385, code=2, pass_fds=[fd])[1]
        assert "the result has more than 16384 bytes" in err and os.fstat(fd).st_size == 16384
    finally:
        os.close(fd)
