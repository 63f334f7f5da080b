"""The document's parts, the plot, and the proxy between members."""
import os
import socket
import sys
import time
import xml.etree.ElementTree as ElementTree

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration")]

import parts  # noqa: E402
import plot  # noqa: E402
import procs  # noqa: E402
import rtt  # noqa: E402


def test_a_part_is_replaced_and_the_others_stay(tmp_path):
    path = str(tmp_path / "doc.md")
    with open(path, "w") as file:
        file.write("# Benchmarks\n\nold form\n")
    parts.replace(path, "rtt", "## RTT\n\none\n")
    parts.replace(path, "writers", "## Writers\n")
    parts.replace(path, "rtt", "## RTT\n\ntwo\n")
    with open(path) as file:
        text = file.read()
    assert list(parts.split(text)) == ["failover", "writers", "rtt"]
    assert "old form" in text and "two" in text and "one" not in text
    assert parts.join(parts.split(text)) == text


def test_numbers():
    assert parts.spread([3.0, 1.0, 2000.0]) == "3 [1-2,000]"
    assert parts.spread([]) == "-"
    assert parts.median([1, 2, 3, 10]) == 2.5


def test_a_plot_is_xml_with_every_line():
    root = ElementTree.fromstring(plot.draw({"a": [(1, 10), (100, 5)], "b": [(1, 1e6), (100, 2e5)]}, "x", "y"))
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    assert {"a", "b", "x", "y", "1M"} <= {each.text for each in root.iter("{http://www.w3.org/2000/svg}text")}


@pytest.fixture
def echo():
    """A connection to somebody who sends everything back, through a delay of 40 ms each way."""
    onced = os.environ.get("ONCED_BIN", os.path.join(HERE, "..", "..", "build", "daemon", "onced"))
    program = os.path.join(os.path.dirname(os.path.dirname(onced)), "tests", "bench", "delayproxy")
    listener = socket.create_server(("127.0.0.1", 0))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    proxy = procs.spawn([program, "40000", "%d=%d" % (port, listener.getsockname()[1])])
    listener.settimeout(10)
    for _ in range(500):
        try:
            near = socket.create_connection(("127.0.0.1", port))
            break
        except OSError:
            time.sleep(0.02)
    far = listener.accept()[0]
    for each in (near, far):
        each.settimeout(10)
    yield near, far
    for each in (near, far, listener):
        each.close()
    procs.end(proxy)


def receive(sock, size):
    text = b""
    while len(text) < size:
        piece = sock.recv(1 << 16)
        assert piece
        text += piece
    return text


def test_every_byte_is_late_and_none_is_lost(echo):
    near, far = echo
    start = time.monotonic()
    near.sendall(b"x")
    assert receive(far, 1) == b"x"
    far.sendall(b"y")
    assert receive(near, 1) == b"y"
    assert time.monotonic() - start >= 0.08
    data = os.urandom(3 << 20)
    near.setblocking(False)
    sent, got = 0, b""
    while len(got) < len(data):
        try:
            sent += near.send(data[sent:sent + 65536]) if sent < len(data) else 0
        except BlockingIOError:
            pass
        far.settimeout(0.01)
        try:
            got += far.recv(1 << 16)
        except TimeoutError:
            pass
    assert got == data
    near.setblocking(True)
    near.close()
    far.settimeout(10)
    assert far.recv(1) == b""


def test_one_round_trip_has_one_limit():
    assert rtt.limit(30) == 1000 / 30 and rtt.limit(0) is None
