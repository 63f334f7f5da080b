#!/usr/bin/python3
"""An hour with a thousand groups whose leaders are never left in peace: is what a daemon needs flat?

    soak.py --build build --minutes 60 [--groups 1000] [--out DIRECTORY] [--write docs/soak.md]
    soak.py --judge DIRECTORY [--write docs/soak.md]

Three members of etcd with TLS, three daemons, a job in each group: 100 services that write down their own
lives, the others on schedules of one and ten minutes. Every 15 s some groups move, in turn: 30 are
switched over from the node that has the most to the one that has the fewest; the agent of node b is killed;
again 30; node c is ended by SIGTERM and started anew. So the processes of node a, and guardian and keeper of
b, live the whole time. Every 30 s the status page is read, and /proc of every process of the daemons.

Exit code 1: something is not flat (judge.py), two jobs of a group lived at once, an instant ran twice, or a
daemon did not end well. DIRECTORY keeps samples.json, from which --judge says it all again.
"""
import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "integration"), os.path.join(TOP, "tests", "bench")]
import checker  # noqa: E402
import judge  # noqa: E402
import procs  # noqa: E402
import rig  # noqa: E402
from cluster import Cluster, ClusterError, clean_environment, wait_for  # noqa: E402
from node import Node  # noqa: E402

SERVICES, MINUTELY = 100, 100
SAMPLE, ROTATE, MOVED = 30, 15, 30
LATER = 10  # after a turn has begun
NAMES = ("a", "b", "c")
CONF = """[Etcd]
Endpoints=%s
CACert=%s
Cert=%s
Key=%s
[Node]
Name=%s
[Election]
Profile=wan
[Daemon]
RuntimeDirectory=%s
LogLevel=warning
[Http]
Listen=%s
"""


class SoakNode(Node):
    """`onced -c FILE` with a status page, and with long timings: what makes leaders change is to be what is
    done here, not who else needs this machine's processors."""

    def __init__(self, name, directory, onced, cluster):
        super().__init__(name, directory, onced, (), ())
        tls, self.page = cluster.tls, os.path.join(self.directory, "page-" + name)
        self.conf = os.path.join(self.directory, "onced-%s.conf" % name)
        with open(self.conf, "w", encoding="ascii") as file:
            file.write(CONF % (cluster.urls(), tls.ca, tls.client, tls.client_key, name, self.runtime, self.page))

    def command(self):
        return [self.onced, "-c", self.conf]

    def read_page(self, path):
        """The length of the answer; 0: there was none, it may be starting."""
        connection = http.client.HTTPConnection("localhost", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(10)
            connection.sock.connect(self.page)
            connection.request("GET", path)
            return len(connection.getresponse().read())
        except OSError:
            return 0
        finally:
            connection.close()

    def roles(self):
        """{role: what /proc says}; a process that is not there at the moment is left out."""
        found = {}
        pids = {"guardian": self.guardian, "agent": self._find_agent(), "keeper": self._find_keeper()}
        for role, pid in pids.items():
            if pid and procs.alive(pid):
                try:
                    found["%s %s" % (self.name, role)] = look(pid)
                except (OSError, KeyError):
                    continue  # it has just ended
        return found


def look(pid):
    def fields(name):
        with open("/proc/%d/%s" % (pid, name)) as file:
            return {line.split(":")[0]: line.split() for line in file}
    status, memory = fields("status"), fields("smaps_rollup")
    return {"pid": pid, "pss": int(memory["Pss"][1]), "rss": int(memory["Rss"][1]),
            "private": int(memory["Private_Clean"][1]) + int(memory["Private_Dirty"][1]),
            "threads": int(status["Threads"][1]), "fds": len(os.listdir("/proc/%d/fd" % pid)),
            "children": len(procs.children(pid))}


class Soak:
    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        build = os.path.abspath(options.build)
        self.onced = os.path.join(build, "daemon", "onced")
        self.oncectl = os.path.join(build, "tools", "oncectl", "oncectl")
        self.lifejob = os.path.join(build, "tests", "integration", "lifejob")
        self.cluster = Cluster(os.path.join(directory, "etcd"), 3, True, rig.newest_etcd(), extra=[
            "--auto-compaction-mode=revision", "--auto-compaction-retention=20000"])
        self.ran, self.nodes, self.samples, self.turn = os.path.join(directory, "ran"), {}, [], 0
        self.counts = {"switchovers": 0, "agents killed": 0, "restarts": 0, "failed requests": 0}

    # ---- what runs

    def write_jobs(self):
        jobs = os.path.join(self.directory, "jobs.d")
        os.mkdir(jobs)
        for i in range(self.options.groups):
            if i < SERVICES:
                text = "Shell=yes\nRestartDelay=200ms\nExec=exec %s %s $ONCED_NODE --period 500 --max 90000\n" % (
                    self.lifejob, self.life(i))
            else:
                schedule, jitter = ("* * * * *", "50s") if i < SERVICES + MINUTELY else ("*/10 * * * *", "9min")
                text = ("Type=cron\nSchedule=%s\nJitter=%s\nMissed=skip\nShell=yes\n"
                        "Exec=echo $ONCED_JOB $ONCED_SCHEDULED >>%s\n" % (schedule, jitter, self.ran))
            with open(os.path.join(jobs, "j%d.job" % i), "w", encoding="ascii") as file:
                file.write("[Job]\nGroup=g%d\n%s" % (i, text))

    def life(self, i):
        return os.path.join(self.directory, "life-%d" % i)

    def leaders(self):
        """{group: node}"""
        lines = (self.cluster.etcdctl("get", "--prefix", "/leader/", check=False, seconds=20) or "").split("\n")
        return {key[len("/leader/"):]: value for key, value in zip(lines[0::2], lines[1::2])}

    def start(self):
        self.write_jobs()
        self.cluster.start(60)
        for name in NAMES:
            self.nodes[name] = SoakNode(name, self.directory, self.onced, self.cluster).start()
        wait_for("a leader of every group", lambda: len(self.leaders()) == self.options.groups, 120, 1)

    # ---- what is done to it

    def rotate(self):
        step = (self.switchover, self.kill_agent, self.switchover, self.restart)[self.turn % 4]
        self.turn += 1
        step()

    def switchover(self):
        led = {name: [] for name in NAMES}
        for group, node in self.leaders().items():
            led.get(node, []).append(group)
        most, fewest = max(NAMES, key=lambda n: len(led[n])), min(NAMES, key=lambda n: len(led[n]))
        for group in led[most][self.turn % 7::7][:MOVED]:
            done = subprocess.run([self.oncectl, *self.cluster.onced_flags(), "--group", group, "switchover", "--to",
                                   fewest], env=clean_environment(), timeout=60, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.counts["switchovers" if done.returncode == 0 else "failed requests"] += 1

    def kill_agent(self):
        self.nodes["b"].signal("kill", "agent")
        self.counts["agents killed"] += 1

    def restart(self):
        node = self.nodes["c"]
        node.signal("term", "guardian")
        code = node.wait_end(60)
        if code:
            raise ClusterError("node c ended with %d after SIGTERM" % code)
        node.start()
        self.counts["restarts"] += 1

    # ---- what is seen of it

    def sample(self, seconds):
        sample = {"seconds": round(seconds, 1), "roles": {}}
        for node in self.nodes.values():
            if not node.running():
                raise ClusterError("node %s has ended with %s" % (node.name, node.process.returncode))
            node.read_page("/metrics")
            node.read_page("/status")
            sample["roles"].update(node.roles())
        led = list(self.leaders().values())
        sample["led"] = {name: led.count(name) for name in NAMES}
        self.samples.append(sample)
        print("%5.0f s  led %s  %s" % (seconds, sample["led"], "  ".join(
            "%s %d KiB %d fd" % (role, now["pss"], now["fds"]) for role, now in sorted(sample["roles"].items()))),
            flush=True)

    def go_on(self):
        begun = time.monotonic()
        next_sample, next_turn, end = begun + LATER, begun + ROTATE, begun + self.options.minutes * 60
        while time.monotonic() < end:
            if time.monotonic() >= next_turn:
                next_turn = max(next_turn + ROTATE, time.monotonic() + 1)
                self.rotate()
            if time.monotonic() >= next_sample:
                next_sample += SAMPLE
                self.sample(time.monotonic() - begun)
            time.sleep(max(0, min(next_sample, next_turn, end) - time.monotonic()))

    def finish(self):
        """Every daemon ends by itself, and takes everything with it."""
        bad = []
        for name, node in self.nodes.items():
            node.signal("term", "guardian")
            code = node.wait_end(60)
            if code:
                bad.append("node %s ended with %d" % (name, code))
        return bad + ["left behind: " + line for line in procs.end_orphans(5)]

    def overlaps(self):
        lives, bad = 0, []
        for i in range(min(SERVICES, self.options.groups)):
            lines = checker.read(self.life(i))
            lives += len(checker.lives(lines))
            problem = checker.check(lines)
            if problem:
                bad.append("group g%d: %s" % (i, problem))
        ran = []
        if os.path.exists(self.ran):
            with open(self.ran, encoding="ascii") as file:
                ran = file.read().splitlines()
        unproven = sum(node.text().count("could not be proven") for node in self.nodes.values())
        self.counts.update({"lives of services": lives, "scheduled runs": len(ran),
                            "terms not proven in time": unproven})
        return bad + ["ran twice: " + line for line in judge.twice(ran)]

    def close(self):
        for node in self.nodes.values():
            node.close()
        procs.end_orphans()
        self.cluster.close()


def run(options, out):
    """What was seen; problems of its own among it."""
    procs.adopt()
    leaves = procs.leaves()
    with tempfile.TemporaryDirectory(prefix="onced-soak-") as directory:
        soak, problems = Soak(options, directory), []
        try:
            soak.start()
            soak.go_on()
            problems += soak.finish()
        except (ClusterError, OSError, subprocess.SubprocessError) as error:
            problems.append("the run ended early: %s" % error)
        finally:
            soak.close()
            procs.remove_leaves(procs.leaves() - leaves)
        problems += soak.overlaps()
        for name, node in soak.nodes.items():
            with open(os.path.join(out, "onced-%s.log" % name), "w", encoding="utf-8") as file:
                file.write(node.text())
    return {"minutes": options.minutes, "groups": options.groups, "samples": soak.samples, "counts": soak.counts,
            "problems": problems, "date": time.strftime("%Y-%m-%d"), "machine": machine(),
            "version": rig.version(soak.onced)}


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return "%d x %s, Linux %s" % (len(models), models[0] if models else "?", os.uname().release)


PAGE = """# An hour with a thousand groups

Written by `make soak MINUTES=%(minutes)g`, %(date)s, %(machine)s; %(version)s.
What else ran there: %(beside)s.
What the run does and what is called flat: `tests/soak/soak.py` and `tests/soak/judge.py`. In short: three members of etcd with TLS, three daemons,
%(groups)d groups with a job each, and every 15 s leaders change: by switchover, by `kill -9` of the agent of
node b, by a restart of node c. The processes of node a, and guardian and keeper of b, live the whole time; of
the others each life is short, and what is shown is the row of them. A leak is a slope of the second half above
its limit that also rises more than chance would let it, z above 5: what a node needs comes and goes with the
groups it leads. Failed requests are switchovers that oncectl did not get; why is not kept.

%(counts)s.
%(verdict)s

%(table)s
"""


def show(result, beside):
    found = judge.rows(result["samples"])
    problems = result["problems"] + judge.problems(found)
    counts = ", ".join("%s: %s" % (what, format(n, ",")) for what, n in result["counts"].items())
    verdict = "\n".join("NOT GOOD: " + p for p in problems) or (
        "No two jobs of a group lived at once, no instant ran twice, everything is flat.")
    return PAGE % dict(result, beside=beside, counts=counts, verdict=verdict, table=judge.table(found)), problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--out", help="keeps what was sampled and the daemons' logs")
    parser.add_argument("--judge", metavar="DIRECTORY", help="of an earlier run; nothing is run")
    parser.add_argument("--write", metavar="FILE", help="the page with the figures")
    parser.add_argument("--beside", default="nothing that this knows of", help="what else ran on the machine")
    options = parser.parse_args()
    out = options.judge or options.out or tempfile.mkdtemp(prefix="onced-soak-out-")
    kept = os.path.join(out, "samples.json")
    if not options.judge:
        os.makedirs(out, exist_ok=True)
        result = run(options, out)
        with open(kept, "w", encoding="ascii") as file:
            json.dump(result, file)
    with open(kept, encoding="ascii") as file:
        page, problems = show(json.load(file), options.beside)
    if options.write:
        with open(options.write, "w", encoding="utf-8") as file:
            file.write(page)
    print(page + "\nkept in " + out)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
