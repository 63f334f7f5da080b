#!/usr/bin/python3
"""check-api.py PAGE HEADERS SYMBOLS: does libonce(3) name every header, every exported function under a header
that declares it, and every error with the header's words; and nothing that does not exist?"""
import os
import re
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def main(page, headers, symbols):
    text = read(page).replace("\\", "")
    sources = {name: read(os.path.join(headers, name)) for name in os.listdir(headers)}
    exported = set(re.findall(r"^ (once_\w+)@", read(symbols), re.M))
    inline = {f for s in sources.values() for f in re.findall(r"^static inline .*?\b(once_\w+)\(", s, re.M)}
    wrong, told = [], set()
    for entry in re.finditer(r"^\*<once/(\w+\.h)>\*\n((?:\t.*\n|\n(?=\t))*)", text, re.M):
        source = sources.pop(entry.group(1), None)
        names = set(re.findall(r"\*(once_\w+)\*\(\)", entry.group(2)))
        told |= names
        wrong += ["<once/%s> does not declare %s()" % (entry.group(1), name) for name in sorted(names)
                  if source is None or not re.search(r"\b%s\(" % name, source)]
    wrong += ["<once/%s> is missing" % name for name in sorted(sources)]
    wrong += ["%s() is missing" % name for name in sorted((exported | inline) - told)]
    wrong += ["%s() does not exist" % name for name in
              sorted(set(re.findall(r"\*(once_\w+)\*\(\)", text)) - exported - inline)]
    table = read(os.path.join(headers, "client.h")).split(" * One error domain")[1].split("\n * -ENOSPC is")[0]
    errors = re.findall(r"(-E[A-Z0-9]+) {2,}(.+?)(?= {2,}|$)", table, re.M)
    wrong += ["%s %s: is missing" % error for error in errors if "*%s* %s" % error not in text]
    known = {name for name, _ in errors}
    wrong += ["%s is not in client.h" % name for name in re.findall(r"^\*(-E[A-Z0-9]+)\*", text, re.M)
              if name not in known]
    print("\n".join("%s: %s" % (page, line) for line in wrong) or "%d functions" % len(told))
    return 1 if wrong or len(told) < 50 or len(errors) < 10 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
