"""The judge of the ledger finds what was planted in what the scribe was told or in what etcd held."""
import base64
import json

import pytest

import support  # noqa: F401
import check
import ledger

MS = 1000000
KEYS = [ledger.HEAD + "2026-11-22T18:00:0%dZ" % i for i in range(4)]


def said(ms, verdict, op, moment, token, run_id, mod=0, node="a"):
    return ledger.Said(ms * MS, verdict, op, KEYS[moment], token, node, 1, run_id, mod)


def put(revision, moment, run_id, state="begun", token=5, create=None):
    record = {"state": state, "id": run_id, "token": token}
    return {"ns": revision * MS, "revision": revision, "type": "put", "key": KEYS[moment],
            "create": create or revision, "value": base64.b64encode(json.dumps(record).encode()).decode()}


def epoch(revision):
    return {"ns": revision * MS, "revision": revision, "type": "put", "key": ledger.EPOCH,
            "create": 5, "value": ""}


def good():
    """Moment 0 is begun and ended; 1 was unknown and is there; 2 was fenced; 3 exists, of another node."""
    return {
        "runs": [
            said(1, "intent", "begin", 0, 5, "aa"), said(2, "done", "begin", 0, 5, "aa", 6),
            said(3, "work", "begin", 0, 5, "aa", 6), said(3, "intent", "end", 0, 5, "aa", 6),
            said(4, "done", "end", 0, 5, "aa", 7),
            said(5, "intent", "begin", 1, 5, "bb"), said(9, "unknown", "begin", 1, 5, "bb"),
            said(6, "intent", "begin", 2, 5, "cc"), said(9, "fenced", "begin", 2, 5, "cc"),
            said(7, "intent", "begin", 3, 12, "dd", node="b"), said(8, "done", "begin", 3, 12, "dd", 13),
            said(8, "work", "begin", 3, 12, "dd", 13, "b"), said(8, "intent", "begin", 3, 12, "ee"),
            said(9, "exists", "begin", 3, 12, "ee", 13)],
        "watch": [epoch(5), put(6, 0, "aa"), put(7, 0, "aa", "ok", create=6), put(8, 1, "bb"),
                  epoch(12), put(13, 3, "dd", token=12)],
        "events": [{"event": "run", "ns": 0}, {"event": "caught up", "ns": 0, "revision": 13}],
    }


def failures(run):
    whole = check.Run([], [], run["watch"], run["events"], set(), run["runs"])
    return {number: problem for number, _, judge in ledger.CHECKS for problem in [judge(whole)] if problem}


def test_a_good_ledger():
    assert failures(good()) == {}


PLANTED = {
    "done twice": ("I3", "done twice", "runs",
                   lambda old: old + [said(9, "work", "begin", 3, 12, "dd", 13, "c")]),
    "done before it was recorded": ("I3", "before it was recorded", "runs",
                                    lambda old: old + [said(9, "work", "begin", 1, 5, "bb", 8)]),
    "an ended record changes": ("I3", "changed after it was ok", "watch",
                                lambda old: old + [put(14, 0, "aa", "failed", create=6)]),
    "an acknowledged begin is not there": (
        "I5", "lost: begin", "watch", lambda old: [c for c in old if c["revision"] != 13] + [epoch(20)]),
    "an acknowledged end is not there": (
        "I5", "lost: end", "watch", lambda old: [c for c in old if c["revision"] != 7]),
    "another record where ours was acknowledged": (
        "I5", "another", "runs", lambda old: old + [said(8, "intent", "begin", 3, 12, "ff"),
                                                    said(9, "done", "begin", 3, 12, "ff", 13)]),
    "acknowledged beyond the end": ("I5", "at the end etcd was at 13", "runs",
                                    lambda old: old + [said(9, "done", "begin", 2, 12, "gg", 30)]),
    "a run that nobody asked for": ("I5", "nobody asked", "watch",
                                    lambda old: old + [put(14, 2, "zz", token=12)]),
    "fenced, and written": ("I6", "said to be fenced", "watch", lambda old: [
        *old[:4], put(9, 2, "cc"), *old[4:]]),
    "refused, and written": ("I6", "said to be refused", "runs", lambda old: [
        *old[:6], said(9, "refused", "begin", 1, 5, "bb"), *old[7:]]),
    "unknown, and written twice": ("I6", "2 times", "watch", lambda old: [
        *old[:4], put(9, 1, "bb", create=8), *old[4:]]),
    "begun by an old term": ("I7", "with token 5 after the term of 12", "watch",
                             lambda old: [c for c in old if c["revision"] != 8] + [put(14, 1, "bb")]),
}


@pytest.mark.parametrize("what", PLANTED)
def test_planted(what):
    number, words, name, change = PLANTED[what]
    run = good()
    run[name] = change(run[name])
    found = failures(run)
    assert number in found and words in found[number]
    # a record that changes after its end was ended twice, too; nothing else may be found
    assert set(found) == ({"I3", "I6"} if what == "an ended record changes" else {number})


@pytest.mark.parametrize("name, change", [
    ("runs", lambda old: old[:6] + old[7:]),
    ("watch", lambda old: [c for c in old if c["revision"] != 8]),
    ("watch", lambda old: [c for c in old if c["revision"] != 7] + [{"ns": 0, "gap": [7, 7]}]),
], ids=["no answer came", "unknown did not happen", "in a gap"])
def test_allowed(name, change):
    run = good()
    run[name] = change(run[name])
    assert failures(run) == {}


def test_files(tmp_path):
    path = tmp_path / "runs"
    assert ledger.read(str(path)) is None
    path.write_text("".join(" ".join(map(str, line)) + "\n" for line in good()["runs"]) + "12 inte")
    assert ledger.read(str(path)) == good()["runs"]
    path.write_text("12 lied begin k 5 a 1 aa 0\n")
    with pytest.raises(ValueError):
        ledger.read(str(path))


def test_figures():
    run = good()
    f = ledger.figures(check.Run([], [], run["watch"], [], set(), run["runs"][:-1]))
    assert (f["begun"], f["ended"], f["work"], f["unknown"], f["unknown_written"]) == (2, 1, 2, 1, 1)
    assert (f["fenced"], f["unanswered"], f["unanswered_written"]) == (1, 1, 0)
