"""What the scribe (scribe.c) was told, against what etcd was seen to hold.

    I3  no run is done twice: at most one work per moment, never before its record; a record once ended
        does not change
    I5  what was acknowledged is there, nobody's run is there that was not asked for
    I6  what was said never to be written was not; what nobody could tell happened once or not at all
    I7  no run was begun by an old term

A lost record is one whose acknowledged revision the observer went past without seeing it.
"""
import base64
import collections
import json

import wordfile

Said = collections.namedtuple("Said", "ns said op key token node pid id mod")
NEVER = ("fenced", "exists", "changed", "refused")
SAID = ("intent", "done", "unknown", "work") + NEVER
HEAD = "/onced/run/scribe/"
EPOCH = "/onced/g/default/epoch"


def read(path):
    """None when no ledger was kept."""
    found = wordfile.words(path, "a scribe", lambda words: len(words) == 9 and words[1] in SAID and words[2] in (
        "begin", "end"))
    return found and [Said(int(words[0]), words[1], words[2], words[3], int(words[4]), words[5],
                           int(words[6]), words[7], int(words[8])) for words in found]


class Records:
    """The versions that were seen of each record: (revision, create revision, record)."""

    def __init__(self, watch, head=HEAD):
        self.versions, self.deleted = collections.defaultdict(list), set()
        self.last, self.gaps, self.epochs = 0, [], []
        for change in watch:
            if "gap" in change:
                self.gaps.append(change["gap"])
                self.last = max(self.last, change["gap"][1])
                continue
            self.last = max(self.last, change["revision"])
            key = change["key"]
            if key == EPOCH and change["type"] == "put":
                self.epochs.append(change["revision"])
            elif key.startswith(head) and change["type"] == "delete":
                self.deleted.add(key)
            elif key.startswith(head):
                self.versions[key].append((change["revision"], change["create"],
                                           json.loads(base64.b64decode(change["value"]))))

    def missed(self, revision):
        """Whether the observer may not have seen it."""
        return revision > self.last or any(a <= revision <= b for a, b in self.gaps)

    def at(self, key, revision):
        return next((r for at, _, r in self.versions[key] if at == revision), None)

    def holds(self, key, run_id, ended):
        """How often the run was begun there, or ended."""
        return sum(r.get("id") == run_id and (r["state"] != "begun") == ended
                   for _, _, r in self.versions[key])


def done_once(run):
    works = {}
    for line in run.runs:
        if line.said == "work":
            if line.key in works:
                return "%s was done twice: by token %d on %s and by token %d on %s" % (
                    line.key, works[line.key].token, works[line.key].node, line.token, line.node)
            works[line.key] = line
    acked = {(line.key, line.id) for line in run.runs if line.said == "done" and line.op == "begin"}
    for key, line in works.items():
        if (key, line.id) not in acked:
            return "%s was done by token %d on %s before it was recorded" % (key, line.token, line.node)
    for key, versions in Records(run.watch).versions.items():
        for (_, _, before), (revision, _, after) in zip(versions, versions[1:]):
            if before["state"] != "begun" or before.get("id") != after.get("id"):
                return "revision %d: %s changed after it was %s" % (revision, key, before["state"])
    return None


def acked_there(run):
    records = Records(run.watch)
    intents = {(line.key, line.id) for line in run.runs if line.said == "intent"}
    for line in run.runs:
        if line.said != "done" or records.missed(line.mod):
            continue
        there = records.at(line.key, line.mod)
        state = "begun" if line.op == "begin" else "ok"
        if not there or there.get("id") != line.id or there["state"] != state:
            return "lost: %s of %s by token %d was acknowledged at revision %d, where %s" % (
                line.op, line.key, line.token, line.mod,
                "the record is another" if there else "nothing was written")
    caught = [e["revision"] for e in run.events if e["event"] == "caught up"]
    for line in run.runs:
        if line.said == "done" and caught and line.mod > caught[-1]:
            return "lost: %s of %s was acknowledged at revision %d, and at the end etcd was at %d" % (
                line.op, line.key, line.mod, caught[-1])
    for key, versions in records.versions.items():
        for revision, _, record in versions:
            if (key, record.get("id")) not in intents:
                return "revision %d: %s holds a run that nobody asked for" % (revision, key)
    return None


def told_right(run):
    records = Records(run.watch)
    for line in run.runs:
        if line.said in ("intent", "work"):
            continue
        count = records.holds(line.key, line.id, line.op == "end")
        if line.said in NEVER and count:
            return "%s of %s by token %d was said to be %s, and was written" % (
                line.op, line.key, line.token, line.said)
        if count > 1:
            return "%s of %s by token %d was written %d times" % (line.op, line.key, line.token, count)
    return None


def begun_in_term(run, records=None):
    records = records or Records(run.watch)
    begins = sorted((revision, key, record["token"]) for key, versions in records.versions.items()
                    for revision, create, record in versions if revision == create)
    epochs = sorted(records.epochs)
    for revision, key, token in begins:
        later = [epoch for epoch in epochs if token < epoch < revision]
        if later:
            return "revision %d: %s was begun with token %d after the term of %d began" % (
                revision, key, token, later[-1])
    return None


CHECKS = [("I3", "no run is done twice", done_once),
          ("I5", "what was acknowledged is there", acked_there),
          ("I6", "what was said of a request is so", told_right),
          ("I7", "no run is begun by an old term", begun_in_term)]


def figures(run):
    """Counts for the report; None when no ledger was kept."""
    if run.runs is None:
        return None
    count = collections.Counter((line.op, line.said) for line in run.runs)
    unknown = [line for line in run.runs if line.said == "unknown"]
    records = Records(run.watch or [])
    answered = {(line.op, line.key, line.id) for line in run.runs if line.said not in ("intent", "work")}
    asked = {(line.op, line.key, line.id) for line in run.runs if line.said == "intent"}
    open_end = asked - answered
    return {"asked": len(asked), "begun": count["begin", "done"], "ended": count["end", "done"],
            "work": count["begin", "work"], "unknown": len(unknown), "unanswered": len(open_end),
            "unknown_written": sum(records.holds(line.key, line.id, line.op == "end") for line in unknown),
            "unanswered_written": sum(records.holds(key, run_id, op == "end")
                                      for op, key, run_id in open_end),
            **{said: count["begin", said] + count["end", said] for said in NEVER}}
