"""Every command of docs/walkthrough.md, in its order, with three members of etcd and three daemons that the page
itself starts: on etcd 3.4 with etcdctl, and on 3.5 with oncectl in its place.

    test_walkthrough.py --update    writes the output there is into the page
"""
import os
import threading

import pages
import procs

PAGE = os.path.join(pages.TOP, "docs", "walkthrough.md")


class Stage:
    """A shell whose ports nobody else has."""

    def __init__(self, directory, build, bindir=None, tool="etcdctl"):
        self.ports = pages.Ports("2379", "2380", "22379", "22380", "32379", "32380")
        self.shell = pages.Shell(str(directory), build, bindir, None,
                                 dict(self.ports.instead(), **{r"\betcdctl\b": tool}))

    def close(self):
        self.shell.close()
        self.ports.close()


def play(version, tool, bindir, directory, build, results):
    try:
        stage = Stage(directory, build, bindir, tool)
        try:
            results[version] = pages.play(PAGE, stage.shell)
        finally:
            stage.close()
    except Exception as problem:  # told in the test's thread
        results[version] = repr(problem)


def test_walkthrough(versions, tmp_path, oncectl):
    build, results = os.path.dirname(os.path.dirname(os.path.dirname(oncectl))), {}
    threads = [threading.Thread(target=play, daemon=True, args=(
        version, tool, versions.bindir(version), tmp_path / version, build, results))
        for version, tool in (("3.4", "etcdctl"), ("3.5", "oncectl"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = procs.end_orphans()
    wrong = ["%s: %s" % item for item in sorted(results.items()) if item[1]]
    assert len(results) == len(threads) and not wrong, "\n".join(wrong)
    assert not left, "the page leaves behind: %s" % left


def test_the_page_shows_what_it_is_to_teach():
    text = "\n".join(command.text for command in pages.read(PAGE))
    for word in ("member list", "endpoint status", "watch /leader", "oncectl status", "oncectl leaders", "onced run",
                 "kill -TERM", "kill -KILL", "lock --ttl", "timetolive", "oncectl timing", "--mode individual",
                 "--mode txn", "--mode packed"):
        assert word in text, word


def update():
    import tempfile
    procs.adopt()
    with tempfile.TemporaryDirectory() as there:
        stage = Stage(there + "/here", os.environ.get("BUILD", os.path.join(pages.TOP, "build")))
        try:
            pages.update(PAGE, stage.shell, stage.ports.back)
        finally:
            stage.close()
            print(procs.end_orphans())


if __name__ == "__main__":
    update()
