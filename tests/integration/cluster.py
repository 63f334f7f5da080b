"""An etcd cluster of one or three members as real processes, with or without TLS.

    with Cluster(directory, members=3, tls=True) as cluster:
        cluster.etcdctl("put", "/k", "v")
        cluster.kill(cluster.leader())

Members listen on 127.0.0.1, on a block of ports nobody else has, or on given addresses inside a
network namespace. They die with the process that made them, however that ends, unless `detach`.
As a command it shows what it made: cluster.py DIRECTORY [--members N] [--tls] stays until Ctrl-C.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import certs
import procs

PORTS = (20000, 24990)
BLOCK = 10


class ClusterError(Exception):
    pass


class PortBlock:
    """Ten consecutive free ports. The first stays bound, which keeps others of us off the block."""

    def __init__(self):
        first, last = PORTS
        count = (last - first) // BLOCK
        start = (os.getpid() * 7) % count
        for i in range(count):
            base = first + (start + i) % count * BLOCK
            if self._take(base):
                return
        raise ClusterError("no free block of ports between %d and %d" % PORTS)

    def _take(self, base):
        held = []
        try:
            for port in range(base, base + BLOCK):
                sock = socket.socket()
                held.append(sock)
                sock.bind(("127.0.0.1", port))
        except OSError:
            for sock in held:
                sock.close()
            return False
        for sock in held[1:]:
            sock.close()
        self.base, self._lock = base, held[0]
        return True

    def close(self):
        self._lock.close()


def wait_for(what, predicate, seconds, step=0.02):
    """predicate()'s first true value, or ClusterError naming what did not come in time."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= end:
            raise ClusterError("%s: not within %.1f s" % (what, seconds))
        time.sleep(step)


def clean_environment():
    """The environment without anything that etcd, etcdctl, curl or onced would take from it."""
    drop = ("ETCD", "ONCE", "LISTEN_", "NOTIFY_SOCKET", "WATCHDOG_")
    proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    return {k: v for k, v in os.environ.items()
            if not k.startswith(drop) and k.lower() not in proxies}


class Member:
    def __init__(self, index, address, client_port, peer_port, scheme, directory):
        self.index, self.name = index, "m%d" % index
        self.data = os.path.join(directory, self.name)
        self.log = os.path.join(directory, self.name + ".log")
        self.endpoint = "%s:%d" % (address, client_port)
        self.url = "%s://%s" % (scheme, self.endpoint)
        self.peer_url = "%s://%s:%d" % (scheme, address, peer_port)
        self.advertised = self.peer_url  # where the others reach it
        self.bindir = None  # where its etcd is, if not where the cluster's is
        self.process = None
        self.stopped = False

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None


class Cluster:
    """bindir: where etcd and etcdctl are (None: $PATH). addresses: one per member, with prefix: an
    argument vector that enters the network namespace where they exist. detach: members outlive us.
    extra: more flags for etcd."""

    def __init__(self, directory, members=1, tls=False, bindir=None, addresses=None, prefix=(),
                 detach=False, extra=()):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.bindir, self.prefix, self.detach = bindir, list(prefix), detach
        self.extra = list(extra)
        self.etcd_keys = ""  # what a configuration file says in [Etcd] to be let in
        # Its ports are nobody else's even in another namespace: a daemon tells its instances on one
        # machine apart by their endpoints.
        self.block = PortBlock()
        base, addresses = self.block.base, addresses or ["127.0.0.1"] * members
        self.tls = certs.make(os.path.join(self.directory, "tls"), set(addresses)) if tls else None
        scheme = "https" if tls else "http"
        self.members = [Member(i, addresses[i], base + 1 + 2 * i, base + 2 + 2 * i, scheme,
                               self.directory) for i in range(members)]

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.close()

    # ---- life of members

    def start(self, seconds=20):
        try:
            for member in self.members:
                self.spawn(member.index)
            return self.wait_healthy(seconds)
        except BaseException:
            self.close()
            raise

    def spawn(self, index):
        """Start a member, on the data it has."""
        member = self.members[index]
        command = [self._program("etcd", member.bindir)] + self._flags(member)
        with open(member.log, "ab") as log:
            member.process = procs.spawn(command, self.prefix, self.detach, stdout=log, stderr=log,
                                         env=clean_environment())
        member.stopped = False

    def _flags(self, member):
        peers = ",".join("%s=%s" % (m.name, m.advertised) for m in self.members)
        flags = ["--name", member.name, "--data-dir", member.data, "--logger", "zap",
                 "--log-outputs", "stderr", "--listen-client-urls", member.url,
                 "--advertise-client-urls", member.url, "--listen-peer-urls", member.peer_url,
                 "--initial-advertise-peer-urls", member.advertised, "--initial-cluster", peers,
                 "--initial-cluster-token", os.path.basename(self.directory) or "onced"]
        if self.tls:
            for kind in ("", "peer-"):
                flags += ["--%scert-file" % kind, self.tls.server, "--%skey-file" % kind,
                          self.tls.server_key, "--%strusted-ca-file" % kind, self.tls.ca,
                          "--%sclient-cert-auth" % kind]
        return flags + self.extra

    def kill(self, index):
        """kill -9; the data stays."""
        member = self.members[index]
        if member.process is not None:
            procs.end(member.process)

    def pause(self, index):
        os.kill(self.members[index].process.pid, signal.SIGSTOP)
        self.members[index].stopped = True

    def resume(self, index):
        os.kill(self.members[index].process.pid, signal.SIGCONT)
        self.members[index].stopped = False

    def repair(self, seconds=20):
        """Every member back to life and in agreement, whatever a test did to it."""
        for member in self.members:
            if not member.alive:
                self.spawn(member.index)
            elif member.stopped:
                self.resume(member.index)
        return self.wait_healthy(seconds)

    def wipe(self):
        """Forget every key and lease."""
        self.etcdctl("del", "", "--from-key")
        for lease in self.etcdctl("lease", "list").split("\n")[1:]:
            if lease.strip():
                self.etcdctl("lease", "revoke", lease.strip(), check=False)

    def close(self):
        for member in self.members:
            self.kill(member.index)
        self.block.close()

    # ---- questions

    def _program(self, name, bindir=None):
        bindir = bindir or self.bindir
        path = os.path.join(bindir, name) if bindir else shutil.which(name)
        if not path or not os.access(path, os.X_OK):
            raise ClusterError("no %s in %s" % (name, bindir or "$PATH"))
        return path

    def running(self):
        return [m for m in self.members if m.alive and not m.stopped]

    def urls(self, members=None):
        return ",".join(m.url for m in (members or self.members))

    def etcdctl_command(self, *args, members=None):
        """The argument vector of an etcdctl call to these members (default: all that run)."""
        command = self.prefix + [self._program("etcdctl"), "--endpoints",
                                 self.urls(members or self.running())]
        if self.tls:
            command += ["--cacert", self.tls.ca, "--cert", self.tls.client, "--key",
                        self.tls.client_key]
        return command + list(args)

    def etcdctl(self, *args, members=None, check=True, seconds=5, said=""):
        """What etcdctl printed, after it was said something. check=False: None instead of ClusterError when it failed."""
        limits = ["--dial-timeout=1s", "--command-timeout=%ds" % max(1, seconds - 1)]
        done = subprocess.run(
            self.etcdctl_command(*limits, *args, members=members), timeout=seconds + 5,
            env=dict(clean_environment(), ETCDCTL_API="3"), input=said,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode == 0:
            return done.stdout
        if check:
            raise ClusterError("etcdctl %s: %s" % (" ".join(args), done.stderr.strip()))
        return None

    def status(self, member):
        out = self.etcdctl("endpoint", "status", "-w", "json", members=[member], check=False,
                           seconds=2)
        return json.loads(out)[0]["Status"] if out else None

    def leader(self, seconds=10):
        """The index of the member that leads etcd."""
        return wait_for("leader of etcd", self._leader, seconds) - 1

    def _leader(self):
        for member in self.running():
            status = self.status(member)
            if status and status.get("leader"):
                if status["leader"] == status["header"]["member_id"]:
                    return member.index + 1
        return None

    def wait_healthy(self, seconds=20):
        """Every running member serves a read that needs the quorum."""
        for member in self.running():
            def healthy(member=member):
                if not member.alive:
                    raise ClusterError("etcd %s ended: %s" % (member.name, self._last_line(member)))
                return self._listening(member) and self.etcdctl(
                    "get", "health", members=[member], check=False, seconds=2) is not None
            wait_for("etcd %s" % member.name, healthy, seconds)
        return self

    def _listening(self, member):
        """Cheap, so that waiting does not mean a herd of etcdctl. Unknown in another namespace."""
        if self.prefix:
            return True
        host, port = member.endpoint.split(":")
        with socket.socket() as sock:
            sock.settimeout(0.2)
            return sock.connect_ex((host, int(port))) == 0

    def _last_line(self, member):
        try:
            with open(member.log, errors="replace") as log:
                return (log.readlines() or ["no log"])[-1].strip()
        except OSError as error:
            return str(error)

    # ---- what others need to connect

    def onced_flags(self, members=None):
        flags = ["--endpoints", self.urls(members)]
        if self.tls:
            flags += ["--cacert", self.tls.ca, "--cert", self.tls.client, "--key-file",
                      self.tls.client_key]
        return flags

    def etcdctl_environment(self):
        env = {"ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": self.urls()}
        if self.tls:
            env.update(ETCDCTL_CACERT=self.tls.ca, ETCDCTL_CERT=self.tls.client,
                       ETCDCTL_KEY=self.tls.client_key)
        return env


def main():
    import argparse
    parser = argparse.ArgumentParser(description="run an etcd cluster until Ctrl-C")
    parser.add_argument("directory")
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--bindir")
    options = parser.parse_args()
    procs.adopt()
    try:
        with Cluster(options.directory, options.members, options.tls, options.bindir) as cluster:
            for name, value in cluster.etcdctl_environment().items():
                print("export %s=%s" % (name, value), flush=True)
            while cluster.running():
                time.sleep(0.2)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
