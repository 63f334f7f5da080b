"""oncectl against etcdctl: the same command lines, each program on an etcd of its own, compared byte
for byte. etcdctl.lines holds them; this file runs and compares.

    put a 1                     a line; words as in sh
    put a <<< 'x\\x00y'          with standard input, a Python bytes literal without its b
    @codes get a --nonsense     flags before it: compare

        @codes      the exit codes only: the words differ on purpose
        @noerr      not standard error
        @3.5        on that version only
        @grant      what it prints first in hexadecimal is a lease, {L1} in later lines
        @wait=N     it does not end by itself: N lines of output are waited for, then SIGTERM

Equal means: after member and cluster ids, leases, ports, raft terms and times have been given the
same names. Debian's etcdctl 3.5 draws tables with other lines than the published one; those are
replaced, too."""
import ast
import base64
import os
import re
import shlex
import signal
import subprocess
import threading
import time

import pytest

import procs
from cluster import Cluster, clean_environment

HERE = os.path.dirname(os.path.abspath(__file__))
DEADLINE = 20
BOXES = str.maketrans("─│┌┐└┘├┤┬┴┼", "-|+++++++++")


class Line:
    def __init__(self, number, text):
        self.number, self.text = number, text
        self.flags = {}
        while text.startswith("@"):
            flag, text = text[1:].split(" ", 1)
            name, _, value = flag.partition("=")
            self.flags[name] = value
        text, _, given = text.partition(" <<< ")
        self.words = shlex.split(text)
        self.stdin = ast.literal_eval("b" + given) if given else None

    def runs_on(self, version):
        return not {"3.4", "3.5"} & set(self.flags) or version in self.flags


def read_lines():
    with open(os.path.join(HERE, "etcdctl.lines"), encoding="utf-8") as file:
        return [Line(i, text.strip()) for i, text in enumerate(file, 1)
                if text.strip() and not text.startswith("#")]


class Program:
    """One of the two, and the etcd that only it writes to."""

    def __init__(self, binary, cluster):
        self.binary, self.cluster = binary, cluster
        self.endpoint = cluster.members[0].endpoint
        self.env = dict(clean_environment(), ETCDCTL_API="3", ETCDCTL_ENDPOINTS=self.endpoint)
        self.names, self.leases = [], []
        status = cluster.etcdctl("endpoint", "status", "-w", "fields")
        self.id_width = len("%x" % int(re.search(r'"MemberID" : (\d+)', status).group(1)))
        for name in ("ClusterID", "MemberID"):
            self._name(int(re.search(r'"%s" : (\d+)' % name, status).group(1)), name)

    def _name(self, number, name):
        for text in ("%016x" % number, "%x" % number, "%d" % number):
            self.names.append((text.encode(), name.encode()))

    def call(self, words, stdin=None):
        with subprocess.Popen([*procs.DIE_WITH_US, self.binary, *words], env=self.env,
                              stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            timer = threading.Timer(DEADLINE, process.kill)
            timer.start()
            out, err = process.communicate(stdin)
            timer.cancel()
            return process.returncode, out, err

    def linger(self, words, lines, stdin=None):
        """Until it has printed so many lines. It has to hear of the end by then."""
        with subprocess.Popen([*procs.DIE_WITH_US, self.binary, *words], env=self.env,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdin.write(stdin or b"")
            process.stdin.flush()
            timer = threading.Timer(DEADLINE, process.kill)
            timer.start()
            out = b"".join(process.stdout.readline() for _ in range(lines))
            process.send_signal(signal.SIGTERM)
            out += process.stdout.read()
            process.stdin.close()
            err = process.stderr.read()
            process.wait()
            timer.cancel()
            return process.returncode, out, err

    def run(self, line):
        words = [word.format(**{"L%d" % (i + 1): "%016x" % lease
                                for i, lease in enumerate(self.leases)}) if "{L" in word else word
                 for word in line.words]
        words = [word.replace("{ep}", self.endpoint) for word in words]
        if "wait" in line.flags:
            code, out, err = self.linger(words, int(line.flags["wait"]), line.stdin)
        else:
            code, out, err = self.call(words, line.stdin)
        if "grant" in line.flags:
            self.leases.append(self._lease(out))
            self._name(self.leases[-1], "LEASE%d" % len(self.leases))
        return code, self.plain(out), self.plain(self.without_log(err))

    @staticmethod
    def _lease(out):
        found = re.search(rb"[0-9a-f]{16}\b", out) if b"lease" in out else None
        return int(found.group(0), 16) if found else int(re.search(rb'"ID"\s?: ?(\d+)', out).group(1))

    @staticmethod
    def without_log(err):
        return b"".join(line for line in err.splitlines(True) if not line.startswith(b'{"level"'))

    @staticmethod
    def lock_key(match):
        key = base64.b64decode(match.group(1))
        return b'"key":"%s"' % key if re.search(rb"/[0-9a-f]{14,16}$", key) else match.group(0)

    def plain(self, text):
        text = text.decode("utf-8", "surrogateescape").translate(BOXES).encode(
            "utf-8", "surrogateescape")
        for found, name in self.names:
            text = text.replace(found, name)
        text = text.replace(self.endpoint.encode(), b"127.0.0.1:ENDP")
        text = text.replace(self.cluster.members[0].peer_url.encode(), b"http://127.0.0.1:PEER")
        text = re.sub(rb'"key":"([^"]+)"', self.lock_key, text)
        text = re.sub(rb"([^\s/]*/)[0-9a-f]{14,16}\b", rb"\1LEASE", text)
        text = re.sub(rb'("lease":|"Lease" : )\d{15,}', rb"\1LEASE", text)
        text = text.replace(b"\xc2\xb5s", b"ms")
        for pattern in (rb'"raft_?[tT]erm": ?\d+', rb'"RaftTerm" : \d+', rb'"raft\w*[iI]ndex":\d+',
                        rb'"Raft\w*Index" : \d+', rb'"dbSize\w*":\d+', rb'"DBSize" : \d+',
                        rb'"?[tT]ook"? ?[:=] ?"?[0-9.]+[a-z\xc2\xb5]+"?', rb"remaining\(\d+s\)", rb'"ttl":\d+',
                        rb'"TTL" : \d+', rb"\d+ kB", rb", \d+, \d+, \d+, \n"):
            text = re.sub(pattern, lambda m: re.sub(rb"[0-9.]+", b"N", m.group(0)), text)
        return text


def play(program, lines, version, results):
    for line in lines:
        if line.runs_on(version):
            try:
                results[line.number] = program.run(line)
            except Exception as problem:  # told beside the line, in the test's thread
                results[line.number] = (repr(problem), b"", b"")


def without_width(text):
    return re.sub(rb"-+|  +", b" ", text)


def compare(line, theirs, ours, same_width):
    """What is different, or None. An id of 15 digits makes a table narrower."""
    if "table" in line.words and not same_width:
        theirs, ours = [(r[0], without_width(r[1]), r[2]) for r in (theirs, ours)]
    names = ("exit code", "standard output", "standard error")
    for i, name in enumerate(names):
        if i > 0 and "codes" in line.flags or i == 2 and "noerr" in line.flags:
            continue
        if theirs[i] != ours[i]:
            return "line %d: %s\n  %s\n  etcdctl: %r\n  oncectl: %r" % (
                line.number, line.text, name, theirs[i], ours[i])
    return None


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_lines(version, versions, tmp_path, oncectl):
    lines, results = read_lines(), ({}, {})
    bindir = versions.bindir(version)
    binaries = (os.path.join(bindir or "/usr/bin", "etcdctl"), oncectl)
    clusters = [Cluster(tmp_path / str(i), 1, False, bindir) for i in range(2)]
    try:
        programs = [Program(binary, cluster.start()) for binary, cluster in zip(binaries, clusters)]
        threads = [threading.Thread(target=play, daemon=True, args=(program, lines, version, result))
                   for program, result in zip(programs, results)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for cluster in clusters:
            cluster.close()
    same_width = programs[0].id_width == programs[1].id_width
    wrong = [compare(line, results[0][line.number], results[1][line.number], same_width)
             for line in lines if line.runs_on(version)]
    wrong = [text for text in wrong if text]
    assert not wrong, "%d of %d lines differ\n%s" % (len(wrong), len(results[0]), "\n".join(wrong[:40]))
