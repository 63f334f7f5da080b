"""Each fault of the proxy does what it says, on a server that counts what reaches it."""
import contextlib
import os
import socket
import struct
import threading
import time

import pytest

import support
from proxy import Proxy

PROGRAM = os.environ.get("CHAOSPROXY_BIN") or os.path.join(support.TOP, "build", "tests", "torture",
                                                           "chaosproxy")
BODY = b'{"answer": "%s"}' % (b"x" * 80)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


class Server:
    """Echoes, or answers HTTP requests that have a Content-Length; keeps what it was sent."""

    def __init__(self, http):
        self.http, self.requests, self.data, self.open = http, [], b"", 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        text = b""
        self.open += 1
        with peer, contextlib.suppress(OSError):
            while True:
                data = peer.recv(65536)
                if not data:
                    break
                self.data += data
                if not self.http:
                    peer.sendall(data)
                    continue
                text += data
                while b"\r\n\r\n" in text:
                    head, rest = text.split(b"\r\n\r\n", 1)
                    size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                    if len(rest) < size:
                        break
                    self.requests.append(rest[:size])
                    text = rest[size:]
                    peer.sendall(ANSWER)
        self.open -= 1

    def wait(self, count, seconds=3):
        end = time.monotonic() + seconds
        while len(self.requests) < count and time.monotonic() < end:
            time.sleep(0.01)
        return len(self.requests)


class Rig:
    def __init__(self, http):
        assert os.access(PROGRAM, os.X_OK), "no %s: run make first, or set CHAOSPROXY_BIN" % PROGRAM
        self.server, self.sockets = Server(http), []
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.address = ("127.0.0.1", port)
        self.proxy = Proxy(PROGRAM, [("127.0.0.1:%d" % port, "127.0.0.1:%d" % self.server.port)],
                           http, 7)

    def connect(self):
        self.sockets.append(socket.create_connection(self.address, 3))
        return self.sockets[-1]

    def post(self, peer, body=b"{}", verb=b"POST", path=b"/v3/kv/txn"):
        peer.sendall(b"%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (verb, path, len(body))
                     + body)

    def close(self):
        self.proxy.close()
        for peer in self.sockets:
            peer.close()
        self.server.socket.close()


def received(peer, size, seconds=1.0):
    """So many bytes, or what came until then; None when the connection was reset."""
    data, end = b"", time.monotonic() + seconds
    while len(data) < size and time.monotonic() < end:
        peer.settimeout(max(0.01, end - time.monotonic()))
        try:
            more = peer.recv(65536)
        except socket.timeout:
            break
        except ConnectionResetError:
            return None
        if not more:
            break
        data += more
    return data


@pytest.fixture
def raw():
    rig = Rig(False)
    yield rig
    rig.close()


@pytest.fixture
def http():
    rig = Rig(True)
    yield rig
    rig.close()


def test_passes_everything_in_both_directions(raw):
    peer, text = raw.connect(), os.urandom(3 << 20)
    threading.Thread(target=peer.sendall, args=(text,), daemon=True).start()
    assert received(peer, len(text), 10) == text
    peer.shutdown(socket.SHUT_WR)
    assert received(peer, 1) == b"", "the end of the stream is passed on"


def test_several_requests_on_one_connection(http):
    peer = http.connect()
    for count in range(1, 4):
        http.post(peer)
        assert received(peer, len(ANSWER)) == ANSWER
        assert http.server.wait(count) == count


def test_delay_keeps_the_order(raw):
    raw.proxy.tell("delay", 0, 100, 300)
    peer, start = raw.connect(), time.monotonic()
    for i in range(5):
        peer.sendall(b"%d" % i)
        time.sleep(0.01)
    assert received(peer, 5, 3) == b"01234"
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize("direction,reaches", [("up", False), ("down", True)])
def test_dropped_direction_is_reset_by_the_heal(raw, direction, reaches):
    peer = raw.connect()
    peer.sendall(b"a")
    assert received(peer, 1) == b"a"
    raw.proxy.tell("drop", 0, direction)
    peer.sendall(b"b")
    assert received(peer, 1, 0.2) == b""
    assert (raw.server.data == b"ab") == reaches
    raw.proxy.heal()
    assert received(peer, 1) is None, "a stream with a hole must not go on"


def test_blackhole_delivers_late_even_what_was_given_up(http):
    peer = http.connect()
    http.post(peer)
    assert received(peer, len(ANSWER)) == ANSWER
    http.proxy.tell("blackhole", 0)
    http.post(peer, b"late")
    assert received(peer, 1, 0.2) == b""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    assert http.server.wait(2, 0.2) == 1
    http.proxy.heal()
    assert http.server.wait(2) == 2 and http.server.requests[1] == b"late"


def test_one_directed_blackhole(http):
    http.proxy.tell("blackhole", "*", "down")
    peer = http.connect()
    http.post(peer)
    assert http.server.wait(1) == 1
    assert received(peer, 1, 0.2) == b""
    http.proxy.heal()
    assert received(peer, len(ANSWER)) == ANSWER


def test_drip(raw):
    raw.proxy.tell("drip", 0, 10, 20)
    peer, start = raw.connect(), time.monotonic()
    peer.sendall(b"x" * 100)
    assert received(peer, 100, 3) == b"x" * 100
    assert time.monotonic() - start >= 0.15


def test_half_open(raw):
    old = raw.connect()
    old.sendall(b"a")
    assert received(old, 1) == b"a"
    raw.proxy.tell("halfopen", 0)
    new = raw.connect()
    new.sendall(b"b")
    old.sendall(b"c")
    assert received(old, 1) == b"c"
    assert received(new, 1, 0.2) == b""
    raw.proxy.heal()
    assert received(new, 1) is None


def test_refuse_and_close(raw):
    peer = raw.connect()
    peer.sendall(b"a")
    assert received(peer, 1) == b"a"
    raw.proxy.tell("close", 0)
    assert received(peer, 1) is None
    raw.proxy.tell("refuse", 0)
    try:
        assert not received(raw.connect(), 1)
    except ConnectionResetError:
        pass
    raw.proxy.heal()
    peer = raw.connect()
    peer.sendall(b"b")
    assert received(peer, 1) == b"b"


def test_cut_in_the_middle_of_a_body(http):
    http.proxy.tell("cut", 0, 1, 10)
    peer = http.connect()
    http.post(peer)
    assert received(peer, 1000) == ANSWER[:len(ANSWER) - len(BODY) + 10]
    peer = http.connect()
    http.post(peer)
    assert received(peer, len(ANSWER)) == ANSWER, "once means once"
    assert http.proxy.stats()["cut"] == 1


def test_reply_dropped_after_the_request_was_delivered(http):
    http.proxy.tell("noreply", 0, 1)
    peer = http.connect()
    http.post(peer, b"applied")
    assert received(peer, 1) is None
    assert http.server.requests == [b"applied"]
    assert http.proxy.stats()["swallowed"] == 1


def test_reply_dropped_by_count_of_bytes(raw):
    raw.proxy.tell("noreply", 0, 1, 100)
    peer = raw.connect()
    peer.sendall(b"x" * 50)
    assert received(peer, 50) == b"x" * 50, "as a handshake would, it passes"
    peer.sendall(b"y" * 60)
    assert received(peer, 1) is None
    assert raw.server.data == b"x" * 50 + b"y" * 60


def test_replay_of_a_post_alone(http):
    http.proxy.tell("replay", 0, 2, 50)
    peer = http.connect()
    for verb, path in ((b"PUT", b"/v3/kv/txn"), (b"POST", b"/v3/watch"), (b"POST", b"/v3/kv/txn")):
        http.post(peer, verb + path, verb, path)
        assert received(peer, len(ANSWER)) == ANSWER
    assert http.server.wait(4) == 4
    assert sorted(http.server.requests).count(b"POST/v3/kv/txn") == 2
    assert received(peer, 1, 0.1) == b"", "its answer is nobody's"


def test_garble(raw):
    raw.proxy.tell("garble", 0, 1)
    peer = raw.connect()
    peer.sendall(b"\0" * 1000)
    spoiled = received(peer, 1000)
    assert len(spoiled) == 1000 and spoiled != b"\0" * 1000
    peer.sendall(b"\0" * 10)
    assert received(peer, 10) == b"\0" * 10


@pytest.mark.parametrize("line", ["", "pass", "explode 0", "drop 0 sideways", "drop 0", "pass 9",
                                  "drip 0 0 0", "replay 0 1 1"])
def test_wrong_commands_are_refused(raw, line):
    with pytest.raises(support.ClusterError):
        raw.proxy.tell(line)
    raw.proxy.tell("pass", 0)
