"""The judge finds what was planted, calls it by its number, and nothing else."""
import base64
import json
import os
import subprocess
import sys

import pytest

import support  # noqa: F401
import check
import summary

HERE = os.path.dirname(os.path.abspath(__file__))
G = check.GROUP
MS = 1000000


def lives(*spans):
    """Lines every 10 ms of (start ms, end ms, node, token, pid)."""
    return "".join("%d life %s %d %d %d\n" % (ms * MS, node, token, pid, seq)
                   for start, end, node, token, pid in spans
                   for seq, ms in enumerate(range(start, end + 1, 10), -1))


def sink(*writes):
    """(ms, accept|reject, token, node)"""
    return "".join("%d %s %d %s 9 0\n" % (ms * MS, verdict, token, node)
                   for ms, verdict, token, node in writes)


def put(ms, revision, key, value="", create=None):
    return {"ns": ms * MS, "revision": revision, "type": "put", "key": key, "lease": 0,
            "value": base64.b64encode(value.encode()).decode(), "create": create or revision}


def delete(ms, revision, key):
    return {"ns": ms * MS, "revision": revision, "type": "delete", "key": key}


def acquire(ms, revision, incarnation):
    return [put(ms, revision, "/leader", "x"),
            put(ms, revision, G + "epoch", "incarnation=%s beat=/onced/beat/x/default" % incarnation),
            beat(ms, revision, incarnation, 1)]


def beat(ms, revision, incarnation, number):
    return put(ms, revision, "/onced/beat/x/default", "%s %d" % (incarnation, number))


def release(ms, revision, token):
    return [delete(ms, revision, "/leader"), put(ms, revision, G + "clean", str(token))]


def good():
    """Two terms, 5 and 9; the first ends in good order. A third, late write is refused."""
    return {
        "history": lives((0, 100, "a", 5, 1), (120, 300, "b", 9, 2)),
        "sink": sink((10, "accept", 5, "a"), (130, "accept", 9, "b"), (140, "reject", 5, "late")),
        "watch": [*acquire(0, 5, "aa"), beat(20, 6, "aa", 2), *release(105, 8, 5),
                  *acquire(110, 9, "bb"), beat(140, 10, "bb", 2)],
        "events": [{"event": "healthy", "ns": 150 * MS}],
    }


def write(directory, run):
    for name, what in run.items():
        with open(os.path.join(directory, name), "w") as out:
            out.write(what if isinstance(what, str) else "".join(json.dumps(x) + "\n" for x in what))
    return str(directory)


def failures(directory, run):
    found = check.verdicts(check.load(write(directory, run)))
    return {number: problem for number, _, problem, _ in found if problem}


def test_a_good_run(tmp_path):
    assert failures(tmp_path, good()) == {}


def plant(name, change):
    run = good()
    run[name] = change(run.get(name))
    return run


PLANTED = {
    "lives overlap by one instant":
        ("I1", "token 9", "history", lambda old: lives((0, 100, "a", 5, 1), (100, 300, "b", 9, 2))),
    "tokens fall":
        ("I1", "tokens must grow", "history",
         lambda old: lives((0, 100, "a", 9, 1), (120, 300, "b", 7, 2))),
    "the kernel's lock was held":
        ("I1", "still held the lock", "history", lambda old: old + "130000000 clash b 9 2 0\n"),
    "the sink takes an old token":
        ("I2", "accepted token 5", "sink", lambda old: old + sink((150, "accept", 5, "a"))),
    "the sink refuses the newest":
        ("I2", "refused token 9", "sink", lambda old: old + sink((150, "reject", 9, "b"))),
    "a beat of the term before":
        ("I7", "a beat of aa", "watch", lambda old: old + [beat(150, 11, "aa", 3)]),
    "a beat after the key was deleted":
        ("I7", "nobody held", "watch",
         lambda old: old + [delete(150, 11, "/leader"), beat(151, 12, "bb", 3)]),
    "clean falls back":
        ("I7", "clean=5 after clean=9", "watch",
         lambda old: old + [*release(310, 11, 9), put(320, 12, G + "clean", "5")]),
    "clean of a term that still lives":
        ("I8", "clean=9", "watch", lambda old: old + release(290, 11, 9)),
    "clean too early by one line":
        ("I8", "token 5", "watch",
         lambda old: [dict(c, ns=99 * MS) if c["revision"] == 8 else c for c in old]),
    "work soon after a term that nobody called clean":
        ("I9", "began 20.0 ms after", "watch",
         lambda old: [c for c in old if c.get("key") != G + "clean"]),
    "work soon after a term that another ended":
        ("I9", "did not end itself", "onced-b.log", lambda old: "19:00:00.000 info ended the silent term 5\n"),
    "work soon after a term, and clean names another":
        ("I9", "token 9", "watch",
         lambda old: [dict(c, value=base64.b64encode(b"3").decode()) if c.get("key") == G + "clean" else c
                      for c in old]),
    "no life after a heal":
        ("L", "for ever", "events", lambda old: [{"event": "healthy", "ns": 400 * MS},
                                                  {"event": "closed", "ns": 60000 * MS}]),
}


@pytest.mark.parametrize("what", PLANTED)
def test_planted(tmp_path, what):
    number, words, name, change = PLANTED[what]
    found = failures(tmp_path, plant(name, change))
    assert list(found) == [number] and words in found[number]


def test_a_life_too_late_after_a_heal(tmp_path):
    late = int(check.BOUND * 1000) + 200
    run = good()
    run["history"] += lives((late, late + 50, "b", 9, 2))
    run["events"] = [{"event": "healthy", "ns": 310 * MS - 9 * MS}]
    assert failures(tmp_path, run) == {}
    run["events"] = [{"event": "healthy", "ns": 300 * MS}, {"event": "healthy", "ns": 10 * MS}]
    run["history"] = lives((late + 400, late + 500, "b", 9, 2))
    assert "L" in failures(tmp_path, run)
    run["events"].insert(0, {"event": "run", "ns": 0, "bound": 60})
    assert failures(tmp_path, run) == {}


def test_a_record_that_ends_before_the_bound(tmp_path):
    run = good()
    run["events"] = [{"event": "healthy", "ns": 400 * MS}, {"event": "closed", "ns": 900 * MS}]
    assert failures(tmp_path, run) == {}


@pytest.mark.parametrize("change", [
    lambda old: old + [put(150, 11, "/leader", "operator", create=9), beat(151, 12, "bb", 3)],
    lambda old: old + [delete(150, 11, G + "epoch"), beat(151, 12, "cc", 3)],
    lambda old: old + [{"ns": 150 * MS, "gap": [11, 30]}, beat(151, 31, "cc", 3)],
    lambda old: old + [delete(150, 11, "/leader"), *acquire(150, 12, "cc"),
                       put(301, 13, G + "clean", "9")],
    lambda old: old + [delete(150, 11, G + "clean"), delete(150, 12, "/onced/beat/x/default")],
    lambda old: old + [*release(310, 11, 9), delete(320, 12, G + "clean"), put(330, 13, G + "clean", "5")],
    lambda old: [c for c in old if c.get("key") != G + "clean"] + [{"ns": 150 * MS, "gap": [11, 30]}],
], ids=["overwritten", "epoch deleted", "gap", "late clean", "operator deletes",
        "an older clean after an operator deleted it", "clean in a gap"])
def test_what_is_allowed(tmp_path, change):
    assert failures(tmp_path, plant("watch", change)) == {}


def test_no_record_of_changes_is_said(tmp_path):
    run = good()
    del run["watch"]
    results = check.verdicts(check.load(write(tmp_path, run)))
    assert [number for number, _, _, skipped in results if skipped and "changes" in skipped] == [
        "I7", "I8", "I9"]
    assert [number for number, _, _, skipped in results if skipped and "ledger" in skipped] == [
        "I3", "I5", "I6", "I7"]


def test_a_long_wait_needs_no_clean(tmp_path):
    run = good()
    run["history"] = lives((0, 100, "a", 5, 1), (201, 300, "b", 9, 2))
    run["watch"] = [c for c in run["watch"] if c.get("key") != G + "clean"]
    run["sink"] = sink((10, "accept", 5, "a"), (210, "accept", 9, "b"))
    assert failures(tmp_path, run) == {}


def program(directory):
    done = subprocess.run([sys.executable, os.path.join(HERE, "check.py"), directory], timeout=30,
                          stdout=subprocess.PIPE, text=True)
    return done.returncode, done.stdout


def test_exit_code(tmp_path):
    assert program(write(tmp_path, good()))[0] == 0
    code, said = program(write(tmp_path, plant("history", lambda old: old + "130000000 clash b 9 2 0\n")))
    assert code == 1 and "I1  FAIL" in said
    assert program(write(tmp_path, {"history": ""}))[0] == 1, "nothing happened is not a success"
    code, said = program(write(tmp_path, plant("history", lambda old: "garbage\n" + old)))
    assert code == 1 and "garbage" in said


def test_figures(tmp_path):
    run = good()
    fault = {"event": "fault", "id": 0, "name": "kill", "began": 100 * MS, "ns": 101 * MS, "others": 0,
             "token": 5, "leader": "a"}
    run["events"] = [
        {"event": "run", "ns": 0, "seed": 1, "etcd": "3.4", "tls": False, "nodes": 2, "peer": None},
        fault, {"event": "over", "id": 0, "name": "kill", "ns": 102 * MS},
        {"event": "healthy", "ns": 150 * MS}, {"event": "start", "ns": 151 * MS, "node": "a"},
        {"event": "alive", "ns": 160 * MS}, {"event": "healthy", "ns": 170 * MS},
        {"event": "end", "ns": 60000 * MS}]
    directory = write(tmp_path, run)
    with open(os.path.join(directory, "onced-a.log"), "w") as log:
        log.write("warning the guardian stopped the jobs of token 5, 0.187 s before the deadline\n")
    judged = check.load(directory)
    f = summary.figures(directory, judged, check.verdicts(judged), None)
    assert f["minutes"] == 1.0 and f["faults"] == {"kill": 1}
    assert (f["elections"], f["launches"], f["overlaps"], f["sink_rejected"]) == (2, 2, 0, 1)
    assert f["failover_s"]["kill"]["max"] == 0.02
    assert f["margins_ms"] == {"n": 1, "min": 187}
    assert f["never_after_heal"] == 1 and f["after_heal_s"]["max"] == 0.01
    assert f["false_stops"] == 0 and f["without_life_s"] == 59.7
    result = os.path.join(directory, "result.json")
    with open(result, "w") as out:
        json.dump(f, out)
    swarm, mutants = os.path.join(directory, "swarm"), os.path.join(directory, "mutants")
    with open(swarm, "w") as out:
        json.dump({"swarm": {"schedules": 7000, "elections": 3, "jobs": 2, "virtual hours": 1.0, "first": 0,
                             "overlaps": 0, "seconds": 2.5}, "faults": {"pause": 40, "freeze": 2}}, out)
    with open(mutants, "w") as out:
        json.dump({"mutants": [{"name": "no-wait", "seed": 1, "shown": "I1"},
                               {"name": "no-drift", "seed": None, "shown": "not within 9"}]}, out)
    report = subprocess.run([sys.executable, os.path.join(HERE, "report.py"), directory, result,
                             "--swarm", swarm, "--mutants", mutants], timeout=30,
                            stdout=subprocess.PIPE, text=True)
    assert report.returncode == 0 and "| overlaps | 0 |" in report.stdout
    assert "Earlier versions" not in report.stdout
    assert "| etcd 3.4, plaintext | 2 | 2.0 | 2 | 4 | 4 | 0 | 0 | 2 |" in report.stdout
    assert "| 7000 | 42 | 3 | 2 | 1 | 0 | 2.5 |" in report.stdout
    assert "caught: 1 of 2" in report.stdout and "| no-drift | **escaped** |" in report.stdout
    report = subprocess.run([sys.executable, os.path.join(HERE, "report.py"), directory, "--earlier", result],
                            timeout=30, stdout=subprocess.PIPE, text=True)
    assert report.returncode == 0 and "## Earlier versions" in report.stdout
    assert report.stdout.count("| etcd 3.4, plaintext | 1 | 1.0 | 1 |") == 2
