"""What the demonstration shows while it runs: a small screen on a terminal, plain lines elsewhere."""
import shutil
import time

EVENTS = 8
CLEAR_BELOW, HOME, CLEAR_LINE = "\x1b[J", "\x1b[H", "\x1b[K"


class Lines:
    """One line per event."""

    def __init__(self, out):
        self.out, self.start = out, time.monotonic()

    def event(self, text):
        print("%6.2f s  %s" % (time.monotonic() - self.start, text), file=self.out, flush=True)

    def draw(self, nodes):
        pass

    def close(self):
        pass


class Screen:
    """Redrawn in place: the nodes, who leads with which token, the last events."""

    def __init__(self, out):
        self.out, self.start, self.events = out, time.monotonic(), []
        self.rows = []
        out.write("\x1b[2J\x1b[?25l")

    def event(self, text):
        self.events.append("%6.2f s  %s" % (time.monotonic() - self.start, text))
        self._paint()

    def draw(self, nodes):
        """nodes: (name, state, token or None, ticks)."""
        self.rows = nodes
        self._paint()

    def _paint(self):
        lines = ["onced: one job, three nodes, three etcd members      %.0f s"
                 % (time.monotonic() - self.start), "",
                 "  %-6s %-10s %8s %8s" % ("node", "", "token", "ticks")]
        for name, state, token, ticks in self.rows:
            mark = "\x1b[1;32m>" if state == "leads" else "\x1b[31m " if state in ("down", "stopped") else " "
            lines.append("%s %-6s %-10s %8s %8d\x1b[0m" % (mark, name, state, token or "", ticks))
        lines += [""] + self.events[-EVENTS:]
        width = shutil.get_terminal_size().columns
        text = "".join((x if "\x1b" in x else x[:width]) + CLEAR_LINE + "\n" for x in lines)
        self.out.write(HOME + text + CLEAR_BELOW)
        self.out.flush()

    def close(self):
        self.out.write("\x1b[?25h\n")
        self.out.flush()


def make(out):
    return Screen(out) if out.isatty() else Lines(out)
