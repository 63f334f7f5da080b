#!/usr/bin/python3
"""Runs a command on a terminal of its own and draws what it showed as an animated SVG.

    picture.py docs/images/demo.svg make demo

Text, not pixels: a line that was ever shown is in the file once, a moment is a list of such lines, and the
moments are moved past a window one by one. Who wants no animation sees the last moment. Knows the control
sequences that view.py uses. Fails when the command does, or when it shows nothing.
"""
import argparse
import fcntl
import itertools
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from xml.sax.saxutils import escape

COLUMNS, ROWS = 88, 25
QUIET = 0.03  # seconds without output: what is shown is whole
EVERY = 0.5   # seconds between moments that differ in numbers only
LAST = 12.0   # seconds that the end stays
CHAR, LINE, EDGE = 7.9, 18, 14
STYLES = {"1;32": "g", "31": "r"}
SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %(width)d %(height)d" width="%(width)d" role="img">
<title>%(title)s</title>
<style>
text { font: 13px ui-monospace, "DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace; fill: #d6d8d6; white-space: pre }
.g { fill: #5fd38d; font-weight: bold } .r { fill: #ff7b6e }
.s { animation: s %(seconds).1fs step-end infinite }
@keyframes s { %(keys)s }
@media (prefers-reduced-motion: reduce) { .s { animation: none } }
</style>
<rect width="100%%" height="100%%" rx="8" fill="#16181b"/>
"""


class Terminal:
    """What is on a screen: for each line its cells, (character, style)."""

    def __init__(self):
        self.lines, self.row, self.column, self.style = [[] for _ in range(ROWS)], 0, 0, ""

    def feed(self, text):
        while text:
            match = SEQUENCE.search(text)
            for char in text[:match.start()] if match else text:
                self.put(char)
            if match:
                self.control(*match.groups())
            text = text[match.end():] if match else ""

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n" and self.row == ROWS - 1:
            self.lines = self.lines[1:] + [[]]
        elif char == "\n":
            self.row += 1
        elif self.column < COLUMNS:
            line = self.lines[self.row]
            line += [(" ", "")] * (self.column - len(line))
            line[self.column:self.column + 1] = [(char, self.style)]
            self.column += 1

    def control(self, words, kind):
        if kind == "H":
            self.row = self.column = 0
        elif kind == "m":
            self.style = STYLES.get(words, "")
        elif kind == "J" and words == "2":
            self.lines = [[] for _ in range(ROWS)]
        elif kind in "JK":
            del self.lines[self.row][self.column:]
            for line in self.lines[self.row + 1:] if kind == "J" else ():
                line.clear()

    def shown(self):
        return tuple(tuple(line) for line in self.lines)


def record(command):
    """[(seconds, lines)] of each whole picture that the command showed; its exit code."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                               env=dict(os.environ, TERM="xterm", COLUMNS=str(COLUMNS), LINES=str(ROWS)))
    os.close(slave)
    terminal, moments, start = Terminal(), [], time.monotonic()
    while True:
        if not select.select([master], [], [], QUIET)[0]:
            if not moments or moments[-1][1] != terminal.shown():
                moments.append((time.monotonic() - start, terminal.shown()))
            select.select([master], [], [])
        try:
            data = os.read(master, 65536)
        except OSError:  # the last one that had the terminal is gone
            data = b""
        if not data:
            break
        terminal.feed(data.decode(errors="replace"))
    os.close(master)
    moments.append((time.monotonic() - start, terminal.shown()))
    return moments, process.wait()


def words(lines):
    return re.sub(r"[0-9.]+", "0", "\n".join("".join(char for char, _ in line) for line in lines))


def chosen(moments):
    """Those that say something new, and one each second; from the first that shows anything."""
    found = []
    for at, lines in moments:
        if any(lines) and (not found or words(lines) != words(found[-1][1]) or at - found[-1][0] >= EVERY):
            found.append((at, lines))
    if found:
        found[-1] = moments[-1]
    return found


def text_of(line):
    """A line as SVG: a tspan for each run of a style."""
    runs = [("".join(char for char, _ in cells), style)
            for style, cells in itertools.groupby(line, key=lambda cell: cell[1])]
    return "".join('<tspan class="%s">%s</tspan>' % (style, escape(text)) if style else escape(text)
                   for text, style in runs)


def draw(moments, title):
    begin, end = moments[0][0], moments[-1][0]
    seconds, inner = end - begin + LAST, int(COLUMNS * CHAR)
    moments = [(end, moments[-1][1])] + moments[:-1]  # the last one is where it stands without animation
    keys = ["%.2f%% { transform: translateX(-%dpx) }" % ((at - begin) / seconds * 100, (i + 1) * inner)
            for i, (at, _) in enumerate(moments[1:])]
    keys.append("%.2f%%, 100%% { transform: none }" % ((end - begin) / seconds * 100))
    tall = max(i + 1 for _, lines in moments for i, line in enumerate(lines) if line) * LINE + 4
    size = {"width": inner + 2 * EDGE, "height": tall + 2 * EDGE, "inner": inner, "tall": tall, "edge": EDGE}
    out = [HEAD % dict(size, title=escape(title), seconds=seconds, keys=" ".join(keys)), "<defs>"]
    names = {}
    for line in (line for _, lines in moments for line in lines if line):
        if line not in names:
            names[line] = "l%d" % len(names)
            out.append('<text id="%s">%s</text>' % (names[line], text_of(line)))
    out.append('</defs>\n<svg x="%(edge)d" y="%(edge)d" width="%(inner)d" height="%(tall)d"><g class="s">' % size)
    for i, (_, lines) in enumerate(moments):
        out.append('<g transform="translate(%d)">' % (i * inner) + "".join(
            '<use href="#%s" y="%d"/>' % (names[line], (n + 1) * LINE - 4) for n, line in enumerate(lines) if line) + "</g>")
    return "\n".join(out) + "\n</g></svg>\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("file")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("expected a command after the file")
    moments, code = record(options.command)
    moments = chosen(moments)
    if code != 0 or not moments:
        sys.exit("picture.py: %s %s" % (" ".join(options.command), "ended with %d" % code if code else "showed nothing"))
    with open(options.file, "w", encoding="utf-8") as file:
        file.write(draw(moments, " ".join(options.command)))
    print("%s: %d moments in %.0f s, %d bytes" % (options.file, len(moments), moments[-1][0], os.path.getsize(options.file)))


if __name__ == "__main__":
    main()
