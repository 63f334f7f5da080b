"""Jobs that are done one time ever, on real etcd, while their leaders die: once, steps, and migrations of
real databases."""
import os
import shutil
import subprocess
import time

import pytest

import postgres
from cluster import wait_for
from conftest import describe
from jobnode import told
from sqlitedb import Sqlite

pytestmark = pytest.mark.parametrize("cluster", [("3.5", 1, True)], indirect=True, ids=describe)
FILES = 5


def written(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return file.read().split()


def states(records):
    return {name: record["state"] for name, record in records.items()}


def kill_leader(group):
    """The node whose job it was, to be started again by the test."""
    node = wait_for("a leader", group.leader, 15)
    node.signal("kill", "guardian", "agent")
    node.wait_end(5)
    return node


def log_has(group, text):
    return any(text in node.text() for node in group.nodes.values())


# ---- once

def test_once_runs_one_time(jobs, tmp_path):
    path = str(tmp_path / "ran")
    jobs.job("first", Type="once", Id="create-v1", Shell="yes", Exec="echo $ONCED_RUN >>" + path)
    jobs.start("a", "b", "c")
    wait_for("its end", lambda: states(jobs.records("/onced/once/")) == {"create-v1": "ok"}, 15)
    for _ in range(2):
        kill_leader(jobs).start()
        wait_for("another leader", jobs.leader, 15)
    time.sleep(1)
    assert written(path) == ["create-v1"]


def test_once_with_other_content_is_refused(jobs, tmp_path):
    path = str(tmp_path / "ran")
    jobs.job("first", Type="once", Shell="yes", Exec="echo one >>" + path)
    jobs.start("a")
    wait_for("its end", lambda: states(jobs.records("/onced/once/")) == {"first": "ok"}, 15)
    jobs.job("first", Type="once", Shell="yes", Exec="echo two >>" + path)
    os.kill(jobs.nodes["a"].guardian, 1)
    jobs.nodes["a"].wait_log("was done with other content", 10)
    assert written(path) == ["one"]


def test_a_probe_that_hangs_is_killed(jobs, tmp_path):
    path = tmp_path / "ran"
    jobs.job("first", Type="once", Shell="yes", Exec="echo >%s; exec sleep 1000" % path, OnInterrupt="probe",
             Probe="trap '' TERM; while :; do sleep 1; done", ProbeTimeout="300ms")
    jobs.start("a")
    wait_for("the job", path.exists, 15)
    kill_leader(jobs).start()
    wait_for("hold", lambda: states(jobs.records("/onced/once/")) == {"first": "lost"}, 20)
    assert log_has(jobs, "first: the probe takes longer than 0.3 s: killing it")


# ---- steps

def test_steps_go_on_after_the_last_completed_one(jobs, tmp_path):
    path = str(tmp_path / "ran")
    script = "s%d: echo $ONCED_STEP.$ONCED_ATTEMPT >>" + path + "; sleep 0.4; echo end-$ONCED_STEP >>" + path
    jobs.job("roll", Type="steps", Id="release-1", Shell="yes", Step=[script % i for i in range(4)])
    jobs.start("a", "b")
    for i in (1, 2):
        wait_for("step %d" % i, lambda i=i: "s%d.1" % i in written(path), 15)
        kill_leader(jobs).start()
        wait_for("its second attempt", lambda i=i: "s%d.2" % i in written(path), 15)
    wait_for("the end", lambda: states(jobs.steps("release-1")) == {"s%d" % i: "ok" for i in range(4)}, 15)
    ran = written(path)
    for i in range(4):
        assert ran.count("end-s%d" % i) == 1
        assert [x for x in ran if x.startswith("s%d." % i)] == ["s%d.1" % i] + ["s%d.2" % i] * (i in (1, 2))
    assert [x for x in ran if x.startswith("end")] == ["end-s%d" % i for i in range(4)]


@pytest.mark.parametrize("steps", [["a: true", "c: true", "b: true"], ["a: true", "b: false"], ["b: true"]])
def test_another_list_of_steps_is_refused(jobs, steps):
    jobs.job("roll", Type="steps", Step=["a: true", "b: true"])
    jobs.start("a")
    wait_for("the end", lambda: states(jobs.steps("roll")) == {"a": "ok", "b": "ok"}, 15)
    jobs.job("roll", Type="steps", Step=steps)
    os.kill(jobs.nodes["a"].guardian, 1)
    jobs.nodes["a"].wait_log("its list of steps is not the one that it was begun with", 10)
    assert states(jobs.steps("roll")) == {"a": "ok", "b": "ok"}


def test_a_failed_step_waits_for_a_trigger(jobs, tmp_path):
    flag = tmp_path / "flag"
    jobs.job("roll", Type="steps", Shell="yes", Step=["a: true", "b: test -e %s" % flag, "c: true"])
    jobs.start("a")
    jobs.nodes["a"].wait_log("b, number 2 of 3, ended as failed with exit code 1 on a", 15)
    assert states(jobs.steps("roll")) == {"a": "ok", "b": "failed"}
    flag.write_text("")
    jobs.put("/onced/trigger/roll/t1", {"v": 1, "by": "test", "at": "2026-01-01T00:00:00Z"})
    wait_for("the end", lambda: states(jobs.steps("roll")) == {"a": "ok", "b": "ok", "c": "ok"}, 15)
    assert jobs.steps("roll")["b"]["attempt"] == 2
    assert jobs.get("/onced/trigger/") == {}


def test_a_trigger_is_not_for_what_began_after_it(jobs, tmp_path):
    """Its deletion may be lost with the leader that followed it: the next one sees it once more."""
    path = tmp_path / "ran"
    jobs.job("roll", Type="steps", Shell="yes", OnInterrupt="hold",
             Step=["a: echo a >> %s; exec sleep 1000" % path])
    jobs.start("a")
    wait_for("the step", path.exists, 15)
    first = jobs.nodes["a"]
    first.signal("kill", "guardian", "agent")
    first.wait_end(10)
    (key, value), = jobs.get("/onced/step/roll/").items()
    trigger(jobs, "roll", 1)
    jobs.cluster.etcdctl("put", key, value)  # begun anew, as far as anybody can see
    jobs.start("b")
    wait_for("hold", lambda: states(jobs.steps("roll")) == {"a": "lost"}, 20)
    wait_for("the trigger's end", lambda: jobs.get("/onced/trigger/") == {}, 10)
    time.sleep(0.5)
    assert path.read_text() == "a\n"
    trigger(jobs, "roll", 2)
    wait_for("the step again", lambda: path.read_text() == "a\na\n", 15)


# ---- migrations

def begun(group, flow, name):
    record = group.steps(flow).get(name)
    return record and record["state"] == "begun"


def trigger(group, job, number):
    group.put("/onced/trigger/%s/t%d" % (job, number),
              {"v": 1, "by": "test", "at": "2026-01-01T00:00:00Z"})


def kill_within_each(group, database, names, settle):
    """Kills the leader in the middle of every file, looks at the database, and lets it go on."""
    for i, name in enumerate(names):
        wait_for("begin of " + name, lambda name=name: begun(group, "schema", name), 20, 0.01)
        time.sleep(0.3)
        node = kill_leader(group)
        wait_for("hold at " + name,
                 lambda name=name: group.steps("schema")[name]["state"] == "lost", 20)
        record = group.steps("schema")[name]
        assert "%s, number %d of %d, was begun on %s" % (name, i + 1, len(names), node.name) \
            in record["detail"]
        assert "%d of %d are done" % (i, len(names)) in record["detail"]
        settle(i + 1)
        assert database.applied() == list(range(1, i + 1))
        node.start()
        trigger(group, "schema", i)
        wait_for("the second attempt", lambda name=name: group.steps("schema")[name]["state"] == "ok", 30)
    wait_for("the end", lambda: set(states(group.steps("schema")).values()) == {"ok"}, 20)
    assert database.applied() == list(range(1, len(names) + 1))


def test_sqlite_migrations_while_every_leader_dies(jobs, tmp_path):
    database = Sqlite(tmp_path)
    for i in range(1, FILES + 1):
        database.write(i)
    jobs.job("schema", **database.keys())
    jobs.start("a", "b", "c")
    names = sorted(os.listdir(database.files))
    kill_within_each(jobs, database, names, lambda _: None)
    sums = subprocess.run(["sha256sum", os.path.join(database.files, names[0])], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.split()
    assert jobs.steps("schema")[names[0]]["hash"] == sums[0]


def quick(jobs, tmp_path, n):
    database = Sqlite(tmp_path)
    for i in range(1, n + 1):
        database.write(i, slow=False)
    jobs.job("schema", **database.keys())
    jobs.start("a")
    wait_for("the end", lambda: list(states(jobs.steps("schema")).values()) == ["ok"] * n, 15)
    return database


def test_a_changed_file_that_was_applied_is_refused(jobs, tmp_path):
    database = quick(jobs, tmp_path, 2)
    database.write(2, slow=True)
    database.write(3, slow=False)
    trigger(jobs, "schema", 1)
    jobs.nodes["a"].wait_log("0002_step.sql was done with other content", 10)
    assert database.applied() == [1, 2]


def test_a_new_file_before_an_applied_one_is_refused(jobs, tmp_path):
    database = quick(jobs, tmp_path, 2)
    shutil.copy(os.path.join(database.files, "0001_step.sql"),
                os.path.join(database.files, "0001_xtra.sql"))
    trigger(jobs, "schema", 1)
    jobs.nodes["a"].wait_log("0001_xtra.sql comes before 0002_step.sql, which is done already", 10)
    assert database.applied() == [1, 2]


def test_numbers_of_different_length_are_refused(jobs, tmp_path):
    database = quick(jobs, tmp_path, 1)
    shutil.copy(os.path.join(database.files, "0001_step.sql"),
                os.path.join(database.files, "10_step.sql"))
    trigger(jobs, "schema", 1)
    jobs.nodes["a"].wait_log("expected numbers of one length: 0009, 0010", 10)


def test_baseline_is_recorded_and_not_run(jobs, tmp_path):
    database = Sqlite(tmp_path)
    for i in (1, 2, 3):
        database.write(i, slow=False)
    jobs.job("schema", Baseline="0002_step.sql", **database.keys())
    jobs.start("a")
    wait_for("the end", lambda: len(jobs.steps("schema")) == 3 and
             jobs.steps("schema")["0003_step.sql"]["state"] == "ok", 15)
    assert database.applied() == [3]
    assert jobs.steps("schema")["0002_step.sql"]["reason"] == "baseline"


# ---- PostgreSQL

@pytest.fixture
def database(tmp_path_factory):
    reason = postgres.missing()
    if reason:
        pytest.skip(reason)
    made = postgres.Postgres(tmp_path_factory.mktemp("pg"))
    yield made
    made.close()


def test_postgresql_migrations_while_every_leader_dies(jobs, database, tmp_path):
    database.sql(told("migrate-postgresql"))
    database.sql("CREATE TABLE applied (id serial, file int)")
    files = tmp_path / "migrations"
    files.mkdir()
    for i in range(1, 4):
        (files / ("%04d_step.sql" % i)).write_text(
            "INSERT INTO applied (file) VALUES (%d);\nSELECT pg_sleep(1.5);\n" % i)
    jobs.example("migrate-postgresql", ("/usr/share/shop/migrations", str(files)),
                 ("PGHOST=/run/postgresql PGDATABASE=shop PGUSER=shop PATH=/usr/bin:/bin",
                  database.environment()), job="schema")
    jobs.start("a", "b", "c")
    names = ["%04d_step.sql" % i for i in range(1, 4)]
    # A killed psql leaves its statement to the server, which rolls it back when it answers.
    kill_within_each(jobs, database, names, lambda _: database.wait_idle(10))
    token = int(database.sql("SELECT token FROM onced_fence"))
    with pytest.raises(subprocess.CalledProcessError):
        database.sql("SELECT onced_fence(%d)" % (token - 1))
    assert database.applied() == [1, 2, 3]


# ---- log rotation

@pytest.mark.parametrize("script", ["prerotate", "postrotate"])
def test_logs_that_nodes_share_rotate_once_a_period(jobs, tmp_path, script):
    """Cut off before a log is renamed, and after that, before logrotate has written its state."""
    logrotate = shutil.which("logrotate", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not logrotate:
        pytest.skip("logrotate is not installed")
    logs, conf = tmp_path / "logs", tmp_path / "logrotate.conf"
    logs.mkdir(mode=0o755)
    for name in ("one.log", "two.log"):
        (logs / name).write_text("line\n" * 100)
    text = told("logrotate").replace("/srv/logs", str(logs))
    assert "daily" in text
    mark = tmp_path / "mark"
    conf.write_text(text.replace("daily", "daily\n%s\ntouch %s; sleep 0.7\nendscript" % (script, mark)))
    os.chmod(str(conf), 0o644)
    # Rotated the last time a week ago: one rotation is due, and no more today.
    old = time.strftime("%Y-%-m-%-d-%H:0:0", time.localtime(time.time() - 7 * 86400))
    (logs / ".logrotate.state").write_text("logrotate state -- version 2\n" + "".join(
        '"%s/%s" %s\n' % (logs, n, old) for n in ("one.log", "two.log")))
    jobs.example("logrotate", ("@daily", "@every 1s"), ("/usr/sbin/logrotate", logrotate),
                 ("/srv/logs", str(logs)), ("/etc/onced/logrotate.conf", str(conf)))
    jobs.start("a", "b", "c")
    wait_for("its middle", mark.exists, 15, 0.01)
    kill_leader(jobs).start()
    wait_for("three runs after it", lambda: sum(
        r["state"] == "ok" for r in jobs.runs("logrotate").values()) >= 3, 30)
    assert all(r["state"] in ("ok", "begun", "skipped") for r in jobs.runs("logrotate").values())
    names = sorted(n.split("-")[0] for n in os.listdir(logs) if not n.startswith("."))
    assert names == ["one.log", "one.log", "two.log", "two.log"], os.listdir(logs)
    for name in ("one", "two"):
        rotated, = logs.glob(name + ".log-*")
        assert rotated.read_text() == "line\n" * 100
        assert (logs / (name + ".log")).read_text() == ""
