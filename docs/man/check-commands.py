#!/usr/bin/python3
"""check-commands.py ONCECTL DIRECTORY [PAGE...]: does oncectl(1) name every command with its sentence,
every flag of each, and nothing that does not exist? And do the pages show only commands and flags that exist?"""
import os
import re
import subprocess
import sys


def help_of(program, *words):
    return subprocess.run([program, "help", *words], check=True, timeout=20, stdout=subprocess.PIPE,
                          text=True).stdout


def commands(program):
    part = help_of(program).split("commands:\n")[1].split("\n\n")[0]
    return [re.match(r"  ([a-z-]+(?: [a-z-]+)?)", line).group(1) for line in part.splitlines()]


def flags(text):
    return set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", text))


def mistyped(program, page):
    """What a page has somebody type that oncectl does not know."""
    known, general = commands(program), flags(help_of(program))
    with open(page, encoding="utf-8") as file:
        text = file.read()
    typed = re.findall(r"`(?:compose/)?oncectl ([^`]*)`|^ {4}.*?(?:\./|/)?\boncectl ([^#\n]*)", text, re.M)
    for line in (" ".join("".join(groups).split()) for groups in typed):
        words = [w for w in line.split(" -- ")[0].split() if re.match(r"[a-z-]", w)]
        plain = [w for w in words if not w.startswith("-")]
        name = next((n for n in (" ".join(plain[:2]), plain[0] if plain else "") if n in known), None)
        if name is None:
            if plain[:1] != ["help"] and plain:
                yield "%s: oncectl %s: no such command" % (page, line)
            continue
        own = flags(help_of(program, *name.split())) | general
        for flag in sorted(flags(" ".join(words)) - own):
            yield "%s: oncectl %s: no such flag: %s" % (page, line, flag)


def main(program, directory, *pages):
    path = os.path.join(directory, "oncectl.1.scd")
    with open(path, encoding="utf-8") as file:
        page = file.read().replace("\\", "")
    part = page.split("\n# COMMANDS\n")[1].split("\n# ")[0]
    entries = {m.group(1): m.group(0)
               for m in re.finditer(r"^\*([a-z-]+(?: [a-z-]+)?)\*.*\n(?:\t.*\n|\n(?=\t))*", part, re.M)}
    wrong = []
    for name in commands(program):
        text = entries.pop(name, None)
        if text is None:
            wrong.append("%s is missing" % name)
            continue
        own = help_of(program, *name.split())
        told = own.split("\nflags, beside")[1] if "\nflags, beside" in own else ""
        shown = set(re.findall(r"^  (--[a-z-]+)", told, re.M))
        wrong += ["%s: %s is missing" % (name, flag) for flag in sorted(shown - flags(text))]
        summary = own.split("\n")[1]
        if summary.lower() not in " ".join(text.lower().split()):
            wrong.append("%s: does not say: %s" % (name, summary))
    wrong += ["%s does not exist" % name for name in entries]
    general = help_of(program).split("\nflags:\n")[1]
    wrong += ["%s is missing" % flag for flag in sorted(flags(general) - flags(page))]
    wrong = ["%s: %s" % (path, line) for line in wrong]
    for page in pages:
        wrong += mistyped(program, page)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
