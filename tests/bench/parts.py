"""docs/benchmarks.md in parts: each is written anew by its own measurement, the others stay.

A part begins with a comment that names it and ends where the next one begins.
"""
import os
import re

ORDER = ("failover", "writers", "rtt", "bulk", "million")


def marker(name):
    return "<!-- part: %s -->\n" % name


def split(text):
    """{name: text} of the parts; what stands before the first one is an older form's failover."""
    pieces = re.split(r"<!-- part: ([a-z]+) -->\n", text)
    found = dict(zip(pieces[1::2], pieces[2::2]))
    if pieces[0].strip():
        found.setdefault("failover", pieces[0])
    return found


def join(found):
    return "\n".join(marker(name) + found[name].strip("\n") + "\n" for name in ORDER if name in found)


def replace(path, name, text):
    """Writes the document with that part anew."""
    found = {}
    if os.path.exists(path):
        with open(path) as file:
            found = split(file.read())
    found[name] = text
    with open(path, "w") as file:
        file.write(join(found))


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def number(value):
    """Three digits that matter, thousands parted."""
    if value >= 100:
        return format(round(value), ",")
    return "%.3g" % value


def spread(values, form=number):
    """Median [least-most]."""
    if not values:
        return "-"
    return "%s [%s-%s]" % (form(median(values)), form(min(values)), form(max(values)))


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def aims_table(aims):
    """(what, value or None, aim, held) each."""
    return table(("aim", "measured", "wanted", "reached"), [
        (what, "-", aim, "not measured") if value is None else
        (what, number(value), aim, "yes" if good else "no") for what, value, aim, good in aims])
