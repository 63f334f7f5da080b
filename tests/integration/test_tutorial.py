"""Every command of docs/tutorial.md, in its order, each run on a fresh etcd: with etcdctl, and with
oncectl in its place.

A ```console block holds commands behind "$ ", each with the lines that belong to it (here documents,
loops) and the output it is expected to have. Compared after leases, and keys named by them, have been
given the names L1, L2 and so on; for a command with "# figures vary" numbers and bars are not.

    test_tutorial.py --update ETCDCTL_OR_ONCECTL    writes the output there is into the page
"""
import os
import re
import subprocess
import sys
import threading

import procs
from cluster import Cluster, clean_environment

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PAGE = os.path.join(TOP, "docs", "tutorial.md")
DEADLINE = 60
MARK = "-- end of command --"


class Command:
    def __init__(self, line, first):
        self.line, self.words, self.expected = line, [first], []

    def whole(self):
        """A here document has its end, a loop its done."""
        here = re.search(r"<<'(\w+)'$", self.words[0])
        loop = self.words[0].endswith("do")
        return not here and not loop or self.words[-1] == (here.group(1) if here else "  done")

    @property
    def text(self):
        return "\n".join(self.words)


def read_page():
    """The commands; and the page's lines, where each piece of text stands between them."""
    commands, inside = [], False
    with open(PAGE, encoding="utf-8") as file:
        for number, line in enumerate(file.read().split("\n"), 1):
            if line.startswith("```"):
                inside = line == "```console"
            elif inside and commands and not commands[-1].whole():
                commands[-1].words.append(line)
            elif inside and line.startswith("$ "):
                commands.append(Command(number, line[2:]))
            elif inside:
                commands[-1].expected.append(line)
    return commands


class Shell:
    """One bash for all commands, in a directory where the page's programs are."""

    def __init__(self, directory, tool, cluster, build):
        self.tool = tool
        programs = os.path.join(directory, "bin")
        os.makedirs(programs)
        os.symlink(os.path.join(TOP, "tools"), os.path.join(directory, "tools"))
        for name, path in [("etcdctl", cluster.etcdctl_command()[0])] + [
                (name, os.path.join(build, "tools", name, name))
                for name in ("oncectl", "etcd-faker", "etcd-reporter")]:
            os.symlink(subprocess.check_output(["which", path], text=True).strip(),
                       os.path.join(programs, name))
        env = dict(clean_environment(), PATH=programs + ":" + os.environ["PATH"],
                   ETCDCTL_ENDPOINTS=cluster.members[0].endpoint)
        self.process = procs.spawn(["bash", "--norc"], env=env, cwd=directory, text=True, bufsize=1,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)

    def run(self, text):
        """Its output, which ends with a newline wherever that of the command does not."""
        timer = threading.Timer(DEADLINE, self.process.kill)
        timer.start()
        self.process.stdin.write(re.sub(r"\betcdctl\b", self.tool, text) +
                                 "\n{ r=$?; echo; echo '%s'; (exit $r); } 2>&1\n" % MARK)
        lines = []
        for line in self.process.stdout:
            if line == MARK + "\n":
                break
            lines.append(line)
        else:
            lines.append("not within %d s\n" % DEADLINE)
        timer.cancel()
        out = "".join(line for line in lines if not line.startswith('{"level"'))[:-1]
        return out.split("\n")[:-1] if out.endswith("\n") else out.split("\n") if out else []

    def close(self):
        self.process.stdin.close()
        procs.end(self.process)


class Names:
    """What differs by nature, by the order in which it is first seen."""

    def __init__(self):
        self.leases = {}

    def lease(self, match):
        number = int(match.group(0), 16)
        return "L%d" % self.leases.setdefault(number, len(self.leases) + 1)

    def plain(self, command, lines):
        """Without what is left of leases in seconds, too."""
        lines = [re.sub(r"\b[0-9a-f]{14,16}\b", self.lease, line) for line in lines]
        lines = [re.sub(r"remaining\(\d+s\)", "remaining(N)", line) for line in lines]
        if "# figures vary" in command.text:
            lines = [re.sub(r"[\d.]+ *([a-zA-Z]*B|[mµ]?s)?\b", "N", re.sub(r" *#+$", "", line))
                     for line in lines]
            lines = [re.sub(r" +", " ", line) for line in lines if not line.startswith("  up to")]
        return lines


def same(command, out, ours, theirs):
    return ours.plain(command, out) == theirs.plain(command, command.expected)


def play(commands, shell):
    """The first command whose output is not what the page says."""
    ours, theirs = Names(), Names()
    for command in commands:
        out = shell.run(command.text)
        known = dict(ours.leases)
        seconds = 2
        # a watch of what has been may take longer to begin on a busy machine
        while command.text.startswith("timeout ") and len(out) < len(command.expected) and seconds < 30:
            seconds *= 3
            out = shell.run(re.sub(r"^timeout \d+", "timeout %d" % seconds, command.text))
            ours.leases = known
        if not same(command, out, ours, theirs):
            return "docs/tutorial.md:%d: $ %s\nexpected:\n%s\nis:\n%s" % (
                command.line, command.text, "\n".join(command.expected), "\n".join(out))
    return None


def play_on_a_fresh_etcd(tool, bindir, build, directory, results):
    try:
        with Cluster(directory / "etcd", 1, False, bindir) as cluster:
            shell = Shell(str(directory / "here"), tool, cluster, build)
            try:
                results[directory.name] = play(read_page(), shell)
            finally:
                shell.close()
    except Exception as problem:  # told in the test's thread
        results[directory.name] = repr(problem)


def test_tutorial(versions, tmp_path, oncectl):
    """Most of it is waiting for leases, so all four at the same time."""
    build, results = os.path.dirname(os.path.dirname(os.path.dirname(oncectl))), {}
    threads = [threading.Thread(target=play_on_a_fresh_etcd, args=(
        tool, versions.bindir(version), build, tmp_path / (tool + "-" + version), results))
        for tool in ("etcdctl", "oncectl") for version in ("3.4", "3.5")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wrong = ["%s: %s" % item for item in sorted(results.items()) if item[1]]
    assert len(results) == len(threads) and not wrong, "\n".join(wrong)


def test_the_page_shows_what_it_is_to_teach():
    text = "\n".join(command.text for command in read_page())
    for word in ("put", "get", "del", "--prefix", "--from-key", "lease grant", "keep-alive", "revoke", "txn",
                 "load_fake_data.sh", "etcd-faker", "etcd-reporter", "--mode individual", "--mode txn",
                 "--mode packed", "lock"):
        assert word in text, word


def update(tool):
    """The page with the output there is now."""
    import tempfile
    commands, outputs = read_page(), {}
    build = os.environ.get("BUILD", os.path.join(TOP, "build"))
    with tempfile.TemporaryDirectory() as directory, Cluster(directory + "/etcd") as cluster:
        shell = Shell(directory + "/here", tool, cluster, build)
        for command in commands:
            outputs[command.line] = command.words + shell.run(command.text)
        shell.close()
    with open(PAGE, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for command in reversed(commands):
        end = command.line - 1 + len(command.words) + len(command.expected)
        lines[command.line - 1:end] = ["$ " + outputs[command.line][0]] + outputs[command.line][1:]
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


if __name__ == "__main__":
    update(sys.argv[2])
