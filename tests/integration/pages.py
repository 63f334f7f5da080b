"""Pages whose commands are run: read from the page, run in one shell in their order, compared with what the
page shows.

A ```console block holds commands behind "$ " (```root: behind "# ", for a machine of one's own), each with the
lines that belong to it (here documents, loops, functions) and the output it is expected to have. Compared after
ids, and keys named by them, have been given the names L1, L2 and so on; for a command with "# figures vary"
numbers, bars and names of nodes are not, and "# output varies" is run, must succeed, and is not compared.
"""
import contextlib
import os
import re
import subprocess
import threading

import procs
from cluster import PortBlock, clean_environment

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEADLINE = 60
MARK = "-- end of command --"
# What a command goes on to when its first line ends so.
ENDS = {"do": "  done", "{": "  }"}
NODES = re.compile(r"\b(alpha|beta|gamma)\b")


class Command:
    def __init__(self, line, first):
        self.line, self.words, self.expected = line, [first], []

    def whole(self):
        """A here document has its end, a loop its done, a function its brace, a backslash its next line."""
        here = re.search(r"<<'(\w+)'$", self.words[0])
        end = here.group(1) if here else ENDS.get(self.words[0].split()[-1])
        return self.words[-1].startswith(end) if end else not self.words[-1].endswith("\\")

    @property
    def text(self):
        return "\n".join(self.words)


def read(path, kind="console"):
    """The commands of a page's blocks of that kind."""
    prompt = {"console": "$ ", "root": "# "}[kind]
    commands, inside = [], False
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file.read().split("\n"), 1):
            if line.startswith("```"):
                inside = line == "```" + kind
            elif inside and commands and not commands[-1].whole():
                commands[-1].words.append(line)
            elif inside and line.startswith(prompt):
                commands.append(Command(number, line[len(prompt):]))
            elif inside:
                commands[-1].expected.append(line)
    return commands


class Ports:
    """A block of ports that nobody else has, in place of those of a page."""

    def __init__(self, *ports):
        self.block = PortBlock()
        self.here = {port: str(self.block.base + 1 + i) for i, port in enumerate(ports)}

    def instead(self):
        return {r"\b%s\b" % page: here for page, here in self.here.items()}

    def back(self, line):
        for page, here in self.here.items():
            line = line.replace(here, page)
        return line

    def close(self):
        self.block.close()


class Shell:
    """One bash for all commands, in a directory where the page's programs are. instead: what stands for a word
    of the page, {pattern: text}."""

    def __init__(self, directory, build, bindir=None, env=None, instead=None):
        self.instead, self.code = instead or {}, 0
        programs = os.path.join(directory, "bin")
        os.makedirs(programs)
        os.symlink(os.path.join(TOP, "tools"), os.path.join(directory, "tools"))
        paths = {name: os.path.join(bindir, name) if bindir else name for name in ("etcd", "etcdctl")}
        paths["onced"] = os.path.join(build, "daemon", "onced")
        paths.update({name: os.path.join(build, "tools", name, name)
                      for name in ("oncectl", "etcd-faker", "etcd-reporter")})
        for name, path in paths.items():
            os.symlink(subprocess.check_output(["which", path], text=True).strip(),
                       os.path.join(programs, name))
        env = dict(clean_environment(), PATH=programs + ":" + os.environ["PATH"], **(env or {}))
        self.process = procs.spawn(["bash", "--norc"], env=env, cwd=directory, text=True, bufsize=1,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def here(self, text):
        """The page's words as they are here."""
        for pattern, word in self.instead.items():
            text = re.sub(pattern, word, text)
        return text

    def run(self, text):
        """Its output, which ends with a newline wherever that of the command does not."""
        timer = threading.Timer(DEADLINE, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(self.here(text) + "\n{ r=$?; echo; echo '%s' $r; (exit $r); } 2>&1\n" % MARK)
            lines = self._answer()
        finally:
            timer.cancel()
        out = "".join(line for line in lines if not line.startswith('{"level"'))[:-1]
        return out.split("\n")[:-1] if out.endswith("\n") else out.split("\n") if out else []

    def _answer(self):
        lines = []
        for line in self.process.stdout:
            if line.startswith(MARK + " "):
                self.code = int(line.split()[-1])
                return lines
            lines.append(line)
        return lines + ["not within %d s\n" % DEADLINE]

    def close(self):
        procs.end(self.process)
        with contextlib.suppress(BrokenPipeError):  # it was interrupted while it was told
            self.process.stdin.close()


class Names:
    """What differs by nature, by the order in which it is first seen."""

    def __init__(self):
        self.ids = {}

    def id(self, match):
        number = int(match.group(0), 16)
        return "L%d" % self.ids.setdefault(number, len(self.ids) + 1)

    def plain(self, command, lines):
        """Without what is left of leases in seconds, too."""
        lines = [re.sub(r"\b[0-9a-f]{14,16}\b", self.id, line) for line in lines]
        lines = [re.sub(r"remaining\(\d+s\)", "remaining(N)", line) for line in lines]
        if "# figures vary" in command.text:
            lines = [NODES.sub("NODE", line) for line in lines]
            lines = [re.sub(r"[\d.]+ *([a-zA-Z]*B|[mµ]?s)?\b", "N", re.sub(r" *#+$", "", line))
                     for line in lines]
            lines = [re.sub(r" +", " ", line) for line in lines if not line.startswith("  up to")]
        return lines


def same(command, out, shell, ours, theirs):
    if "# output varies" in command.text:
        return shell.code == 0
    expected = shell.here("\n".join(command.expected)).split("\n") if command.expected else []
    return ours.plain(command, [line.rstrip() for line in out]) == theirs.plain(command, expected)


def play(path, shell):
    """What is wrong with the first command whose output is not what the page says."""
    ours, theirs = Names(), Names()
    for command in read(path):
        out = shell.run(command.text)
        known = dict(ours.ids)
        seconds = 2
        # a watch of what has been may take longer to begin on a busy machine
        while command.text.startswith("timeout ") and len(out) < len(command.expected) and seconds < 30:
            seconds *= 3
            out = shell.run(re.sub(r"^timeout \d+", "timeout %d" % seconds, command.text))
            ours.ids = known
        if not same(command, out, shell, ours, theirs):
            return "%s:%d: $ %s\nexpected:\n%s\nis (exit %d):\n%s" % (
                os.path.relpath(path, TOP), command.line, command.text, "\n".join(command.expected), shell.code,
                "\n".join(out))
    return None


def update(path, shell, back=str):
    """Writes the output there is now into the page; back makes what is ours the page's again."""
    commands, outputs = read(path), {}
    for command in commands:
        outputs[command.line] = command.words + [back(line).rstrip() for line in shell.run(command.text)]
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for command in reversed(commands):
        end = command.line - 1 + len(command.words) + len(command.expected)
        lines[command.line - 1:end] = ["$ " + outputs[command.line][0]] + outputs[command.line][1:]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
