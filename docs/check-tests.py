#!/usr/bin/python3
"""check-tests.py PAGE ROOT: every test, directory and file that the page names as proof exists."""
import os
import re
import sys


def main(page, root):
    with open(page, encoding="utf-8") as file:
        rows = [line.split("|")[-2] for line in file if line.startswith("| ")]
    named = {name for row in rows for name in re.findall(r"`([a-z_0-9]+)`", row) if "_" in name}
    paths = {path for row in rows for path in re.findall(r"tests/[\w./-]*\w", row)}
    text = ""
    for where, _, files in os.walk(os.path.join(root, "tests")):
        for name in files:
            if name.endswith((".c", ".py")):
                with open(os.path.join(where, name), encoding="utf-8") as source:
                    text += source.read()
    missing = [n for n in named if not re.search(r"\b%s\(" % n, text)]
    missing += [p for p in paths if not os.path.exists(os.path.join(root, p))]
    for name in sorted(missing):
        print("%s: there is no %s" % (page, name))
    if not named:
        print("%s: names no test" % page)
    return 1 if missing or not named else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
