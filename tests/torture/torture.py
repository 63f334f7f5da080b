#!/usr/bin/python3
"""Real daemons on real etcd, a seeded nemesis between them, and a judge who was not there.

    torture.py --seed 7 --minutes 10 [--etcd 3.4|3.5|mixed] [--nodes 3] [--peer etcdctl-lock] [--out DIRECTORY]
    torture.py --smoke

At most two faults at once; every minute everything is healed and the job has to run again within the
bound (check.py). The seed fixes what the nemesis wants, not when the machine gets to it. Whatever
fails ends the run, with exit code 1. DIRECTORY keeps the record and result.json for report.py.

What the machine does not let us have (ground.py) is left out, with a line that says so.

--smoke is what `make test` runs: three minutes of one seed. A slow machine does not fail it: the bound
for a leader is wide, and if etcd or the harness cannot keep up, the run ends there and what was
written until then is judged. Two jobs at once, a token that falls, a late write that is taken or a job
that never runs again fail it anywhere.
"""
import argparse
import json
import os
import random
import shutil
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
import ground  # noqa: E402
from cluster import ClusterError  # noqa: E402
from node import now_ns  # noqa: E402
from nodes import SCHEDULED  # noqa: E402
from world import World  # noqa: E402

ROUND = 55       # seconds between two heals
AT_ONCE = 2
SETTLE = 90      # seconds for the schedules at the end
SMOKE = {"minutes": 3, "seed": 1, "bound": 90.0, "margin": 0.0, "patience": 4}
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


def wait_alive(world, record, bound):
    """A life within the bound, or Failed. Then a moment in peace."""
    healthy = now_ns()
    record("healthy")
    while True:
        world.tick()
        last = world.tail.read()
        if last and last.ns > healthy:
            break
        if now_ns() - healthy > bound * 1e9:
            raise Failed("no life within %g s after everything was healed" % bound)
        time.sleep(0.02)
    record("alive", token=last.token, node=last.node)
    until(1.5, world.tick)


def heal(world, record, patience):
    """Again when etcd is too slow for a step of it."""
    end = time.monotonic() + 60 * patience
    record("heal")
    while True:
        try:
            return world.heal()
        except REFUSED as error:
            if time.monotonic() > end:
                raise
            record("heal again", why=str(error)[:200])


def torment(world, nemesis, record, options):
    """Rounds of faults, each with a heal at its end."""
    minutes = options.minutes
    end = time.monotonic() + minutes * 60
    wait_alive(world, record, options.bound)
    while time.monotonic() < end:
        def step():
            world.tick()
            nemesis.step()
        until(min(ROUND, max(1, end - time.monotonic())), step)
        nemesis.calm()
        heal(world, record, options.patience)
        wait_alive(world, record, options.bound)
        if not options.peer:
            watch_lives(world)
        print("%6.1f min: %d faults, token %d on %s" % (
            minutes - (end - time.monotonic()) / 60, nemesis.count, world.tail.last.token,
            world.tail.last.node), flush=True)
    if not options.peer:
        settle(world, record, SETTLE * options.patience)


def settle(world, record, seconds):
    """Wait until the schedules are decided up to now. One whose time of day was set looks at it once a
    minute."""
    until_s, end, why = int(time.time()), time.monotonic() + seconds, ""
    while time.monotonic() < end:
        until(1, world.tick)
        try:
            late = [job.name for job in SCHEDULED if not world.decided(job.name, until_s)]
        except REFUSED as error:
            late, why = ["?"], str(error)[:200]
        if not late:
            break
    record("decided", until=until_s, late=late, why=why)


def watch_lives(world):
    """A violation ends the run at once; the judge says the rest."""
    problem = checker.check(checker.read(world.history))
    if problem:
        raise Failed(problem)


def chosen_faults(options, record):
    """The table without what cannot be done here, each with a line."""
    table, missing = faults.possible(faults.PEER if options.peer else faults.TABLE, options.lacks)
    for name, why in missing:
        record("lacks", name=name, why=why)
        print("skipped fault %s: %s" % (name, why), flush=True)
    return table


def run(options, directory, tls, bindir):
    """What ended the run, None when nothing did; and whether that was the harness's own trouble."""
    record = Record(os.path.join(directory, "events"))
    chance = random.Random(options.seed)
    problem, world, left, own = None, None, [], False
    record("run", seed=options.seed, etcd=options.etcd, nodes=options.nodes, tls=tls, auth=options.auth == "yes", peer=options.peer,
           minutes=options.minutes, bound=options.bound, margin=options.margin)
    try:
        world = World(directory, random.Random(chance.randrange(1 << 62)), record, options, tls, bindir)
        nemesis = Nemesis(world, random.Random(chance.randrange(1 << 62)),
                          chosen_faults(options, record), record)
        if not options.peer:
            record("scheduled", jobs={job.name: {"every_s": job.every_s, "again": job.again}
                                      for job in SCHEDULED})
        try:
            torment(world, nemesis, record, options)
        finally:
            nemesis.calm()
            record("end")
            proxies = [proxy.stats() for proxy in world.proxies.values()]
            record("proxies", **{k: sum(p[k] for p in proxies) for k in proxies[0]})
    except (Failed, ClusterError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        own = not isinstance(error, Failed)
        problem = (type(error).__name__ + ": " if own else "") + str(error)
    except KeyboardInterrupt:
        problem = "interrupted"
    finally:
        if world:
            left = world.close()
    if left and not options.peer and not problem:
        problem, own = "left behind: " + "; ".join(left), options.smoke
    record("closed", problem=problem)
    return problem, own


def etcd_directory(version):
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
    parser.add_argument("--etcd", choices=["3.4", "3.5", "mixed"], default="3.4",
                        help="mixed: 3.4, of which members are changed to 3.5 and back")
    parser.add_argument("--nodes", type=int, default=3, choices=range(2, 9))
    parser.add_argument("--tls", choices=["yes", "no"], help="else drawn from the seed")
    parser.add_argument("--auth", choices=["yes", "no"], default="no",
                        help="users, passwords, and tokens good for three seconds")
    parser.add_argument("--peer", choices=["etcdctl-lock"])
    parser.add_argument("--out", help="where to keep the record; it must not exist")
    parser.add_argument("--smoke", action="store_true", help="as make test does it; see above")
    parser.add_argument("--without", action="append", default=[], choices=ground.NEEDS,
                        help="as if the machine did not have it")
    parser.set_defaults(bound=check.BOUND, margin=check.MARGIN, patience=1, without_jobs=[])
    options = parser.parse_args()
    if options.smoke:
        vars(options).update(SMOKE, without_jobs=["loose", "storm"])
    build = os.path.abspath(options.build)
    options.onced = os.environ.get("ONCED_BIN") or os.path.join(build, "daemon", "onced")
    options.lifejob = os.path.join(build, "tests", "integration", "lifejob")
    options.scribe = os.path.join(build, "tests", "torture", "scribe")
    options.allocator = os.path.join(build, "tests", "torture", "allocator")
    options.clockstep = os.path.join(build, "tests", "torture", "clockstep.so")
    options.chaosproxy = os.path.join(build, "tests", "torture", "chaosproxy")
    return options


def judge(options, directory, problem):
    """Print the verdicts and the figures, keep them; whether an invariant fell, and all there is."""
    judged = check.load(directory)
    results = check.verdicts(judged)
    for number, what, wrong, skipped in results:
        print("%-3s %s" % (number, "FAIL: " + wrong if wrong else "skipped: " + skipped if skipped
                           else "ok, " + what))
    figures = summary.figures(directory, judged, results, problem)
    with open(os.path.join(directory, "result.json"), "w") as out:
        json.dump(figures, out, indent=1)
    print(summary.line(figures))
    return any(wrong for _, _, wrong, _ in results), bool(judged.lines and figures["faults"])


def tidy(directory):
    """Of etcd only its logs are worth keeping."""
    etcd = os.path.join(directory, "etcd")
    for name in os.listdir(etcd) if os.path.isdir(etcd) else []:
        if name.endswith(".img"):
            os.unlink(os.path.join(etcd, name))
        elif not name.endswith(".log"):
            shutil.rmtree(os.path.join(etcd, name), ignore_errors=True)


def main():
    options = arguments()
    procs.adopt()
    leaves = procs.leaves()
    tls = options.tls == "yes" if options.tls else random.Random(options.seed ^ 0x715).random() < 0.4
    options.newer = etcd_directory("3.5") if options.etcd == "mixed" else None
    bindir = etcd_directory("3.5") if options.etcd == "3.5" else None
    options.lacks = ground.survey(options.without)
    if not options.newer:
        options.lacks["newer"] = "one version of etcd (--etcd mixed)"
    if not os.path.exists(options.clockstep):
        options.lacks["clock"] = "no %s: built with a sanitizer" % options.clockstep
    if "isolate" in options.lacks:
        options.without_jobs = options.without_jobs + ["isolated", "isolated storm"]
        print("skipped jobs with Isolate=: " + options.lacks["isolate"])
    if options.out:
        os.makedirs(options.out)
    directory = os.path.abspath(options.out or tempfile.mkdtemp(prefix="onced-torture-"))
    print("seed %d, etcd %s, %s, %d nodes, %g minutes%s; record in %s" % (
        options.seed, options.etcd, ("TLS" if tls else "plaintext") +
        (" with passwords" if options.auth == "yes" else ""), options.nodes, options.minutes,
        ", peer " + options.peer if options.peer else "", directory), flush=True)
    problem, own = run(options, directory, tls, bindir)
    violated, happened = judge(options, directory, problem)
    forgiven = options.smoke and own and happened
    if problem:
        print("ended %s: %s" % ("early, which a smoke forgives," if forgiven else "by", problem))
    failed = bool(violated or (problem and not forgiven))
    tidy(directory)
    procs.remove_leaves(procs.leaves() - leaves)
    if not options.out and not failed:
        shutil.rmtree(directory, ignore_errors=True)
    sys.exit(1 if failed and not options.peer else 0)


if __name__ == "__main__":
    main()
