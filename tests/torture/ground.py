"""What this machine lets a run have: namespaces, disks of its own, isolated jobs; and what takes their
place where it does not. lacks maps each of NEEDS that is missing to the reason; the faults that need
it are left out, with a line that says so."""
import os
import subprocess
import tempfile

from cluster import ClusterError
from mounts import Mounts
from net import Net, available

NEEDS = ("net", "mounts", "disks", "isolate", "clock")
REFUSED = (OSError, subprocess.SubprocessError, RuntimeError, ClusterError)


def _mounts(directory, lacks):
    mounts = None
    try:
        mounts = Mounts()
        mounts.small(os.path.join(directory, "probe-small"))
    except REFUSED as error:
        lacks["mounts"] = "no mount namespace here: %s" % str(error)[:120]
    else:
        try:
            mounts.disk(os.path.join(directory, "probe-disk"))
        except REFUSED as error:
            lacks["disks"] = "no loop mount here: %s" % str(error)[:120]
    finally:
        if mounts:
            mounts.close()


def _isolate(lacks):
    try:
        subprocess.run(["unshare", "--pid", "--mount", "--fork", "true"], check=True, timeout=20,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except REFUSED as error:
        lacks["isolate"] = "no PID namespace here: %s" % str(error)[:120]


def survey(without=()):
    """lacks, by trying each. without: those that are not to be had, whatever the trial says."""
    lacks = {}
    reason = available()
    if reason:
        lacks["net"] = reason
    with tempfile.TemporaryDirectory() as directory:
        _mounts(directory, lacks)
    _isolate(lacks)
    for name in without:
        lacks[name] = "left out by --without"
    if "mounts" in lacks:
        lacks["disks"] = lacks["mounts"]
    return lacks


class Loopback:
    """Instead of Net: everybody on 127.0.0.1, and nothing can be cut but by a proxy."""

    class hub:
        prefix = []

    def __init__(self, members):
        self.addresses = ["127.0.0.1"] * members

    def prefix(self, name):
        return []

    def heal_all(self):
        pass

    def close(self):
        pass


class Directories:
    """Instead of Mounts: directories that neither stall nor get full."""

    prefix = []

    def inside(self, path):
        return os.path.abspath(path)

    def disk(self, path):
        os.makedirs(path, exist_ok=True)

    def small(self, path):
        os.makedirs(path, mode=0o700, exist_ok=True)

    def close(self):
        pass


class NoDisks(Mounts):
    """Mounts without loop devices."""

    def disk(self, path):
        os.makedirs(path, exist_ok=True)


def make_net(lacks, names, members):
    return Loopback(members) if "net" in lacks else Net(names, members)


def make_mounts(lacks):
    return Directories() if "mounts" in lacks else NoDisks() if "disks" in lacks else Mounts()


def enter(*prefixes):
    """One nsenter for several namespaces; nothing for none."""
    words = [word for prefix in prefixes for word in prefix[1:]]
    return ["nsenter", *words] if words else []
