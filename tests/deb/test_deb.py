"""The Debian packages: what lintian says, the same bytes each time, and their life on a clean machine.

    ONCED_DEBS   where `make deb` has put them (default build/deb)
"""
import glob
import hashlib
import os
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, "tests", "systemd"), os.path.join(TOP, "tests", "integration")]
import box as boxes  # noqa: E402
import pages  # noqa: E402
import procs  # noqa: E402
from cluster import wait_for  # noqa: E402

procs.adopt()
DEBS = os.path.abspath(os.environ.get("ONCED_DEBS") or os.path.join(TOP, "build", "deb"))
PACKAGES = {"onced", "libonce1", "libonce-dev", "etcd-tools"}


def debs(directory=DEBS):
    """{package: file}, the debugging symbols left out."""
    found = {os.path.basename(path).split("_")[0]: path for path in glob.glob(directory + "/*.deb")}
    found = {name: path for name, path in found.items() if not name.endswith("-dbgsym")}
    assert set(found) == PACKAGES, "in %s: %s; run make deb" % (directory, sorted(found))
    return found


def contents(path):
    lines = subprocess.run(["dpkg-deb", "--contents", path], check=True, text=True, timeout=60,
                           stdout=subprocess.PIPE).stdout.splitlines()
    return {line.split()[5].lstrip(".") for line in lines if not line.split()[5].endswith("/")}


def test_lintian():
    changes, = glob.glob(DEBS + "/*.changes")
    done = subprocess.run(["lintian", "--fail-on", "error", "--allow-root", changes], text=True, timeout=600,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    print(done.stdout)


def test_contents():
    files = {name: contents(path) for name, path in debs().items()}
    for package, path in (("onced", "/usr/bin/onced"), ("onced", "/usr/bin/oncectl"),
                          ("onced", "/lib/systemd/system/onced.service"),
                          ("onced", "/lib/systemd/system/onced@.service"),
                          ("onced", "/usr/lib/sysusers.d/onced.conf"),
                          ("onced", "/usr/lib/tmpfiles.d/onced.conf"),
                          ("onced", "/usr/share/onced/strict.conf"), ("onced", "/etc/onced/onced.conf"),
                          ("onced", "/usr/share/man/man8/onced.8.gz"),
                          ("libonce-dev", "/usr/include/once/elect.h"),
                          ("libonce-dev", "/usr/share/man/man3/libonce.3.gz"),
                          ("etcd-tools", "/usr/bin/etcd-faker"), ("etcd-tools", "/usr/bin/etcd-reporter")):
        assert path in files[package], (package, path, sorted(files[package]))
    assert [f for f in files["libonce1"] if f.endswith("/libonce.so.1")]
    assert [f for f in files["libonce-dev"] if f.endswith("/pkgconfig/once.pc")]
    every = [path for found in files.values() for path in found]
    assert len(every) == len(set(every)), "a file in two packages"


def test_reproducible(tmp_path):
    """Built again, elsewhere, by another clock, locale and umask."""
    env = dict(os.environ, TZ="Pacific/Kiritimati", LC_ALL="C", LANG="C", TMPDIR=str(tmp_path))
    os.umask(0o027)
    try:
        subprocess.run([os.path.join(TOP, "tools", "deb.sh"), str(tmp_path / "again")], check=True, env=env,
                       timeout=1800, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    finally:
        os.umask(0o022)
    again = debs(str(tmp_path / "again"))
    for name, path in debs().items():
        with open(path, "rb") as one, open(again[name], "rb") as other:
            same = hashlib.sha256(one.read()).digest() == hashlib.sha256(other.read()).digest()
        assert same, "%s differs between two builds" % name


# ---- a clean machine

@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """Debian with its own etcd as it comes, on http://localhost:2379, and the packages in /share."""
    with boxes.boot(tmp_path_factory.mktemp("box")) as made:
        for path in debs().values():
            shutil.copy(path, made.share)
        made.run("systemctl", "start", "etcd")
        yield made


def apt(machine, *words):
    return machine.run("apt-get", "-q", "-y", "--no-install-recommends", *words, seconds=300)


def state(machine):
    return machine.run("systemctl", "is-active", "onced", check=False).strip()


def test_quickstart(machine):
    """The page's part for systemd, as it is written; n1, n2 and n3 are this machine here."""
    machine.run("sh", "-c", "echo 127.0.0.1 n1 n2 n3 >>/etc/hosts")
    for command in pages.read(os.path.join(TOP, "docs", "quickstart.md"), "root"):
        said = machine.run("timeout", "120", "sh", "-c", "cd /share\n" + command.text, seconds=180)
        if command.expected:
            assert said.strip() == "\n".join(command.expected), "%s\n%s" % (command.text, said)
    apt(machine, "purge", "onced")
    machine.run("rm", "/etc/onced/jobs.d/hello.job")


def test_install_configure_run_upgrade_purge(machine):
    """apt install, three lines, systemctl start: running. And away again."""
    files = {name: "/share/" + os.path.basename(path) for name, path in debs().items()}
    apt(machine, "install", files["onced"], files["etcd-tools"], files["libonce1"])
    assert state(machine) == "inactive", "nobody has configured it"
    assert machine.run("systemctl", "is-enabled", "onced").strip() == "enabled"
    assert machine.run("getent", "passwd", "onced")
    assert machine.run("onced", "--version").startswith("onced 0.")
    machine.write("/etc/onced/onced.conf", "[Etcd]\nEndpoints=http://127.0.0.1:2379\n")
    machine.write("/etc/onced/jobs.d/hello.job",
                  "[Job]\nExec=/bin/sh -c 'echo $ONCED_TOKEN >/run/hello; exec sleep 600'\n")
    machine.run("systemctl", "start", "onced")
    wait_for("the job", lambda: machine.run("cat", "/run/hello", check=False).strip().isdigit(), 20)
    assert machine.show("onced", "StatusText").startswith("Leading")
    assert "box" in machine.run("oncectl", "--endpoints", "http://127.0.0.1:2379", "status")
    assert machine.run("etcd-faker", "-endpoints=http://127.0.0.1:2379", "-n=10")

    # The same again is an upgrade: the daemon that runs afterwards is a new one.
    before = machine.show("onced", "MainPID")
    apt(machine, "install", "--reinstall", files["onced"])
    wait_for("the new daemon", lambda: state(machine) == "active" and
             machine.show("onced", "MainPID") not in (before, "0"), 20)
    assert "Endpoints=http://127.0.0.1" in machine.run("cat", "/etc/onced/onced.conf"), "it is the user's"

    apt(machine, "remove", "onced")
    assert state(machine) != "active"
    assert machine.run("ls", "/etc/onced/onced.conf").strip()
    machine.run("rm", "/etc/onced/jobs.d/hello.job")
    apt(machine, "purge", "onced", "etcd-tools", "libonce1")
    left = machine.run("sh", "-c", "find /etc /usr /lib /var/lib /run -name '*once*' -not -path '/var/lib/dpkg/*' "
                       "-not -path '/var/lib/systemd/*' -not -path '/run/onced*' 2>/dev/null", check=False)
    assert left.strip() == "", left
    assert not machine.run("sh", "-c", "pgrep onced", check=False).strip()
