"""alarm and endpoint of oncectl on members in trouble: a full store, members that differ, one that
does not answer. Beside etcdctl's, where that can be asked the same."""
import re
import subprocess

import pytest

import tools
from cluster import Cluster, clean_environment, wait_for

QUOTA = 1 << 20  # of bytes in the store; etcd's smallest page file is far below


def alike(text):
    """Without what changes from one call to the next: times, and the file that etcd grows on its own."""
    text = re.sub(r"took = \S+", "took = T", re.sub(r'"took":"[^"]*"', "T", text))
    return re.sub(r'("DBSize" : |"dbSize":|"dbSizeInUse":)\d+', r"\1N", text)


def both(cluster, oncectl, *words):
    """What etcdctl and oncectl say, which must be the same: exit code, standard output, error."""
    env = dict(clean_environment(), ETCDCTL_API="3")
    said = []
    for program in ([oncectl, "--endpoints", cluster.urls()],
                    [cluster.etcdctl_command()[0], "--endpoints", cluster.urls()]):
        done = subprocess.run(program + list(words), env=env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
        err = "".join(line for line in done.stderr.splitlines(True) if not line.startswith('{"level'))
        said.append([done.returncode, alike(done.stdout), alike(err)])
    assert said[0] == said[1]
    return said[0]


def fill(cluster):
    for i in range(100):
        done = subprocess.run(cluster.etcdctl_command("put", "fill/%d" % i), input=b"x" * 200000,
                              env=dict(clean_environment(), ETCDCTL_API="3"), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=30)
        if done.returncode != 0:
            assert b"database space exceeded" in done.stderr
            return
    raise AssertionError("the quota does not hold")


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_a_full_store_is_told_and_freed(version, versions, tmp_path, oncectl):
    with Cluster(tmp_path / "etcd", 1, False, versions.bindir(version),
                 extra=["--quota-backend-bytes", str(QUOTA)]) as cluster:
        flags = ["--endpoints", cluster.urls()]
        assert both(cluster, oncectl, "alarm", "list") == [0, "", ""]
        fill(cluster)
        code, out, err = both(cluster, oncectl, "alarm", "list")
        assert (code, err) == (0, "") and re.fullmatch(r"memberID:\d+ alarm:NOSPACE \n", out)
        # etcdctl 3.4 panics there
        for form in ("json", "fields") if version != "3.4" else ():
            told = both(cluster, oncectl, "alarm", "list", "-w", form)
            assert told[0] == 0 and ("NOSPACE" in told[1] or '"alarm":1' in told[1])
        assert both(cluster, oncectl, "endpoint", "health")[0] == (version != "3.4")
        assert "NOSPACE" in both(cluster, oncectl, "endpoint", "status", "-w", "fields")[1]
        assert tools.run("oncectl", *flags, "put", "a", "1", code=1)[1] == (
            "Error: etcdserver: mvcc: database space exceeded\n")
        # reading, deleting and locking's way out go on
        assert tools.run("oncectl", *flags, "del", "fill/", "--prefix")[0].strip().isdigit()
        revision = re.search(r'"Revision" : (\d+)', cluster.etcdctl("get", "a", "-w", "fields")).group(1)
        tools.run("oncectl", *flags, "compaction", revision)
        cluster.etcdctl("defrag", seconds=20)
        assert tools.run("oncectl", *flags, "alarm", "disarm")[0] == out
        assert both(cluster, oncectl, "alarm", "list") == [0, "", ""]
        assert both(cluster, oncectl, "alarm", "disarm") == [0, "", ""]
        assert both(cluster, oncectl, "endpoint", "health")[0] == 0
        assert tools.run("oncectl", *flags, "put", "a", "1")[0] == "OK\n"


@pytest.mark.parametrize("cluster", [("3.5", 3, False)], indirect=True)
def test_members_that_agree_have_the_same_hash(cluster, oncectl):
    flags = ["--endpoints", cluster.urls()]

    def hashes(*words):
        out = tools.run("oncectl", *flags, "endpoint", "hashkv", *words)[0].splitlines()
        assert [line.split(", ")[0] for line in out] == [member.url for member in cluster.members]
        return [int(line.split(", ")[1]) for line in out]

    for i in range(3):
        cluster.etcdctl("put", "k%d" % i, "v")
    revision = re.search(r'"Revision" : (\d+)', cluster.etcdctl("get", "k", "-w", "fields")).group(1)
    # a follower may be a moment behind
    wait_for("the same hash", lambda: len(set(hashes())) == 1, 10)
    before = hashes("--rev", revision)
    assert len(set(before)) == 1
    assert before == [int(line.split(", ")[1]) for line in cluster.etcdctl(
        "endpoint", "hashkv", "--rev", revision).splitlines()]
    cluster.etcdctl("put", "k0", "w")
    assert hashes("--rev", revision) == before
    wait_for("another hash", lambda: len(set(hashes())) == 1 and hashes() != before, 10)
    cluster.pause(1)
    out, err = tools.run("oncectl", *flags, "--command-timeout", "1s", "endpoint", "hashkv", code=1)
    assert len(out.splitlines()) == 2 and "Failed to get the hash of endpoint %s" % (
        cluster.members[1].url) in err
