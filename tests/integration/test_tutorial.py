"""Every command of docs/tutorial.md, in its order, each run on a fresh etcd: with etcdctl, and with
oncectl in its place.

    test_tutorial.py --update ETCDCTL_OR_ONCECTL    writes the output there is into the page
"""
import os
import sys
import threading

import pages
import procs
from cluster import Cluster

PAGE = os.path.join(pages.TOP, "docs", "tutorial.md")


def shell_on(cluster, tool, directory, build):
    return pages.Shell(directory, build, cluster.bindir, {"ETCDCTL_ENDPOINTS": cluster.members[0].endpoint},
                       {r"\betcdctl\b": tool})


def play_on_a_fresh_etcd(tool, bindir, build, directory, results):
    try:
        with Cluster(directory / "etcd", 1, False, bindir) as cluster:
            shell = shell_on(cluster, tool, str(directory / "here"), build)
            try:
                results[directory.name] = pages.play(PAGE, shell)
            finally:
                shell.close()
    except Exception as problem:  # told in the test's thread
        results[directory.name] = repr(problem)


def test_tutorial(versions, tmp_path, oncectl):
    """Most of it is waiting for leases, so all four at the same time."""
    build, results = os.path.dirname(os.path.dirname(os.path.dirname(oncectl))), {}
    threads = [threading.Thread(target=play_on_a_fresh_etcd, daemon=True, args=(
        tool, versions.bindir(version), build, tmp_path / (tool + "-" + version), results))
        for tool in ("etcdctl", "oncectl") for version in ("3.4", "3.5")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wrong = ["%s: %s" % item for item in sorted(results.items()) if item[1]]
    assert len(results) == len(threads) and not wrong, "\n".join(wrong)


def test_the_page_shows_what_it_is_to_teach():
    text = "\n".join(command.text for command in pages.read(PAGE))
    for word in ("put", "get", "del", "--prefix", "--from-key", "lease grant", "keep-alive", "revoke", "txn",
                 "load_fake_data.sh", "etcd-faker", "etcd-reporter", "--mode individual", "--mode txn",
                 "--mode packed", "lock"):
        assert word in text, word


def update(tool):
    import tempfile
    build = os.environ.get("BUILD", os.path.join(pages.TOP, "build"))
    procs.adopt()
    with tempfile.TemporaryDirectory() as directory, Cluster(directory + "/etcd") as cluster:
        shell = shell_on(cluster, tool, directory + "/here", build)
        try:
            pages.update(PAGE, shell)
        finally:
            shell.close()
            print(procs.end_orphans())


if __name__ == "__main__":
    update(sys.argv[2])
