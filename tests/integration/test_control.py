"""What keys of a job file and requests of operators do to runs, on real etcd with one daemon or two."""
import os
import pwd
import time

import pytest

from cluster import wait_for
from conftest import describe

pytestmark = pytest.mark.parametrize("cluster", [("3.5", 1, True)], indirect=True, ids=describe)
REQUEST = {"v": 1, "by": "test", "reason": "because", "at": "2026-01-01T00:00:00Z"}


def cron(group, name="job", schedule="@every 1h", **keys):
    group.job(name, Type="cron", Schedule=schedule, **keys)


def trigger(group, name="job", request="t1"):
    """Asks for a run, once the leader is there; returns its record when it is over."""
    wait_for("a cursor", lambda: group.get("/onced/job/%s/next" % name), 15)
    before = set(group.runs(name))
    group.put("/onced/trigger/%s/%s" % (name, request), REQUEST)

    def over():
        new = [r for m, r in group.runs(name).items() if m not in before]
        return new[0] if new and new[0]["state"] != "begun" else None
    return wait_for("the triggered run's end", over, 15)


def running(group, name="job"):
    """(moment, record) of the run that is begun."""
    return wait_for("a run of " + name, lambda: next(
        ((m, r) for m, r in group.runs(name).items() if r["state"] == "begun"), None), 15, 0.01)


def test_output_and_its_end(jobs):
    cron(jobs, Shell="yes", Exec="seq 1 10000; echo error >&2", OutputTail=100)
    jobs.start("a")
    record = trigger(jobs)
    assert record["state"] == "ok" and record["cause"] == "trigger"
    assert record["output_size"] == len("".join("%d\n" % i for i in range(1, 10001))) + 6
    assert record["tail"].endswith("9999\n10000\nerror\n") and len(record["tail"]) == 100
    jobs.nodes["a"].wait_log("job: error", 5)
    assert jobs.get("/onced/trigger/") == {}


def test_output_that_nobody_could_read_does_not_block(jobs):
    cron(jobs, Shell="yes", Exec="dd if=/dev/zero bs=1M count=20 2>&1 | tr '\\0' 'x'", Timeout="20s")
    jobs.start("a")
    record = trigger(jobs)
    assert record["state"] == "ok" and record["output_size"] >= 20 << 20


def test_retries_and_their_end(jobs, tmp_path):
    path = tmp_path / "tries"
    cron(jobs, Shell="yes", Exec="echo $ONCED_ATTEMPT $ONCED_RUN >>%s; exit 3" % path, Retries=2,
         RetryDelay="100ms")
    jobs.start("a")
    record = trigger(jobs)
    assert (record["state"], record["attempt"], record["exit"]) == ("failed", 3, 3)
    tries = [line.split() for line in path.read_text().splitlines()]
    assert [t[0] for t in tries] == ["1", "2", "3"] and len({t[1] for t in tries}) == 1


def test_codes_that_are_not_worth_another_try(jobs):
    cron(jobs, Shell="yes", Exec="exit 4", Retries=2, RetryDelay="100ms", RetryOn="3 timeout")
    jobs.start("a")
    assert trigger(jobs)["attempt"] == 1


def test_timeout(jobs):
    cron(jobs, Exec="/bin/sleep 600", Timeout="300ms")
    jobs.start("a")
    record = trigger(jobs)
    assert (record["state"], record["reason"]) == ("timeout", "time")


def test_what_cannot_be_started(jobs):
    cron(jobs, Exec="/no/such/program")
    jobs.start("a")
    record = trigger(jobs)
    assert (record["state"], record["reason"]) == ("failed", "exec")
    assert "No such file or directory" in record["detail"]


def test_kill(jobs):
    cron(jobs, Exec="/bin/sleep 600", Retries=5)
    jobs.start("a")
    wait_for("a cursor", lambda: jobs.get("/onced/job/job/next"), 15)
    jobs.put("/onced/trigger/job/t1", REQUEST)
    moment, _ = running(jobs)
    jobs.put("/onced/kill/job/" + moment, REQUEST)
    wait_for("its end", lambda: jobs.runs("job")[moment]["state"] != "begun", 15)
    record = jobs.runs("job")[moment]
    assert (record["state"], record["reason"]) == ("failed", "killed")
    assert record["detail"] == "by test: because"
    wait_for("the request to be gone", lambda: jobs.get("/onced/kill/") == {}, 5)


def test_pause_and_resume(jobs):
    cron(jobs, schedule="@every 1s", Exec="/bin/true")
    jobs.put("/onced/job/job/pause", {"v": 1, "by": "test", "reason": "because",
                                      "since": "2026-01-01T00:00:00Z"})
    jobs.start("a")
    wait_for("skips", lambda: len(jobs.runs("job")) >= 2, 15)
    for record in jobs.runs("job").values():
        assert (record["state"], record["reason"], record["detail"]) == ("skipped", "paused", "because")
    jobs.cluster.etcdctl("del", "/onced/job/job/pause")
    wait_for("a run", lambda: any(r["state"] == "ok" for r in jobs.runs("job").values()), 15)
    jobs.put("/onced/pause", {"v": 1, "by": "test", "reason": "all of it",
                              "since": "2026-01-01T00:00:00Z"})
    wait_for("a skip", lambda: any(r.get("detail") == "all of it"
                                   for r in jobs.runs("job").values()), 15)


def test_pause_after_failures(jobs):
    cron(jobs, schedule="@every 1s", Exec="/bin/false", PauseOnFailure=2)
    jobs.start("a")
    wait_for("the pause", lambda: jobs.get("/onced/job/job/pause"), 15)
    assert "2 failures in a row" in jobs.get("/onced/job/job/pause")["/onced/job/job/pause"]
    assert [r["state"] for r in jobs.runs("job").values()][:2] == ["failed", "failed"]


def test_a_run_is_replaced_by_the_next(jobs):
    cron(jobs, schedule="@every 2s", Exec="/bin/sleep 600", Overlap="replace")
    jobs.start("a")

    def replaced():
        return [r for r in jobs.runs("job").values() if r["state"] == "interrupted"]
    record = wait_for("a replaced run", replaced, 15)[0]
    assert record["reason"] == "replaced"
    running(jobs)


def left(group, **keys):
    """A run that its node's death has cut off, and the records after another decided it."""
    cron(group, Shell="yes", Exec="test $ONCED_ATTEMPT -gt 1 || sleep 600", **keys)
    group.start("a")
    wait_for("a cursor", lambda: group.get("/onced/job/job/next"), 15)
    group.put("/onced/trigger/job/t1", REQUEST)
    moment, _ = running(group)
    wait_for("its process", group.nodes["a"].jobs, 10)
    group.nodes["a"].signal("kill", "guardian", "agent")
    group.nodes["a"].wait_end(5)
    group.start("b")
    wait_for("a decision", lambda: group.runs("job")[moment]["state"] != "begun", 20)
    return group.runs("job")[moment]


@pytest.mark.parametrize("keys,state,reason,attempt", [
    ({"OnInterrupt": "skip"}, "interrupted", "no-end", 1),
    ({"OnInterrupt": "rerun"}, "ok", None, 2),
    ({"OnInterrupt": "probe", "Probe": "true"}, "ok", "probe", 1),
    ({"OnInterrupt": "probe", "Probe": "exit 1"}, "ok", None, 2),
    ({"OnInterrupt": "probe", "Probe": "exit 7"}, "lost", "hold", 1),
    ({"OnInterrupt": "hold"}, "lost", "hold", 1)])
def test_a_run_without_end_is_decided(jobs, keys, state, reason, attempt):
    record = left(jobs, **keys)
    assert (record["state"], record.get("reason"), record["attempt"]) == (state, reason, attempt)
    held = "/onced/job/job/pause" in jobs.get("/onced/job/job/pause")
    assert held == (state == "lost")
    if reason in ("no-end", "probe", "hold"):
        assert record["closed_by"] == "b" and record["node"] == "a"


def test_retries_go_on_under_the_next_leader(jobs, tmp_path):
    path = tmp_path / "tries"
    cron(jobs, Shell="yes", Exec="echo $ONCED_ATTEMPT >>%s; test $ONCED_ATTEMPT -gt 1" % path, Retries=1,
         RetryDelay="1h")
    jobs.start("a")
    wait_for("a cursor", lambda: jobs.get("/onced/job/job/next"), 15)
    jobs.put("/onced/trigger/job/t1", REQUEST)
    wait_for("the first failure", lambda: any(r.get("exited") for r in jobs.runs("job").values()), 15)
    jobs.nodes["a"].signal("kill", "guardian", "agent")
    jobs.nodes["a"].wait_end(5)
    jobs.start("b")
    wait_for("the second attempt", lambda: [r["state"] for r in jobs.runs("job").values()] == ["ok"], 20)
    assert path.read_text().split() == ["1", "2"]


def test_handover(jobs):
    cron(jobs, Exec="/bin/true")
    jobs.start("a")
    wait_for("a leader", jobs.leader, 15)
    jobs.start("b")
    time.sleep(1)  # time to register
    jobs.put("/onced/g/default/handover", dict(REQUEST, to="b"))
    wait_for("the other leader", lambda: jobs.leader() is jobs.nodes["b"], 15)
    time.sleep(0.5)
    assert jobs.leader() is jobs.nodes["b"] and jobs.get("/onced/g/default/handover") == {}


def test_user_for_good(jobs, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can run a job as another user")
    nobody = pwd.getpwnam("nobody")
    path = tmp_path / "who"
    path.write_text("")
    os.chmod(str(path), 0o666)
    for directory in [tmp_path, *tmp_path.parents]:
        if str(directory).startswith("/tmp/"):
            os.chmod(str(directory), 0o755)
    cron(jobs, Shell="yes", User="nobody",
         Exec="(grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|NoNewPrivs):' /proc/self/status; echo $USER $HOME) "
              ">%s; echo to-stderr >/dev/stderr" % path)
    jobs.start("a")
    record = trigger(jobs)
    assert record["state"] == "ok", record
    lines = path.read_text().splitlines()
    status = {line.split(":")[0]: line.split()[1:] for line in lines[:-1]}
    assert status["Uid"] == [str(nobody.pw_uid)] * 4 and status["Gid"] == [str(nobody.pw_gid)] * 4
    assert status["Groups"] == [str(nobody.pw_gid)] and status["NoNewPrivs"] == ["1"]
    assert int(status["CapEff"][0], 16) == 0 and int(status["CapPrm"][0], 16) == 0
    assert lines[-1] == "nobody " + nobody.pw_dir and record["tail"] == "to-stderr\n"
