#!/usr/bin/python3
"""systemdcalendar.py PROBE: calendar expressions against `systemd-analyze calendar`.

The same text goes to both; the next instants after a base time must be the same, and what is refused
by systemd must be refused here. Where local clocks change, the two have other rules on purpose, so
instants of the days around a change are left out: tests/schedule/oracle.py judges those.
"""
import bisect
import os
import random
import shutil
import subprocess
import sys

import common

# From systemd.time(7), those of the subset.
EXAMPLES = """Sat,Thu,Mon..Wed,Sat..Sun|Mon,Sun 2032-*-* 2,1:23|Wed *-1|Wed..Wed,Wed *-1
    Wed..Sat,Tue 2032-10-15 1:2:3|*-*-7 0:0:0|10-15|monday *-12-* 17:00|Mon,Fri *-*-3,1,2 *:30:45
    12,14,13,12:20,10,30|12..14:10,20,30|mon,fri *-1/2-1,3 *:30:45|03-05 08:05:40|08:05:40|05:40
    Sat,Sun 12-05 08:05:40|Sat,Sun 08:05:40|2033-03-05 05:40|2033-02..04-05|2033-03-05|03-05
    minutely|hourly|daily|monthly|weekly|quarterly|semiannually|yearly|annually|*:2/3|Mon *-05~07/1
    *-02~03|*-*~1|*-02-29|*-02-29/1 12:00|Mon 2040-02-29|*~28 1:00|Sun *-*-1..7|*~1,3|02~1..4
    *-*-*|*:*:*|2030/4-*-*|2030..2040/3-6-1|1:*:7/13|Mon-Fri 9..17:0/20|*-1..12/5-31|SUN 0:00
    *-*-1/3 *:59:59|Fri *-*-13|*~5..9/2 3:30|WEEKLY|23:59:59|*-*-* 00..23/7:5,6,7:*|10..19/12:0|14..14/1:0|*~6..25/10|*~26""".replace(
    "\n    ", "|").split("|")

# Both refuse these.
REFUSED = """Mon *-*-* 24:00|13-01|*-00-01|*-*-32|*-*-0|1:60|1:1:60|Foo|Mon..|..Mon|Mon..Foo|1-2-3-4
    1:2:3:4|*-*-* *:*:* nowhere/Zone|:30|1:|-1-1|1--1|Sun..Mon|5..3:00|*:5/0|*/2:00|1,,2:00|,Mon
    Mon *-*-* 02:00 UTC UTC|02:00 10-15|*~|~1|Mon Tue|02-30|*-*-*~1|1:1/x|38/34:0|*~1/5|*~29""".replace("\n    ", "|").split("|")

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def component(rng, low, high, star, steps):
    if rng.random() < star:
        return "*"
    items = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        # two values: 20..20 is refused as a second, though not elsewhere
        a, b = sorted(rng.sample(range(low, high + 1), 2))
        forms = [str(a), str(a), "%02d" % a, "%d..%d" % (a, b)]
        if steps:
            forms += ["%d/%d" % (a, rng.randint(1, (high - low) // 2)),
                      "%d..%d/%d" % (a, b, rng.randint(1, (high - low) // 2))]
        items.append(rng.choice(forms))
    return ",".join(items)


def expression(rng, steps):
    """Without steps in zones: systemd 252 forgets first values there (*:6/45 America/New_York is not
    due at 00:06)."""
    def part(low, high, star):
        return component(rng, low, high, star, steps)

    words = []
    if rng.random() < 0.3:
        a, b = sorted((rng.randrange(7), rng.randrange(7)))
        words.append(rng.choice((WEEKDAYS[a], WEEKDAYS[a] + ".." + WEEKDAYS[b],
                                 ",".join(sorted({WEEKDAYS[a], WEEKDAYS[b]})))))
    if rng.random() < 0.6:
        date = part(1, 12, 0.7)
        # above 25 systemd refuses a list, though not a single value
        date += "~" + part(1, 25, 0.2) if rng.random() < 0.3 else \
            "-" + part(1, 31, 0.4)
        words.append((part(2026, 2060, 0.8) + "-" if rng.random() < 0.5 else "") + date)
    if rng.random() < 0.8 or not words:
        words.append(part(0, 23, 0.3) + ":" + part(0, 59, 0.2) +
                     (":" + part(0, 59, 0.1) if rng.random() < 0.5 else ""))
    return " ".join(words)


def systemd(expressions, base, iterations):
    """Of each expression its next instants, or None when it is refused."""
    done = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=%d" % iterations,
         "--base-time=" + common.text(base)[:-1].replace("T", " ") + " UTC", "--", *expressions],
        env=dict(os.environ, TZ="UTC", LC_ALL="C", SYSTEMD_COLORS="0"), timeout=60, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = []
    for block in done.stdout.split("\n\n"):
        if "Normalized form" not in block:
            # a refusal has no empty line behind it
            continue
        times = [line.split(": ", 1)[1].split() for line in block.splitlines()
                 if "Next elapse: " in line or "Iter. #" in line]
        name = next(line.split(": ", 1)[1] for line in block.splitlines() if "Original form: " in line
                    or ("Normalized form: " in line and "Original form" not in block))
        found.append((name, [stamp(t) for t in times if t[0] != "never"]))
    return found


def stamp(words):
    """["Sat", "2026-10-24", "00:30:00", "UTC"]"""
    year, month, day = (int(n) for n in words[1].split("-"))
    hour, minute, second = (int(n) for n in words[2].split(":"))
    return common.seconds(year, month, day) + hour * 3600 + minute * 60 + second


def without_changes(instants, found):
    """Instants that are not within a day of a change."""
    return [t for t in instants if not found or min(
        abs(t - found[i]) for i in (max(bisect.bisect(found, t) - 1, 0),
                                    min(bisect.bisect(found, t), len(found) - 1))) > common.DAY]


def compare(tap, path, name, zone_name, expressions, base, iterations):
    suffix = " " + zone_name if zone_name else ""
    found = common.changes(common.load_zone(zone_name), base, base + 20 * 366 * common.DAY) \
        if zone_name else []
    theirs = dict(systemd([e + suffix for e in expressions], base, iterations))
    probe, wrong, n = common.Probe(path), [], 0
    for text in expressions:
        last = theirs.get(text + suffix)
        # where nothing is left to come, none may come here
        probe.ask("UTC", base, last[-1] if last else common.seconds(2190), text + suffix)
    for text, got in zip(expressions, probe.answers()):
        expected = theirs.get(text + suffix)
        if expected is None:
            # systemd has unwritten limits for lists of days from the end
            quirk = "~" in text and "," in text.split("~")[1].split()[0]
            wrong += [] if isinstance(got, str) or quirk else ["%s: only systemd refuses it" % text]
        elif isinstance(got, str):
            wrong += ["%s: %s" % (text, got)] if expected or "never comes" not in got else []
        else:
            n += len(expected)
            wrong += common.difference(text + suffix, without_changes(expected, found),
                                       without_changes(got, found))
    tap.case("%s: %d expressions, %d refused, %d instants" % (
        name, len(expressions), len(expressions) - len(theirs), n), wrong)


def compare_refusals(tap, path):
    probe, wrong = common.Probe(path), []
    accepted = [name for name, instants in systemd(REFUSED, common.seconds(2026), 1) if instants]
    for text in REFUSED:
        probe.ask("UTC", 0, common.seconds(2100), text)
    wrong += ["systemd takes " + text for text in accepted]
    wrong += ["%s is taken" % text for text, got in zip(REFUSED, probe.answers())
              if not isinstance(got, str) or not got.startswith("error ")]
    tap.case("what systemd refuses", wrong)


def main():
    rng, tap = random.Random(20261122), common.Tap()
    if not shutil.which("systemd-analyze"):
        tap.skip("calendar expressions", "systemd-analyze is missing (Debian package systemd)")
        tap.finish()
    base = common.seconds(2026, 3, 1) + 12345
    compare(tap, sys.argv[1], "examples", None, EXAMPLES, base, 60)
    compare_refusals(tap, sys.argv[1])
    compare(tap, sys.argv[1], "UTC", None, [expression(rng, True) for _ in range(100)], base, 50)
    for zone_name in common.ZONES:
        compare(tap, sys.argv[1], zone_name, zone_name, [expression(rng, False) for _ in range(6)],
                base, 40)
    tap.finish()


if __name__ == "__main__":
    main()
