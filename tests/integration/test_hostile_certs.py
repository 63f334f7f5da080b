"""Certificates and keys that are wrong, at the start and under a leader, on both versions of etcd at once.

Each row of the tables is a case: what is spoiled, and what has to be said of it. Cases share servers and waiting:
etcd reads its own certificate at each handshake, so one etcd can show every bad one; nodes have files and keys of
their own, so a dozen can be wrong in a dozen ways beside each other. A fixture lets it all happen, the tests judge."""
import contextlib
import os
import shutil
import ssl
import time

import pytest

import certs
import hostile
import procs
from cluster import Cluster
from hostile import Admin, Moments, Suspect, Wire, calm, ctl, requests, wait_all, wait_proved
from test_client_peer import OK, Peer, answer, serve

SERVER = ["extendedKeyUsage=serverAuth,clientAuth", "subjectAltName=IP:127.0.0.1"]
CLIENT = ["extendedKeyUsage=clientAuth"]
CA = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]
OLD, FUTURE = (-10, -1), (1, 10)
SILENT = "etcd does not serve us"
KEPT = "going on with the old certificates"
VERSIONS = ("3.4", "3.5")


# ---- papers: made once, for both versions

@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    where = str(tmp_path_factory.mktemp("papers"))
    tls = certs.make(os.path.join(where, "tls"), ["127.0.0.1"])
    good = (tls.ca, tls.ca_key)

    def odd(name, extensions, *more):
        return certs.odd(where, name, extensions, *more)

    other = certs.authority(where, "other")
    old_ca = odd("old-ca", CA, None, OLD, "/CN=old")
    middle = odd("middle", CA, good, (-1, 30), "/CN=middle")
    return {
        "where": where, "tls": tls, "other ca": other, "old ca": old_ca,
        "server": {
            "expired": odd("s1", SERVER, good, OLD),
            "not yet valid": odd("s2", SERVER, good, FUTURE),
            "wrong host name": odd("s3", [SERVER[0], "subjectAltName=DNS:elsewhere.example"], good),
            "wrong IP": odd("s4", [SERVER[0], "subjectAltName=IP:192.0.2.1"], good),
            "unknown CA": odd("s5", SERVER, other),
            "self-signed": odd("s6", SERVER),
            "intermediate missing": odd("s7", SERVER, middle),
            "no server": odd("s8", [CLIENT[0], SERVER[1]], good),
            "CA expired": odd("s9", SERVER, old_ca),
        },
        "client": {
            "another CA": odd("c1", CLIENT, other), "expired": odd("c2", CLIENT, good, OLD),
            "not yet valid": odd("c3", CLIENT, good, FUTURE),
            "no clientAuth": odd("c4", ["extendedKeyUsage=serverAuth"], good),
            "renewed": odd("c5", CLIENT, good, (-1, 30), "/O=renewed"),
            "unrelated": odd("c6", CLIENT, good),
        },
        "server renewed": odd("s10", SERVER, good),
    }


class Worlds:
    """One etcd of each version there is, with the same papers, each behind a wire."""

    def __init__(self, directory, papers, versions, onced):
        self.directory, self.papers, self.onced = directory, papers, onced
        self.worlds, self.suspects = {}, {}
        for version in VERSIONS:
            try:
                bindir = versions.bindir(version)
            except pytest.skip.Exception:
                continue
            home = os.path.join(directory, version)
            shutil.copytree(os.path.join(papers["where"], "tls"), os.path.join(home, "tls"))
            cluster = Cluster(home, 1, True, bindir)
            hostile.metrics_flags(cluster)
            self.worlds[version] = (cluster, None)
            cluster.start()
            self.worlds[version] = (cluster, Wire(cluster.members[0]))

    def add(self, name, prepare=None, **more):
        """The same node on each."""
        for version, (cluster, wire) in self.worlds.items():
            node = Suspect(name.replace(" ", "-").lower(), os.path.join(self.directory, "nodes-" + version),
                           self.onced, cluster, wire.url, **more)
            node.before = wire.connections
            if prepare:
                prepare(node)
            self.suspects[version, name] = node.start()

    def of(self, *names):
        return [node for (_, name), node in self.suspects.items() if name in names or not names]

    def show(self, pair):
        """What each server shows from the next handshake on."""
        for cluster, _ in self.worlds.values():
            for source, path in zip(pair, (cluster.tls.server, cluster.tls.server_key)):
                shutil.copy(source, path)

    def server(self, pair):
        """The same, and the next handshake is at once."""
        self.show(pair)
        for _, wire in self.worlds.values():
            wire.cut()

    def cut_and_back(self, nodes):
        """Ends every connection; returns when these nodes have new ones, and have proven themselves over them."""
        before = {node: len(node.said("connected to")) for node in nodes}
        for _, wire in self.worlds.values():
            wire.cut()
        wait_all("connected again", nodes, lambda n: len(n.said("connected to")) > before[n], 20)
        wait_proved([(Admin(cluster), [n for n in nodes if n.cluster is cluster])
                     for cluster, _ in self.worlds.values()])

    def requests(self):
        return [requests(cluster) for cluster, _ in self.worlds.values()]

    def close(self):
        for node in self.suspects.values():
            procs.send(node.process.pid, 15)
        for node in self.suspects.values():
            node.stop()
        for cluster, wire in self.worlds.values():
            if wire:
                wire.close()
            cluster.close()
        left = procs.end_orphans()
        assert not left, left


@pytest.fixture(scope="module")
def make_worlds(tmp_path_factory, papers, versions, onced):
    made = []

    def make(name):
        made.append(Worlds(str(tmp_path_factory.mktemp(name)), papers, versions, onced))
        return made[-1]

    yield make
    for worlds in made:
        worlds.close()


def seen(worlds, version, name):
    if version not in worlds.worlds:
        pytest.skip("no etcd %s here" % version)
    return worlds.suspects[version, name]


# ---- at the start: files that nothing should be started with

def flaw(mode=None, data=None, path=None):
    def spoil(node):
        target = path(node)
        if data is not None:
            node.put(target, data, 0o600)
        if mode is not None:
            os.chmod(target, mode)
    return spoil


def instead(path, make):
    def spoil(node):
        os.unlink(path(node))
        make(path(node))
    return spoil


def ca(node):
    return node.ca


def cert(node):
    return node.cert


def key(node):
    return node.key


def password(node):
    """A user and a password file."""
    node.put(node.password, b"secret\n")
    if "User=" not in open(node.conf, encoding="ascii").read():
        node.rewrite((r"\[Node\]", "User=it\nPasswordFile=%s\n[Node]" % node.password))
    return node.password


GARBAGE = b"-----BEGIN CERTIFICATE-----\nno base64 at all\n-----END CERTIFICATE-----\n"
FILES = {
    "CA file missing": (instead(ca, lambda p: None), ca, "No such file"),
    "CA file garbage": (flaw(data=GARBAGE, path=ca), ca, "no PEM certificate"),
    "CA file empty": (flaw(data=b"", path=ca), ca, "no PEM certificate"),
    "certificate garbage": (flaw(data=GARBAGE, path=cert), cert, "no PEM certificate"),
    "key missing": (instead(key, lambda p: None), key, "No such file"),
    "key unreadable": (instead(key, os.mkdir), key, "not a regular file"),
    "key of somebody else": (lambda n: os.chown(n.key, 65534, 65534), key, "expected root or user"),
    "key world-readable": (flaw(mode=0o644, path=key), key, "expected 0600 or 0400"),
    "key behind a link": (instead(key, lambda p: os.symlink("/dev/null", p)), key, "expected the file itself"),
    "key mismatch": (None, key, "is not the key of"),
    "password file empty": (flaw(data=b"", path=password), lambda n: n.password, "expected one line"),
    "password file only a newline": (flaw(data=b"\n", path=password), lambda n: n.password, "expected one line"),
    "password file of two lines": (flaw(data=b"a\nb\n", path=password), lambda n: n.password, "more than one line"),
    "password file binary": (flaw(data=b"a\0b\n", path=password), lambda n: n.password, "expected the password alone"),
    "password file not UTF-8": (flaw(data=b"w\xff\xfe\n", path=password), lambda n: n.password, "expected one line of text"),
    "password file world-readable": (flaw(mode=0o644, path=password), lambda n: n.password, "expected 0600 or 0400"),
    "directory open to others": (lambda n: os.chmod(os.path.dirname(n.key), 0o777), key, "writable by its owner only"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_wrong_is_refused_at_the_start(case, papers, tmp_path, onced):
    spoil, path, expected = FILES[case]
    if case == "key of somebody else" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    with Peer(serve(answer(OK))) as peer:
        cluster = type("Papers", (), {"tls": papers["tls"], "urls": lambda self: peer.url})()
        node = Suspect("a", tmp_path, onced, cluster, peer.url)
        if spoil is None:
            shutil.copy(papers["client"]["unrelated"][1], node.key)
            os.chmod(node.key, 0o600)
        else:
            spoil(node)
        node.start()
        assert node.wait_end(10) == 78
        lines = node.text().splitlines()
        about = [line for line in lines if path(node) in line and expected in line]
        assert len(lines) == 1 and about, node.text()
        assert not peer.bodies and not peer.ends, "it connected"
        node.close()


# ---- handshakes

SERVERS = {
    "expired": "certificate has expired",
    "not yet valid": "certificate is not yet valid",
    "wrong host name": "no alternative certificate subject name matches target host name '127.0.0.1'",
    "wrong IP": "no alternative certificate subject name matches target host name '127.0.0.1'",
    "unknown CA": "unable to get local issuer certificate",
    "self-signed": "self-signed certificate",
    "intermediate missing": "unable to get local issuer certificate",
    "no server": "unsuitable certificate purpose",
    "CA expired": "certificate has expired",
}
CLIENTS = {
    "missing": "we have none, expected Cert= and Key=",
    "another CA": "expected one by an authority that the server trusts",
    "expired": "has expired",
    "not yet valid": "is not valid yet",
    "no clientAuth": "is not for clients",
}


@pytest.fixture(scope="module")
def handshakes(make_worlds, papers, oncectl):
    """Every node that must not get in, for as long as it takes to say so; then all that is wrong is mended."""
    worlds = make_worlds("handshakes")
    worlds.ctl, good = {}, papers["tls"]
    served = worlds.requests()
    for name in CLIENTS:
        pair = papers["client"].get(name)
        worlds.add("client " + name, (lambda n, pair=pair: n.install(pair=pair)) if pair else (
            lambda n: n.rewrite((r"\nCert=.*", ""), (r"\nKey=.*(?=\n\[Node|\n\n\[Node)", ""))))
    clients = worlds.of()
    wait_all("refused", clients, lambda n: [x for x in calm(n.text()) if SILENT in x], 10)
    time.sleep(0.7)
    worlds.texts = {pair: node.text() for pair, node in worlds.suspects.items()}
    for name in SERVERS:
        worlds.server(papers["server"][name])
        worlds.add("server " + name, (lambda n: n.install(ca=papers["old ca"][0]))
                   if name == "CA expired" else None)
        nodes = worlds.of("server " + name)
        for node in nodes:
            worlds.ctl[node] = ctl(oncectl, "-c", node.conf, "status")
        wait_all("refused", nodes, lambda n: [x for x in calm(n.text()) if SILENT in x], 10)
    time.sleep(1)
    worlds.unserved = worlds.requests() == served
    for pair, node in worlds.suspects.items():
        worlds.texts.setdefault(pair, node.text())
    worlds.alive = {pair: node.running() and not node.leads() for pair, node in worlds.suspects.items()}
    # mended: the server's, and each node's own
    worlds.server((good.server, good.server_key))
    for node in worlds.of():
        node.install(good.ca, (good.client, good.client_key))
        if "\nCert=" not in open(node.conf, encoding="ascii").read():
            node.rewrite((r"\[Node\]", "Cert=%s\nKey=%s\n[Node]" % (node.cert, node.key)))
            procs.send(node.guardian, 1)
    return worlds


def judge_lines(text, expected, later=()):
    """Nothing is said but the reason; once, or once more when a handshake under load was too slow at first: then the
    server may have been on to one of its later reasons."""
    lines = calm(text)
    assert 1 <= len(lines) <= 2 and all(SILENT in line for line in lines) and expected in lines[0], text
    assert expected in lines[-1] or any(reason in lines[-1] for reason in later), text


def judge_refusal(worlds, version, name, expected):
    node = seen(worlds, version, name)
    text = worlds.texts[version, name]
    judge_lines(text, expected, SERVERS.values() if name.startswith("server") else ())
    assert worlds.worlds[version][1].url in text
    assert worlds.alive[version, name], "it ended, or leads"
    assert worlds.unserved and not worlds.worlds[version][1].plain
    wait_all("leads when it is mended", [node], Suspect.leads, 10)
    assert node.running() and len(calm(node.text())) < 30, node.text()


@pytest.mark.parametrize("case", SERVERS)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_whose_certificate_is_wrong_gets_no_request(handshakes, version, case):
    node = seen(handshakes, version, "server " + case)
    code, lines = handshakes.ctl[node]
    assert code == 3 and len(lines) == 1 and SERVERS[case] in lines[0] and "expected" in lines[0], lines
    judge_refusal(handshakes, version, "server " + case, SERVERS[case])


@pytest.mark.parametrize("case", CLIENTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_node_whose_certificate_is_refused_says_why(handshakes, version, case):
    judge_refusal(handshakes, version, "client " + case, CLIENTS[case])


@pytest.mark.parametrize("what", ["TLS 1.1", "plaintext", "TLS 1.2"])
def test_a_server_that_speaks_too_old_a_tls_gets_no_request(what, papers, tmp_path, onced):
    context = None
    if what != "plaintext":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(papers["tls"].server, papers["tls"].server_key)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1 if what == "TLS 1.1" else ssl.TLSVersion.TLSv1_2

    def no_tls(peer, sock):
        sock.recv(4096)
        sock.sendall(answer("", "400 Bad Request").encode())
    with Peer(serve(answer(OK)) if context else no_tls, context) as peer:
        url = peer.url.replace("http:", "https:")
        cluster = type("Papers", (), {"tls": papers["tls"], "urls": lambda self: url})()
        node = Suspect("a", tmp_path, onced, cluster, url).start()
        if what == "TLS 1.2":  # the counter-test: this one is spoken to
            wait_all("a request", [node], lambda n: peer.bodies, 10)
        else:
            wait_all("said", [node], lambda n: [x for x in calm(n.text()) if SILENT in x], 10)
            time.sleep(0.7)
            assert not peer.bodies, peer.bodies
            judge_lines(node.text(), "expected TLS 1.2 or newer" if context else "does not speak TLS")
        node.close()
        assert node.process.returncode == 0


# ---- under a leader: files that become wrong, servers that change

def spoil_pair(name):
    return lambda n, papers: n.install(pair=papers["client"][name])


# what happens to the files: (what is done, what the log says of it, whether the node goes on leading when
# every connection ends afterwards)
RUNNING = {
    "certificate garbage": (lambda n, p: n.put(n.cert, GARBAGE), "no PEM certificate", True),
    "certificate gone": (lambda n, p: os.unlink(n.cert), "No such file", True),
    "certificate of another key": (
        lambda n, p: shutil.copy(p["client"]["renewed"][0], n.cert), "is not the key of", True),
    "certificate expired": (spoil_pair("expired"), "has expired", True),
    "certificate not yet valid": (spoil_pair("not yet valid"), "is not valid yet", True),
    "certificate not for clients": (spoil_pair("no clientAuth"), "is not for clients", True),
    "key gone": (lambda n, p: os.unlink(n.key), "No such file", True),
    "key world-readable": (lambda n, p: os.chmod(n.key, 0o644), "expected 0600 or 0400", True),
    "CA file garbage": (lambda n, p: n.put(n.ca, GARBAGE, 0o644), "no PEM certificate", True),
    "renewed": (spoil_pair("renewed"), "using the new ones", True),
    # nobody but the server knows that this one is wrong
    "of another CA": (spoil_pair("another CA"), "using the new ones", False),
}
CONTROL = "nothing"  # is done to its files


@pytest.fixture(scope="module")
def running(make_worlds, papers):
    """All lead; all is spoiled; all is cut; the servers' certificates are renewed, then wrong, then good again."""
    worlds = make_worlds("running")
    for name, case in RUNNING.items():
        worlds.add(name, **{} if case[2] else {"timing": ""})
    worlds.add(CONTROL)
    every, controls = worlds.of(), worlds.of(CONTROL)
    good = worlds.of(CONTROL, *[name for name, case in RUNNING.items() if case[2]])
    worlds.moments = Moments(every, controls)
    wait_all("leads", every, Suspect.leads, 20)
    worlds.moments.note("the start")
    for (_, name), node in worlds.suspects.items():
        if name in RUNNING:
            RUNNING[name][0](node, papers)
    wait_all("seen", [n for n in every if n not in controls],
             lambda n: n.said(KEPT) or n.said("using the new ones"), 15)
    worlds.spoiled = {pair: node.text() for pair, node in worlds.suspects.items()}
    worlds.cut_and_back(good)
    worlds.moments.note("new connections")
    worlds.show(papers["server renewed"])
    worlds.cut_and_back(good)
    worlds.moments.note("another certificate of the server")
    strangers = worlds.of("of another CA")
    wait_all("lost", strangers, lambda n: not n.leads(), 20)
    worlds.refused = [n.said("the server refused our") + n.said("as for a certificate that it refuses")
                      for n in strangers]
    for node in strangers:
        node.install(pair=(papers["tls"].client, papers["tls"].client_key))
    wait_all("leads with the right one again", strangers, Suspect.leads, 20)
    worlds.server(papers["server"]["unknown CA"])
    wait_all("stops", every, lambda n: not n.leads(), 30)
    served = worlds.requests()
    wait_all("says why", every, lambda n: n.said("unable to get local issuer certificate"), 10)
    worlds.unserved = worlds.requests() == served
    worlds.server((papers["tls"].server, papers["tls"].server_key))
    wait_all("leads again", every, Suspect.leads, 40)
    return worlds


@pytest.mark.parametrize("case", RUNNING)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_leader_whose_files_become_wrong_goes_on(running, version, case):
    node, (_, said, keeps) = seen(running, version, case), RUNNING[case]
    text = running.spoiled[version, case]
    lines = [line for line in text.splitlines() if KEPT in line or "using the new ones" in line]
    assert len(lines) == 1 and said in lines[0], text
    if keeps:
        running.moments.judge(node, "the start", "new connections", "another certificate of the server")
    assert node.running() and len(calm(node.text())) < 60, node.text()


@pytest.mark.parametrize("control, excused", [(7, False), (8, True), (None, True)])
def test_only_a_control_that_lost_in_the_same_time_excuses_a_loss(control, excused):
    class Told:
        def __init__(self, name, *pids):
            self.name, self.leads, self.text = name, iter(pids).__next__, lambda: "its log"

    kept, lost, beside = Told("kept", 1, 1, 1), Told("lost", 2, 2, 3), Told("control", 6, 7, control)
    moments = Moments([kept, lost, beside], [beside])
    for name in "abc":
        moments.note(name)
    moments.judge(kept, "a", "b", "c")
    moments.judge(lost, "a", "b")
    with contextlib.nullcontext() if excused else pytest.raises(AssertionError, match="between b and c"):
        moments.judge(lost, "a", "b", "c")
    with pytest.raises(AssertionError):
        moments.judge(beside, "a", "b")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_is_replaced_by_a_stranger_is_left_in_time(running, version):
    node = seen(running, version, "renewed")
    assert running.unserved, "a request was served"
    assert not running.worlds[version][1].plain
    assert len(node.said("unable to get local issuer certificate")) <= 4, node.text()
    assert all(running.refused), "nothing was said of a certificate that the server refused"
