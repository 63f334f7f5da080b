#!/usr/bin/python3
"""Runs every mutant and tells the seed at which the simulator caught it; exit 1 when one escapes.

    mutants.py BUILD [--seeds 20000] [--out FILE]

FILE gets the figures as JSON, for tests/torture/report.py.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
import procs  # noqa: E402

CAUGHT = re.compile(r"^seed (\d+), (profile .*)$", re.M)


def hunt(program, seeds):
    """The seed and what it shows, or (None, why not)."""
    try:
        done = subprocess.run([program, "--expect-violation", "--seeds", str(seeds)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    found = CAUGHT.search(done.stdout)
    if done.returncode == 0 and found:
        return int(found.group(1)), found.group(2)
    return None, "not within %d schedules (exit %d)" % (seeds, done.returncode)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--seeds", type=int, default=20000)
    parser.add_argument("--out")
    options = parser.parse_args()
    procs.adopt()
    programs = [path for path in sorted(glob.glob(os.path.join(options.build, "tests/sim/sim-*")))
                if os.path.isfile(path)]
    rows, start = [], time.monotonic()
    for path in programs:
        name = os.path.basename(path)[len("sim-"):]
        seed, shown = hunt(path, options.seeds)
        rows.append({"name": name, "seed": seed, "shown": shown})
        print("ESCAPED  %-30s %s" % (name, shown) if seed is None else
              "caught   %-30s seed %d, %s" % (name, seed, shown), flush=True)
    caught = sum(row["seed"] is not None for row in rows)
    print("%d of %d mutants caught, %.0f s" % (caught, len(rows), time.monotonic() - start))
    if options.out:
        with open(options.out, "w") as out:
            json.dump({"mutants": rows, "seeds": options.seeds}, out, indent=1)
    if not rows:
        print("no mutants in %s: configure it anew" % options.build)
    return 0 if rows and caught == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
