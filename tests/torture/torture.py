#!/usr/bin/python3
"""Real daemons on real etcd, a seeded nemesis between them, and a judge who was not there.

    torture.py --seed 7 --minutes 10 [--etcd 3.5] [--nodes 3] [--peer etcdctl-lock] [--out DIRECTORY]

At most two faults at once; every minute everything is healed and the job has to run again within the
bound (check.py). The seed fixes what the nemesis wants, not when the machine gets to it. Whatever
fails ends the run, with exit code 1. DIRECTORY keeps the record and result.json for report.py.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
import check  # noqa: E402
import checker  # noqa: E402
import faults  # noqa: E402
import procs  # noqa: E402
import summary  # noqa: E402
from cluster import ClusterError  # noqa: E402
from net import available  # noqa: E402
from node import now_ns  # noqa: E402
from world import World  # noqa: E402

ROUND = 55       # seconds between two heals
AT_ONCE = 2
REFUSED = (LookupError, ClusterError, OSError, subprocess.SubprocessError, RuntimeError)


class Failed(Exception):
    pass


class Record:
    """The events of a run, one JSON object a line."""

    def __init__(self, path):
        self.file = open(path, "a")

    def __call__(self, event, **what):
        self.file.write(json.dumps(dict(event=event, ns=now_ns(), **what)) + "\n")
        self.file.flush()


class Nemesis:
    def __init__(self, world, chance, table, record):
        self.world, self.chance, self.record = world, chance, record
        self.table, self.active, self.next, self.count = table, [], 0, 0
        self.rows = [row for row in table for _ in range(row[1])]

    def step(self):
        """Go on with what is due; begin something new if it is time."""
        now = time.monotonic()
        for fault in list(self.active):
            if now >= fault["due"]:
                self._resume(fault)
        if now >= self.next and len(self.active) < AT_ONCE:
            self.next = now + self.chance.uniform(0.4, 2.6)
            self._begin(self.chance.choice(self.rows))

    def _begin(self, row):
        name, _, make = row
        last = self.world.tail.read()
        fault = {"name": name, "run": make(self.world, random.Random(self.chance.randrange(1 << 62))),
                 "due": 0, "id": self.count, "began": now_ns()}
        try:
            seconds, said = next(fault["run"])
        except REFUSED as error:
            self.record("not-done", name=name, why=str(error)[:200])
            self.next = 0
            return
        except StopIteration:
            return
        self.count += 1
        self.record("fault", id=fault["id"], name=name, on=said, began=fault["began"],
                    others=len(self.active), token=last.token if last else 0,
                    leader=last.node if last else "")
        fault["due"] = time.monotonic() + seconds
        self.active.append(fault)

    def _resume(self, fault):
        try:
            fault["due"] = time.monotonic() + next(fault["run"])[0]
        except StopIteration:
            self._end(fault)
        except REFUSED as error:
            self._end(fault, str(error)[:200])

    def _end(self, fault, why=None):
        self.active.remove(fault)
        self.record("over", id=fault["id"], name=fault["name"], why=why)

    def calm(self):
        """End everything that is going on."""
        for fault in list(self.active):
            why = None
            try:
                fault["run"].close()
            except REFUSED as error:
                why = str(error)[:200]
            self._end(fault, why)


def until(seconds, step):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        step()
        time.sleep(0.02)


def wait_alive(world, record):
    """A life within the bound, or Failed. Then a moment in peace."""
    healthy = now_ns()
    record("healthy")
    while True:
        world.tick()
        last = world.tail.read()
        if last and last.ns > healthy:
            break
        if now_ns() - healthy > check.BOUND * 1e9:
            raise Failed("no life within %g s after everything was healed" % check.BOUND)
        time.sleep(0.02)
    record("alive", token=last.token, node=last.node)
    until(1.5, world.tick)


def torment(world, nemesis, record, minutes, peer):
    """Rounds of faults, each with a heal at its end."""
    end = time.monotonic() + minutes * 60
    wait_alive(world, record)
    while time.monotonic() < end:
        def step():
            world.tick()
            nemesis.step()
        until(min(ROUND, max(1, end - time.monotonic())), step)
        nemesis.calm()
        record("heal")
        world.heal()
        wait_alive(world, record)
        if not peer:
            watch_lives(world)
        print("%6.1f min: %d faults, token %d on %s" % (
            minutes - (end - time.monotonic()) / 60, nemesis.count, world.tail.last.token,
            world.tail.last.node), flush=True)


def watch_lives(world):
    """A violation ends the run at once; the judge says the rest."""
    problem = checker.check(checker.read(world.history))
    if problem:
        raise Failed(problem)


def run(options, directory, tls, bindir):
    """What ended the run, None when nothing did; and what was left behind."""
    record = Record(os.path.join(directory, "events"))
    chance = random.Random(options.seed)
    problem, world, left = None, None, []
    record("run", seed=options.seed, etcd=options.etcd, nodes=options.nodes, tls=tls, peer=options.peer,
           minutes=options.minutes)
    try:
        world = World(directory, random.Random(chance.randrange(1 << 62)), record, options, tls, bindir)
        table = faults.PEER if options.peer else faults.TABLE
        nemesis = Nemesis(world, random.Random(chance.randrange(1 << 62)), table, record)
        try:
            torment(world, nemesis, record, options.minutes, options.peer)
        finally:
            nemesis.calm()
            record("end")
            proxies = [proxy.stats() for proxy in world.proxies.values()]
            record("proxies", **{k: sum(p[k] for p in proxies) for k in proxies[0]})
    except (Failed, ClusterError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        kind = "" if isinstance(error, Failed) else type(error).__name__ + ": "
        problem = kind + str(error)
    except KeyboardInterrupt:
        problem = "interrupted"
    finally:
        if world:
            left = world.close()
    if left and not options.peer:
        problem = problem or "left behind: " + "; ".join(left)
    record("closed", problem=problem)
    return problem


def etcd_directory(version):
    if version == "3.4":
        return None
    done = subprocess.run([os.path.join(TOP, "tools", "etcd-versions.sh")], stdout=subprocess.PIPE,
                          text=True, timeout=300)
    if done.returncode != 0:
        sys.exit("torture: %s" % (done.stdout.strip() or "no etcd " + version))
    return done.stdout.strip().split("\n")[-1].split("\t")[1]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(TOP, "build"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 2**31))
    parser.add_argument("--etcd", choices=["3.4", "3.5"], default="3.4")
    parser.add_argument("--nodes", type=int, default=3, choices=range(2, 9))
    parser.add_argument("--tls", choices=["yes", "no"], help="else drawn from the seed")
    parser.add_argument("--peer", choices=["etcdctl-lock"])
    parser.add_argument("--out", help="where to keep the record; it must not exist")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    options.onced = os.environ.get("ONCED_BIN") or os.path.join(build, "daemon", "onced")
    options.lifejob = os.path.join(build, "tests", "integration", "lifejob")
    options.chaosproxy = os.path.join(build, "tests", "torture", "chaosproxy")
    return options


def main():
    options = arguments()
    reason = available()
    if reason:
        sys.exit("torture: " + reason)
    procs.adopt()
    for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signo, signal.default_int_handler)
    tls = options.tls == "yes" if options.tls else random.Random(options.seed ^ 0x715).random() < 0.4
    bindir = etcd_directory(options.etcd)
    if options.out:
        os.makedirs(options.out)
    directory = options.out or tempfile.mkdtemp(prefix="onced-torture-")
    print("seed %d, etcd %s, %s, %d nodes, %g minutes%s; record in %s" % (
        options.seed, options.etcd, "TLS" if tls else "plaintext", options.nodes, options.minutes,
        ", peer " + options.peer if options.peer else "", directory), flush=True)
    problem = run(options, directory, tls, bindir)
    judged = check.load(directory)
    results = check.verdicts(judged)
    for number, what, wrong, skipped in results:
        print("%-3s %s" % (number, "FAIL: " + wrong if wrong else "skipped: " + skipped if skipped
                           else "ok, " + what))
    figures = summary.figures(directory, judged, results, problem)
    with open(os.path.join(directory, "result.json"), "w") as out:
        json.dump(figures, out, indent=1)
    print(summary.line(figures))
    if problem:
        print("ended by: " + problem)
    failed = bool(problem or any(wrong for _, _, wrong, _ in results))
    etcd = os.path.join(directory, "etcd")
    for name in os.listdir(etcd) if os.path.isdir(etcd) else []:
        if name.endswith(".img"):
            os.unlink(os.path.join(etcd, name))
        elif not name.endswith(".log"):
            shutil.rmtree(os.path.join(etcd, name), ignore_errors=True)
    if not options.out and not failed:
        shutil.rmtree(directory, ignore_errors=True)
    sys.exit(1 if failed and not options.peer else 0)


if __name__ == "__main__":
    main()
