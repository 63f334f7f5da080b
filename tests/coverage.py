#!/usr/bin/python3
"""Line coverage of the parsers: coverage.py BUILD [--missing] [--jobs N].

BUILD is a build directory of its own (gcc -O0 --coverage), made when it is not there. Builds the unit tests and
the fuzz targets below in it, runs them, the targets over their corpus in tests/fuzz, and prints what of each
parser was reached, as gcov counted it. Errors of a refused allocation are reached by the tests named *-memory.
--missing prints the lines that were not. Exit code 1: a test failed, a file of a parser is below FLOOR, or a
parser has no fuzz target with a corpus.
"""
import argparse
import glob
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
import procs  # noqa: E402

FLOOR = 95  # percent of the lines of each file

ROOT_ONLY = ("daemon/config-work.c",)  # User= of somebody else is for root to read: no floor for others

# what it reads: its fuzz targets, its files, the unit tests that show what it does
PARSERS = {
    "JSON accessors": (["check", "response"], ["lib/etcd/codec-check.c", "lib/etcd/codec-json.c"], ["codec-check"]),
    "etcd's messages": (["response"], ["lib/etcd/codec-kv.c", "lib/etcd/codec-re*.c", "lib/etcd/codec-row*.c",
                                       "lib/etcd/codec-write.c"],
                        ["codec-memory", "codec-request", "codec-response", "codec-response-kv", "codec-response-lease",
                         "codec-response-member", "codec-rows"]),
    "watch framing": (["watch"], ["lib/etcd/split.c", "lib/etcd/codec-stream.c"], ["codec-watch", "split", "watch"]),
    "base64": (["base64"], ["lib/base/base64.c"], ["base64"]),
    "integers": (["number"], ["lib/base/number.c"], ["number"]),
    "durations": (["duration"], ["lib/base/duration.c"], ["duration"]),
    "escapes, UTF-8": (["escape"], ["lib/base/escape.c", "lib/base/utf8.c"], ["escape", "utf8"]),
    "schedules": (["schedule"], ["lib/core/schedule*.c"], ["schedule"]),
    "time zones": (["zone"], ["lib/core/zone*.c"], ["zone"]),
    "configuration": (["config"], ["daemon/config*.c", "daemon/calendar.c", "daemon/words.c"],
                      ["daemon-config-accepted", "daemon-config-memory", "daemon-config-parts", "daemon-config-refused",
                       "daemon-options", "daemon-timing", "daemon-words"]),
    "txn language": (["txn"], ["tools/oncectl/kv/txn.c"], ["oncectl-txn"]),
    "packed blocks": (["packed"], ["lib/record/packed.c"], ["packed", "base-memory"]),
    "ledger's records": (["record"], ["lib/record/code.c", "lib/record/control-code.c", "lib/record/keys.c",
                                      "lib/record/run-code.c", "lib/etcd/codec-object.c"],
                         ["names", "record", "record-memory"]),
}


def configure(build):
    if os.path.exists(os.path.join(build, "build.ninja")):
        return True
    return subprocess.run(["meson", "setup", build, TOP, "-Dtests=enabled", "-Db_coverage=true", "-Dbuildtype=debug"],
                          env=dict(os.environ, CC="gcc"), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL).returncode == 0


def run_tests(build, jobs):
    """False: something does not build or fails. Counts of an earlier run are forgotten."""
    for path in glob.glob(os.path.join(build, "**", "*.gcda"), recursive=True):
        os.unlink(path)
    names = {test for targets, _, tests in PARSERS.values() for test in [*tests, *("fuzz-" + t for t in targets)]}
    return subprocess.run(["meson", "test", "-C", build, "--quiet", "--print-errorlogs", "-t", "8",
                           "--num-processes", str(jobs), *sorted(names)],
                          stdin=subprocess.DEVNULL).returncode == 0


def objects(build):
    """{name of a source: its .gcno files}: meson calls kv/txn.c kv_txn.c.gcno."""
    found = {}
    for path in glob.glob(os.path.join(build, "**", "*.c.gcno"), recursive=True):
        name = os.path.basename(path)[:-len(".gcno")]
        for i in range(name.count("_") + 1):
            found.setdefault(name.split("_", i)[-1], []).append(os.path.abspath(path))
    return found


def lines_of(source, notes):
    """{line: how often}, of all objects made of a source."""
    counts = {}
    for note in notes:
        done = subprocess.run(["gcov", "--json-format", "--stdout", note], check=True, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for text in done.stdout.splitlines():
            data = json.loads(text)
            for file in data["files"]:
                path = os.path.join(data["current_working_directory"], file["file"])
                if os.path.realpath(path) != os.path.realpath(os.path.join(TOP, source)):
                    continue
                for line in file["lines"]:
                    number = line["line_number"]
                    counts[number] = max(counts.get(number, 0), line["count"])
    return counts


def row(parser, file, lines, covered):
    percent = 100 * covered / lines if lines else 0
    print("%-16s %-30s %6d %8d %6.1f %%" % (parser, file, lines, covered, percent), flush=True)
    return percent


def show(build, missing):
    """What is wrong, a line each."""
    wrong, notes, total = [], objects(build), [0, 0]
    print("%-16s %-30s %6s %8s %8s" % ("parser", "file", "lines", "covered", ""))
    for parser, (targets, patterns, _) in PARSERS.items():
        sources = sorted({os.path.relpath(path, TOP) for p in patterns for path in glob.glob(os.path.join(TOP, p))})
        inputs = [len(glob.glob(os.path.join(TOP, "tests/fuzz/corpus", target, "*"))) for target in targets]
        if not sources or 0 in inputs:
            wrong.append("%s: no file, or no corpus" % parser)
        sums = [0, 0]
        for source in sources:
            counts = lines_of(source, notes.get(os.path.basename(source), []))
            left = sorted(number for number, count in counts.items() if count == 0)
            sums = [sums[0] + len(counts), sums[1] + len(counts) - len(left)]
            percent = row(parser, source, len(counts), len(counts) - len(left))
            if percent < FLOOR and (os.geteuid() == 0 or source not in ROOT_ONLY):
                wrong.append("%s: below %d %%" % (source, FLOOR))
            if missing and left:
                print("%-16s   not reached: %s" % ("", " ".join(map(str, left))))
        if len(sources) > 1:
            row(parser, "= %d files" % len(sources), *sums)
        total = [total[0] + sums[0], total[1] + sums[1]]
    row("all", "", *total)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--missing", action="store_true", help="the lines, too")
    options = parser.parse_args()
    procs.adopt()
    if not configure(options.build) or not run_tests(options.build, options.jobs):
        print("coverage: something does not build, or a test failed")
        return 1
    wrong = show(options.build, options.missing)
    for line in wrong:
        print("coverage: " + line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
