"""Drives tests/integration/etcd-client-test.c: one object is one client in a process of its own."""
import json
import os
import queue
import subprocess
import threading
import time

import procs

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

APPLIED, NOT_APPLIED, UNKNOWN = 0, 1, 2


def program():
    path = os.environ.get("ETCD_CLIENT_TEST_BIN")
    onced = os.environ.get("ONCED_BIN")
    if not path and onced:
        path = os.path.join(os.path.dirname(onced), "..", "tests", "integration", "etcd-client-test")
    return os.path.abspath(path or os.path.join(TOP, "build/tests/integration/etcd-client-test"))


class Timeout(Exception):
    pass


class Client:
    def __init__(self, *args):
        self.process = procs.spawn([program(), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=None, text=True, bufsize=1)
        self.n = 0
        self.answers, self.notes, self.watch, self.broken = {}, [], [], None
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    def on(cls, cluster, *args, members=None):
        flags = []
        if cluster.tls:
            flags = ["--tls", cluster.tls.ca, cluster.tls.client, cluster.tls.client_key]
        urls = [m.url for m in (members or cluster.members)]
        return cls(*flags, *args, *urls)

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        if self.process.poll() is None and kind is None:
            self.quit()
        if self.process.poll() is None:
            os.kill(self.process.pid, 9)
            self.process.wait(10)

    def _take(self, seconds):
        try:
            line = self._lines.get(timeout=max(0.0, seconds))
        except queue.Empty:
            raise Timeout() from None
        if line is None:
            raise EOFError("the client ended with %s" % self.process.wait(10))
        head, rest = line.split(" ", 1)
        value = json.loads(rest)
        if head == "*":
            self.notes.append(value)
        elif head == "~":
            self.watch.append(value)
        elif head == "!":
            self.broken = value
        else:
            assert int(head) not in self.answers, "called back twice: " + line
            self.answers[int(head)] = value

    def until(self, predicate, seconds=10):
        end = time.monotonic() + seconds
        while True:
            value = predicate()
            if value:
                return value
            try:
                self._take(end - time.monotonic())
            except Timeout:
                raise AssertionError("did not come within %.1f s; watch %s, notes %s" % (
                    seconds, self.watch[-5:], self.notes[-5:])) from None

    def run_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self._take(end - time.monotonic())
            except Timeout:
                return

    def send(self, *words):
        """The number of the command, to be given to wait()."""
        return self.send_together(words)[0]

    def send_together(self, *commands):
        """As send(), each read before anything is answered: they arrive in one piece."""
        text = "".join(" ".join(str(w) for w in words) + "\n" for words in commands)
        self.process.stdin.write(text)
        self.process.stdin.flush()
        self.n += len(commands)
        return range(self.n - len(commands) + 1, self.n + 1)

    def wait(self, n, seconds=10):
        return self.until(lambda: self.answers.get(n), seconds)

    def call(self, *words, seconds=10):
        return self.wait(self.send(*words), seconds)

    def ok(self, *words):
        answer = self.call(*words)
        assert answer.get("error") == 0 and answer["outcome"] == APPLIED, answer
        return answer

    def notes_of(self, what):
        return [w for w in self.watch if w["note"] == what]

    def events(self):
        return [e for w in self.watch for e in w["events"]]

    def wait_note(self, what, count=1, seconds=10):
        return self.until(lambda: len(self.notes_of(what)) >= count and self.notes_of(what), seconds)

    def wait_events(self, count, seconds=10):
        return self.until(lambda: len(self.events()) >= count and self.events(), seconds)

    def quit(self):
        self.send("quit")
        try:
            self.run_for(10)
        except EOFError:
            pass
        assert self.process.wait(10) == 0
