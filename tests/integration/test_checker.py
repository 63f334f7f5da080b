"""The checker judges planted histories: the good ones pass, each bad one is called by its name."""
import subprocess
import sys

import pytest

import checker


def history(*spans):
    """Lines every 10 ms of (start ms, end ms, node, token, pid[, kind])."""
    lines = []
    for start, end, node, token, pid, *kind in spans:
        for seq, ms in enumerate(range(start, end + 1, 10)):
            lines.append("%d %s %s %d %d %d\n" % (ms * 1000000, kind[0] if kind else "life", node,
                                                  token, pid, seq))
    return "".join(lines)


GOOD = {
    "nothing": [],
    "one life": [(0, 100, "a", 5, 1)],
    "one after another": [(0, 100, "a", 5, 1), (101, 200, "b", 7, 2), (300, 400, "a", 9, 3)],
    "a child of the same token beside it": [(0, 100, "a", 5, 1), (10, 120, "a", 5, 2, "child"),
                                            (130, 200, "b", 6, 3)],
    "started again within a term": [(0, 100, "a", 5, 1), (120, 200, "a", 5, 2)],
    "one pid on two nodes": [(0, 100, "a", 5, 1), (120, 200, "b", 6, 1)],
}

BAD = {
    "a second starts before the first ends":
        ([(0, 100, "a", 5, 1), (90, 200, "b", 7, 2)], "began 10.0 ms before token 5 on a"),
    "in the same instant":
        ([(0, 100, "a", 5, 1), (100, 200, "b", 7, 2)], "began 0.0 ms before"),
    "a life inside another":
        ([(0, 300, "a", 5, 1), (100, 110, "b", 7, 2), (120, 130, "c", 8, 3)], "began 200.0 ms before"),
    "the first outlives the third":
        ([(0, 50, "a", 5, 1), (60, 100, "b", 7, 2), (45, 55, "a", 5, 4, "child"),
          (110, 120, "a", 5, 4, "child")], "child"),
    "a child outlives the term":
        ([(0, 100, "a", 5, 1), (0, 150, "a", 5, 2, "child"), (120, 200, "b", 7, 3)],
         "began 30.0 ms before token 5 on a (pid 1) wrote its last line (pid 2, child)"),
    "tokens fall":
        ([(0, 100, "a", 7, 1), (110, 200, "b", 5, 2)], "tokens must grow"),
    "a token on two nodes":
        ([(0, 100, "a", 7, 1), (110, 200, "b", 7, 2)], "token 7 was used on a (pid 1) and on b"),
    "no token":
        ([(0, 100, "a", 0, 1)], "ran without a token"),
    "two of one term at once":
        ([(0, 100, "a", 5, 1), (90, 200, "a", 5, 2)], "within one term"),
    "the kernel's lock":
        ([(0, 100, "a", 5, 1), (110, 110, "b", 6, 2, "clash"), (120, 130, "b", 6, 2)],
         "still held the lock"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_history_holds(name):
    assert checker.check(checker.parse(history(*GOOD[name]))) is None


@pytest.mark.parametrize("name", BAD)
def test_bad_history_is_named(name):
    spans, expected = BAD[name]
    assert expected in checker.check(checker.parse(history(*spans)))


def test_order_of_lines_does_not_matter():
    text = history(*BAD["a second starts before the first ends"][0])
    backwards = "".join(reversed(text.splitlines(keepends=True)))
    assert checker.check(checker.parse(backwards)) == checker.check(checker.parse(text))


def test_overlap_is_measured():
    spans = BAD["a second starts before the first ends"][0]
    assert checker.overlap_ns(checker.parse(history(*spans))) == 10 * 1000000
    assert checker.overlap_ns(checker.parse(history(*GOOD["one after another"]))) == 0


def test_line_being_written_is_left_out():
    text = history((0, 100, "a", 5, 1))
    assert len(checker.parse(text + "123 life a")) == len(checker.parse(text))


@pytest.mark.parametrize("line", ["1 life a 5 1\n", "x life a 5 1 0\n", "1 lives a 5 1 0\n", "\n"])
def test_malformed_line_is_refused(line):
    with pytest.raises(checker.Malformed, match="line 1 "):
        checker.parse(line)


def test_as_a_command(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(history(*GOOD["one after another"]))
    bad.write_text(history(*BAD["tokens fall"][0]))

    def run(*paths):
        return subprocess.run([sys.executable, checker.__file__, *map(str, paths)], text=True,
                              stdout=subprocess.PIPE)
    assert run(good).returncode == 0
    done = run(good, bad)
    assert done.returncode == 1 and "tokens must grow" in done.stdout
    assert run(tmp_path / "absent").returncode == 1
