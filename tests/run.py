#!/usr/bin/python3
"""Runs every suite and counts: what `make test` does.

Each stage adds rows (suite, passed, failed, skipped). A stage that cannot run is a failure, unless
the machine lacks something, which is a skip with its reason. The last line is the sum; the exit code
is 1 when anything failed.

Tests over real processes mostly wait. What only computes runs beside them, in a second process that
the kernel gives nothing but the time that is left over.

Nothing outlives this: SIGTERM and Ctrl-C are passed on, what takes too long is told to end before it is
made to, and what any of them leaves behind (a pytest that was killed, say) is ended, too.
"""
import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
import procs  # noqa: E402

BEFORE = ("scripts", "build")
BESIDE = ("virtual", "warnings", "asan-virtual", "static")  # no clock is looked at in them
STAGES = ("meson", "integration", "auth", "systemd")
AFTER = ("asan", "torture")
ASKED_FOR = ("auth_all", "coverage", "page")
AUTH_SAMPLE = ("test_operate.py::test_runs_by_hand", "test_operate.py::test_a_pause_skips_and_says_so",
               "test_takeover.py::test_kill_both",
               "test_takeover.py::test_one_of_three_runs_it",
               "test_daemon.py::test_restart",
               "test_records.py::test_ten_at_the_same_moment")
VIRTUAL = ("sim", "mutants", "fuzz", "model", "schedule")
LEFT_OVER = ["chrt", "--idle", "0", "ionice", "-c", "3"]
GRACE = 60  # seconds to end in, once told
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:abort_on_error=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


class Counts:
    def __init__(self):
        self.rows = {}
        self.notes = []

    def add(self, suite, passed=0, failed=0, skipped=0, note=None):
        row = self.rows.setdefault(suite, [0, 0, 0])
        for i, n in enumerate((passed, failed, skipped)):
            row[i] += n
        if note:
            self.notes.append("%s: %s" % (suite, note))

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"rows": self.rows, "notes": self.notes}, file)

    def read(self, path):
        """Adds what write() wrote."""
        with open(path, encoding="utf-8") as file:
            other = json.load(file)
        for suite, row in other["rows"].items():
            self.add(suite, *row)
        self.notes += other["notes"]

    def show(self):
        total = [sum(row[i] for row in self.rows.values()) for i in range(3)]
        print("\n%-24s %8s %8s %8s" % ("suite", "passed", "failed", "skipped"))
        for suite, row in self.rows.items():
            print("%-24s %8d %8d %8d" % (suite, *row))
        for note in self.notes:
            print(note)
        print("%d passed, %d failed, %d skipped" % tuple(total), flush=True)
        return 1 if total[1] or not total[0] else 0


def run(command, seconds, env=None):
    """The exit code; 124 when it took too long."""
    print("+ " + shlex.join(command), flush=True)
    process = procs.spawn(command, with_us=procs.END_WITH_US, cwd=TOP, env=dict(os.environ, **(env or {})))
    try:
        return procs.wait(process, seconds)
    except subprocess.TimeoutExpired:
        return 124
    finally:
        procs.end(process, signal.SIGTERM, GRACE)
        for line in procs.end_orphans():
            print("it left behind: " + line, flush=True)


def read_junit(path, counts, name_of):
    """Adds the cases of a JUnit file; how many there were."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return 0
    seen = 0
    for suite in root.iter("testsuite"):
        for case in suite.iter("testcase"):
            seen += 1
            name = name_of(suite.get("name", ""), case)
            reason = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                counts.add(name, failed=1, note="FAILED " + case.get("name", "?"))
            elif reason is not None:
                text = reason.get("message") or "not run here"
                counts.add(name, skipped=1, note="skipped %s: %s" % (case.get("name"), text))
            else:
                counts.add(name, passed=1)
    return seen


def meson_suite(prefix):
    """meson names a test "onced:unit / election", and a TAP test's suite "onced.onced:unit / election"."""
    def name_of(suite, case):
        text = suite if " / " in suite else case.get("name", "")
        head = text.split(" / ")[0]
        return prefix + (head.split(":")[1].split("+")[-1] if ":" in head else "other")
    return name_of


def is_shell(path):
    with open(path, "rb") as file:
        return file.readline(64).rstrip() in (b"#!/bin/sh", b"#!/bin/bash")


class Runner:
    def __init__(self, options):
        self.options, self.counts = options, Counts()

    def stage_scripts(self):
        """Whatever says so in its first line, whether from git or from a tar ball."""
        found = [".ci/run"]
        for directory, inner, files in os.walk(TOP):
            inner[:] = [d for d in inner if not d.startswith((".", "build"))]
            found += [os.path.relpath(os.path.join(directory, f), TOP) for f in files
                      if is_shell(os.path.join(directory, f))]
        for script in found:
            failed = run(["shellcheck", script], 60) != 0
            self.counts.add("scripts", not failed, failed, note="shellcheck " + script if failed else None)

    def setup(self, directory, *options, compiler="gcc"):
        """Configure once, then compile. False: a row says which failed."""
        # `make demo` may have configured it before the tests' packages were there
        again = ["--reconfigure"] if os.path.exists(os.path.join(TOP, directory, "build.ninja")) else []
        if run(["meson", "setup", *again, directory, "-Dtests=enabled", *options], 300,
               {} if again else {"CC": compiler}):
            return False
        return run(["ninja", "--quiet", "-C", directory, "-j", str(self.options.jobs)], 900) == 0

    def meson_test(self, directory, prefix, virtual, env=None, multiplier=1):
        """The suites that look at no clock, or those that do."""
        log = "virtual" if virtual else "real"
        junit = os.path.join(TOP, directory, "meson-logs", log + ".junit.xml")
        if os.path.exists(junit):
            os.unlink(junit)
        suites = VIRTUAL if virtual else (*VIRTUAL, "integration")
        which = [word for suite in suites for word in ("--suite" if virtual else "--no-suite", suite)]
        code = run(["meson", "test", "-C", directory, "--no-rebuild", "--print-errorlogs", *which,
                    "--logbase", log, "-t", str(multiplier),
                    "--num-processes", str(self.options.jobs)], 1200, env)
        before = sum(row[1] for row in self.counts.rows.values())
        seen = read_junit(junit, self.counts, meson_suite(prefix))
        after = sum(row[1] for row in self.counts.rows.values())
        if code and (not seen or before == after):
            self.counts.add(prefix + "meson", failed=1, note="meson test exited with %d" % code)

    def stage_build(self):
        ok = self.setup(self.options.build)
        self.counts.add("build", ok, not ok)
        return ok

    def stage_static(self):
        """What `make static` does."""
        for check in ("cppcheck", "gcc -fanalyzer", "clang-tidy"):
            failed = run([sys.executable, "tests/static.py", self.options.build, "--jobs", str(self.options.jobs),
                          "--only", check], 900) != 0
            self.counts.add("static", not failed, failed, note=check if failed else None)

    def stage_coverage(self):
        """The parsers' tests once more, and how many of their lines they reach."""
        failed = run([sys.executable, "tests/coverage.py", "build-cover", "--jobs", str(self.options.jobs)], 600) != 0
        self.counts.add("coverage", not failed, failed, note="tests/coverage.py" if failed else None)

    def stage_meson(self):
        self.meson_test(self.options.build, "", False)

    def stage_virtual(self):
        # the time that is left over may be little
        self.meson_test(self.options.build, "", True, multiplier=8)

    def stage_warnings(self):
        for compiler, fuzz in (("gcc", "disabled"), ("clang", "enabled")):
            directory = "build-" + compiler
            ok = self.setup(directory, "-Dwerror=true", "-Dfuzz=" + fuzz, compiler=compiler)
            self.counts.add("build", ok, not ok,
                            note=None if ok else "%s: not free of warnings" % compiler)

    def asan(self, virtual, multiplier):
        if self.setup("build-asan", "-Db_sanitize=address,undefined"):
            self.meson_test("build-asan", "asan ", virtual, SANITIZERS, multiplier)
        else:
            self.counts.add("asan meson", failed=1, note="does not build")

    def stage_asan_virtual(self):
        self.asan(True, 16)

    def stage_asan(self):
        self.asan(False, 4)

    def programs(self):
        """The environment of tests over real processes."""
        onced = os.path.join(TOP, self.options.build, "daemon", "onced")
        oncectl = os.path.join(TOP, self.options.build, "tools", "oncectl", "oncectl")
        sim = os.path.join(TOP, self.options.build, "tests", "sim", "sim")
        proxy = os.path.join(TOP, self.options.build, "tests", "torture", "chaosproxy")
        lifejob = os.path.join(TOP, self.options.build, "tests", "integration", "lifejob")
        throng = os.path.join(TOP, self.options.build, "tests", "integration", "throng")
        example = os.path.join(TOP, self.options.build, "examples", "elect")
        return {"PYTHONDONTWRITEBYTECODE": "1", "LIFEJOB_BIN": lifejob, "EXAMPLE_BIN": example,
                "ONCED_BIN": os.environ.get("ONCED_BIN", onced),
                "ONCECTL_BIN": os.environ.get("ONCECTL_BIN", oncectl),
                "SIM_BIN": os.environ.get("SIM_BIN", sim), "CHAOSPROXY_BIN": proxy, "THRONG_BIN": throng}

    def pytest(self, name, words, env, seconds, name_of):
        junit = os.path.join(TOP, self.options.build, name + ".junit.xml")
        if os.path.exists(junit):
            os.unlink(junit)
        code = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", "--durations=5",
                    "--junitxml", junit, *words], seconds, env)
        seen = read_junit(junit, self.counts, name_of)
        if code and not (seen and code == 1):
            self.counts.add(name, failed=1, note="pytest exited with %d" % code)

    def stage_integration(self):
        daemons = ("test_takeover", "test_refusals", "test_daemon", "test_records", "test_example", "test_install",
                   "test_ring", "test_oncectl", "test_operate")
        self.pytest("integration", ["tests/integration", "tests/bench", "tests/torture", "tests/soak"], self.programs(), 1500,
                    lambda suite, case: "integration" if case.get("classname", "").endswith(daemons) else "harness")

    def stage_auth(self):
        """A handful of the same, with passwords, the role of a node, and tokens of three seconds."""
        self.with_auth([os.path.join("tests/integration", name) for name in AUTH_SAMPLE])

    def stage_auth_all(self):
        self.with_auth(["tests/integration"])

    def stage_page(self):
        """The status page in a browser; what it says of its times is there to be read."""
        self.pytest("page", ["-s", "tests/page"], self.programs(), 900, lambda suite, case: "page")

    def with_auth(self, words):
        self.pytest("auth", words, dict(self.programs(), ONCED_TEST_AUTH="yes"), 2400, lambda suite, case: "auth")

    def stage_systemd(self):
        """The units under a real systemd, in a box; skipped, with the reason, where there can be none."""
        junit = os.path.join(TOP, self.options.build, "systemd.junit.xml")
        if os.path.exists(junit):
            os.unlink(junit)
        code = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", "--durations=5",
                    "--junitxml", junit, "tests/systemd"], 900,
                   {"PYTHONDONTWRITEBYTECODE": "1", "ONCED_BUILD": self.options.build})
        seen = read_junit(junit, self.counts, lambda suite, case: "systemd")
        if code and not (seen and code == 1):
            self.counts.add("systemd", failed=1, note="pytest exited with %d" % code)

    def stage_torture(self):
        """Three minutes of `make torture`: each invariant is a test, and so is that it came to its end."""
        keep = os.path.join(tempfile.mkdtemp(prefix="onced-smoke-"), "record")
        code = run([sys.executable, "tests/torture/torture.py", "--smoke", "--build", self.options.build,
                    "--out", keep], 900, {"PYTHONDONTWRITEBYTECODE": "1"})
        try:
            with open(os.path.join(keep, "result.json")) as file:
                result = json.load(file)
        except (OSError, ValueError):
            result = {"verdicts": [], "lacks": {}}
        for verdict in result["verdicts"]:
            said = verdict["problem"] or verdict["skipped"]
            self.counts.add("torture", not said, bool(verdict["problem"]), bool(verdict["skipped"]),
                            note="%s: %s" % (verdict["number"], said) if said else None)
        for name, why in result["lacks"].items():
            self.counts.add("torture", skipped=1, note="skipped fault %s: %s" % (name, why))
        self.counts.add("torture", code == 0, code != 0,
                        note="exit %d, its record is in %s" % (code, keep) if code else None)
        if not code:
            shutil.rmtree(os.path.dirname(keep), ignore_errors=True)


class Beside:
    """The stages that run in another process, at a priority below all others."""

    def __init__(self, options):
        self.directory = tempfile.TemporaryDirectory(prefix="onced-beside-")
        self.counts = os.path.join(self.directory.name, "counts")
        self.log = open(os.path.join(self.directory.name, "log"), "w+", encoding="utf-8", errors="replace")
        command = [sys.executable, os.path.abspath(__file__), "--build", options.build,
                   "--jobs", str(options.jobs), "--counts", self.counts]
        command += [word for stage in BESIDE for word in ("--only", stage)]
        self.process = procs.spawn([*LEFT_OVER, *command], with_us=procs.END_WITH_US, stdout=self.log,
                                   stderr=subprocess.STDOUT)

    def join(self, counts):
        try:
            procs.wait(self.process, 1500)
        except subprocess.TimeoutExpired:
            self.end()
        self.log.seek(0)
        print("\n== beside the above\n" + self.log.read(), flush=True)
        try:
            counts.read(self.counts)
        except (OSError, ValueError):
            counts.add("beside", failed=1, note="came to no end: exit %d" % self.process.returncode)

    def end(self):
        procs.end(self.process, signal.SIGTERM, 2 * GRACE)  # it gives what it has started one


def run_stages(runner, stages):
    """False: it makes no sense to go on."""
    for stage in stages:
        start = time.monotonic()
        print("\n== %s" % stage, flush=True)
        go_on = getattr(runner, "stage_" + stage.replace("-", "_"))()
        print("== %s: %.0f s" % (stage, time.monotonic() - start), flush=True)
        if go_on is False:
            return False
    return True


def run_all(runner):
    if not run_stages(runner, BEFORE):
        return
    beside = Beside(runner.options)
    try:
        run_stages(runner, STAGES)
        beside.join(runner.counts)
    finally:
        beside.end()
    run_stages(runner, AFTER)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", action="append", choices=(*BEFORE, *BESIDE, *STAGES, *AFTER, *ASKED_FOR),
                        help="these stages alone")
    parser.add_argument("--counts", help="write them into this file too")
    options = parser.parse_args()
    procs.adopt()
    runner = Runner(options)
    try:
        if options.only:
            run_stages(runner, options.only)
        else:
            run_all(runner)
    except KeyboardInterrupt:
        sys.exit("run.py: ended by a signal")
    if options.counts:
        runner.counts.write(options.counts)
    sys.exit(runner.counts.show())


if __name__ == "__main__":
    main()
