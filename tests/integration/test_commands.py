"""Every command that README.md, compose/README.md and docs show is run by a test, or is named here with why not.

Those in ```console blocks by the test of their page. Those in indented blocks: what needs an etcd and a
daemon here, on the pages' own job; the rest by the test that is named. A flag or target that does not exist
is noticed in either case, and so is an entry here that no page needs.
"""
import glob
import os
import re
import shutil
import subprocess

import pytest

import pages
import tools
from cluster import clean_environment, wait_for
from conftest import describe

PAGES = ["README.md", "compose/README.md"] + sorted(
    os.path.relpath(path, pages.TOP) for path in glob.glob(os.path.join(pages.TOP, "docs", "*.md")))
# The pages whose console blocks are played, and by what.
PLAYED = {
    "docs/tutorial.md": "tests/integration/test_tutorial.py",
    "docs/walkthrough.md": "tests/integration/test_walkthrough.py",
    "docs/quickstart.md": "tests/integration/test_quickstart.py",
}
# Those with ```root blocks, for a machine of one's own.
PLAYED_AS_ROOT = {"docs/quickstart.md": "tests/deb/test_deb.py"}
PROGRAMS = ("make", "onced", "oncectl", "etcdctl", "etcd-faker", "etcd-reporter", "apt", "install", "systemctl",
            "journalctl", "kill", "docker", "curl", "compose/oncectl", "compose/compose", "build/tests/sim/sim",
            "tests/torture/report.py")
# What an indented block is when it holds no commands: configuration, a table, what something printed.
NO_COMMANDS = re.compile(r"\[|# /etc/|ALARM: |scrape_configs:|compare  |  0\.\d\d s  |fault  |\d+ ticks by")
# A command of which this is the beginning is run by that test, where these words stand.
ELSEWHERE = [
    ("make demo DOCKER=1", "tests/integration/test_compose.py", '"--docker"'),
    ("make up", "tests/integration/test_compose.py", '"up", "-d", "--build"'),
    ("make down", "tests/integration/test_compose.py", '"down", "-v", "-t", "3"'),
    ("compose/oncectl", "tests/integration/test_compose.py", '"compose/oncectl", "status"'),
    ("docker kill", "tools/demo/containers.py", '"kill"'),
    ("docker start", "tools/demo/containers.py", '"start"'),
    ("make deb", "Makefile", "deb-test: deb"),
    ("apt install", "tests/deb/test_deb.py", 'apt(machine, "install"'),
    ("apt remove", "tests/deb/test_deb.py", 'apt(machine, "remove"'),
    ("apt purge", "tests/deb/test_deb.py", 'apt(machine, "purge"'),
    ("install -d -m 700 /etc/credstore", "tests/systemd/test_units.py", "/etc/credstore"),
    ("install -m 600", "tests/systemd/conftest.py", "/etc/credstore"),
    ("install -D -m 644 /usr/share/onced/strict.conf", "tests/systemd/test_units.py", "share/onced/strict.conf"),
    ("onced --check", "tests/integration/test_kubernetes.py", '"--check"'),
    ("systemctl start", "tests/systemd/test_life.py", 'systemctl("start"'),
    ("systemctl stop", "tests/systemd/test_life.py", 'systemctl("stop"'),
    ("systemctl restart", "tests/systemd/test_life.py", 'in (["restart"]'),
    ("systemctl reload", "tests/systemd/test_life.py", 'systemctl("reload"'),
    ("systemctl status", "tests/systemd/test_life.py", "StatusText"),
    ("systemctl daemon-reload", "tests/systemd/units.py", '"daemon-reload"'),
    ("journalctl -u onced", "tests/systemd/box.py", '"journalctl"'),
    ("kill -USR1", "tests/integration/test_ring.py", "SIGUSR1"),
    ("build/tests/sim/sim --replay", "tests/integration/test_ring.py", '"--replay"'),
    ("curl -f", "tests/integration/test_status_page.py", "/leader?group="),
    ("make torture", "tests/run.py", '"--smoke"'),
    ("make mutants", "tests/sim/meson.build", "mutants"),
]
EXCEPT = {
    "make swarm": "as many schedules as there is time for; make test runs 10,000 of them",
    "make test": "it is what runs this",
    "make demo": "a minute of its own; the same nodes and faults are those of test_takeover.py",
    "compose/compose logs -f": "does not end by itself",
    "tests/torture/report.py": "reads the records of many hours",
}
# What stands for what, for the commands that are run here.
HERE = [("-n 100000", "-n 1000"), ("JOB", "backup"), (r"https://10\.0\.0\.1:2379,https://10\.0\.0\.2:2379", "{urls}")]


def commands():
    """(page, line, command) of each in an indented block, without its comment."""
    found = []
    for page in PAGES:
        with open(os.path.join(pages.TOP, page), encoding="utf-8") as file:
            text = re.sub(r"^```.*?^```$", lambda m: "\n" * m.group(0).count("\n"), file.read(), flags=re.M | re.S)
        for block in re.finditer(r"(?:^ {4}.*\n(?:\n(?= {4}))*)+", text, re.M):
            number = text.count("\n", 0, block.start()) + 1
            lines = [line[4:] for line in block.group(0).split("\n")]
            if NO_COMMANDS.match(lines[0]):
                continue
            joined = ""
            for at, line in enumerate(lines):
                joined += line.split("  #")[0].split(" # ")[0].strip() + " "
                if joined.strip().endswith("\\"):
                    joined = joined.strip()[:-1]
                    continue
                if joined.strip():
                    found.append((page, number + at, " ".join(joined.split())))
                joined = ""
    return found


ALL = commands()


def is_ours(command):
    return command.split()[0] in ("oncectl", "etcd-faker", "etcd-reporter") or command.startswith("onced run ")


def begins(command, start):
    return command == start or command.startswith((start + " ", start + "."))


def matching(command, starts):
    return [s for s in starts if begins(command, s)]


def test_each_block_is_of_a_known_kind():
    unknown = ["%s:%d: %s" % item for item in ALL if item[2].split()[0] not in PROGRAMS]
    assert len(ALL) > 50 and not unknown, "neither commands nor in NO_COMMANDS:\n" + "\n".join(unknown)


def test_console_blocks_are_played():
    for kind, played in (("console", PLAYED), ("root", PLAYED_AS_ROOT)):
        for page in PAGES:
            if pages.read(os.path.join(pages.TOP, page), kind):
                assert page in played, "%s has %s blocks, and no test plays it" % (page, kind)
        for page, test in played.items():
            with open(os.path.join(pages.TOP, test), encoding="utf-8") as file:
                assert os.path.basename(page) in file.read(), test


def test_fences_are_of_a_known_kind():
    """Commands in another one would be seen by nobody."""
    for page in PAGES:
        with open(os.path.join(pages.TOP, page), encoding="utf-8") as file:
            kinds = re.findall(r"^```(.+)$", file.read(), re.M)
        assert set(kinds) <= {"console", "root", "mermaid"}, page


def test_each_command_is_run_or_excepted():
    nobody = ["%s:%d: %s" % item for item in ALL if not is_ours(item[2])
              and not matching(item[2], [e[0] for e in ELSEWHERE]) and not matching(item[2], EXCEPT)]
    assert not nobody, "run by no test:\n" + "\n".join(nobody)


@pytest.mark.parametrize("start, test, words", ELSEWHERE, ids=[e[0] for e in ELSEWHERE])
def test_it_is_run_there(start, test, words):
    assert any(begins(item[2], start) for item in ALL), "no page has it: take it off the list"
    with open(os.path.join(pages.TOP, test), encoding="utf-8") as file:
        assert words in file.read(), "%s does not run it any more" % test


def test_no_exception_is_left_over():
    for start in EXCEPT:
        assert any(begins(item[2], start) for item in ALL), start


def test_targets_and_variables_of_make():
    with open(os.path.join(pages.TOP, "Makefile"), encoding="utf-8") as file:
        text = file.read()
    for page, line, command in ALL:
        words = command.split()
        for word in words[1:] if words[0] == "make" else ():
            name = word.split("=")[0]
            known = r"\$\(%s\)|^%s +\?=" % (name, name) if "=" in word else r"^%s:" % name
            assert re.search(known, text, re.M), "%s:%d: make knows no %s" % (page, line, word)


def test_flags_of_onced(onced):
    told = "".join(subprocess.run([onced, *words], stdout=subprocess.PIPE, text=True, timeout=20, check=True).stdout
                   for words in (["--help"], ["run", "--help"]))
    for page, line, command in ALL:
        if command.split()[0] == "onced":
            for flag in re.findall(r" (--[a-z][a-z-]+)", command.split(" -- ")[0]):
                assert re.search(r"%s\b" % flag, told), "%s:%d: onced knows no %s" % (page, line, flag)


# ---- those that are run here

class Scene:
    """A directory as the pages have it: certificates, a worker, programs in $PATH; and two daemons with the
    job of the README."""

    def __init__(self, directory, cluster, jobs, onced):
        self.directory, self.cluster, self.jobs, self.onced = str(directory), cluster, jobs, onced
        names = {"ca.crt": cluster.tls.ca, "client.crt": cluster.tls.client, "client.key": cluster.tls.client_key}
        for name, path in names.items():
            shutil.copy(path, os.path.join(self.directory, name))
        with open(os.path.join(self.directory, "worker"), "w", encoding="ascii") as file:
            file.write("#!/bin/sh\ntest \"$ONCED_KEY\" = /leader && echo token $ONCED_TOKEN\n")
        os.chmod(file.name, 0o755)
        self.path = os.pathsep.join(os.path.dirname(p) for p in [onced] + [
            tools.path(n) for n in ("oncectl", "etcd-faker", "etcd-reporter")])

    def run(self, command):
        for pattern, word in HERE:
            command = re.sub(pattern, word, command)
        env = dict(clean_environment(), PATH=self.path + ":" + os.environ["PATH"], HOME=self.directory,
                   **self.cluster.etcdctl_environment())
        if command.startswith("onced run"):
            command = command.replace("onced run", "onced run --runtime-dir run", 1)
        done = subprocess.run(["sh", "-c", command.format(urls=self.cluster.urls())], cwd=self.directory, env=env,
                              timeout=60, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    def readme_job(self):
        """As it is shown, but that its program is one that exists."""
        with open(os.path.join(pages.TOP, "README.md"), encoding="utf-8") as file:
            block = re.search(r"\n    \[Job\]\n(?:    .*\n)+", file.read()).group(0)
        keys = dict(line.strip().split("=", 1) for line in block.split("\n") if "=" in line)
        assert keys["Type"] == "cron"
        self.jobs.job("backup", **dict(keys, Exec="/bin/echo done"))
        os.mkdir(os.path.join(self.directory, "run"), 0o700)


@pytest.mark.parametrize("cluster", [("3.4", 3, True)], indirect=True, ids=describe)
def test_commands_of_our_programs(cluster, jobs, tmp_path, onced):
    scene = Scene(tmp_path, cluster, jobs, onced)
    scene.readme_job()
    ours = sorted({item[2] for item in ALL if is_ours(item[2])}, key=lambda c: (c.startswith("oncectl"),
                                                                                 "resign" in c, c))
    assert len(ours) > 12, ours
    started = False
    for command in ours:
        if command.startswith("oncectl") and not started:
            jobs.start("alpha", "beta")
            wait_for("a leader with its job", lambda: scene.run("oncectl trigger backup --wait")[0] == 0, 40, 0.5)
            started = True
        code, said = scene.run(command)
        assert code == 0 and said.strip(), "%s: exit %d\n%s" % (command, code, said)
    assert started
