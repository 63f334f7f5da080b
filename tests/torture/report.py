#!/usr/bin/python3
"""The safety report from the results of torture runs.

    report.py DIRECTORY... [--again] [--swarm FILE] [--mutants FILE] [--note TEXT]... [--earlier DIRECTORY]...

A DIRECTORY is what `make torture OUT=` kept (or the result.json in it); the files are what `make swarm
OUT=` and `make mutants OUT=` wrote. --again judges each record anew, by the checker of today. A note
says what is known about a verdict that is not good; it changes none. --earlier: a run of an earlier
version of the daemon, shown in a section of its own and in no other figure.
"""
import argparse
import collections
import json
import os
import sys

import check
import summary


def load(path):
    if os.path.isdir(path):
        path = os.path.join(path, "result.json")
    with open(path) as file:
        return json.load(file)


def judge_again(directory):
    run = check.load(directory)
    problem = next((e["problem"] for e in run.events if e["event"] == "closed"), "the record has no end")
    return summary.figures(directory, run, check.verdicts(run), problem)


def total(results, name):
    return sum(result[name] or 0 for result in results)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def who(result):
    return "etcd %s, %s" % (result["etcd"], "TLS" if result["tls"] else "plaintext") + (
        ", passwords" if result.get("auth") else "")


def command(result):
    return "make torture SEED=%d MINUTES=%g ETCD=%s TLS=%s%s NODES=%d" % (
        result["seed"], result["minutes"], result["etcd"], "yes" if result["tls"] else "no",
        " AUTH=yes" if result.get("auth") else "", result["nodes"]) + (
            " PEER=" + result["peer"] if result["peer"] else "")


def smallest_margin(results):
    margins = [r["margins_ms"]["min"] for r in results if r["margins_ms"]]
    return "%d ms" % min(margins) if margins else "not seen"


def fell(results):
    """How many runs of the torture showed a lost record, how many a duplicate, of how many that were judged."""
    counts, judged = [], []
    for wanted in ("I5", "I3"):
        judged = [r for r in results if any(
            v["number"] == wanted and not v["skipped"] for v in r["verdicts"])]
        counts.append(sum(any(v["number"] == wanted and v["problem"] for v in r["verdicts"]) for r in judged)
                      if judged else "not measured")
    return (*counts, len(judged))


def ledger_sums(ledgers):
    count = lambda *names: sum(f[name] for f in ledgers for name in names)  # noqa: E731
    if not ledgers:
        return []
    return [
        ("requests to the ledger", count("asked")), ("runs begun, ended", "%d, %d" % (
            count("begun"), count("ended"))),
        ("requests refused as of an old term", count("fenced")),
        ("requests without an answer: unknown, or asked by one that was killed; of these written", "%d, %d; %d" % (
            count("unknown"), count("unanswered"), count("unknown_written", "unanswered_written")))]


def instant_sums(found):
    """The jobs with a schedule."""
    if not found:
        return []
    count = collections.Counter()
    for figures in found:
        count.update(figures)
    skipped = {name: n for name, n in sorted(count.items()) if name.startswith("skipped")}
    return [
        ("instants of schedules; with exactly one decision", "%d; %d" % (
            count["instants"] + count["undecided"], count["instants"] - count["twice"])),
        ("of these done, cut off, skipped", "%d, %d, %d: %s" % (
            count["ok"], count["interrupted"], sum(skipped.values()),
            ", ".join("%s %d" % (name[9:-1], n) for name, n in skipped.items()))),
        ("ended otherwise", ", ".join("%s %d" % (name, count[name]) for name in (
            "failed", "timeout", "lost", "begun") if count[name]) or "none"),
        ("attempts; of these second ones of a run that was cut off", "%d; %d" % (
            count["done"], count["done again"])),
        ("records trimmed meanwhile", count["trimmed"])]


def number_sums(found):
    """Those that are given out once."""
    count = collections.Counter()
    for figures in found:
        count.update(figures)
    return [] if not found else [
        ("requests for numbers, without an answer; numbers given, twice", "%d, %d; %d, %d" % (
            count["asked"], count["unanswered"] + count["refused"], count["numbers"], count["twice"])),
        ("numbers that nobody got", count["lost"])]


def sums(results):
    minutes = total(results, "minutes")
    faults = sum(sum(r["faults"].values()) for r in results)
    return [
        ("minutes", "%.1f" % minutes), ("faults", faults),
        ("faults per minute", "%.1f" % (faults / minutes if minutes else 0)),
        ("elections", total(results, "elections")), ("launches of the job", total(results, "launches")),
        ("overlaps", total(results, "overlaps")),
        ("acknowledged records lost; runs done twice", "%s; %s (%d runs kept a ledger)" % fell(results)),
        ("starts while the kernel's lock was held", total(results, "clashes")),
        ("writes the sink accepted", total(results, "sink_accepted")),
        ("late writes it refused", total(results, "sink_rejected") - total(results, "sink_rejected_jobs")),
        ("writes of jobs it refused", total(results, "sink_rejected_jobs")),
        *ledger_sums([r["ledger"] for r in results if r.get("ledger")]),
        *instant_sums([r["instants"] for r in results if r.get("instants")]),
        *number_sums([r["numbers"] for r in results if r.get("numbers")]),
        ("smallest time from the proof that all is dead to the deadline, when the guardian had to act "
         "(below 0: it was stopped itself after the kill, or counted long)", smallest_margin(results)),
        ("terms that ended without a reason", total(results, "false_stops")),
        ("longest wait for a job after a heal",
         "%.2f s" % max([r["after_heal_s"]["max"] for r in results if r["after_heal_s"]] or [0])),
        ("heals without a job after them", total(results, "never_after_heal")),
        ("seconds without a job, faults included", "%.0f" % total(results, "without_life_s")),
    ]


def judgements(results):
    """A column for each run; below, what was said of those that do not hold."""
    rows, words = collections.OrderedDict(), []
    for i, result in enumerate(results):
        for verdict in result["verdicts"]:
            row = rows.setdefault((verdict["number"], verdict["what"]), ["not judged"] * len(results))
            row[i] = "**FAILS**" if verdict["problem"] else "skipped" if verdict["skipped"] else "holds"
            if verdict["problem"]:
                words.append("- seed %d, %s: **%s**" % (result["seed"], verdict["number"], verdict["problem"]))
        if result["problem"]:
            words.append("- seed %d ended by: **%s**" % (result["seed"], result["problem"]))
    head = ["", ""] + ["%d: %s" % (result["seed"], who(result)) for result in results]
    return "\n".join([table(head, [(*name, *row) for name, row in rows.items()]), "", *words]).rstrip()


def merged_failovers(results):
    """Percentiles do not add up; the runs are shown beside each other."""
    rows = collections.OrderedDict()
    for result in results:
        for name, f in result["failover_s"].items():
            rows.setdefault(name, []).append(f)
    return table(["fault that came alone", "n", "p50, s", "p99, s", "max, s"], [
        (name, sum(f["n"] for f in found), "; ".join("%.2f" % f["p50"] for f in found),
         "; ".join("%.2f" % f["p99"] for f in found), "%.2f" % max(f["max"] for f in found))
        for name, found in sorted(rows.items())])


def kinds(results):
    count, refused = collections.Counter(), collections.Counter()
    for result in results:
        count.update(result["faults"])
        refused.update(result["not_done"])
    return table(["fault", "done", "could not be done then"], [
        (name, count[name], refused[name] or "") for name in sorted(set(count) | set(refused))])


def simulated(swarm, mutants):
    """What the simulator found, and whether it finds anything at all."""
    out = ["## Simulator", ""]
    if swarm:
        f, faults = swarm["swarm"], swarm["faults"]
        out += [table(["schedules", "faults", "elections", "jobs", "virtual hours", "overlaps", "seconds"], [
            (f["schedules"], sum(faults.values()), f["elections"], f["jobs"],
             "%.0f" % f["virtual hours"], f["overlaps"], f["seconds"])]), "",
            "Seeds %d to %d, the daemon's own core against a model of etcd with its known faults" % (
                f["first"], f["first"] + f["schedules"] - 1), "(`make swarm SEEDS=%d%s`)." % (
                f["schedules"], " SEED=%d" % f["first"] if f["first"] else ""), ""]
    if mutants:
        rows = mutants["mutants"]
        caught = sum(row["seed"] is not None for row in rows)
        out += ["**Mutants caught: %d of %d** (`make mutants`).%s" % (
            caught, len(rows), "" if caught == len(rows) else " Not all."), "",
            table(["rule broken in the core", "first seed", "what the simulator says"], [
                (row["name"], "**escaped**" if row["seed"] is None else row["seed"], row["shown"])
                for row in rows]), ""]
    return out


def per_version(results):
    """What each etcd was given."""
    rows = collections.OrderedDict()
    for result in sorted(results, key=who):
        row = rows.setdefault(who(result), collections.Counter())
        row.update(seeds=1, minutes=result["minutes"], faults=sum(result["faults"].values()),
                   elections=result["elections"] or 0, launches=result["launches"],
                   overlaps=result["overlaps"], clashes=result["clashes"],
                   refused=result["sink_rejected"])
    names = ["seeds", "minutes", "faults", "elections", "launches", "overlaps", "clashes", "refused"]
    return table(["on"] + names[:-1] + ["writes the sink refused"], [
        [name] + ["%.1f" % row[n] if n == "minutes" else row[n] for n in names]
        for name, row in rows.items()])


def before(results):
    """Runs of versions that came before."""
    fallen = ["- seed %d, %s: **%s**" % (r["seed"], v["number"], v["problem"])
              for r in results for v in r["verdicts"] if v["problem"]]
    return ["## Earlier versions", "", "Runs of the daemon before the last changes to it, in no figure above.", "",
            per_version(results), "", *(["What failed then, and is mended (docs/safety.md):", "", *fallen, ""]
                                        if fallen else [])]


def report(results, notes=(), swarm=None, mutants=None, earlier=()):
    ours, peers = [r for r in results if not r["peer"]], [r for r in results if r["peer"]]
    out = ["# Safety report", "",
           "Made by `tests/torture/report.py` from the runs below: real daemons with profile `fast`, three",
           "members of etcd, at most two faults at once, everything healed once a minute. How it is judged",
           "is in `tests/torture/check.py`; all times are of one kernel's clock.", ""]
    if ours:
        out += [table(["", "onced"], sums(ours)), "", per_version(ours), "", "## Verdicts", "", judgements(ours), "",
                *[line for note in notes for line in (note, "")], "## Failover", "",
                "From a fault that came alone to the next term's first line, where nothing came between;",
                "p50 and p99 run by run. Faults that do not end a term are in here when one ended all the",
                "same, or was ended by what came later.", "", merged_failovers(ours), "",
                "## Faults", "", kinds(ours), ""]
    if swarm or mutants:
        out += simulated(swarm, mutants)
    for peer in peers:
        out += ["## %s under the same nemesis" % peer["peer"], "",
                "Without the faults it has no part for. Its job is killed when it dies, which it does not",
                "do by itself. %.1f minutes, %d faults." % (peer["minutes"], sum(peer["faults"].values())),
                "", table(["", who(peer)], [
                    ("launches", peer["launches"]), ("overlaps", peer["overlaps"]),
                    ("seconds with two jobs at once", "%.1f" % peer["overlap_s"]),
                    ("starts while the kernel's lock was held", peer["clashes"]),
                    ("writes of jobs the sink refused", peer["sink_rejected_jobs"])]), ""]
    if earlier:
        out += before(earlier)
    out += ["## Commands", ""] + ["    " + command(result) for result in [*results, *earlier]] + [
        "", "The seed fixes what the nemesis wants; when it gets to it depends on the machine.",
        "", "## Not covered", "",
        "- Slewed clocks and suspended machines: only in the simulator (`tests/sim`).",
        *([] if any(r.get("auth") for r in ours) else ["- Authentication with short-lived tokens (AUTH=yes)."]),
        *([] if any(r["etcd"] == "mixed" for r in ours) else
          ["- A change of etcd's version while it runs (ETCD=mixed)."]),
        "- Guardian and keeper killed in one instant while a job that is not isolated has descendants that",
        "  left its session: what ends these is the service manager, which is not here."]
    return "\n".join(out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", nargs="+", metavar="DIRECTORY")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--swarm")
    parser.add_argument("--mutants")
    parser.add_argument("--earlier", action="append", default=[], metavar="DIRECTORY")
    parser.add_argument("--note", action="append", default=[])
    options = parser.parse_args()
    try:
        files = [judge_again(path) if options.again else load(path) for path in options.results]
        old = [load(path) for path in options.earlier]
        extra = [load(path) if path else None for path in (options.swarm, options.mutants)]
    except (OSError, ValueError) as error:
        sys.exit("report: %s" % error)
    print(report(files, options.note, *extra, old))
