"""Tables from rows, and the aims they are held against."""
import statistics

FAULT_NAMES = {"start": "process start, empty etcd", "term": "SIGTERM", "agent": "kill -9 of the agent",
               "kill": "kill -9 of everything but the job", "stop": "SIGSTOP of everything but the job",
               "cut": "network cut"}
IDLE = (("pss_mb", "PSS MB"), ("private_mb", "private MB"), ("rss_mb", "RSS MB"),
        ("cpu_s_h", "CPU s/hour"), ("wakeups_s", "wakeups/s"), ("requests_s", "requests/s"))


def number(x):
    return "%.0f" % x if x >= 100 else "%.1f" % x


def spread(values, missing=0):
    """median [min-max], and how often there was no value."""
    if not values:
        return "never" if missing else "-"
    text = "%s [%s-%s]" % tuple(map(number, (statistics.median(values), min(values), max(values))))
    return text + (", %d never" % missing if missing else "")


def select(rows, candidate, fault, what):
    return [r[what] for r in rows if r["candidate"] == candidate and r["fault"] == fault
            and r[what] is not None]


def unique(rows, what):
    return list(dict.fromkeys(row[what] for row in rows))


def failover_table(rows):
    lines = ["| fault | candidate | runs | first line of the next leader, ms | two at once, ms "
             "| runs with two at once | old job still running at the end |",
             "|---|---|---|---|---|---|---|"]
    for fault in unique(rows, "fault"):
        for candidate in unique(rows, "candidate"):
            mine = [r for r in rows if r["candidate"] == candidate and r["fault"] == fault]
            if not mine:
                continue
            took = select(rows, candidate, fault, "ms")
            overlap = [r["overlap_ms"] for r in mine]
            twice = sum(r["overlap_ms"] > 0 or r["clash"] for r in mine)
            lines.append("| %s | %s | %d | %s | %s | %d | %d |" % (
                FAULT_NAMES[fault], candidate, len(mine), spread(took, len(mine) - len(took)),
                spread(overlap), twice, sum(r["old_runs_on"] for r in mine)))
    return "\n".join(lines)


def idle_table(rows):
    lines = ["| candidate | role | " + " | ".join(title for _, title in IDLE) + " |",
             "|---|---|" + "---|" * len(IDLE)]
    for row in rows:
        lines.append("| %s | %s | %s |" % (row["candidate"], row["role"], " | ".join(
            "%.2f" % row[name] for name, _ in IDLE)))
    return "\n".join(lines)


class Aims:
    """PASS or FAIL per line; a thing that was not measured fails too."""

    def __init__(self, failover, idle):
        self.failover, self.idle, self.lines, self.failed = failover, idle, [], 0

    def at_most(self, what, value, limit, unit):
        good = value is not None and value <= limit
        self.failed += not good
        shown = "not measured" if value is None else "%.1f %s" % (value, unit)
        self.lines.append("%s  %s: %s, at most %g %s" % ("PASS" if good else "FAIL", what, shown,
                                                         limit, unit))

    def median(self, candidate, fault, what="ms"):
        values = select(self.failover, candidate, fault, what)
        complete = [r for r in self.failover if r["candidate"] == candidate and r["fault"] == fault]
        return statistics.median(values) if values and len(values) == len(complete) else None

    def check(self, faults):
        for candidate, limit in (("onced fast", 2000), ("onced normal", 7500)):
            self.at_most(candidate + ", SIGTERM", self.median(candidate, "term"), 15, "ms")
            peer = self.median("etcdctl lock, TTL 2", "term")
            self.at_most(candidate + ", SIGTERM against etcdctl's (Go) in this run",
                         self.median(candidate, "term"), 4 * (peer or 0), "ms")
            self.at_most(candidate + ", kill -9 of the agent", self.median(candidate, "agent"), 60, "ms")
            for fault in faults:
                self.at_most("%s, %s" % (candidate, FAULT_NAMES[fault]),
                             self.median(candidate, fault), limit, "ms")
        ours = [r for r in self.failover if r["candidate"].startswith("onced")]
        starts = [r["ms"] for r in ours if r["fault"] == "start" and r["ms"] is not None]
        self.at_most("process start to the first line", statistics.median(starts) if starts else None,
                     25, "ms")
        self.at_most("two jobs at once, worst run", max((r["overlap_ms"] for r in ours), default=None),
                     0, "ms")
        self.at_most("runs in which a job met another's lock", sum(r["clash"] for r in ours), 0, "")
        for role in ("leader", "follower"):
            row = next((r for r in self.idle if r["candidate"] == "onced normal" and r["role"] == role),
                       {})
            for name, limit, unit in (("pss_mb", 8, "MB PSS"), ("wakeups_s", 4, "wakeups/s"),
                                      ("cpu_s_h", 5, "CPU s/hour")):
                self.at_most("idle " + role, row.get(name), limit, unit)
            if role == "leader":
                self.at_most("idle leader", row.get("requests_s"), 2.5, "requests/s")
        return self.failed == 0
