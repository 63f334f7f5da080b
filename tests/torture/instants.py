"""The jobs with a schedule: what the ledger says of each instant, against what the jobs wrote themselves.

    I4  each instant is decided once: from the first to the last one due, each has one record, its own or
        one that stands for many, and none that says skipped without a reason; each run has its end
    I3  no instant's work is done twice, nor beside another run of its job; none without its record, none
        that is said to be skipped, none missing that is said to be done; a record that ended stays
    I7  no instant is decided by an old term

The records are those of the whole run, as the observer saw them written: also those that were trimmed
since. A gap in what it saw may hold any record: then none is called missing.
"""
import collections
import datetime

import ledger
import wordfile

Tick = collections.namedtuple("Tick", "what job run attempt token node")
HEAD = "/onced/run/"
ENDED = ("ok", "failed", "timeout", "interrupted", "skipped", "lost")


def read(path):
    """None when there was no such job."""
    found = wordfile.words(path, "a job with a schedule", lambda words: len(words) == 5 and words[0] in (
        "begin", "end") and "/" in words[1])
    return found and [Tick(words[0], words[1].split("/")[0], words[1], int(words[2]), int(words[3]), words[4])
                      for words in found]


def moment(text):
    """Seconds since 1970."""
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ"
    return int(datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc).timestamp())


def said(second):
    return datetime.datetime.fromtimestamp(second, datetime.timezone.utc).strftime("%H:%M:%SZ")


def schedules(run):
    return next((event["jobs"] for event in run.events if event["event"] == "scheduled"), {})


def decided(run):
    return next((event for event in run.events if event["event"] == "decided"), None)


def records_of(run, job):
    return ledger.Records(run.watch, HEAD + job + "/")


def instants_of(key, record, every_s):
    first = moment(key.split("/")[-1])
    last = moment(record["until"]) if record.get("until") else first
    return range(first, last + 1, every_s)


def made(records):
    """(key, record as it was made) of each record that ever was."""
    return [(key, record) for key, versions in records.versions.items()
            for revision, create, record in versions if revision == create]


def cover(job, records, every_s):
    """{instant: how many records stand for it}, or what is wrong with one of them."""
    seen = collections.Counter()
    for key, record in made(records):
        instants = instants_of(key, record, every_s)
        if instants[0] % every_s:
            return None, "%s is no instant of @every %ds" % (key, every_s)
        if record["state"] == "skipped" and not record.get("reason"):
            return None, "%s is skipped without a reason" % key
        if record.get("count", 1) != len(instants):
            return None, "%s stands for %d instants and says %d" % (key, len(instants), record["count"])
        seen.update(instants)
    return seen, None


def _judge_job(run, job, every_s):
    records = records_of(run, job)
    seen, wrong = cover(job, records, every_s)
    if wrong:
        return wrong
    twice = sorted(second for second, count in seen.items() if count > 1)
    if twice:
        return "%s: the instant %s was decided %d times" % (job, said(twice[0]), seen[twice[0]])
    end = decided(run)
    if end and not seen and not records.gaps:
        return "%s: no instant was ever decided" % job
    if not seen or records.gaps:
        return None
    until = max([end["until"]] if end else [], default=max(seen))
    missing = [second for second in range(min(seen), max(until, max(seen)) + 1, every_s) if second not in seen]
    if missing:
        return "%s: the instant %s has no record (%d such, of %d)" % (
            job, said(missing[0]), len(missing), len(missing) + len(seen))
    for key, versions in records.versions.items() if end else []:
        if versions[-1][2]["state"] == "begun" and moment(key.split("/")[-1]) <= end["until"]:
            return "%s was begun, and nobody decided what became of it" % key
    return None


def decided_once(run):
    for job, what in schedules(run).items():
        wrong = _judge_job(run, job, what["every_s"])
        if wrong:
            return wrong
    return None


def _worked_once(ticks, again):
    """One job's lines, in the order in which they were written."""
    begun, last = set(), None
    for tick in ticks:
        name = (tick.run, tick.attempt) if again else tick.run
        if tick.what == "begin":
            if name in begun:
                return "%s was done twice, the second time as attempt %d by token %d on %s" % (
                    tick.run, tick.attempt, tick.token, tick.node)
            begun.add(name)
            last = tick
        elif last is None or (last.run, last.attempt) != (tick.run, tick.attempt):
            return "%s, attempt %d of token %d on %s, ended after %s began" % (
                tick.run, tick.attempt, tick.token, tick.node, "attempt %d of %s" % (
                    last.attempt, last.run) if last else "nothing")
    return None


def _agree(records, ticks):
    """What was done and what is said to be done."""
    begun = {tick.run for tick in ticks if tick.what == "begin"}
    ended = {tick.run for tick in ticks if tick.what == "end"}
    for key, versions in records.versions.items():
        run = key[len(HEAD):]
        for (_, _, before), (revision, create, after) in zip(versions, versions[1:]):
            if before["state"] in ENDED and revision != create:
                return "revision %d: %s changed after it was %s" % (revision, key, before["state"])
        state = versions[-1][2]["state"]
        if state == "skipped" and run in begun:
            return "%s is said to be skipped, and was done" % key
        if state == "ok" and run not in ended:
            return "%s is said to be done, and was not" % key
    for run in sorted(begun):
        if HEAD + run not in records.versions and not records.gaps:
            return "%s was done without a record" % run
    return None


def worked_once(run):
    for job, what in schedules(run).items():
        ticks = [tick for tick in run.ticks if tick.job == job]
        wrong = _worked_once(ticks, what["again"]) or _agree(records_of(run, job), ticks)
        if wrong:
            return wrong
    return None


def decided_in_term(run):
    for job in schedules(run):
        wrong = ledger.begun_in_term(run, records_of(run, job))
        if wrong:
            return wrong
    return None


CHECKS = [("I4", "each instant of a schedule is decided once", decided_once),
          ("I3", "no instant's work is done twice", worked_once),
          ("I7", "no instant is decided by an old term", decided_in_term)]


def figures(run):
    """Counts for the report; None without such jobs."""
    if run.ticks is None or run.watch is None:
        return None
    count = collections.Counter()
    for job, what in schedules(run).items():
        records = records_of(run, job)
        count["records"] += len(records.versions)
        count["trimmed"] += len(records.deleted)
        seen = collections.Counter(second for key, record in made(records)
                                   for second in instants_of(key, record, what["every_s"]))
        end = decided(run)
        last = max([*seen, end["until"] if end else 0], default=0)
        due = range(min(seen, default=last + 1), last + 1, what["every_s"])
        count.update(instants=len(seen), twice=sum(n > 1 for n in seen.values()),
                     undecided=sum(second not in seen for second in due))
        for key, versions in records.versions.items():
            last = versions[-1][2]
            reason = " (%s)" % last["reason"] if last["state"] == "skipped" else ""
            size = len(instants_of(key, last, what["every_s"]))
            count[last["state"] + reason] += size
    begins = collections.Counter(tick.run for tick in run.ticks if tick.what == "begin")
    return {**count, "done": sum(begins.values()), "done again": sum(n - 1 for n in begins.values())}
