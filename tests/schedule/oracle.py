#!/usr/bin/python3
"""oracle.py PROBE: schedules against a slow and simple oracle.

The oracle walks minute by minute and looks at a clock on the wall, which Python's zoneinfo shows.
A wildcard schedule is due when the clock shows a match. A fixed one is due when the clock passes a
match for the first time: the minute after a gap passes all minutes of the gap. Expressions are made
from sets, so the oracle reads none.

Walked are the days around changes of each zone (those listed in its file, and those of the rule
behind), and a whole year for a few. The seed is fixed.
"""
import bisect
import datetime
import random
import sys

import common

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
EPOCH = datetime.date(1970, 1, 1).toordinal()


class Field:
    """Text of cron and the values it stands for, made together."""

    def __init__(self, rng, which, star):
        low, high = LIMITS[which]
        self.star = rng.random() < star
        names = {3: dict(enumerate(MONTHS, 1)), 4: dict(enumerate(WEEKDAYS))}.get(which, {})
        self.values, items = set(), []
        for i in range(1 if self.star else rng.choice((1, 1, 2, 3))):
            if i == 0 and self.star:
                step = rng.choice((1, 1, 2, 5, 7))
                items.append("*" if step == 1 else "*/%d" % step)
                self.values |= set(range(low, high + 1, step))
                continue
            a, b = sorted((rng.randint(low, high), rng.randint(low, high)))
            kind = rng.choice(("value", "value", "range", "step"))
            step = rng.randint(1, high) if kind == "step" else 1
            b = a if kind == "value" else b
            self.values |= set(range(a, b + 1, step))
            first = names.get(a, str(a)) if rng.random() < 0.5 else "%d" % a
            items.append(first + {"value": "", "range": "-%d" % b, "step": "-%d/%d" % (b, step)}[kind])
        self.text = ",".join(items)


class Cron:
    def __init__(self, rng, stars=(0.3, 0.3, 0.6, 0.8, 0.6)):
        self.fields = [Field(rng, i, star) for i, star in enumerate(stars)]
        self.text = " ".join(field.text for field in self.fields)
        self.wildcard = self.fields[0].star or self.fields[1].star
        self.weekdays = {v % 7 for v in self.fields[4].values}

    def day(self, number):
        """Whether a day, counted from 1970, is one of its days."""
        date = datetime.date.fromordinal(number + EPOCH)
        in_month = date.day in self.fields[2].values
        in_week = date.isoweekday() % 7 in self.weekdays
        both = self.fields[2].star or self.fields[4].star
        return date.month in self.fields[3].values and (
            in_month and in_week if both else in_month or in_week)

    def minutes(self, first, last):
        """Its local minutes, counted from 1970."""
        times = sorted(h * 60 + m for h in self.fields[1].values for m in self.fields[0].values)
        return [day * 1440 + time for day in range(first // 1440, last // 1440 + 1) if self.day(day)
                for time in times]


class Fixed(Cron):
    """A cron expression as people write it."""

    def __init__(self, text, *sets):
        fields = text.split()
        self.text, self.fields = text, []
        for i, low_high in enumerate(LIMITS):
            field = Field.__new__(Field)
            field.star = fields[i][0] == "*"
            field.values = sets[i] if sets[i] else set(range(low_high[0], low_high[1] + 1))
            self.fields.append(field)
        self.wildcard = self.fields[0].star or self.fields[1].star
        self.weekdays = {v % 7 for v in self.fields[4].values}


COMMON = (
    Fixed("30 2 * * *", {30}, {2}, None, None, None),
    Fixed("0,15,30,45 1,2 * * *", {0, 15, 30, 45}, {1, 2}, None, None, None),
    Fixed("0 0 * * *", {0}, {0}, None, None, None),
    Fixed("*/5 * * * *", set(range(0, 60, 5)), None, None, None, None),
    Fixed("30 * * * *", {30}, None, None, None, None),
    Fixed("* 2 * * *", None, {2}, None, None, None),
    Fixed("0 */2 * * *", {0}, set(range(0, 24, 2)), None, None, None),
    Fixed("0-59 0-23 * * *", None, None, None, None, None),
    Fixed("0 3 * * sun", {0}, {3}, None, None, {0}),
    Fixed("59 23 13 * fri", {59}, {23}, {13}, None, {5}),
)


def walk(zone, start, end):
    """What the clock shows at each minute of [start, end): local minutes, counted from 1970."""
    return [(at + common.offset(zone, at)) // 60 for at in range(start, end, 60)]


def due(cron, clock, start, settle):
    """The instants behind the first `settle` minutes of a walk."""
    matches = cron.minutes(min(clock) - 1440, max(clock) + 1440)
    known, found, furthest = set(matches), [], clock[0]
    for i, shown in enumerate(clock):
        if cron.wildcard:
            hit = shown in known
        elif shown > furthest + 1:
            hit = bisect.bisect_right(matches, shown) > bisect.bisect_right(matches, furthest)
        else:
            hit = shown > furthest and shown in known
        furthest = max(furthest, shown)
        if hit and i >= settle:
            found.append(start + 60 * i)
    return found


def check(tap, path, name, stretches, crons):
    """Stretches: (zone's name, start, end); each with some of the crons."""
    probe, expected = common.Probe(path), []
    settle = 26 * 60
    for zone_name, start, end in stretches:
        clock = walk(common.load_zone(zone_name), start, end)
        for cron in crons():
            first = start + 60 * settle
            probe.ask(zone_name, first - 1, end - 60, cron.text)
            expected.append(("%s %s from %s" % (zone_name, cron.text, common.text(first)),
                             due(cron, clock, start, settle)))
    wrong, n = [], 0
    for (what, instants), got in zip(expected, probe.answers()):
        if isinstance(got, str) and "never comes" in got:
            got = []
        wrong += common.difference(what, instants, got)
        n += len(instants)
    tap.case("%s: %d expressions and stretches, %d instants" % (name, len(expected), n),
             wrong if n else ["nothing was due"])


def main():
    rng, tap = random.Random(20261122), common.Tap()
    for name in common.ZONES:
        zone = common.load_zone(name)
        found = common.changes(zone, common.seconds(1995), common.seconds(2045)) or [
            common.seconds(2026, 6, 1)]
        largest = max(found, key=lambda at: abs(common.offset(zone, at) - common.offset(zone, at - 1)))
        chosen = set(rng.sample(found, min(2, len(found)))) | set(found[-2:]) | {largest}
        stretches = [(name, at // 60 * 60 - 2 * common.DAY, at // 60 * 60 + common.DAY)
                     for at in sorted(chosen)]
        check(tap, sys.argv[1], "changes of " + name, stretches,
              lambda: COMMON + tuple(Cron(rng) for _ in range(7)))
    for name, year in (("Europe/Berlin", 2028), ("Australia/Lord_Howe", 2039)):
        check(tap, sys.argv[1], "all of %d in %s" % (year, name),
              [(name, common.seconds(year), common.seconds(year + 1))],
              lambda: [Cron(rng, (0, 0.1, 0.4, 0.4, 0.4)) for _ in range(8)])
    tap.finish()


if __name__ == "__main__":
    main()
