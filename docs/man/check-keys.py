#!/usr/bin/python3
"""check-keys.py ONCED DIRECTORY: do the man pages name every key of the table, with its default and
its sentence, and no other? And every flag that onced run prints in its help?"""
import os
import re
import subprocess
import sys

ENTRY = re.compile(r"^\*([A-Z][A-Za-z]+)=\*\n((?:\t.*\n|\n(?=\t))*)", re.M)
FLAG = re.compile(r"^\*(?:-\w\*, \*)?(--[a-z-]+)\*", re.M)


def plain(text):
    """The words of scdoc's source."""
    return " ".join(text.replace("\\", "").split())


def entries(page):
    """{(section, key): text} of a page whose headings are # [SECTION] SECTION or # ELECTION SECTION"""
    found, section = {}, ""
    for part in re.split(r"^# ", page, flags=re.M)[1:]:
        section = part.split("\n", 1)[0].replace(" SECTION", "").strip("[]\\")
        for match in ENTRY.finditer(part):
            found[section.lower(), match.group(1)] = plain(match.group(2))
    return found


def check_page(path, rows):
    with open(path, encoding="utf-8") as file:
        described = entries(file.read())
    wrong = []
    for section, key, default, sentence in rows:
        text = described.pop((section.lower(), key), None)
        wanted = [sentence] + (["Default: %s." % default] if default else [])
        if text is None:
            wrong.append("%s: [%s] %s= is missing" % (path, section, key))
            continue
        wrong += ["%s: [%s] %s= does not say: %s" % (path, section, key, line)
                  for line in wanted if line not in text]
        if not default and "Default:" in text:
            wrong.append("%s: [%s] %s= has no default" % (path, section, key))
    return wrong + ["%s: [%s] %s= does not exist" % (path, *pair) for pair in described]


def check_flags(path, program):
    with open(path, encoding="utf-8") as file:
        described = set(FLAG.findall(file.read()))
    wrong = []
    for arguments in (["run", "--help"], ["--help"]):
        printed = subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE, text=True)
        flags = set(re.findall(r"(?<!\S)(--[a-z-]+)", printed.stdout)) - {"--help"}
        wrong += ["%s: %s is missing" % (path, flag) for flag in sorted(flags - described - {"--version"})]
    return wrong


def main(program, directory):
    table = subprocess.run([program, "--dump-keys"], check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = [line.split("\t") for line in table.splitlines()]
    wrong = check_flags(os.path.join(directory, "onced.8.scd"), program)
    for kind, page in (("main", "onced.conf.5.scd"), ("job", "onced.job.5.scd")):
        wrong += check_page(os.path.join(directory, page), [row[1:] for row in rows if row[0] == kind])
    print("\n".join(wrong) or "%d keys" % len(rows))
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
