"""tools/demo/picture.py draws what a command showed, and the picture in README is one of its."""
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

from conftest import TOP

sys.path.insert(0, os.path.join(TOP, "tools", "demo"))
import picture as painter  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
FIRST = "\x1b[2J\x1b[H\x1b[1;32m> a\x1b[0m\x1b[K\r\nlonger <line>\x1b[K\r\n\x1b[J"
THEN = "\x1b[H  a\x1b[K\r\n\x1b[31mb\x1b[0m\x1b[K\r\n\x1b[J"


def picture(path, *command):
    return subprocess.run([sys.executable, os.path.join(TOP, "tools", "demo", "picture.py"), str(path), *command], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)


def moments(path):
    """Each moment's lines."""
    root = ElementTree.parse(path).getroot()
    texts = {t.get("id"): "".join(t.itertext()) for t in root.iter(SVG + "text")}
    return [[texts[use.get("href")[1:]] for use in g.iter(SVG + "use")]
            for g in root.iter(SVG + "g") if g.get("transform")], root


def test_moments_and_colours(tmp_path):
    terminal, shown = painter.Terminal(), []
    for at, text in enumerate((FIRST, THEN, "done & over\r\n")):
        terminal.feed(text)
        shown.append((at * 0.1, terminal.shown()))
    (tmp_path / "p.svg").write_text(painter.draw(painter.chosen(shown), "a title"), encoding="utf-8")
    found, root = moments(tmp_path / "p.svg")
    assert found == [["  a", "b", "done & over"], ["> a", "longer <line>"], ["  a", "b"]]  # the end first
    assert {(t.get("class"), t.text) for t in root.iter(SVG + "tspan")} == {("g", "> a"), ("r", "b")}


def test_numbers_alone_are_no_moment_of_their_own():
    lines = [((("%d ticks" % i, ""),),) for i in range(10)]
    found = painter.chosen([(i * 0.1, line) for i, line in enumerate(lines)])
    assert len(found) == 2 and found[-1] == (0.9, lines[9])


def test_a_command_on_its_terminal(tmp_path):
    done = picture(tmp_path / "p.svg", "sh", "-c", "stty size <&1 && echo over")
    assert done.returncode == 0, done.stderr
    assert moments(tmp_path / "p.svg")[0][0] == ["25 88", "over"]


def test_a_command_that_fails_leaves_no_picture(tmp_path):
    for command, said, code in ((("sh", "-c", "echo no; exit 3"), "ended with 3", 1), (("true",), "showed nothing", 1),
                                ((), "expected a command", 2)):
        done = picture(tmp_path / "p.svg", *command)
        assert done.returncode == code and said in done.stderr, (command, done.stderr)
    assert not os.path.exists(tmp_path / "p.svg")


def test_the_picture_in_readme():
    path = os.path.join(TOP, "docs", "images", "demo.svg")
    found, root = moments(path)
    assert os.path.getsize(path) < 60000
    assert "never two jobs at once" in found[0][-1] and len(found) > 20
    assert not {e.tag for e in root.iter()} - {SVG + t for t in ("svg", "title", "style", "rect", "defs", "text", "tspan", "g", "use")}
    with open(path, encoding="utf-8") as file:
        assert "http" not in file.read().replace("http://www.w3.org/2000/svg", "")
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
        assert "(docs/images/demo.svg)" in file.read()
