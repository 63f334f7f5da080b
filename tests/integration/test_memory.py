"""Programs whose n-th allocation is refused, whoever asks for it: they end with a documented exit code and say
why, or do exactly what they do otherwise. Never by a signal, never with half an answer called whole."""
import http.server
import os
import subprocess
import threading

import pytest

import tools
from cluster import clean_environment
from conftest import program

CONF = """[Etcd]
Endpoints=http://127.0.0.1:1
[Node]
Name=n1
[Daemon]
RuntimeDirectory=%s/run
"""
JOBS = {"cron": "Type=cron\nSchedule=*/5 * * * *\nTimeZone=Europe/Berlin\nExec=/bin/echo a b\n",
        "flow": "Type=steps\nStep=one: /bin/true\nUndo=one: /bin/echo \"x y\"\n"}
HEADER = '"header":{"cluster_id":"1","member_id":"2","revision":"9","raft_term":"3"}'
ANSWER = "{%s,\"kvs\":[{\"key\":\"YQ==\",\"value\":\"Yg==\",\"mod_revision\":\"4\"}],\"count\":\"1\"}" % HEADER
EACH, STEP = 50, 151  # the first ones one by one, then one of so many


class Etcd(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER.encode())

    def log_message(self, *unused):
        pass


@pytest.fixture(scope="module")
def url():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Etcd)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield "http://127.0.0.1:%d" % server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def shim():
    build = os.path.dirname(os.path.dirname(program("ONCED_BIN", "build/daemon/onced")))
    path = os.path.join(build, "tests", "integration", "refuse-alloc.so")
    if not os.path.exists(path):
        pytest.skip("no %s: a sanitizer has an allocator of its own" % path)
    return path


def run(command, env=None):
    return subprocess.run(command, env=dict(clean_environment(), **(env or {})), timeout=30, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def judge(n, done, right, lines):
    said = "allocation %d: exit %d\n%s%s" % (n, done.returncode, done.stdout, done.stderr)
    assert done.returncode in (0, 1, 2, 3, 78), said
    if done.returncode == 0:
        assert done.stdout == right.stdout, said
    else:
        assert 1 <= len(done.stderr.splitlines()) <= lines, said
        assert all(c.isprintable() or c == "\n" for c in done.stderr), said


def refuse_each(command, shim, tmp_path, at_least, lines=1):
    right, said, n, refusals = run(command), str(tmp_path / "said"), 0, 0
    assert right.returncode == 0, right.stderr
    while True:
        if os.path.exists(said):
            os.unlink(said)
        done = run(command, {"LD_PRELOAD": shim, "REFUSE_AT": str(n), "REFUSE_SAID": said})
        if not os.path.exists(said):
            break
        judge(n, done, right, lines)
        refusals += done.returncode != 0
        n += 1 if n < EACH else STEP
    assert n >= at_least and refusals > 0


def test_the_configuration_is_checked_or_not(shim, onced, tmp_path):
    os.mkdir(tmp_path / "jobs.d")
    (tmp_path / "onced.conf").write_text(CONF % tmp_path)
    for name, text in JOBS.items():
        (tmp_path / "jobs.d" / (name + ".job")).write_text("[Job]\n" + text)
    # a step that could not be kept has no Undo= either
    refuse_each([onced, "--check", "-c", str(tmp_path / "onced.conf")], shim, tmp_path, 40, lines=2)


@pytest.mark.parametrize("words", [
    ["calendar", "--tz", "Europe/Berlin", "-n", "3", "*/5 * * * *"], ["timing"], ["rbac"], ["rbac", "--json"]],
    ids=" ".join)
def test_what_needs_no_etcd(words, shim, tmp_path):
    refuse_each([tools.path("oncectl"), *words], shim, tmp_path, 5)


def test_what_asks_etcd(shim, url, tmp_path):
    command = [tools.path("oncectl"), "--endpoints", url, "--command-timeout", "2s", "get", "a"]
    refuse_each(command, shim, tmp_path, 100)
