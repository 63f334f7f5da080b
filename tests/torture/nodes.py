"""A node of the torture: its files, its job, which is another one at every start, the reader of its log;
and a peer's node in its place."""
import collections
import os
import shlex
import shutil
import struct
import subprocess
import threading

import procs
from cluster import clean_environment
from node import Node

KEY = "/leader"
PASSWORD = "torture"
# How the job behaves. "loose": it works in a descendant that left its session and its parent. "storm": it
# forks without end, so that no list of its processes is ever true.
ISOLATE = {"Isolate": "yes"}
JOBS = [("plain", [], {}), ("stubborn", ["--ignore-term"], {}),
        ("isolated", ["--ignore-term", "--daemonise"], ISOLATE),
        ("loose", ["--ignore-term", "--daemonise"], {}),
        ("storm", ["--ignore-term", "--storm"], {}),
        ("isolated storm", ["--ignore-term", "--storm"], ISOLATE)]
# The jobs with a schedule: one is never tried again and keeps all its records, the other is tried again
# when it was cut off, and keeps few.
Scheduled = collections.namedtuple("Scheduled", "name every_s seconds again history")
SCHEDULED = [Scheduled("tick", 2, 0.4, False, 10000), Scheduled("again", 3, 0.8, True, 20)]
TICK = ('echo "begin $ONCED_RUN $ONCED_ATTEMPT $ONCED_TOKEN $ONCED_NODE" >>"%s"; sleep %g; '
        'echo "end $ONCED_RUN $ONCED_ATTEMPT $ONCED_TOKEN $ONCED_NODE" >>"%s"')


class LogPipe:
    """A daemon's log through a pipe, so that its reader can be made to stop."""

    def __init__(self, path):
        self.reader, self.writer = os.pipe()
        self._go = threading.Event()
        self._go.set()
        threading.Thread(target=self._work, args=(path,), daemon=True).start()

    def _work(self, path):
        with open(path, "ab", buffering=0) as log:
            while True:
                self._go.wait()
                data = os.read(self.reader, 4096)
                if not data:
                    return
                log.write(data)

    def block(self):
        """Stop reading and fill what room is left."""
        self._go.clear()
        fd = os.open("/proc/self/fd/%d" % self.writer, os.O_WRONLY | os.O_NONBLOCK)
        try:
            for _ in range(1 << 16):
                os.write(fd, b"#\n" * 16)
        except BlockingIOError:
            pass
        finally:
            os.close(fd)

    def unblock(self):
        self._go.set()


class TortureNode(Node):
    """A node whose log goes through a pipe and whose job is drawn anew at every start."""

    def __init__(self, world, name, endpoints, prefix):
        super().__init__(name, world.directory, world.onced, [], [], prefix)
        self.conf = os.path.join(self.directory, "conf-" + name, "onced.conf")
        self.world, self.endpoints = world, endpoints
        self.pipe = LogPipe(self.log)
        self.clock = os.path.join(self.directory, "clock-" + name)
        self.step_clock(0)
        self.kind, self.due, self.held = "plain", None, False
        self.allocator = None

    def _password_file(self):
        path = os.path.join(self.directory, "password")
        if not os.path.exists(path):
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
                out.write(PASSWORD + "\n")
        return path

    def agent(self, seconds=3):
        """Looked up each time: a storm uses up the numbers of processes, and the last one may be another's."""
        self._agent = None
        return super().agent(seconds)

    def kinds(self):
        return [kind for kind in JOBS if kind[0] not in self.world.without_jobs]

    def _credentials(self, ca, cert, key):
        tls = self.world.cluster.tls
        return [ca, tls.ca, cert, tls.client, key, tls.client_key] if tls else []

    def step_clock(self, seconds):
        """Its time of day is off by so much from now on; see clockstep.c."""
        fd = os.open(self.clock, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(fd, struct.pack("=q", int(seconds * 1e9)), 0)
        finally:
            os.close(fd)

    def environment(self):
        env = clean_environment()
        if "clock" not in self.world.lacks:
            env.update(LD_PRELOAD=self.world.clockstep, CLOCKSTEP=self.clock)
        return env

    def beside(self):
        """What runs in the job beside it: the one who keeps the ledger."""
        return ["--beside", *self.scribe(self.name)]

    def _asking(self, program, file, name, *options):
        """A program of libonce that writes down what it was told."""
        tls = self.world.cluster.tls
        return [program, file, name, *options,
                *(["--user", "onced", "--password", PASSWORD] if self.world.cluster.auth else []),
                *(["--tls", tls.ca, tls.client, tls.client_key] if tls else []),
                *self.endpoints.split(",")]

    def scribe(self, name, *options):
        return self._asking(self.world.scribe, self.world.runs, name, *options)

    def start_allocator(self):
        """It is no part of the daemon; it is only as far from etcd."""
        self.allocator = procs.spawn(
            self._asking(self.world.allocator, self.world.given, self.name, "--max",
                         str(self.world.chance.randint(5, 40))), self.prefix, stderr=subprocess.DEVNULL)

    def command(self):
        return [self.onced, "-c", self.conf]

    def _write(self, name, section, **keys):
        path = os.path.join(os.path.dirname(self.conf), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a", encoding="ascii") as file:
            file.write("[%s]\n" % section + "".join(
                "%s=%s\n" % item for item in keys.items() if item[1] is not None))

    def configure(self, job, keys):
        """Its files, written anew: the life as a service, and the jobs with a schedule."""
        world, tls, auth = self.world, self.world.cluster.tls, self.world.cluster.auth
        shutil.rmtree(os.path.dirname(self.conf), ignore_errors=True)
        self._write("onced.conf", "Etcd", Endpoints=self.endpoints, AllowPlaintext="yes",
                    CACert=tls and tls.ca, Cert=tls and tls.client, Key=tls and tls.client_key,
                    User="onced" if auth else None,
                    PasswordFile=self._password_file() if auth else None)
        self._write("onced.conf", "Node", Name=self.name)
        self._write("onced.conf", "Election", Key=KEY, Profile="fast")
        self._write("onced.conf", "Daemon", RuntimeDirectory=self.runtime)
        self._write("jobs.d/life.job", "Job", Exec=shlex.join(job), RestartDelay="200ms",
                    Environment="LD_PRELOAD CLOCKSTEP", **keys)
        for each in SCHEDULED:
            self._write("jobs.d/%s.job" % each.name, "Job", Type="cron",
                        Schedule="@every %ds" % each.every_s, Shell="yes",
                        Exec=TICK % (world.ticks, each.seconds, world.ticks),
                        OnInterrupt="rerun" if each.again else "skip", Timeout="5s",
                        HistoryOk=each.history, HistoryFailed=each.history)

    def start(self):
        world = self.world
        self.kind, job, keys = world.chance.choice(self.kinds())
        self.job = [world.lifejob, world.history, self.name, "--sink", world.sink,
                    "--max", "7200", *job, *self.beside()]
        self.configure(self.job, keys)
        self.process = procs.spawn(self.command(), self.prefix, stdout=self.pipe.writer,
                                   stderr=self.pipe.writer, env=self.environment())
        self._agent, self.due = None, None
        world.event("start", node=self.name, kind=self.kind)
        return self


class PeerNode(TortureNode):
    """etcdctl lock. Its job is a well-behaved one that at least dies with it, which is more than it does
    by itself."""

    def kinds(self):
        return JOBS[:1]

    def beside(self):
        return []

    def configure(self, job, keys):
        pass

    def start_allocator(self):
        pass

    def command(self):
        program = self.world.cluster.etcdctl_command()[len(self.world.cluster.prefix)]
        auth = ["--user", "root:" + PASSWORD] if self.world.cluster.auth else []
        return [program, "--endpoints", self.endpoints, *auth,
                *self._credentials("--cacert", "--cert", "--key"), "lock", "--ttl", "2", KEY, "--",
                *procs.DIE_WITH_US, *self.job]

    def _find_agent(self):
        return self.guardian

    def jobs(self):
        return procs.descendants(self.guardian)
