"""The judge of the soak, on series that nobody measured: each kind of leak is seen, and nothing else is."""
import math
import os
import random
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import judge  # noqa: E402

MEMORY = judge.FIGURES["pss"][1]


def hour(value, minutes=60):
    """A sample each 30 s."""
    return [(t, value(t)) for t in range(0, minutes * 60 + 1, 30)]


def noise(seed, width):
    """Groups that come and go, in blocks of a few samples."""
    chance = random.Random(seed)
    steps = [chance.uniform(-width, width) for _ in range(1000)]
    return lambda t: steps[int(t // 75)]


def flat(points, limit=MEMORY):
    return judge.judge(points, limit)["problem"] is None


@pytest.mark.parametrize("seed", range(20))
def test_memory_that_comes_and_goes_is_flat(seed):
    moves = noise(seed, 400)
    assert flat(hour(lambda t: 9000 + moves(t)))


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_below_the_noise_is_seen(seed):
    """1 MiB in half an hour, between moves of 400 up and down."""
    moves = noise(seed, 400)
    assert not flat(hour(lambda t: 9000 + moves(t) + 2048 * t / 3600))


def test_a_heap_that_finds_its_size_is_flat():
    assert flat(hour(lambda t: 9000 + 3000 * (1 - math.exp(-t / 500))))


def test_a_peak_is_no_leak_and_a_restart_hides_none():
    assert flat(hour(lambda t: 9000 + (50000 if t in (3000, 3030) else 0)))
    assert not flat(hour(lambda t: 9000 + 2 * t - (2000 if t in (2400, 3300) else 0)))


def test_a_step_in_the_second_half_is_seen():
    assert not flat(hour(lambda t: 9000 + (1000 if t > 2700 else 0)))


def test_descriptors_and_threads():
    assert flat(hour(lambda t: 40 + t // 30 % 9), 6)
    assert not flat(hour(lambda t: 40 + t // 30 % 9 + t // 200), 6)
    assert flat(hour(lambda t: 3 + t // 30 % 2), judge.NO_MORE)
    assert not flat(hour(lambda t: 3 + t // 3590), judge.NO_MORE)
    assert flat(hour(lambda t: t), judge.SHOWN)


def test_too_little_is_no_pass():
    assert not flat([]) and not flat(hour(lambda t: 1, minutes=10))


def sample(seconds, pss):
    return {"seconds": seconds, "roles": {"a agent": {"pid": 7, "pss": pss, "rss": 9, "fds": 4, "threads": 1,
                                                       "children": 2}}}


def test_the_table_names_what_is_not_flat():
    good = judge.rows([sample(t, 9000) for t in range(0, 3601, 30)])
    assert judge.problems(good) == [] and "NOT FLAT" not in judge.table(good) and len(good) == 5
    bad = judge.rows([sample(t, 9000 + t) for t in range(0, 3601, 30)])
    assert [p.split(":")[0] for p in judge.problems(bad)] == ["a agent, PSS KiB"]
    assert judge.table(bad).count("NOT FLAT") == 1 and "| 9180 | 10800 | 12420 | 12600 | +3600.0 |" in judge.table(bad)


def test_a_run_that_began_twice():
    assert judge.twice(["a 1", "a 2", "b 1"]) == []
    assert judge.twice(["a 1", "b 1", "a 1"]) == ["a 1"]
