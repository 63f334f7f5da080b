"""The judge of schedules finds what was planted in the records of instants or in what the jobs did."""
import base64
import json

import pytest

import support  # noqa: F401
import check
import instants
import ledger

MS = 1000000
START = 1795384400  # 2026-11-22T21:53:20Z


def at(step, every_s=2):
    return instants.datetime.datetime.fromtimestamp(
        START + step * every_s, instants.datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def put(revision, step, state, create=None, job="tick", token=5, **more):
    record = dict({"state": state, "token": token}, **more)
    return {"ns": revision * MS, "revision": revision, "type": "put", "create": create or revision,
            "key": "/onced/run/%s/%s" % (job, at(step)),
            "value": base64.b64encode(json.dumps(record).encode()).decode()}


def tick(what, step, attempt=1, token=5, job="tick"):
    return instants.Tick(what, job, "%s/%s" % (job, at(step)), attempt, token, "a")


def done(revision, step, job="tick", state="ok", **more):
    return [put(revision, step, "begun", job=job, **more),
            put(revision + 1, step, state, create=revision, job=job, **more)]


def epoch(revision):
    return {"ns": revision * MS, "revision": revision, "type": "put", "key": ledger.EPOCH,
            "create": 5, "value": ""}


def good():
    """tick: 0 is done, 1 is cut off, 2 is skipped, 3 to 5 are skipped together, 6 is done in the next
    term. again: 0 is cut off, and done as the second attempt."""
    return {
        "watch": [epoch(5), *done(6, 0), *done(8, 1, state="interrupted"), put(10, 2, "skipped", reason="missed"),
                  put(11, 0, "begun", job="again"), epoch(12),
                  put(13, 3, "skipped", reason="missed", until=at(5), count=3, token=12),
                  put(14, 0, "begun", job="again", create=11, token=12),
                  put(15, 0, "ok", job="again", create=11, token=12), *done(16, 6, token=12)],
        "ticks": [tick("begin", 0), tick("end", 0), tick("begin", 1),
                  tick("begin", 6, token=12), tick("end", 6, token=12), tick("begin", 0, job="again"),
                  tick("begin", 0, 2, 12, "again"), tick("end", 0, 2, 12, "again")],
        "events": [{"event": "run", "ns": 0},
                   {"event": "scheduled", "jobs": {"tick": {"every_s": 2, "again": False},
                                                   "again": {"every_s": 8, "again": True}}},
                   {"event": "decided", "until": START + 13, "late": []}],
    }


def failures(run):
    whole = check.Run([], [], run["watch"], run["events"], set(), None, run["ticks"])
    return [(number, problem) for number, _, judge in instants.CHECKS for problem in [judge(whole)] if problem]


# "again" runs every 8 s: its first instant and the one 8 s after it are due.
def test_a_good_run():
    run = good()
    run["watch"] += done(18, 4, job="again", token=12)
    run["ticks"] += [tick("begin", 4, 1, 12, "again"), tick("end", 4, 1, 12, "again")]
    assert failures(run) == []
    del run["events"][2]  # it ended early
    assert failures(run) == []


def complete():
    run = good()
    run["watch"] += done(18, 4, job="again", token=12)
    run["ticks"] += [tick("begin", 4, 1, 12, "again"), tick("end", 4, 1, 12, "again")]
    return run


def without(revisions):
    return lambda old: [c for c in old if c["revision"] not in revisions]


def more(*changes):
    return lambda old: old + list(changes)


PLANTED = {
    "an instant is missing": ("I4", "the instant 21:53:24Z has no record (1 such", "watch", without([10])),
    "instants that one record stood for are missing": ("I4", "(3 such", "watch", without([13])),
    "the last instants are missing": ("I4", "21:53:34Z has no record (3 such", "events", lambda old: [
        *old[:2], {"event": "decided", "until": START + 18, "late": ["tick"]}]),
    "no instant was decided": ("I4", "no instant was ever", "watch", lambda old: [
        c for c in old if "/again/" not in c["key"]]),
    "an instant is decided again after its record is gone": ("I4", "21:53:24Z was decided 2 times", "watch", more(
        {"ns": 30 * MS, "revision": 30, "type": "delete", "key": "/onced/run/tick/" + at(2)},
        put(31, 2, "skipped", reason="late", token=12))),
    "an instant has its own record and one for many": ("I4", "21:53:28Z was decided 2 times", "watch", more(
        put(31, 4, "skipped", reason="late", token=12))),
    "a record stands for more than it says": ("I4", "stands for 3 instants and says 2", "watch", lambda old: [
        put(13, 3, "skipped", reason="missed", until=at(5), count=2, token=12) if c["revision"] == 13 else c
        for c in old]),
    "an instant that there is not": ("I4", "no instant of", "watch", lambda old: [
        dict(c, key=c["key"].replace("21:53:24Z", "21:53:23Z")) for c in old]),
    "skipped without a reason": ("I4", "without a reason", "watch", lambda old: [
        put(10, 2, "skipped") if c["revision"] == 10 else c for c in old]),
    "a run without an end": ("I4", "nobody decided", "watch", without([9])),
    "an instant ran twice": ("I3", "was done twice", "ticks", more(tick("begin", 0, 1, 12))),
    "an instant that is never tried again ran twice": (
        "I3", "the second time as attempt 2", "ticks", more(tick("begin", 1, 2, 12))),
    "an attempt ran twice": ("I3", "the second time as attempt 2", "ticks", more(
        tick("begin", 0, 2, 12, "again"))),
    "two attempts at once": ("I3", "attempt 1 of token 5 on a, ended after attempt 2", "ticks", lambda old: [
        *old[:7], tick("end", 0, job="again"), *old[7:]]),
    "two runs at once": ("I3", "ended after attempt 1 of tick/2026-11-22T21:53:22Z began", "ticks", lambda old: [
        old[0], old[2], old[1], *old[3:]]),
    "done without a record": ("I3", "without a record", "ticks", more(tick("begin", 7, 1, 12))),
    "skipped and done": ("I3", "said to be skipped, and was done", "ticks", lambda old: [
        *old[:3], tick("begin", 2), *old[3:]]),
    "said to be done": ("I3", "said to be done, and was not", "ticks", lambda old: old[:4] + old[5:]),
    "an ended record changes": ("I3", "changed after it was interrupted", "watch", more(
        put(30, 1, "ok", create=8))),
    "decided by an old term": ("I7", "with token 5 after the term of 12", "watch", lambda old: [
        *[c for c in old if c["revision"] != 10], put(30, 2, "skipped", reason="missed")]),
}


@pytest.mark.parametrize("what", PLANTED)
def test_planted(what):
    number, words, name, change = PLANTED[what]
    run = complete()
    run[name] = change(run[name])
    found = failures(run)
    # what was done has no record then, either
    assert [n for n, _ in found] == [number] + ["I3"] * (what == "no instant was decided")
    assert words in found[0][1]


@pytest.mark.parametrize("name, change", [
    ("watch", lambda old: [c for c in old if c["revision"] != 10] + [{"ns": 0, "gap": [10, 10]}]),
    ("watch", more({"ns": 30 * MS, "revision": 30, "type": "delete", "key": "/onced/run/tick/" + at(0)})),
    ("watch", more(put(30, 7, "begun", token=12))),
    ("events", lambda old: old[:1]),
], ids=["in a gap", "trimmed", "begun at the end", "no schedule"])
def test_allowed(name, change):
    run = complete()
    run[name] = change(run[name])
    assert failures(run) == []


def test_files(tmp_path):
    path = tmp_path / "ticks"
    assert instants.read(str(path)) is None
    path.write_text("begin tick/2026-11-22T21:53:20Z 1 5 a\nend tick/2026-11-22T21:53:20Z 1 5 a\nbeg")
    assert instants.read(str(path)) == [tick("begin", 0), tick("end", 0)]
    path.write_text("began tick/2026-11-22T21:53:20Z 1 5 a\n")
    with pytest.raises(ValueError):
        instants.read(str(path))


def test_figures():
    run = complete()
    f = instants.figures(check.Run([], [], run["watch"], run["events"], set(), None, run["ticks"]))
    assert (f["instants"], f["records"], f["ok"], f["interrupted"]) == (9, 7, 4, 1)
    assert (f["twice"], f["undecided"]) == (0, 0)
    assert (f["skipped (missed)"], f["done"], f["done again"]) == (4, 6, 1)
