#!/usr/bin/python3
"""cronparser.py PROBE: cron expressions against the npm package cron-parser.

The package is no part of this repository and is never fetched by a test: tools/cron-parser.sh puts it
into the cache, without it this test is skipped. Left out are the days around changes of a zone, and
what the two read differently on purpose: a day field that begins with "*/" and a restricted weekday
mean both here, as in Vixie's cron, and either there; a weekday's range with a step up to 7 has Sunday
there in any case; a value given twice is refused there.
"""
import os
import random
import shutil
import subprocess
import sys

import common
from oracle import Cron
from systemdcalendar import without_changes

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "onced")
MODULE = os.path.join(CACHE, "cron-parser/node_modules/cron-parser/dist/index.js")
EXAMPLES = """0 0 * * *|*/15 * * * *|0 9-17 * * mon-fri|5 4 * * sun|0 0,12 1 */2 *|0 4 8-14 * *|23 0-20/2 * * *
    0 22 * * 1-5|15 14 1 * *|0 0 1,15 * 3|0 0 * * 7|0 0 * * 5-7|1-59/7 3 31 * *|59 23 31 * *
    0 0 1 jan-mar *|10,20,30-40/5 1 * * *|0 12 13 * fri|0 0 31 1,3,5 0|45 23 * feb sat""".replace(
    "\n    ", "|").split("|")


def theirs(questions):
    done = subprocess.run(["node", os.path.join(os.path.dirname(os.path.abspath(__file__)), "cronparser.mjs"),
                           MODULE], text=True, timeout=100, stdout=subprocess.PIPE, check=True,
                          input="".join("%s\t%d\t%d\t%s\n" % q for q in questions))
    lines = done.stdout.splitlines()
    assert len(lines) == len(questions), "%d answers" % len(lines)
    return [line if line.startswith("error") else [int(n) for n in line.split()] for line in lines]


def expressions(rng):
    """Dense ones: cron-parser steps through time, and is slow where nothing comes."""
    found = list(EXAMPLES)
    while len(found) < len(EXAMPLES) + 15:
        cron = Cron(rng, (0.3, 0.3, 0.7, 1, 0.7))
        mixed = cron.fields[2].text.startswith("*/") or cron.fields[4].text.startswith("*/")
        sunday = "7/" in cron.fields[4].text
        if not mixed and not sunday:
            found.append(cron.text)
    return found


def main():
    rng, tap = random.Random(20261122), common.Tap()
    if not shutil.which("node"):
        tap.skip("cron expressions", "node is missing (Debian package nodejs)")
        tap.finish()
    if not os.path.exists(MODULE):
        tap.skip("cron expressions", "cron-parser is not in the cache; tools/cron-parser.sh puts it there")
        tap.finish()
    after, count = common.seconds(2026, 1, 1), 10
    zones = ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu")
    questions = [(zone, after, count, text) for zone in zones for text in expressions(rng)]
    probe, answers = common.Probe(sys.argv[1]), theirs(questions)
    for (zone, _, _, text), expected in zip(questions, answers):
        last = common.seconds(2200) if isinstance(expected, str) or not expected else expected[-1]
        probe.ask(zone, after, last, text)
    changes = {zone: common.changes(common.load_zone(zone), after, common.seconds(2060)) for zone in zones}
    wrong, n = {zone: [] for zone in zones}, {zone: 0 for zone in zones}
    for (zone, _, _, text), expected, got in zip(questions, answers, probe.answers()):
        what = "%s %s" % (zone, text)
        if isinstance(expected, str) and "duplicate values" in expected:
            continue
        if isinstance(expected, str):
            wrong[zone] += [] if isinstance(got, str) else ["%s: cron-parser says %s" % (what, expected)]
        elif isinstance(got, str):
            wrong[zone].append("%s: %s" % (what, got))
        else:
            n[zone] += len(expected)
            wrong[zone] += common.difference(what, without_changes(expected, changes[zone]),
                                             without_changes(got, changes[zone]))
    for zone in zones:
        tap.case("%s: %d instants" % (zone, n[zone]), wrong[zone])
    tap.finish()


if __name__ == "__main__":
    main()
