"""The operator's command on real etcd: what it shows of real daemons, what it writes for them, and how it
ends when something is not there."""
import json
import os
import signal
import subprocess
import threading
import time

import pytest

import procs
from cluster import clean_environment, wait_for
from conftest import describe

ONE = [("3.4", 1, True)]
pytestmark = pytest.mark.parametrize("cluster", ONE, indirect=True, ids=describe)
RUN = "/onced/run/backup/"


@pytest.fixture
def ctl(cluster, onced):
    """Calls oncectl; the finished process."""
    program = os.path.join(os.path.dirname(os.path.dirname(onced)), "tools", "oncectl", "oncectl")
    program = os.environ.get("ONCECTL_BIN", program)

    def call(*words, code=0, env=(), stdin="", seconds=60):
        environment = dict(clean_environment(), TZ="UTC", **cluster.etcdctl_environment())
        environment.update(env)
        done = subprocess.run(procs.DIE_WITH_US + [program, *words], env=environment, timeout=seconds,
                              input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == code, "%s: exit %d\n%s%s" % (
            words, done.returncode, done.stdout, done.stderr)
        if code not in (0, 1):
            assert len(done.stderr.splitlines()) == 1, done.stderr
        return done

    call.program = program
    call.json = lambda *words, **more: json.loads(call("--json", *words, **more).stdout)
    return call


def record(state, **more):
    return json.dumps({"v": 1, "state": state, "id": "0" * 31 + "1", "token": 7, "node": "alpha", "attempt": 1,
                       **more})


# ---- status ---------------------------------------------------------------------------------------


def test_status_of_nothing(ctl):
    shown = ctl("status").stdout
    assert "there was never a leader under /leader with prefix /onced" in shown
    assert ctl.json("status")["groups"] == []


def test_status_of_a_group(ctl, group):
    group.start("alpha", "beta", "gamma")
    wait_for("registrations", lambda: len(ctl.json("status", "--no-proof")["nodes"]) == 3, 20, 0.2)
    shown = ctl.json("status")
    leader = shown["groups"][0]
    assert (leader["group"], leader["leader"], leader["token"]) == (
        "default", group.leader().name, group.token())
    assert leader["proof_age_seconds"] is not None and leader["remark"] is None
    assert {n["node"]: n["leads"] for n in shown["nodes"]} == {
        name: int(name == group.leader().name) for name in ("alpha", "beta", "gamma")}
    member = shown["etcd"][0]
    assert (member["role"], member["http"]) == ("leader", 20) and member["version"].startswith("3.4.")
    assert "ago" in ctl("status").stdout


def test_a_silent_leader_shows(ctl, group):
    leader = group.start("alpha")
    leader.signal("stop", "guardian", "agent")
    try:
        shown = ctl("status", "--no-etcd").stdout
    finally:
        leader.signal("cont", "guardian", "agent")
    assert "NONE for" in shown or "nobody leads" in shown


def test_watch_goes_on(ctl, cluster):
    env = dict(clean_environment(), **cluster.etcdctl_environment())
    command = [ctl.program, "--json", "status", "--watch", "--interval", "100ms", "--no-etcd"]
    process = subprocess.Popen(procs.DIE_WITH_US + command, env=env, stdout=subprocess.PIPE, text=True)
    try:
        rounds = [json.loads(process.stdout.readline()) for _ in range(3)]
        assert all(r["groups"] == [] for r in rounds)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_what_stands_in_etcd_cannot_drive_a_terminal(ctl, cluster):
    cluster.etcdctl("put", "/leader", "\x1b[31mred\nnext")
    cluster.etcdctl("put", "/onced/nodes/a\x1bb", "incarnation=0123456789abcdef address=\x07here")
    shown = ctl("status").stdout
    assert "\x1b" not in shown and "\x07" not in shown and "\\x1b[31mred" in shown
    assert ctl.json("status")["groups"][0]["remark"] == "the key was not put by onced"


# ---- leaders --------------------------------------------------------------------------------------


def test_leaders_and_why_they_ended(ctl, group, cluster):
    group.start("alpha", "beta", "gamma")
    for what, reason in (("term", "its node was stopped"), ("agent", "its process died"),
                         ("host", "gave no proof for too long")):
        leader, token, now = group.leader(), group.token(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if what == "term":
            leader.signal("term", "guardian")
        elif what == "agent":
            leader.signal("kill", "agent")
        else:
            leader.signal("kill", "guardian", "agent")
        group.history.wait_other(token, now, 30)
        terms = ctl.json("leaders")["terms"]
        assert terms[0]["leads"] and terms[0]["token"] == group.token()
        assert (terms[1]["token"], terms[1]["node"]) == (token, leader.name)
        assert terms[1]["end"] == reason
        if what != "agent":
            leader.wait_end(20)
            leader.start()
    shown = ctl("leaders", "--limit", "2").stdout.splitlines()
    assert len(shown) == 3 and "leads" in shown[1]
    assert len(ctl.json("leaders")["terms"]) == 4 and not ctl.json("leaders")["compacted"]
    cluster.etcdctl("compaction", str(ctl.json("status", "--no-etcd", "--no-proof")["revision"]))
    told = ctl.json("leaders")
    assert told["compacted"] and len(told["terms"]) == 1
    assert "etcd has compacted it" in ctl("leaders").stdout


# ---- fence, put -----------------------------------------------------------------------------------


def test_a_job_writes_only_in_its_term(ctl, group, cluster):
    group.start("alpha")
    mine = {"ONCED_KEY": "/leader", "ONCED_TOKEN": str(group.token())}
    old = {"ONCED_KEY": "/leader", "ONCED_TOKEN": "1"}
    assert str(group.token()) in ctl("fence", env=mine).stdout
    assert ctl("put", "--fenced", "/k", "new", env=mine).stdout == "OK\n"
    assert "fenced" in ctl("fence", env=old, code=75).stderr
    assert "fenced" in ctl("put", "--fenced", "/k", "old", env=old, code=75).stderr
    assert cluster.etcdctl("get", "/k", "--print-value-only") == "new\n"
    lock = {"ETCD_LOCK_KEY": "/leader", "ETCD_LOCK_REV": str(group.token())}
    ctl("put", "--fenced", "/k", env=lock, stdin="from a pipe")
    assert cluster.etcdctl("get", "/k", "--print-value-only") == "from a pipe\n"
    for words in (["fence"], ["put", "--fenced", "/k", "v"], ["fence", "--token", "seven"]):
        assert "expected" in ctl(*words, code=2).stderr


# ---- switchover -----------------------------------------------------------------------------------


def test_a_switchover_is_asked_for(ctl, group, cluster):
    assert "has no leader now" in ctl("switchover", code=4).stderr
    assert "has no leader now" in ctl("resign", code=4).stderr
    group.start("alpha")
    wait_for("registration", lambda: ctl.json("status", "--no-proof")["nodes"], 20, 0.2)
    assert "alpha leads already" in ctl("switchover", "--to", "alpha").stdout
    assert "no other node" in ctl("switchover", code=1).stderr
    assert "node delta is not there" in ctl("switchover", "--to", "delta", code=4).stderr
    assert "has passed" in ctl("switchover", "--at", "2020-01-01T00:00:00Z", code=2).stderr
    cluster.etcdctl("put", "/onced/nodes/beta", "incarnation=0123456789abcdef address=")
    ctl("switchover", "--to", "beta", "--at", "+1h", "--reason", "disk")
    asked = json.loads(cluster.etcdctl("get", "/onced/g/default/handover", "--print-value-only"))
    assert (asked["token"], asked["from"], asked["to"], asked["reason"]) == (
        group.token(), "alpha", "beta", "disk")
    assert "to be handed over to beta at 20" in ctl("status").stdout
    ctl("switchover", "--cancel")
    assert "no switchover" in ctl("switchover", "--cancel", code=4).stderr


# ---- jobs, runs, why ------------------------------------------------------------------------------


@pytest.fixture
def backup(cluster):
    """A job with a history, as a leader would have written it."""
    put = cluster.etcdctl
    put("put", RUN + "2026-11-22T01:00:00Z", record(
        "ok", start="2026-11-22T01:00:00.100Z", end="2026-11-22T01:00:03Z", exited=True, cause="schedule",
        output_size=11, tail="one\ntwo\x1b[1m"))
    put("put", RUN + "2026-11-22T02:00:00Z", record(
        "failed", start="2026-11-22T02:00:00Z", end="2026-11-22T02:00:01Z", exited=True, exit=3))
    put("put", RUN + "2026-11-22T03:00:00Z", json.dumps({
        "v": 1, "state": "skipped", "reason": "missed", "scheduled": "2026-11-22T03:00:00Z",
        "until": "2026-11-22T05:00:00Z", "count": 3}))
    put("put", RUN + "2026-11-22T06:00:00Z", "what is this")
    put("put", RUN + "2026-11-22T07:00:00Z", record("begun", start="2026-11-22T07:00:00Z"))
    put("put", "/onced/job/backup/next", json.dumps({
        "v": 1, "decided": "2026-11-22T07:30:00Z", "next": "2026-11-22T08:00:00Z", "schedule": "0 * * * *"}))
    return cluster


def test_runs(ctl, backup):
    shown = ctl.json("runs", "backup")
    assert [(r["moment"][11:16], r["state"]) for r in shown] == [
        ("07:00", "begun"), ("06:00", "unreadable"), ("03:00", "skipped"), ("02:00", "failed"),
        ("01:00", "ok")]
    table = ctl("runs", "backup").stdout
    assert "failed (exit 3)" in table and "skipped (3 moments)" in table and "not readable" in table
    assert len(ctl.json("runs", "backup", "--limit", "2")) == 2
    assert "older ones" in ctl("runs", "backup", "--limit", "2").stdout
    one = ctl("runs", "backup", "2026-11-22 01:00").stdout
    assert "one\n" in one and "two\\x1b[1m" in one and "2.9s" in one
    assert "has no record of" in ctl("runs", "backup", "2026-11-22 01:30", code=4).stderr
    assert "has no record" in ctl("runs", "other", code=4).stderr


def test_jobs(ctl, backup):
    backup.etcdctl("put", "/onced/run/a-job/2026-11-22T01:00:00Z", record("ok"))
    shown = ctl.json("jobs")
    assert [(j["job"], j["next"], j["paused"]) for j in shown] == [
        ("a-job", None, False), ("backup", "2026-11-22T08:00:00Z", False)]
    assert ctl.json("status")["jobs"] == shown and "a-job" in ctl("status").stdout
    assert ctl.json("status", "--no-jobs")["jobs"] == []
    assert shown[1]["last"][0]["state"] == "begun" and shown[1]["schedule"] == "0 * * * *"
    assert "0 * * * *" in ctl("jobs").stdout


@pytest.mark.parametrize("at, answer", [
    ("01:00", "it ran on alpha and ended well at 2026-11-22T01:00:03Z"),
    ("02:00", "it ran on alpha and ended at 2026-11-22T02:00:01Z: failed (exit 3)"),
    ("03:00", "it did not run: no node led at that moment"),
    ("04:00", "it did not run: no node led at that moment"),
    ("05:00", "it did not run: no node led at that moment"),
    ("06:00", "cannot be read"),
    ("07:00", "it runs on alpha since 2026-11-22T07:00:00Z"),
    ("05:30", "no record: no moment of the schedule 0 * * * *"),
    ("23:00", "group default has no leader now"),
])
def test_why_has_an_answer(ctl, backup, at, answer):
    assert answer in ctl("why", "backup", "2026-11-22T%s:00Z" % at).stdout


def test_why_without_records(ctl, group, cluster):
    assert "has no leader" in ctl("why", "nothing").stdout
    group.start("alpha")
    assert "nothing is known of a job nothing" in ctl("why", "nothing").stdout
    cluster.etcdctl("put", "/onced/job/new/next", json.dumps({"v": 1, "next": "2099-01-01T00:00:00Z"}))
    assert "still to come" in ctl("why", "new", "2099-01-01T00:00:00Z").stdout
    assert "the next moment is 2099-01-01T00:00:00Z" in ctl("why", "new").stdout
    ctl("pause", "new", "--reason", "moving house")
    assert "paused by" in ctl("why", "new").stdout and "moving house" in ctl("why", "new").stdout


# ---- pause, trigger, kill -------------------------------------------------------------------------


def test_pause_and_resume(ctl, backup):
    assert "job backup is paused until" in ctl("pause", "backup", "--for", "1h", "--reason", "disk full").stdout
    told = json.loads(backup.etcdctl("get", "/onced/job/backup/pause", "--print-value-only"))
    assert told["reason"] == "disk full" and told["until"] > told["since"]
    assert "disk full" in ctl.json("jobs")[0]["pause"]
    ctl("resume", "backup")
    assert "was not paused" in ctl("resume", "backup").stdout
    ctl("pause")
    assert "everything is paused" in ctl.json("jobs")[0]["pause"]
    assert "resume without a name" in ctl("resume", "backup", code=1).stderr
    assert "every job goes on" in ctl("resume").stdout
    assert "knows of no job of this name" in ctl("pause", "typo").stdout
    assert "has passed" in ctl("pause", "--until", "-1s", code=2).stderr


def leader_that_takes_up(cluster, state, **more):
    """Does what a leader does with a trigger: one txn, and the end of the run later."""
    def work():
        key = wait_for("trigger", lambda: cluster.etcdctl(
            "get", "/onced/trigger/backup/", "--prefix", "--keys-only").strip(), 30)
        run = RUN + "2026-11-22T09:00:00.123Z"
        txn = 'create("%s") != "0"\n\ndel %s\nput %s %s\n\n\n' % (
            key, key, run, json.dumps(record("begun")))
        subprocess.run(cluster.etcdctl_command("txn"), input=txn, text=True, check=True, timeout=30,
                       env=dict(clean_environment(), ETCDCTL_API="3"), stdout=subprocess.DEVNULL)
        cluster.etcdctl("put", RUN + "2026-11-22T08:00:00Z", record("failed"))
        cluster.etcdctl("put", run, record(state, **more))
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("state, more, code", [("ok", {}, 0), ("failed", {"exited": True, "exit": 5}, 1)])
def test_trigger_waits_for_its_run(ctl, cluster, state, more, code):
    leader = leader_that_takes_up(cluster, state, **more)
    done = ctl("--json", "trigger", "backup", "--wait", "--reason", "by hand", code=code)
    leader.join()
    told = json.loads(done.stdout)
    assert (told["moment"], told["state"]) == ("2026-11-22T09:00:00.123Z", state)


def test_a_trigger_that_nobody_takes_up(ctl, cluster):
    assert "asked for" in ctl("trigger", "backup").stdout
    assert "/onced/trigger/backup/" in cluster.etcdctl("get", "", "--from-key", "--keys-only")
    cluster.wipe()
    assert "taken back" in ctl("trigger", "backup", "--wait", "--timeout", "1s", code=1).stderr
    assert cluster.etcdctl("get", "", "--from-key", "--keys-only").strip() == ""


def test_kill(ctl, backup):
    assert "backup 2026-11-22T07:00:00Z on alpha is to end" in ctl("kill", "backup", "--reason", "stuck").stdout
    told = json.loads(backup.etcdctl("get", "/onced/kill/backup/2026-11-22T07:00:00Z", "--print-value-only"))
    assert told["run"] == "0" * 31 + "1" and told["reason"] == "stuck"
    assert "does not run: ok" in ctl("kill", "backup", "2026-11-22T01:00:00Z", code=4).stderr
    assert "no run that is going on" in ctl("kill", "other", code=4).stderr


# ---- etcd, configuration --------------------------------------------------------------------------


def test_doctor(ctl, group, cluster):
    group.start("alpha")
    told = ctl("doctor", "--profile", "fast")
    assert "etcd#15247" in told.stdout and "m0 speaks HTTP/2" in told.stdout
    assert "alpha proves itself" in told.stdout and "3s granted as asked" in told.stdout
    before = cluster.etcdctl("get", "", "--from-key", "--keys-only").split()
    assert not [key for key in before if "doctor" in key]


def test_doctor_names_a_foreign_leader(ctl, cluster):
    cluster.etcdctl("put", "/leader", "somebody")
    told = ctl("doctor", code=1)
    assert "BAD" in told.stdout and "is on no lease, so it never ends" in told.stdout


def test_etcd_that_does_not_answer(ctl, cluster):
    cluster.pause(0)
    try:
        start = time.monotonic()
        ctl("status", "--command-timeout", "1s", code=3)
        assert time.monotonic() - start < 30
    finally:
        cluster.resume(0)
    assert "127.0.0.1:1" in ctl("status", "--endpoints", "https://127.0.0.1:1", code=3).stderr
    first = "https://127.0.0.1:1," + cluster.urls()
    assert "never a leader" in ctl("status", "--endpoints", first, "--no-etcd").stdout


def test_configuration_file(ctl, cluster, tmp_path):
    tls, path = cluster.tls, tmp_path / "onced.conf"
    path.write_text("[Etcd]\nEndpoints=https://127.0.0.1:1\nCACert=%s\nCert=%s\nKey=%s\n"
                    "[Election]\nKey=/other\nProfile=wan\n" % (tls.ca, tls.client, tls.client_key))
    bare = {name: "" for name in cluster.etcdctl_environment()}
    ctl("-c", str(path), "status", "--command-timeout", "1s", env=bare, code=3)
    shown = ctl("-c", str(path), "status", "--endpoints", cluster.urls(), env=bare).stdout
    assert "/other" in shown
    assert "profile wan" in ctl("-c", str(path), "timing", env=bare).stdout
    path.write_text("[Etcd]\nEndpoints=https://127.0.0.1:1\nEndpoint=x\n")
    assert "Endpoint" in ctl("-c", str(path), "timing", env=bare, code=78).stderr


def test_completion(ctl, cluster):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../completions/oncectl")
    env = dict(clean_environment(), PATH=os.path.dirname(ctl.program) + ":" + os.environ["PATH"])

    def complete(*words):
        line = " ".join("'%s'" % w for w in words)
        text = ("compopt() { :; }\nsource %s\nCOMP_WORDS=(%s)\nCOMP_CWORD=%d\n_oncectl oncectl '%s' '%s'\n"
                "printf '%%s\\n' \"${COMPREPLY[@]}\"") % (
                    script, line, len(words) - 1, words[-1], words[-2])
        return subprocess.run(["bash", "-c", text], env=env, timeout=30, check=True, text=True,
                              stdout=subprocess.PIPE).stdout.split()
    assert complete("oncectl", "sw") == ["switchover"]
    assert "--watch" in complete("oncectl", "status", "--")
    assert complete("oncectl", "status", "--endp") == ["--endpoints"]
    assert complete("oncectl", "-w", "j") == ["json"]
