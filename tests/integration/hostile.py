"""What the tests of faulty certificates and logins share: nodes with files of their own, a wire that tells what
went over it and can be cut, and etcds of both versions that suffer the same at the same moment."""
import base64
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request

import procs
from cluster import ClusterError, clean_environment, wait_for
from jobnode import FileNode

TLS_RECORDS = (20, 21, 22, 23)
# No job is stopped before 5.3 s without a proof, in place of 3.5: a loaded machine keeps nobody waiting for as long.
PATIENT = "StopGrace=200ms\n"


class Wire:
    """Stands before an etcd; passes on what it gets, and remembers whether any of it was not TLS."""

    def __init__(self, member):
        host, port = member.endpoint.split(":")
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "https://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.plain, self.connections, self.open = [], 0, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target, 5)
                far.settimeout(None)
            except OSError:
                return
            self.connections += 1
            self.open += [near, far]
            threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, near, far, judge):
        rest = b""
        try:
            while True:
                data = near.recv(65536)
                if not data:
                    break
                if judge:
                    rest = self._records(rest + data)
                far.sendall(data)
        except OSError:
            pass
        self._shut(far)

    def _records(self, data):
        """What is left behind the last whole record."""
        while len(data) >= 5:
            if data[0] not in TLS_RECORDS or data[1] != 3:
                self.plain.append(data[:80])
                return b""
            size = 5 + int.from_bytes(data[3:5], "big")
            if len(data) < size:
                break
            data = data[size:]
        return data

    @staticmethod
    def _shut(sock):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def cut(self):
        """Every connection ends now; new ones may come."""
        ended, self.open = self.open, []
        for sock in ended:
            self._shut(sock)

    def close(self):
        self.listener.close()
        self.cut()


class Suspect(FileNode):
    """A node with a key, a prefix and files of its own: what happens to it happens to nobody else."""

    def __init__(self, name, directory, onced, cluster, url, timing=PATIENT):
        directory = os.path.join(str(directory), name)
        os.makedirs(os.path.join(directory, "jobs.d"))
        os.mkdir(os.path.join(directory, "tls"), 0o700)
        super().__init__(name, directory, onced, cluster)
        self.cluster, self.code = cluster, None
        self.ca, self.cert, self.key = (os.path.join(directory, "tls", n) for n in ("ca.crt", "it.crt", "it.key"))
        self.password = os.path.join(directory, "tls", "password")
        self.install(cluster.tls.ca, (cluster.tls.client, cluster.tls.client_key))
        self.rewrite((r"Endpoints=.*", "Endpoints=" + url), (r"CACert=.*", "CACert=" + self.ca),
                     (r"\nCert=.*", "\nCert=" + self.cert), (r"\nKey=.*", "\nKey=" + self.key),
                     (r"Profile=fast", "Profile=normal\n%sKey=/lead/%s\nPrefix=/on/%s" % (timing, name, name)))
        with open(os.path.join(directory, "jobs.d", "idle.job"), "w", encoding="ascii") as job:
            job.write("[Job]\nExec=/bin/sleep 1000\n")

    def rewrite(self, *changes):
        with open(self.conf, encoding="ascii") as file:
            text = file.read()
        for old, new in changes:
            text, n = re.subn(old, new, text)
            assert n == 1, (old, n)
        with open(self.conf, "w", encoding="ascii") as file:
            file.write(text)

    def install(self, ca=None, pair=None, order=(1, 0)):
        """Replaces files, each by a rename."""
        files = [(ca, self.ca, 0o644)] if ca else []
        files += [((pair[i]), (self.cert, self.key)[i], 0o600) for i in order] if pair else []
        for source, path, mode in files:
            shutil.copy(source, path + ".new")
            os.chmod(path + ".new", mode)
            os.replace(path + ".new", path)

    def put(self, path, data, mode=0o600):
        """Another content for a file of it, also by a rename."""
        with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
        os.chmod(path + ".new", mode)
        os.replace(path + ".new", path)

    def leads(self):
        """The pid of its job."""
        jobs = self.jobs() if self.running() else []
        return jobs[0] if jobs else None

    def said(self, needle):
        return [line for line in self.text().splitlines() if needle in line]

    def stop(self):
        """Its exit code."""
        self.close()
        self.code = self.process.returncode
        return self.code


def requests(cluster):
    """How many calls etcd has served, those through its gateway among them."""
    with urllib.request.urlopen(cluster.metrics, timeout=5) as answer:
        text = answer.read().decode()
    return sum(float(line.split()[-1]) for line in text.splitlines()
               if line.startswith("grpc_server_handled_total"))


def metrics_flags(cluster):
    """Before its start: where it shows its counters without TLS."""
    cluster.metrics = "http://127.0.0.1:%d/metrics" % (cluster.block.base + 9)
    cluster.extra += ["--listen-metrics-urls", cluster.metrics[:-len("/metrics")]]


def ctl(oncectl, *words):
    """(exit code, the lines it said)."""
    done = subprocess.run(procs.DIE_WITH_US + [oncectl, *words], env=clean_environment(), timeout=30,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.returncode, (done.stdout + done.stderr).splitlines()


# What a machine says that has no time for us.
STALLS = ("in time", "connection timeout", "leaving http", "connected to http", "etcd answers again",
          "last events are in", "no history of this etcd")


def calm(text):
    """Its lines without those that a machine which has no time for us brings about."""
    return [line for line in text.splitlines() if not any(stall in line for stall in STALLS)]


class Moments:
    """Whose job was which at some moments: who has lost leadership in between, and who may have. A machine that stands
    still for seconds takes it from nodes to which nothing was done, too: unless one of these, the controls, has lost it
    in the very same time, it was the fault."""

    def __init__(self, nodes, controls):
        self.nodes, self.controls, self.at = list(nodes), list(controls), {}

    def note(self, name):
        self.at[name] = {node: node.leads() for node in self.nodes}

    def lost(self, node, begin, end):
        before = self.at[begin].get(node)
        return before is not None and self.at[end][node] != before

    def judge(self, node, *names):
        """It has kept its job from each moment to the next."""
        for begin, end in zip(names, names[1:]):
            stalled = [c for c in self.controls if c is not node and self.lost(c, begin, end)]
            assert not self.lost(node, begin, end) or stalled, "%s has lost leadership between %s and %s:\n%s" % (
                node.name, begin, end, node.text())


def wait_all(what, suspects, predicate, seconds=15):
    """Until it is true of each. Four times that long: it is only waited for as long as needed."""
    end = time.monotonic() + 4 * seconds
    left = list(suspects)
    while left and time.monotonic() < end:
        left = [s for s in left if not predicate(s)]
        time.sleep(0.05)
    assert not left, "%s: not so in time:\n%s" % (
        what, "\n".join("--- %s\n%s" % (s.name, s.text()) for s in left))


class Admin:
    """etcd's root, over the gateway: a process for each of a hundred changes would take longer than the test."""

    def __init__(self, cluster):
        self.url, self.token = cluster.members[0].url, None
        self.context = ssl.create_default_context(cafile=cluster.tls.ca)
        self.context.load_cert_chain(cluster.tls.client, cluster.tls.client_key)

    def call(self, path, **body):
        """Its token lives as short as everybody's."""
        if self.token:
            self.login()
        return self._call("auth/" + path, **body)

    def _call(self, path, **body):
        head = {"Authorization": self.token} if self.token else {}
        request = urllib.request.Request(self.url + "/v3/" + path, json.dumps(body).encode(), head)
        with urllib.request.urlopen(request, timeout=10, context=self.context) as answer:
            return json.loads(answer.read())

    def login(self):
        self.token = None
        self.token = self._call("auth/authenticate", name="root", password="root")["token"]

    def proofs(self):
        """{name of a node: revision of its latest beat}."""
        if self.token:
            self.login()
        found = {}
        for kv in self._call("kv/range", key=base64.b64encode(b"/on/").decode(), keys_only=True,
                             range_end=base64.b64encode(b"/on0").decode()).get("kvs", ()):
            words = base64.b64decode(kv["key"]).decode().split("/")
            if words[3] == "beat":
                found[words[2]] = max(found.get(words[2], 0), int(kv["mod_revision"]))
        return found

    def grant(self, role, key, prefix=False, verb="grant", kind="READWRITE"):
        """On a key, or on all below it; verb: grant or revoke."""
        end = key[:-1] + chr(ord(key[-1]) + 1) if prefix else ""
        key, end = (base64.b64encode(text.encode()).decode() for text in (key, end))
        if verb == "revoke":
            self.call("role/revoke", role=role, key=key, range_end=end)
        else:
            self.call("role/grant", name=role, perm={"permType": kind, "key": key, "range_end": end})

    def add_user(self, name, password):
        self.call("user/add", name=name, password=password)
        self.call("user/grant", user=name, role=name)

    def add_role(self, name):
        """What `oncectl rbac` prints for a node."""
        self.call("role/add", name=name)
        for key, prefix in rights(name):
            self.grant(name, key, prefix)


def wait_proved(pairs, seconds=20):
    """(admin, nodes): until each of them has proven, by a write that etcd took from now on, that it leads."""
    for admin, nodes, before in [(admin, nodes, admin.proofs()) for admin, nodes in pairs]:
        def done(admin=admin, nodes=nodes, before=before):
            now = admin.proofs()
            return all(now.get(node.name, 0) > before.get(node.name, 0) for node in nodes)
        try:
            wait_for("a proof of each", done, 4 * seconds, 0.1)
        except ClusterError as error:
            raise AssertionError("%s; %s after %s" % (error, admin.proofs(), before)) from None


def rights(name):
    """(key, whether all below it is meant) of what a Suspect of this name reads and writes."""
    return [("/lead/" + name, False), ("/lead/%s/" % name, True), ("/on/%s/" % name, True)]
