"""The figures of a run, from its record alone: what report.py prints."""
import collections
import glob
import os
import re

import checker
import given
import instants
import ledger

FENCED = re.compile(r"stopped the jobs of token (\d+), (-?[\d.]+) s before the deadline")
QUIET = 4.0      # seconds without any fault, in which a term has no reason to end
GAP_NS = 150e6   # between two lines of a life there are 10 ms


def percentiles(values):
    values = sorted(values)
    pick = lambda share: values[min(len(values) - 1, int(share * len(values)))]  # noqa: E731
    return {"n": len(values), "p50": round(pick(0.5), 3), "p99": round(pick(0.99), 3),
            "max": round(values[-1], 3)}


def spans(events):
    """(began, ended, name) of every fault."""
    began, found = {}, []
    for event in events:
        if event["event"] == "fault":
            began[event["id"]] = event
        elif event["event"] == "over" and event["id"] in began:
            first = began.pop(event["id"])
            found.append((first["began"], event["ns"], first["name"], first))
    return sorted(found, key=lambda span: span[0])


def failovers(faults, lives):
    """Seconds from a fault that came alone to the next term's first line, if nothing came between."""
    times = collections.defaultdict(list)
    for i, (began, _, name, event) in enumerate(faults):
        if event["others"]:
            continue
        following = [life for life in lives if life.start > began and life.token > event["token"]]
        if not following:
            continue
        first = following[0]
        if i + 1 < len(faults) and faults[i + 1][0] < first.start:
            continue
        if (first.start - began) / 1e9 < 15:
            times[name].append((first.start - began) / 1e9)
    return {name: percentiles(values) for name, values in sorted(times.items())}


def without_life(lines, until):
    """Seconds in which no job wrote, between the first line and the end."""
    times = sorted(line.ns for line in lines) + [until]
    return sum(b - a for a, b in zip(times, times[1:]) if b - a > GAP_NS) / 1e9


def doubled(lives):
    """Seconds in which two or more lives ran at once."""
    changes = sorted([(x.start, 1) for x in lives] + [(x.end, -1) for x in lives])
    alive, since, total = 0, 0, 0
    for ns, change in changes:
        if alive >= 2:
            total += ns - since
        alive, since = alive + change, ns
    return total / 1e9


def false_stops(faults, lives, events):
    """Terms that ended though nothing had been done for a while. Healing, which restarts members and
    makes their databases smaller, is something, too."""
    heals = [(e["ns"], next((f["ns"] for f in events if f["event"] == "healthy" and f["ns"] > e["ns"]),
                            e["ns"])) for e in events if e["event"] == "heal"]
    busy = [span[:2] for span in faults] + heals
    ends = [event["ns"] for event in events if event["event"] == "end"]
    over, count = ends[0] if ends else 0, 0
    for life, after in zip(lives, lives[1:]):
        near = any(began - 0.2e9 < life.end < ended + QUIET * 1e9 for began, ended in busy)
        count += life.end < over and not near
    return count


def margins(directory):
    found = []
    for path in glob.glob(os.path.join(directory, "onced-*.log")):
        with open(path, errors="replace") as log:
            found += [float(margin) for _, margin in FENCED.findall(log.read())]
    return found


def figures(directory, run, verdicts, problem):
    first = run.events[0]
    faults, lives = spans(run.events), checker.lives(run.lines)
    ends = [e["ns"] for e in run.events if e["event"] == "end"] or [run.events[-1]["ns"]]
    kept = margins(directory)
    marks = [e for e in run.events if e["event"] in ("healthy", "alive")]
    alive = [(b["ns"] - a["ns"]) / 1e9 for a, b in zip(marks, marks[1:])
             if a["event"] == "healthy" and b["event"] == "alive"]
    return {
        "seed": first["seed"], "etcd": first["etcd"], "tls": first["tls"], "auth": first.get("auth", False), "nodes": first["nodes"],
        "peer": first["peer"], "problem": problem,
        "minutes": round((ends[0] - first["ns"]) / 60e9, 1),
        "faults": dict(collections.Counter(name for _, _, name, _ in faults)),
        "lacks": {e["name"]: e["why"] for e in run.events if e["event"] == "lacks"},
        "not_done": dict(collections.Counter(e["name"] for e in run.events
                                             if e["event"] == "not-done")),
        "proxies": next(({k: v for k, v in e.items() if k not in ("event", "ns")}
                         for e in run.events if e["event"] == "proxies"), {}),
        "verdicts": [{"number": n, "what": w, "problem": p, "skipped": s} for n, w, p, s in verdicts],
        "elections": None if run.watch is None else sum(
            c.get("key") == "/onced/g/default/epoch" and c["type"] == "put" for c in run.watch),
        "changes": len(run.watch or []),
        "gaps": sum("gap" in c for c in run.watch or []),
        "lives": len(lives),
        "launches": len({(x.token, x.node, x.pid) for x in run.lines if x.kind != "child"}),
        "overlaps": len(checker.overlaps(lives)),
        "overlap_s": round(doubled(lives), 3),
        "clashes": sum(x.kind == "clash" for x in run.lines),
        "sink_accepted": sum(w.verdict == "accept" for w in run.sink),
        "sink_rejected": sum(w.verdict == "reject" for w in run.sink),
        "sink_rejected_jobs": sum(w.verdict == "reject" and w.node != "late" for w in run.sink),
        "ledger": ledger.figures(run), "instants": instants.figures(run), "numbers": given.figures(run),
        "failover_s": failovers(faults, lives),
        "after_heal_s": percentiles(alive) if alive else None,
        "never_after_heal": sum(e["event"] == "healthy" for e in run.events) - len(alive),
        "without_life_s": round(without_life(run.lines, ends[0]), 1) if run.lines else None,
        "false_stops": false_stops(faults, lives, run.events),
        "margins_ms": {"n": len(kept), "min": round(min(kept) * 1e3)} if kept else None,
    }


def line(f):
    return ("seed %d: %.1f minutes, %d faults, %s elections, %d launches, %d overlaps (%.1f s), "
            "%d clashes, %d refused by the sink, smallest margin %s" % (
                f["seed"], f["minutes"], sum(f["faults"].values()), f["elections"], f["launches"],
                f["overlaps"], f["overlap_s"], f["clashes"], f["sink_rejected"],
                "%d ms" % f["margins_ms"]["min"] if f["margins_ms"] else "unknown"))
