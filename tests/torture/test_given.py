"""The judge of numbers finds what was planted in what the allocators got or in the counters."""
import base64
import json

import pytest

import support  # noqa: F401
import check
import given

MS = 1000000


def line(ms, said, seq, first, count, name="direct", pid=1):
    return given.Given(ms * MS, said, name, "a", pid, seq, first, count)


def put(revision, following, name="direct"):
    return {"ns": revision * MS, "revision": revision, "type": "put", "key": given.HEAD + name,
            "create": 1, "value": base64.b64encode(json.dumps({"next": following}).encode()).decode()}


def good():
    """direct: 1 to 3 to one, 4 to 5 to another meanwhile, 6 to nobody. pool: out of two blocks of 20."""
    return {
        "given": [line(1, "asked", 0, 0, 3), line(2, "asked", 0, 0, 2, pid=2), line(5, "given", 0, 4, 2, pid=2),
                  line(6, "given", 0, 1, 3), line(7, "asked", 1, 0, 1), line(9, "refused", 1, -110, 1),
                  line(1, "asked", 0, 0, 2, "pool"), line(4, "given", 0, 21, 2, "pool"),
                  line(3, "asked", 0, 0, 2, "pool", 2), line(9, "given", 0, 1, 2, "pool", 2)],
        "watch": [put(2, 4), put(3, 6), put(4, 21, "pool"), put(5, 41, "pool"), put(6, 7)],
        "events": [{"event": "run", "ns": 0}, {"event": "caught up", "ns": 0, "revision": 6}],
    }


def whole(run):
    return check.Run([], [], run["watch"], run["events"], set(), None, None, run["given"])


def test_good_numbers():
    assert given.given_once(whole(good())) is None


PLANTED = {
    "a number is given twice": ("given twice: 4 to 5", "given", lambda old: [*old, line(9, "given", 2, 5, 1)]),
    "a block is given twice": ("given twice: 1 to 2 of pool", "given", lambda old: [
        *old, line(9, "given", 2, 1, 2, "pool")]),
    "a number within another's": ("given twice", "given", lambda old: [*old, line(9, "given", 2, 2, 1)]),
    "a smaller number later": ("6 to 6 of direct, given to pid 3 on a, was asked for after 7 to 7", "given", lambda old: [
        *old, line(10, "asked", 2, 0, 1), line(11, "given", 2, 7, 1),
        line(12, "asked", 0, 0, 1, pid=3), line(13, "given", 0, 6, 1, pid=3)]),
    "more than was counted": ("the counter is at 7", "given", lambda old: [*old, line(9, "given", 1, 7, 1)]),
    "the counter goes back": ("revision 9: the counter goes back", "watch", lambda old: [*old, put(9, 5)]),
    "the counter is deleted": ("goes back from 41 to 1", "watch", lambda old: [
        *old, {"ns": 9, "revision": 9, "type": "delete", "key": given.HEAD + "pool"}]),
}


@pytest.mark.parametrize("what", PLANTED)
def test_planted(what):
    words, name, change = PLANTED[what]
    run = good()
    run[name] = change(run[name])
    if what == "a smaller number later":
        run["watch"].append(put(8, 8))
    assert words in (given.given_once(whole(run)) or "")


def test_a_process_number_that_comes_again():
    run = good()
    run["given"] += [line(12, "asked", 0, 0, 1), line(13, "given", 0, 7, 1)]
    run["watch"].append(put(8, 8))
    assert given.given_once(whole(run)) is None


def test_what_the_observer_missed():
    run = good()
    run["watch"] = [{"ns": 0, "gap": [1, 9]}]
    assert given.given_once(whole(run)) is None


def test_files(tmp_path):
    path = tmp_path / "given"
    assert given.read(str(path)) is None
    path.write_text("".join(" ".join(map(str, x)) + "\n" for x in good()["given"]) + "12 giv")
    assert given.read(str(path)) == good()["given"]
    path.write_text("12 taken direct a 1 0 5 3\n")
    with pytest.raises(ValueError):
        given.read(str(path))


def test_figures():
    f = given.figures(whole(good()))
    assert (f["asked"], f["given"], f["refused"], f["unanswered"]) == (5, 4, 1, 0)
    assert (f["numbers"], f["twice"], f["lost"]) == (9, 0, 37)
