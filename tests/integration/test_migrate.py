"""What oncectl migrate shows, refuses and writes, with real daemons and a real database."""
import json
import os
import shutil

import pytest

import tools
from cluster import wait_for
from conftest import describe
from sqlitedb import Sqlite

pytestmark = pytest.mark.parametrize("cluster", [("3.4", 1, True)], indirect=True, ids=describe)


class Migration:
    """A database, its files, and oncectl as the operator of node a calls it."""

    def __init__(self, jobs, directory, files, slow=(), **keys):
        self.jobs, self.database = jobs, Sqlite(directory)
        for number in range(1, files + 1):
            self.database.write(number, slow=number in slow)
        jobs.job("schema", **self.database.keys(), **keys)

    def ctl(self, *words, code=0):
        conf = os.path.join(self.jobs.directory, "onced-a.conf")
        return tools.run("oncectl", "-c", conf, *words, code=code)

    def status(self):
        shown = json.loads(self.ctl("--json", "migrate", "status", "schema")[0])
        return shown, {file["file"]: file for file in shown["files"]}

    def states(self):
        return [file["state"] for file in self.status()[0]["files"]]

    def force(self, number, how, *more, code=0):
        return self.ctl("migrate", "force", "schema", name(number), "--" + how, "--reason", "looked",
                        *more, code=code)

    def dry(self, code=0):
        out, err = self.ctl("migrate", "dry-run", "schema", code=code)
        return out if code == 0 else err

    def wait(self, *states):
        wait_for("files as %s" % (states,), lambda: self.states() == list(states), 20)


def name(number):
    return "%04d_step.sql" % number


def test_an_interrupted_file_is_forced_and_the_flow_goes_on(jobs, tmp_path):
    m = Migration(jobs, tmp_path, 4, slow=(2, 3))
    jobs.start("a", "b")
    for number, how in ((2, "pending"), (3, "applied")):
        wait_for("its begin", lambda number=number: m.status()[1][name(number)]["state"] == "running", 20, 0.02)
        leader = jobs.leader()
        m.force(number, how, code=1)  # it runs
        leader.signal("kill", "guardian", "agent")
        leader.wait_end(5)
        wait_for("its hold", lambda number=number: jobs.steps("schema")[name(number)]["state"] == "lost", 20)
        file = m.status()[1][name(number)]
        assert (file["state"], file["node"]) == ("interrupted", leader.name)
        assert "%s, number %d of 4, is interrupted on %s" % (name(number), number, leader.name) in m.dry(1)
        leader.start()
        m.force(number, how)
        record = jobs.steps("schema")[name(number)]
        assert record["reason"] == "forced" and "said to be %s by " % how in record["detail"]
        assert record["detail"].endswith(": looked")
        m.ctl("trigger", "schema")
    m.wait("applied", "applied", "applied", "applied")
    # the third was said to be there: it is nobody's business to apply it
    assert m.database.applied() == [1, 2, 4]
    files = m.status()[1]
    assert files[name(2)]["attempt"] == 2 and "said to be pending" in files[name(2)]["detail"]
    assert files[name(3)]["reason"] == "forced"
    assert "4 of 4 are applied" in m.ctl("migrate", "status", "schema")[0]


def test_the_leader_is_that_of_the_job_s_group(jobs, tmp_path):
    m = Migration(jobs, tmp_path, 1, slow=(1,), Group="db")
    jobs.start("a")
    wait_for("its begin", lambda: m.states() == ["running"], 20, 0.02)
    m.force(1, "pending", code=1)
    m.wait("applied")


def test_a_dry_run_says_what_the_leader_does(jobs, tmp_path):
    m = Migration(jobs, tmp_path, 2)
    jobs.start("a")
    m.wait("applied", "applied")
    assert m.dry() == "0 of 2 would be done\n"
    for number in (3, 4):
        m.database.write(number, slow=False)
    lines = m.dry().splitlines()
    assert [line.split(":")[0] for line in lines] == [name(3), name(4), "2 of 4 would be done"]
    assert "sqlite3 -bail" in lines[0] and m.database.files in lines[0]
    assert m.states() == ["applied", "applied", "pending", "pending"] and m.database.applied() == [1, 2]
    shutil.copy(os.path.join(m.database.files, name(1)), os.path.join(m.database.files, "0001_xtra.sql"))
    assert "0001_xtra.sql comes before 0002_step.sql, which is done already" in m.dry(1)
    m.ctl("migrate", "force", "schema", "0001_xtra.sql", "--pending", "--reason", "no")
    m.ctl("migrate", "force", "schema", "0001_xtra.sql", "--applied", "--reason", "by hand")
    assert len(m.dry().splitlines()) == 3


def test_a_changed_file_is_refused_until_it_is_said_to_be_applied(jobs, tmp_path):
    m = Migration(jobs, tmp_path, 2)
    jobs.start("a")
    m.wait("applied", "applied")
    m.database.write(2, slow=True)
    m.wait("applied", "changed")
    assert name(2) + " was done with other content" in m.dry(1)
    m.force(2, "removed", code=1)
    m.force(2, "applied")
    m.wait("applied", "applied")
    assert m.dry() == "0 of 2 would be done\n"


def test_a_missing_file_is_refused_until_it_is_said_to_be_gone(jobs, tmp_path):
    m = Migration(jobs, tmp_path, 3)
    jobs.start("a")
    m.wait("applied", "applied", "applied")
    os.unlink(os.path.join(m.database.files, name(1)))
    m.database.write(4, slow=False)
    m.wait("applied", "applied", "pending", "missing")
    m.ctl("trigger", "schema")
    jobs.nodes["a"].wait_log("0001_step.sql has a record (ok) and is no file in", 10)
    assert "0001_step.sql has a record (ok) and is no file in" in m.dry(1)
    m.force(1, "pending", code=1)
    m.force(1, "removed")
    m.ctl("trigger", "schema")
    m.wait("applied", "applied", "applied", "removed")
    assert m.database.applied() == [1, 2, 3, 4]


def test_what_would_be_out_of_order_is_not_forced(jobs, tmp_path):
    m = Migration(jobs, tmp_path, 2)
    jobs.start("a")
    m.wait("applied", "applied")
    assert "0002_step.sql comes after 0001_step.sql and is applied" in m.force(1, "pending", code=1)[1]
    for number in (3, 4):
        m.database.write(number, slow=False)
    assert "0003_step.sql comes before 0004_step.sql" in m.force(4, "applied", code=1)[1]
    for number in (2, 1):
        m.force(number, "pending")
    assert m.states() == ["pending"] * 4


def test_a_failed_file_shows(jobs, tmp_path):
    m = Migration(jobs, tmp_path, 1)
    with open(os.path.join(m.database.files, name(2)), "w", encoding="ascii") as file:
        file.write("NO SUCH WORD;\n")
    jobs.start("a")
    m.wait("applied", "failed")
    assert "exit 1" in m.ctl("migrate", "status", "schema")[0]
    assert "0002_step.sql, number 2 of 2, is failed on a" in m.dry(1)


@pytest.mark.parametrize("words, code, line", [
    (("status", "nojob"), 78, "nojob.job: No such file or directory, expected a configuration file"),
    (("status", "No/job"), 2, "job: bad name"),
    (("status", "other"), 2, "other.job: expected a job of Type=migrate"),
    (("status", "broken"), 78, "broken.job: Runner: missing in section [Job]"),
    (("force", "schema", "x.sql", "--reason", "r"), 2, "expected one of --applied, --pending, --removed"),
    (("force", "schema", "x.sql", "--applied", "--pending", "--reason", "r"), 2, "expected one of"),
    (("force", "schema", "x.sql", "--applied"), 2, "--reason: expected"),
    (("force", "schema", "x.sql", "--applied", "--reason", "r"), 4, "x.sql: no such file in"),
    (("force", "schema"), 2, "expected"),
])
def test_bad_words_get_one_line(jobs, tmp_path, words, code, line):
    Migration(jobs, tmp_path, 1)
    jobs.job("other", Exec="true")
    jobs.job("broken", Type="migrate", Directory="/")
    out, err = tools.run("oncectl", *tools.connection(jobs.cluster, dash="--"), "migrate", words[0], *words[1:],
                         "--dir", jobs.jobs_dir, code=code)
    assert out == "" and line in err and len(err.splitlines()) == 1
