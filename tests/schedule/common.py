"""What the tests of schedules against other programs share: the probe, zones, TAP."""
import datetime
import subprocess
import sys
import zoneinfo

# Gaps and folds of an hour and of half an hour, at midnight, in both hemispheres; negative daylight
# saving time; changes without it; a day that does not exist; offsets of 45 minutes.
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
         "America/Sao_Paulo", "Pacific/Apia", "Europe/Dublin", "Pacific/Chatham", "America/Caracas",
         "Africa/Casablanca", "Asia/Gaza", "America/St_Johns", "Antarctica/Troll")
MINUTE, HOUR, DAY = 60, 3600, 86400


def seconds(year, month=1, day=1):
    return int(datetime.datetime(year, month, day, tzinfo=datetime.timezone.utc).timestamp())


def offset(zone, at):
    """Local minus UTC, in seconds."""
    return int(datetime.datetime.fromtimestamp(at, zone).utcoffset().total_seconds())


def changes(zone, start, end):
    """The instants at which the offset is another than the second before."""
    found, step = [], 6 * HOUR
    for at in range(start, end, step):
        if offset(zone, at) == offset(zone, at + step):
            continue
        low, high = at, at + step
        while high - low > 1:
            middle = (low + high) // 2
            if offset(zone, middle) == offset(zone, low):
                low = middle
            else:
                high = middle
        found.append(high)
    return found


def load_zone(name):
    return zoneinfo.ZoneInfo(name)


class Probe:
    """tests/schedule/probe.c; all questions of a test go at once."""

    def __init__(self, path):
        self.path, self.questions = path, []

    def ask(self, zone, after, until, expression, most=100000):
        """The number of the answer."""
        self.questions.append("%s\t%d\t%d\t%d\t%s\n" % (zone, after, until, most, expression))
        return len(self.questions) - 1

    def answers(self):
        """Of each question a list of instants; a string when there is an error."""
        done = subprocess.run([self.path], input="".join(self.questions), text=True, timeout=120,
                              stdout=subprocess.PIPE, check=True)
        lines = done.stdout.splitlines()
        assert len(lines) == len(self.questions), "%d answers" % len(lines)
        self.questions = []
        return [[int(n) for n in line.split()[2:]] if line.startswith("ok ") else line
                for line in lines]


class Tap:
    """Test Anything Protocol: a row for each case, said at the end."""

    def __init__(self):
        self.rows = []

    def case(self, name, wrong):
        """wrong: a list of lines, empty when all is well."""
        self.rows.append("%sok %d - %s" % ("not " if wrong else "", len(self.rows) + 1, name))
        for line in wrong[:10]:
            self.rows.append("# " + line)
        print("\n".join(wrong[:10]), end="\n" if wrong else "", file=sys.stderr)

    def skip(self, name, reason):
        self.rows.append("ok %d - %s # SKIP %s" % (len(self.rows) + 1, name, reason))

    def finish(self):
        cases = [row for row in self.rows if not row.startswith("#")]
        print("1..%d" % len(cases))
        print("\n".join(self.rows))
        sys.exit(any(row.startswith("not ") for row in cases))


def text(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def difference(what, expected, got):
    """One line about two lists of instants, or none."""
    if got == expected:
        return []
    if isinstance(got, str):
        return ["%s: %s" % (what, got)]
    missing = sorted(set(expected) - set(got))
    extra = sorted(set(got) - set(expected))
    return ["%s: %d missing (%s), %d too many (%s)" % (
        what, len(missing), " ".join(text(t) for t in missing[:3]),
        len(extra), " ".join(text(t) for t in extra[:3]))]
