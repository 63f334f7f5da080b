"""A chaosproxy: one per node, with one link per member of etcd."""
import os
import select
import subprocess

import procs
from cluster import ClusterError


class Proxy:
    """links: (listening address, target address), both "IP:PORT"."""

    def __init__(self, program, links, http, seed, prefix=()):
        command = [program, "--seed", str(seed)] + (["--http"] if http else [])
        command += ["%s=%s" % link for link in links]
        self.http, self.links, self._text = http, links, b""
        self.process = procs.spawn(command, prefix, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._answer("start")

    def _answer(self, asked):
        fd = self.process.stdout.fileno()
        while b"\n" not in self._text:
            if not select.select([fd], [], [], 5)[0]:
                raise ClusterError("chaosproxy does not answer: " + asked)
            data = os.read(fd, 4096)
            if not data:
                raise ClusterError("chaosproxy ended: " + asked)
            self._text += data
        line, self._text = self._text.split(b"\n", 1)
        if not line.startswith(b"ok"):
            raise ClusterError("chaosproxy: " + line.decode())
        return line.decode()[3:]

    def tell(self, *words):
        line = " ".join(str(w) for w in words)
        try:
            os.write(self.process.stdin.fileno(), (line + "\n").encode())
        except OSError as error:
            raise ClusterError("chaosproxy: %s" % error) from None
        return self._answer(line)

    def heal(self):
        self.tell("pass", "*")

    def stats(self):
        words = self.tell("stats").split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            pass
        procs.end(self.process)
        self.process.stdout.close()
