"""A mount namespace for one run: disks that can stall for etcd's logs, small ones for the daemons.

It is held by one sleeping process that dies with us, so that no mount outlives a run. A stall is
always ended by the process that began it, even if we are gone by then: a frozen file system that
nobody thaws would hold its writers for ever.
"""
import os
import subprocess

import procs
from cluster import wait_for

DISK_MB = 400         # sparse; etcd's log allocates 64 MB at a time
RUNTIME_KB = 64


class Mounts:
    def __init__(self):
        ours = os.readlink("/proc/self/ns/mnt")
        self.holder = procs.spawn(["unshare", "--mount", "--propagation", "private", "sleep", "7200"])
        pid = self.holder.pid
        wait_for("mount namespace", lambda: procs.link(pid, "ns/mnt") not in (None, ours)
                 and procs.command_line(pid).startswith("sleep"), 5, 0.005)
        self.prefix = ["nsenter", "--mount=/proc/%d/ns/mnt" % pid]

    def run(self, *command):
        done = subprocess.run(self.prefix + list(command), stdin=subprocess.DEVNULL, timeout=30,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError("%s: %s" % (" ".join(command), done.stderr.strip()))

    def inside(self, path):
        """The same path as the namespace sees it, for us to read and write."""
        return "/proc/%d/root%s" % (self.holder.pid, os.path.abspath(path))

    def disk(self, path):
        """An ext4 file system of its own at a directory, on a loop device that goes with the mount."""
        os.makedirs(path, exist_ok=True)
        image = path + ".img"
        with open(image, "wb") as out:
            out.truncate(DISK_MB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", image], check=True, timeout=60,
                       stdin=subprocess.DEVNULL)
        self.run("mount", "-o", "loop", image, path)

    def small(self, path):
        os.makedirs(path, mode=0o700, exist_ok=True)
        self.run("mount", "-t", "tmpfs", "-o", "size=%dk,mode=0700" % RUNTIME_KB, "tmpfs", path)

    def stall(self, path, seconds):
        """Every write to the disk hangs for so long. Returns the process that will end it."""
        script = 'fsfreeze -f "$1" || exit 1; sleep "$2"; fsfreeze -u "$1"'
        return procs.spawn(self.prefix + ["sh", "-c", script, "stall", path, "%.2f" % seconds],
                           detach=True)

    def close(self):
        procs.end(self.holder)
