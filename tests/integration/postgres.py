"""A private PostgreSQL on a unix socket, run as a user without privileges."""
import glob
import os
import pwd
import shutil
import subprocess
import time

import procs
from cluster import clean_environment, wait_for

USER = "postgres"  # made by Debian's package


def bindir():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    return found[-1] if found and os.access(os.path.join(found[-1], "postgres"), os.X_OK) else None


def missing():
    if not bindir() or not shutil.which("psql"):
        return "PostgreSQL is not installed"
    if os.geteuid() != 0:
        return "only root can run PostgreSQL as another user"
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return "there is no user " + USER
    return None


class Postgres:
    def __init__(self, directory):
        self.directory = str(directory)
        self.user = pwd.getpwnam(USER)
        # The path of a socket may have 107 bytes.
        self.base = "/tmp/onced-pg-%d" % os.getpid()
        os.mkdir(self.base, 0o755)
        os.chown(self.base, self.user.pw_uid, self.user.pw_gid)
        self.process = None
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _as_user(self, *command):
        return ["setpriv", "--pdeathsig", "KILL", "--reuid", USER, "--regid", str(self.user.pw_gid), "--init-groups", *command]

    def _start(self):
        data = os.path.join(self.base, "data")
        log = os.path.join(self.directory, "log")
        with open(log, "ab") as out:
            subprocess.run(self._as_user(os.path.join(bindir(), "initdb"), "-D", data, "-A", "trust",
                                         "-N", "-E", "UTF8", "--locale=C"),
                           check=True, stdout=out, stderr=out, cwd="/", timeout=60,
                           env=clean_environment())
            self.process = procs.spawn(
                self._as_user(os.path.join(bindir(), "postgres"), "-D", data, "-k", self.base,
                              "-c", "listen_addresses=", "-c", "fsync=off"),
                stdout=out, stderr=out, cwd="/", env=clean_environment())
        wait_for("PostgreSQL", self._answers, 30)

    def _answers(self):
        try:
            return self.sql("SELECT 1") == "1"
        except subprocess.CalledProcessError:
            return False

    def environment(self):
        return "PGHOST=%s PGUSER=%s PGDATABASE=postgres PATH=/usr/bin:/bin" % (self.base, USER)

    def sql(self, text):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.base,
                               "-U", USER, "-d", "postgres", "-c", text], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30,
                              env=clean_environment())
        return done.stdout.strip()

    def applied(self):
        text = self.sql("SELECT file FROM applied ORDER BY id")
        return [int(line) for line in text.split()]

    def wait_idle(self, seconds):
        """Until no transaction of anybody else is open."""
        wait_for("the end of all transactions", lambda: self.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND pid <> pg_backend_pid() AND xact_start IS NOT NULL") == "0", seconds)

    def close(self):
        if self.process:
            procs.end(self.process, 2, 10)  # SIGINT: fast shutdown
            self.process = None
        for _ in range(20):
            shutil.rmtree(self.base, ignore_errors=True)
            if not os.path.exists(self.base):
                break
            time.sleep(0.1)
