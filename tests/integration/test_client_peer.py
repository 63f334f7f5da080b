"""The client against peers that are not etcd: what libcurl makes of them, seen from the other end.

No etcd is needed. The peer is a thread with a socket that does one bad thing at a time."""
import base64
import json
import re
import socket
import ssl
import threading
import time

import pytest

import certs
from client_driver import APPLIED, NOT_APPLIED, UNKNOWN, Client

OK = json.dumps({"header": {"cluster_id": "1", "member_id": "2", "revision": "5", "raft_term": "3"}})


def answer(body, status="200 OK", extra=""):
    return "HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), extra, body)


class Peer:
    """Serves every connection by behave(peer, connection) and remembers the bodies it was sent."""

    def __init__(self, behave, tls=None):
        self.behave, self.tls = behave, tls
        self.bodies, self.heads, self.ends = [], [], []
        self.listener = self._listen()
        self.port = self.listener.getsockname()[1]
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.port)
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def _listen():
        for port in range(21100, 21990):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
                sock.listen(64)
                return sock
            except OSError:
                sock.close()
        raise RuntimeError("no free port")

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            self.behave(self, sock)
        except OSError as error:
            self.ends.append(error)
        finally:
            sock.close()

    def read(self, sock):
        """The body of the next request; None at the end."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return None
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        head = head.decode()
        size = int([h for h in head.split("\r\n") if h.lower().startswith("content-length")][0].split()[1])
        while len(body) < size:
            more = sock.recv(65536)
            if not more:
                return None
            body += more
        self.heads.append(head)
        self.bodies.append(body.decode())
        return self.bodies[-1]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.listener.close()


def serve(*answers):
    """A behaviour: these answers on each connection, then its end."""
    def behave(peer, sock):
        for text in answers:
            if peer.read(sock) is None:
                return
            sock.sendall(text.encode())
        time.sleep(0.05)
    return behave


def test_a_post_is_not_replayed_when_a_used_connection_dies():
    def behave(peer, sock):
        peer.read(sock)
        sock.sendall(answer(OK).encode())
        peer.read(sock)  # and goes away without a word
    with Peer(behave) as peer, Client(peer.url) as client:
        client.ok("put", "first", "v")
        lost = client.call("put", "second", "v")
        assert lost["outcome"] == UNKNOWN and lost["error"] == -104, lost
        client.run_for(0.3)
        assert len(peer.bodies) == 2


def test_a_post_is_not_replayed_on_another_connection_that_is_open():
    both, here = threading.Event(), []

    def behave(peer, sock):
        peer.read(sock)
        here.append(sock)
        both.wait(5)
        sock.sendall(answer(OK).encode())
        while (text := peer.read(sock)) and '"%s"' % base64.b64encode(b"last").decode() not in text:
            sock.sendall(answer(OK).encode())
    with Peer(behave) as peer, Client(peer.url) as client:
        numbers = client.send_together(("put", "first", "v"), ("put", "second", "v"))
        deadline = time.monotonic() + 5
        while len(here) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        both.set()
        for number in numbers:
            assert client.wait(number)["error"] == 0
        lost = client.call("put", "last", "v")
        assert lost["outcome"] == UNKNOWN and lost["error"] == -104, lost
        client.run_for(0.3)
        assert len(here) == 2 and len(peer.bodies) == 3


def test_a_connection_that_was_closed_while_idle_does_no_harm():
    with Peer(serve(answer(OK))) as peer, Client(peer.url) as client:
        for _ in range(3):
            client.ok("put", "k", "v")
            client.run_for(0.2)
        assert len(peer.bodies) == 3


@pytest.mark.parametrize("text, error", [
    (answer("not JSON"), -74),
    (answer("{}"), -74),
    (answer(OK, extra="Content-Type: text/html\r\n")[:-3], -104),
    ("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + OK, -104),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"hea", -104),
    ("SSH-2.0-OpenSSH_9.2\r\n", -74),
    (answer("<html>502</html>", "502 Bad Gateway"), -71),
    (answer("", "301 Moved", "Location: http://127.0.0.1:1/\r\n"), -74),
    (answer(OK)[:20], -104),
    ("", -104),
], ids=["text", "empty-object", "short", "cut", "cut-chunk", "not-http", "proxy", "redirect", "cut-head",
        "nothing"])
def test_an_answer_that_is_none_is_unknown(text, error):
    with Peer(serve(text)) as peer, Client(peer.url) as client:
        got = client.call("put", "k", "v")
        assert got["outcome"] == UNKNOWN and got["error"] < 0, got
        assert got["error"] in (error, -74, -71), got
        assert len(peer.bodies) == 1


def test_a_peer_that_hangs_before_reading_is_unknown_or_never_sent():
    with Peer(lambda peer, sock: time.sleep(3)) as peer, Client(peer.url) as client:
        client.send("timeout", 200)
        start = time.monotonic()
        got = client.call("put", "k", "v")
        assert 0.15 < time.monotonic() - start < 2.5
        assert got["outcome"] == UNKNOWN and got["error"] == -110


def test_a_handshake_that_hangs_is_never_sent(tmp_path):
    with Peer(lambda peer, sock: time.sleep(3)) as peer:
        ca, _ = certs.authority(str(tmp_path))
        with Client("--ca", ca, "--connect", "300", peer.url.replace("http:", "https:")) as client:
            start = time.monotonic()
            got = client.call("put", "k", "v")
            assert time.monotonic() - start < 2.5
            assert got["outcome"] == NOT_APPLIED and got["error"] == -113, got


def test_plaintext_on_a_port_that_wants_tls_and_the_other_way_round(tmp_path):
    ca, ca_key = certs.authority(str(tmp_path))
    with Peer(serve(answer(OK))) as peer:
        with Client("--ca", ca, peer.url.replace("http:", "https:")) as client:
            got = client.call("put", "k", "v")
            assert got["outcome"] == NOT_APPLIED and got["error"] in (-129, -113), got


def tls_peer(tmp_path, name, **limits):
    ca, ca_key = certs.authority(str(tmp_path))
    cert, key = certs.issue(str(tmp_path), "s", "/CN=s", ca, ca_key, "serverAuth", [name])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    for key, value in limits.items():
        setattr(context, key, value)
    return ca, context


def test_a_peer_without_http2_is_spoken_to_in_http1(tmp_path):
    ca, context = tls_peer(tmp_path, "127.0.0.1")
    with Peer(serve(answer(OK), answer(OK)), context) as peer, Client("--ca", ca, peer.url) as client:
        client.ok("put", "k", "v")
        assert client.until(lambda: client.notes)[0]["version"] == 11


def test_old_tls_and_other_names_are_refused(tmp_path):
    ca, context = tls_peer(tmp_path, "127.0.0.1", maximum_version=ssl.TLSVersion.TLSv1_1)
    with Peer(serve(answer(OK)), context) as peer, Client("--ca", ca, peer.url) as client:
        got = client.call("put", "k", "v")
        assert got["outcome"] == NOT_APPLIED and got["error"] < 0 and not peer.bodies
    cert, key = certs.issue(str(tmp_path), "n", "/CN=n", ca, str(tmp_path / "ca.key"), "serverAuth")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with Peer(serve(answer(OK)), context) as peer, Client("--ca", ca, peer.url) as client:
        got = client.call("put", "k", "v")
        assert got["outcome"] == NOT_APPLIED and got["error"] == -129 and not peer.bodies, got


def test_the_environment_does_not_choose_a_proxy(monkeypatch):
    with Peer(serve(answer(OK))) as peer, Peer(serve(answer("{}"))) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with Client(peer.url) as client:
            assert client.call("put", "k", "v")["outcome"] == APPLIED
        assert not proxy.bodies


def test_what_was_given_up_is_not_sent_later():
    """A large body is half way out when its deadline passes; the reset takes the rest along."""
    let_go = threading.Event()

    def behave(peer, sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        let_go.wait(10)
        peer.read(sock)
    with Peer(behave) as peer, Client(peer.url) as client:
        client.send("timeout", 300)
        got = client.call("fill", "k", 6000000)
        assert got["outcome"] == UNKNOWN and got["error"] == -110, got
        let_go.set()
        client.run_for(0.3)
        assert not peer.bodies and isinstance(peer.ends[0], ConnectionResetError), peer.ends


def test_requests_look_as_etcd_wants_them():
    with Peer(serve(answer(OK))) as peer, Client(peer.url) as client:
        client.send("timeout", 1000)
        client.ok("put", "k", "v")
        head = peer.heads[0]
        assert head.startswith("POST /v3/kv/put HTTP/1.1\r\n")
        assert re.search("Grpc-Timeout: 9[45][0-9]m\r\n", head)
        assert "Grpc-Metadata-hasleader: true" in head
        assert "Content-Type: application/json" in head and "Expect" not in head
        assert "Transfer-Encoding" not in head
