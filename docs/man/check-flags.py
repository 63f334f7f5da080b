#!/usr/bin/python3
"""check-flags.py DIRECTORY PROGRAM...: does PROGRAM(1) name every flag of PROGRAM -h, and none that does
not exist?"""
import os
import re
import subprocess
import sys


def main(directory, *programs):
    wrong = []
    for program in programs:
        name = os.path.basename(program)
        path = os.path.join(directory, name + ".1.scd")
        with open(path, encoding="utf-8") as file:
            page = file.read()
        told = set(re.findall(r"\*(-[a-z][a-z-]*)\*", page.split("\n# FLAGS\n")[1].split("\n# ")[0]))
        text = subprocess.run([program, "-h"], check=True, timeout=20, stdout=subprocess.PIPE,
                              text=True).stdout
        known = set(re.findall(r"^  (-[a-z][a-z-]*)", text, re.M)) | {"-help"}
        wrong += ["%s: %s is missing" % (path, flag) for flag in sorted(known - told)]
        wrong += ["%s: %s does not exist" % (path, flag) for flag in sorted(told - known)]
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
