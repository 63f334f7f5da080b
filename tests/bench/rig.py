"""What the measurements of the tools share: programs, clusters, what to say of the machine, aims."""
import os
import subprocess

from cluster import Cluster

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def newest_etcd():
    """The directory of the newest etcd there is; None: that of $PATH."""
    done = subprocess.run([os.path.join(TOP, "tools", "etcd-versions.sh")], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300)
    last = done.stdout.strip().split("\n")[-1]
    return last.split("\t")[1] if done.returncode == 0 and "\t" in last else None


def version(program):
    done = subprocess.run([program, "--version"], text=True, stdout=subprocess.PIPE, timeout=10)
    return (done.stdout.splitlines() or ["?"])[0]


class Rig:
    def __init__(self, options, directory, machine):
        build = os.path.dirname(os.path.dirname(options.onced))
        self.oncectl = os.path.join(build, "tools", "oncectl", "oncectl")
        self.faker = os.path.join(build, "tools", "etcd-faker", "etcd-faker")
        self.reporter = os.path.join(build, "tools", "etcd-reporter", "etcd-reporter")
        self.delayproxy = os.path.join(build, "tests", "bench", "delayproxy")
        self.curlfloor = os.path.join(build, "tests", "bench", "curlfloor")
        self.runs, self.seconds = options.runs, options.each
        self.directory, self.output = directory, options.output
        self.bindir = options.etcd or newest_etcd()
        self.host = "%s; %s, %s" % (machine, version(self.oncectl), version(
            os.path.join(self.bindir, "etcd") if self.bindir else "etcd"))
        self.beside = options.beside or "nothing that this knows of"
        self.missed = []

    def cluster(self, name, members, extra=()):
        """Not started; it starts and ends as a context."""
        return Cluster(os.path.join(self.directory, name), members, False, self.bindir, extra=extra)

    def check(self, aims):
        """Prints them; what was missed is remembered."""
        for what, value, aim, good in aims:
            if value is not None:
                print("%-7s %s: %.4g, wanted %s" % ("ok" if good else "MISSED", what, value, aim), flush=True)
            if not good:
                self.missed.append(what)
