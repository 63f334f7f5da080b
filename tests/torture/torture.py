#!/usr/bin/python3
"""Fault scenarios in random order for as long as wanted, and the simulator beside them.

    torture.py --minutes 10 --seed 7
The seed fixes the order of the scenarios and the seeds of the simulator. Every scenario checks its
own history; the first failure is kept, printed, and ends with exit code 1 after the time is over.
"""
import argparse
import collections
import os
import random
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCENARIOS = "tests/integration/test_takeover.py"
BATCH = 4
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"]


def environment(build):
    env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    env.setdefault("ONCED_BIN", os.path.join(TOP, build, "daemon", "onced"))
    env.setdefault("LIFEJOB_BIN", os.path.join(TOP, build, "tests", "integration", "lifejob"))
    return env


def scenarios(env):
    out = subprocess.run(PYTEST + ["--collect-only", SCENARIOS], cwd=TOP, env=env, timeout=60,
                         stdout=subprocess.PIPE, text=True).stdout
    return [line for line in out.splitlines() if "::" in line]


class Simulator:
    """The simulator's program, if the build has one: sim --seed FIRST --seeds N."""

    def __init__(self, build):
        self.program = os.path.join(TOP, build, "tests", "sim", "sim")
        self.process, self.runs, self.failed = None, 0, []

    def keep_going(self, chance):
        if self.process and self.process.poll() is None:
            return
        self.collect()
        if os.access(self.program, os.X_OK):
            self.seed = chance.randrange(1, 2**31)
            self.process = subprocess.Popen(
                ["nice", self.program, "--seed", str(self.seed), "--seeds", "2000"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def collect(self):
        if self.process:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            elif self.process.returncode != 0:
                self.failed.append("simulator with seed %d" % self.seed)
            else:
                self.runs += 1
            self.process = None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 2**31))
    options = parser.parse_args()
    chance, env = random.Random(options.seed), environment(options.build)
    known = scenarios(env)
    if not known:
        sys.exit("torture: no scenario in %s" % SCENARIOS)
    print("seed %d, %d scenarios, %g minutes" % (options.seed, len(known), options.minutes), flush=True)
    end = time.monotonic() + options.minutes * 60
    ran, failed, simulator = collections.Counter(), [], Simulator(options.build)
    try:
        while time.monotonic() < end:
            simulator.keep_going(chance)
            batch = chance.sample(known, min(BATCH, len(known)))
            done = subprocess.run(PYTEST + batch, cwd=TOP, env=env, timeout=900, text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            ran.update(batch)
            if done.returncode != 0:
                failed += [x for x in done.stdout.splitlines() if x.startswith(("FAILED", "ERROR"))] \
                    or ["pytest exited with %d: %s" % (done.returncode, " ".join(batch))]
                print(done.stdout, flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        simulator.collect()
    failed += simulator.failed
    print("seed %d: %d scenarios of %d kinds, %d simulator runs of 2000 schedules, %d failed" % (
        options.seed, sum(ran.values()), len(ran), simulator.runs, len(failed)))
    for line in failed:
        print(line)
    sys.exit(1 if failed or not ran else 0)


if __name__ == "__main__":
    main()
