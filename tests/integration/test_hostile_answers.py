"""Answers of every hostile kind over a real connection: each ends, in time and in bounded memory, and none is taken
for a success. No etcd is needed; the peer is a thread that says one bad thing (test_client_peer.py)."""
import gzip
import json
import time

import pytest

from client_driver import APPLIED, UNKNOWN, Client
from test_client_peer import OK, Peer, answer, serve

MEMORY_MAX_KB = 96 * 1024  # an answer may have 4 MiB; the rest is libcurl's and its TLS library's
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CREATED = json.dumps({"result": {"header": json.loads(OK)["header"], "watch_id": "1", "created": True}})


def peak_kb(client):
    with open("/proc/%d/status" % client.process.pid, encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])


def forever(first, more, pause=0.0):
    """A behaviour: this, and then more of that until the other end has enough; a minute at most."""
    def behave(peer, sock):
        if peer.read(sock) is None:
            return
        sock.sendall(first)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            sock.sendall(more)
            time.sleep(pause)
    return behave


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = (HEAD + "Transfer-Encoding: chunked\r\n\r\n").encode()
DEEP = '{"a":' * 100000 + "1" + "}" * 100000
ENDLESS = {
    "body without an end": forever((HEAD + "\r\n").encode() + b'{"header":{', b'"k":"v",' * 8192),
    "chunks without an end": forever(CHUNKED, chunk(b" " * 65536)),
    "a byte now and then": forever((HEAD + "Content-Length: 1000\r\n\r\n").encode(), b" ", 0.05),
    "a header without an end": forever(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65536),
    "headers without an end": forever(b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n" * 4096),
    "100 Continue for ever": forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "103 Early Hints, slowly": forever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", 0.05),
}


@pytest.mark.parametrize("case", ENDLESS)
def test_an_answer_without_an_end_ends(case):
    with Peer(ENDLESS[case]) as peer, Client(peer.url) as client:
        client.send("timeout", 700)
        start = time.monotonic()
        got = client.call("put", "k", "v", seconds=20)
        assert time.monotonic() - start < 10
        assert got["outcome"] == UNKNOWN and got["error"] < 0, got
        assert peak_kb(client) < MEMORY_MAX_KB
        assert len(peer.bodies) == 1, "asked again"


def zipped(text):
    data = gzip.compress(text.encode())
    return ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data)).encode() + data


WHOLE = {
    "HTML with 200": answer("<html><body>welcome</body></html>", extra="Content-Type: text/html\r\n"),
    "good JSON of something else": answer('{"status":"ok","data":[1,2,3]}'),
    "an array": answer("[%s]" % OK), "a string": answer('"%s"' % "x" * 100), "null": answer("null"),
    "nothing with 200": answer(""), "a NUL": answer(OK[:-1] + '\0}'),
    "invalid UTF-8": HEAD.encode() + b'Content-Length: 9\r\n\r\n{"a":"\xff"}',
    "a key twice": answer(OK.replace('"revision"', '"revision": "7", "revision"')),
    "a number of 400 digits": answer(OK.replace('"5"', "1" * 400)),
    "a revision that is none": answer(OK.replace('"5"', '"1e30"')),
    "a revision below zero": answer(OK.replace('"5"', '"-1"')),
    "something behind it": answer(OK + OK),
    "deep": answer(DEEP), "deep arrays": answer("[" * 1000000),
    "zipped though nobody asked": zipped(OK), "a bomb": zipped(" " * 50000000 + OK),
    "moved": answer("", "301 Moved", "Location: %s\r\n"), "moved, as a POST": answer("", "307 Moved", "Location: %s\r\n"),
    "a login page": answer("", "302 Found", "Location: %s/login\r\nSet-Cookie: a=b\r\n"),
    "an upgrade": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "no content": "HTTP/1.1 204 No Content\r\n\r\n",
    "a part": answer(OK, "206 Partial Content"),
    "a status that is none": answer(OK, "999 What"),
    "a length below zero": HEAD + "Content-Length: -1\r\n\r\n" + OK,
    "a size of a chunk that overflows": HEAD + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + OK,
}


@pytest.mark.parametrize("case", WHOLE)
def test_an_answer_that_is_none_of_etcds_is_not_believed(case):
    text = WHOLE[case]

    def behave(peer, sock):
        if peer.read(sock) is not None:
            sock.sendall(text.encode() if isinstance(text, str) else text)
            time.sleep(0.1)
    with Peer(serve(answer(OK))) as elsewhere:
        if isinstance(text, str):
            text = text.replace("%s", elsewhere.url)
        with Peer(behave) as peer, Client(peer.url) as client:
            client.send("timeout", 2000)
            got = client.call("put", "k", "v", seconds=20)
            assert got["outcome"] == UNKNOWN and got["error"] < 0, got
            assert len(peer.bodies) == 1 and not elsewhere.bodies, "asked again, or elsewhere"
            assert peak_kb(client) < MEMORY_MAX_KB
            assert "Accept-Encoding" not in peer.heads[0]


def test_an_answer_cut_at_any_byte_is_unknown():
    whole = answer(OK).encode()

    def behave(peer, sock):
        if peer.read(sock) is not None:
            sock.sendall(whole[:len(peer.bodies) - 1])
    with Peer(behave) as peer, Client(peer.url) as client:
        client.send("timeout", 5000)
        for size in range(len(whole)):
            got = client.call("put", "k", "v")
            assert got["outcome"] == UNKNOWN and got["error"] < 0, (whole[:size], got)
        assert client.call("put", "k", "v")["outcome"] == APPLIED  # the counter-test: nothing is cut
        assert len(peer.bodies) == len(whole) + 1


def event(key, revision):
    kv = {"key": key, "value": "dg==", "mod_revision": str(revision), "create_revision": str(revision), "version": "1"}
    header = dict(json.loads(OK)["header"], revision=str(revision))
    return json.dumps({"result": {"header": header, "watch_id": "1", "events": [{"kv": kv}]}})


STREAMS = {
    "garbage": b"\x00\xff\xfe no JSON\n", "HTML": b"<html>\n", "a line without an end": None,
    "half an object": b'{"result":{"header":\n', "an answer that is none": b'{"ok":true}\n',
    "an event without a revision": event("YQ==", 0).encode() + b"\n",
    "a key that is no base64": event("!!!!", 9).encode() + b"\n",
    "deep": DEEP.encode() + b"\n", "zipped": gzip.compress(CREATED.encode()) + b"\n",
    "an event of another cluster": event("YQ==", 9).replace('"cluster_id": "1"', '"cluster_id": "66"').encode() + b"\n",
}


@pytest.mark.parametrize("case", STREAMS)
def test_garbage_in_a_watch_ends_the_stream_and_not_the_client(case):
    """Behind each: it begins anew, not in a loop, and nothing of it was an event."""
    def behave(peer, sock):
        body = peer.read(sock)
        if body is None:
            return
        if "create_request" not in body:
            sock.sendall(answer(OK).encode())
            return
        sock.sendall(CHUNKED + chunk(CREATED.encode() + b"\n"))
        if len([b for b in peer.bodies if "create_request" in b]) > 1:  # begun anew: this one is good
            sock.sendall(chunk(event("YQ==", 11).encode() + b"\n"))
            time.sleep(5)
        elif STREAMS[case] is None:
            for _ in range(2000):
                sock.sendall(chunk(b"x" * 65536))
        else:
            sock.sendall(chunk(STREAMS[case]))
            time.sleep(5)
    with Peer(behave) as peer, Client(peer.url) as client:
        client.call("put", "k", "v")
        client.send("watch", 0, 0, 0, "-", "a", "b")
        client.wait_note("broken", seconds=20)
        assert client.notes_of("broken")[0]["error"] < 0
        client.wait_events(1, seconds=20)
        assert [e["kv"]["mod"] for e in client.events()] == [11]
        assert len([b for b in peer.bodies if "create_request" in b]) <= 4
        assert peak_kb(client) < MEMORY_MAX_KB
