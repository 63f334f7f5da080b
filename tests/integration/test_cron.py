"""Jobs with schedules on real etcd while their leaders die: every instant is decided once, and oncectl
why tells what became of each that did not run.

    ONCED_CRON_JOBS, ONCED_CRON_SECONDS   how many jobs for how long (default 6 for 30 s; make figures
                                          takes 20 for 120 s)
"""
import concurrent.futures
import datetime
import json
import os
import time

import pytest

import tools
from cluster import wait_for
from conftest import describe
from jobnode import moment

JOBS = int(os.environ.get("ONCED_CRON_JOBS", "6"))
SECONDS = int(os.environ.get("ONCED_CRON_SECONDS", "30"))
BEGIN_END = ("echo $ONCED_RUN $ONCED_ATTEMPT $ONCED_TOKEN begin >>%s; sleep 0.3; "
             "echo $ONCED_RUN $ONCED_ATTEMPT $ONCED_TOKEN end >>%s")
three = pytest.mark.parametrize("cluster", [("3.5", 3, True)], indirect=True, ids=describe)
one = pytest.mark.parametrize("cluster", [("3.4", 1, True)], indirect=True, ids=describe)


class Lines:
    """What the jobs of a test wrote about themselves."""

    def __init__(self, directory):
        self.path = os.path.join(str(directory), "lines")

    def script(self):
        return BEGIN_END % (self.path, self.path)

    def all(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="ascii") as file:
            return [line.split() for line in file.read().splitlines()]

    def begins(self, run):
        return [x for x in self.all() if x[0] == run and x[3] == "begin"]


def leader(group):
    return wait_for("a leader", group.leader, 15)


def bother(group, node, how):
    """One fault of the leader, and its repair once another leads."""
    if how == "stop":
        node.signal("stop", "guardian", "agent")
    elif how == "kill":
        node.signal("kill", "guardian", "agent")
    elif how == "agent":
        node.signal("kill", "agent")
    else:
        node.signal("term", "guardian")
    time.sleep(2.5)
    if how == "stop":
        for pid in (node.guardian, node._agent):  # the fuse has killed them since
            try:
                os.kill(pid, 18)
            except (ProcessLookupError, TypeError):
                pass
        if node.running():  # stopped between two runs: there was nothing to kill, and it goes on
            return
    if how != "agent":
        node.wait_end(10)
        node.start()


def covered(runs):
    """Every instant that has a record or is named by one, and how often."""
    seen = {}
    for name, record in runs.items():
        first = moment(name)
        last = moment(record["until"]) if record.get("until") else first
        for second in range(int(first), int(last) + 1):
            seen[second] = seen.get(second, 0) + 1
    return seen


def check_instants(job, runs):
    seen = covered(runs)
    twice = [s for s, n in seen.items() if n > 1]
    missing = [s for s in range(min(seen), max(seen) + 1) if s not in seen]
    assert not twice, "%s: instants with two records: %s" % (job, twice)
    assert not missing, "%s: instants without a record: %s" % (job, missing)
    for name, record in runs.items():
        if record["state"] != "ok":
            assert record.get("reason"), "%s/%s: %s without a reason" % (job, name, record)


def settled(group, names):
    return all(r["state"] != "begun" for job in names for r in group.runs(job).values())


@three
def test_every_instant_once_while_leaders_die(jobs, tmp_path, figure):
    lines = Lines(tmp_path)
    skips = ["skip%d" % i for i in range(JOBS // 2)]
    reruns = ["rerun%d" % i for i in range(JOBS - JOBS // 2)]
    for job in skips + reruns:
        jobs.job(job, Type="cron", Schedule="@every 1s", Shell="yes", Exec=lines.script(),
                 HistoryOk=10000, HistoryFailed=10000,
                 OnInterrupt="skip" if job in skips else "rerun")
    jobs.start("a", "b", "c")
    wait_for("the first runs", lambda: len(lines.all()) > 2 * JOBS, 15)
    end, kinds, faults = time.monotonic() + SECONDS, ["kill", "stop", "agent", "term"], 0
    while time.monotonic() < end:
        begin = time.monotonic()
        bother(jobs, leader(jobs), kinds[faults % len(kinds)])
        faults += 1
        time.sleep(max(0, begin + 5 - time.monotonic()))
    for path in os.listdir(jobs.jobs_dir):  # no new instants; what is begun comes to its end
        job = os.path.join(jobs.jobs_dir, path)
        with open(job, encoding="utf-8") as file:
            text = file.read()
        with open(job, "w", encoding="utf-8") as file:
            file.write(text.replace("@every 1s", "@every 1h"))
    for node in jobs.nodes.values():
        os.kill(node.guardian, 1)
    wait_for("every run's end", lambda: settled(jobs, skips + reruns), 20)
    figure("cron: %d jobs, %d faults, " % (JOBS, faults) + check_all(jobs, lines, skips, reruns))


def why(cluster, job, second):
    at = datetime.datetime.fromtimestamp(second, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    out, _ = tools.run("oncectl", *tools.connection(cluster, dash="--"), "--json", "why", job, at)
    return json.loads(out)


def check_why(cluster, job, seconds, wanted):
    """oncectl why finds the record that tells of each of these instants, and has a reason in it."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda second: why(cluster, job, second), seconds))
    for second, answer in zip(seconds, answers):
        assert answer["record"] and answer["record"][0]["state"] in wanted, "%s %s: %s" % (job, second, answer)
        assert answer["record"][0]["state"] == "ok" or ": " in answer["answer"], answer
    return len(answers)


def check_job(group, job, ran, skips):
    """The records of a job, after its instants, its lines and oncectl why have been held against them."""
    runs = group.runs(job)
    check_instants(job, runs)
    idle = set(covered(runs)) - {int(moment(name)) for name in runs if ran.get("%s/%s" % (job, name))}
    explained = check_why(group.cluster, job, sorted(idle), ("skipped", "interrupted"))
    check_why(group.cluster, job, [int(moment(name)) for name in runs if runs[name]["state"] == "ok"][:1], ("ok",))
    for name, record in runs.items():
        times = ran.get("%s/%s" % (job, name), 0)
        if record["state"] == "skipped":
            assert times == 0, "%s/%s ran and is skipped" % (job, name)
        elif skips:
            assert times <= 1, "%s/%s ran %d times" % (job, name, times)
            assert times or record["state"] != "ok", "%s/%s did not run" % (job, name)
        else:
            assert record["state"] == "ok", "%s/%s: %s" % (job, name, record)
            assert times >= 1
    return runs, explained


def check_all(group, lines, skips, reruns):
    """Every job; the figures."""
    ran, states, instants, explained = {}, {}, 0, 0
    for run, _attempt, _token, what in lines.all():
        if what == "begin":
            ran[run] = ran.get(run, 0) + 1
    for job in skips + reruns:
        runs, answers = check_job(group, job, ran, job in skips)
        instants += len(covered(runs))
        explained += answers
        for record in runs.values():
            what = record["state"] + (" " + record["reason"] if record.get("reason") else "")
            states[what] = states.get(what, 0) + 1
    terms, again = len({x[2] for x in lines.all()}), sum(n > 1 for n in ran.values())
    return ("%d terms: %d instants with one record each, %d ran, %d of them again by another leader; oncectl "
            "why told of all %d that did not; %s" % (
                terms, instants, len(ran), again, explained,
                ", ".join("%d %s" % (n, what) for what, n in sorted(states.items()))))
