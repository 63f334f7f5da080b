#!/usr/bin/python3
"""check-messages.py PAGE DIRECTORY...: every message that the page quotes is one the sources can print.

A quoted message is a heading in backquotes; its parts between dots (…) must each stand in some string
of the sources, with what printf puts in (%s, %lld) where the page has dots.
"""
import os
import re
import sys


def strings(directories):
    """Every run of adjacent C strings, joined."""
    for directory in directories:
        for where, _, files in os.walk(directory):
            for name in files:
                if name.endswith((".c", ".h")):
                    with open(os.path.join(where, name)) as source:
                        text = source.read()
                    for run in re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', text):
                        parts = re.findall(r'"((?:[^"\\\n]|\\.)*)"', run)
                        yield "".join(parts).replace('\\"', '"')


def pattern(quoted):
    """The page's words as an expression over a format string."""
    parts = [re.escape(part) for part in quoted.split("…")]
    return re.compile(r"(?:%[-+.*0-9a-z]+)".join(parts))


def main():
    page, directories = sys.argv[1], sys.argv[2:]
    with open(page) as text:
        quoted = re.findall(r"^### `(.*)`$", text.read(), re.MULTILINE)
    known = list(strings(directories))
    missing = [q for q in quoted if not any(pattern(q).search(s) for s in known)]
    for q in missing:
        print("%s: nothing prints: %s" % (page, q))
    if not quoted:
        print("%s: quotes nothing" % page)
    sys.exit(1 if missing or not quoted else 0)


if __name__ == "__main__":
    main()
