"""Every shipped job runs, with nothing changed but what belongs to the machine. Those of logrotate and
PostgreSQL run in test_flows.py, while their leaders die, that of a unit under systemd, in
tests/systemd/test_unit_jobs.py."""
import os
import pwd
import shutil
import sqlite3
import tempfile

import pytest

import tools
from cluster import wait_for
from conftest import describe
from jobnode import EXAMPLES

on_etcd = pytest.mark.parametrize("cluster", [("3.4", 1, True)], indirect=True, ids=describe)
HERE = {"service", "cron", "once", "steps", "migrate"}
ELSEWHERE = {"logrotate", "migrate-postgresql", "unit"}


def states(records):
    return {name: record["state"] for name, record in records.items()}


def ctl(jobs, *words):
    return tools.run("oncectl", "-c", os.path.join(jobs.directory, "onced-a.conf"), *words)[0]


@pytest.fixture
def public():
    """A directory that every user can reach."""
    path = tempfile.mkdtemp(prefix="onced-example-", dir="/tmp")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


def test_no_example_is_without_a_test():
    assert {n[:-len(".job.example")] for n in os.listdir(EXAMPLES)} == HERE | ELSEWHERE


@on_etcd
def test_service_cron_once_and_steps(jobs, tmp_path):
    said = tmp_path / "said"
    jobs.example("service", ("sleep 60", "sleep 0.2"), ('$ONCED_TOKEN"', '$ONCED_TOKEN" >>%s' % said))
    for name in ("cron", "once", "steps"):
        jobs.example(name)
    jobs.start("a")
    a = jobs.nodes["a"]
    wait_for("what it says", lambda: said.exists() and "service runs under token" in said.read_text(), 15)
    ctl(jobs, "trigger", "cron")
    run = wait_for("a run", lambda: [r for r in jobs.runs("cron").values() if r["state"] == "ok"], 15)[0]
    assert run["tail"] == "make a backup\n" and run["cause"] == "trigger"
    wait_for("once", lambda: states(jobs.records("/onced/once/")) == {"create-bucket-v1": "ok"}, 15)
    steps = ("drain", "deploy", "check", "enable")
    wait_for("all steps", lambda: states(jobs.steps("release-42")) == dict.fromkeys(steps, "ok"), 15)
    ctl(jobs, "flow", "undo", "steps", "--reason", "it is slow")
    wait_for("its undoing", lambda: states(jobs.records("/onced/undo/release-42/")) ==
             {"drain": "ok", "deploy": "ok"}, 15)
    text = a.text()
    assert text.index("steps: deploy release 41") < text.index("steps: put it back into the balancer",
                                                              text.index("steps: deploy release 41"))


@on_etcd
def test_migrate(jobs, public):
    sqlite = shutil.which("sqlite3")
    if not sqlite or os.geteuid() != 0:
        pytest.skip("needs sqlite3 and root, who becomes nobody")
    nobody = pwd.getpwnam("nobody")
    files, data = os.path.join(public, "migrations"), os.path.join(public, "data")
    os.mkdir(files, 0o755)
    os.mkdir(data, 0o755)
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    for i, sql in enumerate(["CREATE TABLE users (id INTEGER)", "INSERT INTO users VALUES (1)"]):
        path = os.path.join(files, "%04d_users.sql" % (i + 1))
        with open(path, "w", encoding="ascii") as file:
            file.write("BEGIN;\n%s;\nCOMMIT;\n" % sql)
        os.chmod(path, 0o644)
    jobs.example("migrate", ("/usr/share/app/migrations", files), ("/var/lib/app", data),
                 ("/usr/bin/sqlite3", sqlite))
    jobs.start("a")
    wait_for("both", lambda: list(states(jobs.steps("migrate")).values()) == ["ok", "ok"], 15)
    connection = sqlite3.connect(os.path.join(data, "app.db"))
    try:
        assert connection.execute("SELECT id FROM users").fetchall() == [(1,)]
    finally:
        connection.close()
    assert os.stat(os.path.join(data, "app.db")).st_uid == nobody.pw_uid
    assert "2 of 2 are applied" in ctl(jobs, "migrate", "status", "migrate")
