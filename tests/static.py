#!/usr/bin/python3
"""Static analysis of everything that is installed: static.py BUILD [--only cppcheck] [--jobs N].

BUILD is a configured build directory, for its compile_commands.json. It has to be built, for the headers
that are generated. cppcheck and gcc -fanalyzer take less than a minute of the processor; clang-tidy (.clang-tidy
says what for) takes four, which `make test` has while it waits. What is passed over is listed here or beside
the line, with the reason. Exit code 1: something was found.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
import procs  # noqa: E402

SOURCES = ("lib", "daemon", "tools", "examples")
CPPCHECK = ["cppcheck", "--quiet", "--std=c11", "--enable=warning,performance,portability", "--inline-suppr",
            "--error-exitcode=1", "--template={file}:{line}: {message} [{id}]", "-D_GNU_SOURCE", "-I.", "-Ilib",
            "-Ilib/include", "--suppress=missingIncludeSystem",
            # takes what a function fills for what it reads; gcc and clang both tell these apart
            "--suppress=uninitvar", "--suppress=legacyUninitvar",
            # a struct on the way points to a flag of its caller, who takes it back before he returns
            "--suppress=autoVariables",
            # a cursor that is moved within a loop macro, or read once more
            "--suppress=uselessAssignmentPtrArg",
            # memory that a const void * owns from then on; the sanitizer counts it
            "--suppress=memleak",
            # for (i = n; n > 0 && i-- > 4;): the order of the two is not seen
            "--suppress=arrayIndexOutOfBounds:lib/base/duration.c"]
ANALYZER = ["-fanalyzer", "-fdiagnostics-plain-output", "-c", "-o", "/dev/null", "-O0", "-U_FORTIFY_SOURCE"]
# What gcc -fanalyzer says wrongly, and of which sources.
PASSED_OVER = {
    # memory in a list or struct that the function was given, or whose member it returns; the sanitizer counts it
    "-Wanalyzer-malloc-leak": {
        "daemon/config-work.c", "daemon/control.c", "daemon/cron-left.c", "daemon/flow-items.c", "daemon/flow.c",
        "daemon/jobs.c", "lib/elect/elector.c", "lib/etcd/client.c", "lib/etcd/loop-ev.c", "lib/etcd/watch-range.c",
        "lib/etcd/watch.c"},
    # glibc declares that reallocarray() frees what it is given, which is so only when it succeeds
    "-Wanalyzer-use-after-free": {"daemon/flow-items.c"}}


def commands(build):
    """[(source, words)] of each of ours."""
    with open(os.path.join(build, "compile_commands.json")) as file:
        entries = json.load(file)
    found = {}
    for entry in entries:
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), TOP)
        if path.split("/")[0] in SOURCES:
            found.setdefault(path, (entry["directory"], shlex.split(entry["command"])))
    return sorted(found.items())


def said(command, directory=TOP):
    done = subprocess.run(command, cwd=directory, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def cppcheck(build, jobs):
    code, text = said([*CPPCHECK, "-j%d" % jobs, *SOURCES])
    return text.splitlines() if code else []


def look_at(command, directory=TOP):
    """The lines that tell of something."""
    code, text = said(command, directory)
    found = [line for line in text.splitlines() if re.search(r": (warning|(fatal )?error): ", line)]
    return found or (["%s: exit code %d" % (shlex.join(command), code)] if code else [])


def each(build, jobs, look):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            found = list(pool.map(lambda entry: look(*entry), commands(build)))
        except KeyboardInterrupt:
            procs.end_orphans(0)  # else the pool waits for them
            raise
    return sorted({line for lines in found for line in lines})


def clang_tidy(build, jobs):
    return each(build, jobs, lambda source, _: look_at(["clang-tidy", "--quiet", "-p", build, source]))


def is_wrong(source, line):
    return source in PASSED_OVER.get(line.split("[")[-1].rstrip("]"), ())


def analyzer(build, jobs):
    def look(source, how):
        directory, words = how
        at = words.index("-o")
        keep = [w for w in words[:at] + words[at + 2:] if w not in ("-c", "-MD") and not re.match(r"-(MQ|MF|O\d|D_FORTIFY)", w)]
        keep = [w for w in keep if not w.endswith((".o", ".d"))]
        return [line for line in look_at([*keep, *ANALYZER], directory) if not is_wrong(source, line)]
    return each(build, jobs, look)


CHECKS = {"cppcheck": cppcheck, "clang-tidy": clang_tidy, "gcc -fanalyzer": analyzer}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", action="append", choices=CHECKS)
    options = parser.parse_args()
    procs.adopt()
    bad = 0
    for name in options.only or CHECKS:
        if not shutil.which(name.split()[0]):
            sys.exit("%s is not installed: make deps" % name)
        found = CHECKS[name](os.path.abspath(options.build), options.jobs)
        print("\n".join([*found, "%s: %d found" % (name, len(found))]), flush=True)
        bad += len(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
