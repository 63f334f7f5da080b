#!/usr/bin/python3
"""Plays many schedules in the simulator, a slice of the seeds on each processor, and adds them up.

    swarm.py BUILD [--seeds 100000] [--first 0] [--jobs N] [--out FILE]

A violation ends it: the seed, the end of its trace, exit 1. `sim --seed S --trace` plays it again. FILE
gets the figures as JSON, for tests/torture/report.py.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
import procs  # noqa: E402

SLICE = 1000
HEAD = re.compile(r"schedules (\d+), events (\d+), steps (\d+)\nfaults:((?: \S+ \d+)*)")
TAIL = re.compile(r"elections (\d+), jobs (\d+), seizures (\d+).*\njob time \S+ % of (\S+) virtual hours")


class Violation(Exception):
    pass


def play(program, first, seeds):
    """The figures of some seeds."""
    done = subprocess.run([program, "--seeds", str(seeds), "--seed", str(first)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=3600)
    head, tail = HEAD.search(done.stdout), TAIL.search(done.stdout)
    if done.returncode != 0 or not head or not tail or not done.stdout.endswith("overlaps 0\n"):
        raise Violation(done.stdout.strip() or "sim ended with %d" % done.returncode)
    figures = collections.Counter(
        dict(zip(("schedules", "events", "steps"), map(int, head.groups()[:3]))))
    figures.update(dict(zip(("elections", "jobs", "seizures"), map(int, tail.groups()[:3]))))
    figures["virtual hours"] = float(tail.group(4))
    words = head.group(4).split()
    return figures, collections.Counter(dict(zip(words[::2], map(int, words[1::2]))))


def swarm(program, options):
    """(figures, faults by kind); Violation."""
    figures, faults = collections.Counter(), collections.Counter()
    end = options.first + options.seeds
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        parts = [pool.submit(play, program, seed, min(SLICE, end - seed))
                 for seed in range(options.first, end, SLICE)]
        try:
            for part in parts:
                some, kinds = part.result()
                figures.update(some)
                faults.update(kinds)
        except BaseException:
            for part in parts:
                part.cancel()
            procs.end_orphans(0)  # else the pool waits for them
            raise
    return figures, faults


def show(figures, faults, seconds):
    print("schedules %d, overlaps 0" % figures["schedules"])
    print("faults %d:" % sum(faults.values()), ", ".join("%s %d" % row for row in faults.most_common()))
    print("elections %d, jobs %d, seizures %d, steps of the core %d" % tuple(
        figures[name] for name in ("elections", "jobs", "seizures", "steps")))
    print("%.0f virtual hours in %.1f s: %.0f schedules/s" % (
        figures["virtual hours"], seconds, figures["schedules"] / seconds))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--seeds", type=int, default=100000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out")
    options = parser.parse_args()
    if options.seeds < 1 or options.first < 0 or options.jobs < 1:
        parser.error("seeds and jobs are at least 1, the first seed at least 0")
    procs.adopt()
    start = time.monotonic()
    try:
        figures, faults = swarm(os.path.join(options.build, "tests/sim/sim"), options)
    except Violation as violation:
        print(violation)
        return 1
    except (OSError, subprocess.SubprocessError) as error:
        print("swarm: %s" % error)
        return 1
    seconds = time.monotonic() - start
    show(figures, faults, seconds)
    if options.out:
        with open(options.out, "w") as out:
            json.dump({"swarm": dict(figures, first=options.first, overlaps=0, seconds=round(seconds, 1)),
                       "faults": faults}, out, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
