"""The aims fail when a figure is too high or missing, and only then."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import report  # noqa: E402

FAULTS = ["kill", "stop", "cut"]


def good():
    failover = [{"candidate": "etcdctl lock, TTL 2", "fault": "term", "ms": 5.0, "overlap_ms": 3000,
                 "clash": True, "old_runs_on": True}]
    for candidate in ("onced fast", "onced normal"):
        for fault in ["start", "term", "agent"] + FAULTS:
            failover.append({"candidate": candidate, "fault": fault, "ms": 10.0, "overlap_ms": 0,
                             "clash": False, "old_runs_on": False})
    idle = [{"candidate": "onced normal", "role": role, "pss_mb": 5, "wakeups_s": 2, "cpu_s_h": 1,
             "requests_s": 2} for role in ("leader", "follower")]
    return failover, idle


def verdict(failover, idle):
    aims = report.Aims(failover, idle)
    return aims.check(FAULTS), [x for x in aims.lines if x.startswith("FAIL")]


def test_good_figures_pass():
    assert verdict(*good()) == (True, [])


@pytest.mark.parametrize("at, name, value", [
    (2, "ms", 15.1), (3, "ms", None), (4, "ms", 2001), (1, "ms", 60), (5, "overlap_ms", 0.1),
    (6, "clash", True)])
def test_each_bad_figure_fails(at, name, value):
    failover, idle = good()
    failover[at][name] = value
    passed, failed = verdict(failover, idle)
    assert not passed and 1 <= len(failed) <= 2


@pytest.mark.parametrize("name, value", [("pss_mb", 9), ("wakeups_s", 4.1), ("cpu_s_h", 6)])
def test_each_bad_idle_figure_fails(name, value):
    failover, idle = good()
    idle[1][name] = value
    assert len(verdict(failover, idle)[1]) == 1


def test_nothing_measured_is_no_pass():
    passed, failed = verdict([], [])
    assert not passed and len(failed) > 15


def test_spread():
    assert report.spread([3.0, 1.0, 200.0]) == "3.0 [1.0-200]"
    assert report.spread([], missing=2) == "never"
    assert report.spread([1.0], missing=1) == "1.0 [1.0-1.0], 1 never"
