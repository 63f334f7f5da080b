"""A box: a Debian of its own under a real systemd, in namespaces of this process.

    with Box(directory, tree) as box:
        box.run("systemctl", "start", "onced")
        box.write("/etc/onced/onced.conf", "...")

The tree comes from image.sh; what is installed there for a test is another one laid over it. Nothing of
it is written to. The box has no network but its own loopback, and its processes die with the one that
made it, or with close(), all of them: process 1 of a PID namespace takes that along.
"""
import glob
import os
import shutil
import subprocess
import time

import pytest

import procs
from cluster import ClusterError, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT_SECONDS = 30


class NoBox(Exception):
    """Why there can be none on this machine, in one line."""


def image():
    """The directory of the tree; NoBox."""
    done = subprocess.run([os.path.join(HERE, "image.sh")], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, timeout=900)
    line = done.stdout.strip().split("\n")[-1]
    if done.returncode == 77:
        raise NoBox(line)
    if done.returncode != 0:
        raise ClusterError("image.sh: exit %d: %s" % (done.returncode, line))
    return line


def cgroup_mount():
    """Where cgroup v2 is mounted, and our own path in it."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        found = [line.split()[4] for line in mounts if " - cgroup2 " in line]
    with open("/proc/self/cgroup", encoding="utf-8") as own:
        paths = [line.strip()[3:] for line in own if line.startswith("0::")]
    if not found or not paths:
        raise NoBox("skip: no box: cgroup v2 is not mounted")
    return found[0] + paths[0].rstrip("/")


class Box:
    count = 0

    def __init__(self, directory, *trees):
        self.trees, self.process, self.pid = trees, None, None
        self.share = os.path.join(str(directory), "share")
        self.root = os.path.join(str(directory), "root")
        self.log = os.path.join(str(directory), "boot.log")
        for path in (self.share, self.root):
            os.makedirs(path, exist_ok=True)
        os.chmod(self.share, 0o1777)
        Box.count += 1
        self.cgroup = "%s/onced-box-%d-%d" % (cgroup_mount(), os.getpid(), Box.count)

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, *unused):
        self.close()

    # ---- life

    def start(self):
        """NoBox when the machine does not let us."""
        if os.geteuid() != 0:
            raise NoBox("skip: no box: namespaces need root")
        try:
            os.mkdir(self.cgroup)
        except OSError as error:
            raise NoBox("skip: no box: %s: %s" % (self.cgroup, error.strerror)) from None
        procs_file = os.path.join(self.cgroup, "cgroup.procs")
        enter = 'echo $$ >"$1" && shift && exec "$@"'
        with open(self.log, "ab") as log:
            self.process = procs.spawn(
                ["sh", "-c", enter, "sh", procs_file, "unshare", "--mount", "--pid", "--fork",
                 "--kill-child", "--uts", "--ipc", "--net", "--cgroup",
                 os.path.join(HERE, "boot.sh"), self.root, ":".join(self.trees), self.share],
                stdout=log, stderr=log)
        try:
            wait_for("systemd", self._is_up, BOOT_SECONDS, 0.1)
        except ClusterError:
            said = self.said()
            ended = self.process.poll() is not None
            self.close()
            if ended:
                raise NoBox("skip: no box: %s" % (said[-1] if said else "it did not boot")) from None
            raise ClusterError("the box did not boot: %s" % said[-5:]) from None
        return self

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read().strip().split("\n")

    def _is_up(self):
        if self.process.poll() is not None:
            raise ClusterError("it ended")
        if not self.pid or procs.name(self.pid) != "systemd":
            below = procs.children(self.process.pid)
            self.pid = below[0] if below and procs.name(below[0]) == "systemd" else None
            return False
        state = self.run("systemctl", "is-system-running", check=False).strip()
        return state in ("running", "degraded")

    def close(self):
        if self.process is not None:
            for pid in procs.children(self.process.pid):
                procs.send(pid, 9)
            procs.end(self.process)
            procs.reap()
        for _ in range(100):
            for path in sorted(glob.glob(self.cgroup + "/**/", recursive=True), reverse=True):
                try:
                    os.rmdir(path)
                except OSError:
                    pass
            if not os.path.exists(self.cgroup):
                break
            time.sleep(0.05)

    # ---- inside

    def command(self, *command):
        return ["nsenter", "--target", str(self.pid), "--all", "--root", "--wd", "--", "env", "-i",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
                "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0", "DEBIAN_FRONTEND=noninteractive", *command]

    def run(self, *command, check=True, seconds=60):
        """What it printed; AssertionError when it failed."""
        done = subprocess.run(self.command(*command), stdin=subprocess.DEVNULL, text=True, timeout=seconds,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert not check or done.returncode == 0, "%s: exit %d: %s" % (
            " ".join(command), done.returncode, done.stdout)
        return done.stdout

    def path(self, path):
        return "/proc/%d/root%s" % (self.pid, path)

    def write(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(path), mode)

    def show(self, unit, *properties):
        """One value, or a list of them."""
        text = self.run("systemctl", "show", unit, *["--property=" + p for p in properties])
        values = dict(line.split("=", 1) for line in text.strip().split("\n"))
        found = [values[p] for p in properties]
        return found[0] if len(found) == 1 else found

    def main_pid(self, unit):
        """Of the service's main process, as it is called outside; 0: none."""
        inside = int(self.show(unit, "MainPID"))
        return self.outside(inside) if inside else 0

    def outside(self, pid):
        for each in procs.descendants(self.pid):
            try:
                with open("/proc/%d/status" % each, encoding="utf-8", errors="replace") as status:
                    numbers = [line for line in status if line.startswith("NSpid:")][0].split()
            except (OSError, IndexError):
                continue
            if numbers[-1] == str(pid) and len(numbers) == len(self._depth()) + 1:
                return each
        raise ClusterError("no process %d in the box" % pid)

    def _depth(self):
        """A number of process 1 for each PID namespace from ours to the box's."""
        with open("/proc/%d/status" % self.pid, encoding="utf-8") as status:
            return [line for line in status if line.startswith("NSpid:")][0].split()[1:]

    def journal(self, *options):
        return self.run("journalctl", "--no-pager", "-o", "short-monotonic", *options, check=False)

    # ---- trees

    @staticmethod
    def install(build, directory):
        """What `meson install` puts into an empty tree."""
        shutil.rmtree(directory, ignore_errors=True)
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", directory],
                       check=True, timeout=120, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return directory


def boot(directory, *trees):
    """A box that runs, of the image and what lies over it; a skip where there can be none."""
    try:
        return Box(directory, *trees, image()).start()
    except NoBox as reason:
        pytest.skip(str(reason).replace("skip: ", "", 1))
