"""What is wrong with flags or certificates is said in one line; nothing is started."""
import os
import subprocess
import time

import pytest

import certs
import procs
from cluster import clean_environment
from conftest import describe

pytestmark = pytest.mark.parametrize("cluster", [("3.4", 1, True)], indirect=True, ids=describe)


def refused(group, flags, tail=None):
    """Runs onced with these flags, expects a refusal, returns the one line."""
    job = [group.lifejob, group.history.path, "a"]
    command = [group.onced, "run", *flags, *(["--", *job] if tail is None else tail)]
    done = subprocess.run(procs.DIE_WITH_US + command, env=clean_environment(), timeout=10,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
    assert done.returncode in (2, 78), done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, "one line, not: %r" % done.stderr
    assert not os.path.exists(group.history.path)
    assert group.cluster.etcdctl("get", "", "--from-key", "--keys-only").strip() == ""
    return lines[0]


def with_flag(group, flag, value):
    """The group's good flags with one of them replaced or added."""
    flags = list(group.flags) + ["--node", "a"]
    if flag in flags:
        flags[flags.index(flag) + 1] = value
    else:
        flags += [flag, value]
    return flags


@pytest.mark.parametrize("flag, value, named", [
    ("--ttl", "soon", "soon"),
    ("--ttl", "1s", "--ttl"),
    ("--ttl", "-5s", "--ttl"),
    ("--profile", "quick", "quick"),
    ("--node", "Node One", "Node One"),
    ("--node", "../a", "../a"),
    ("--node", "", "--node"),
    ("--key", "", "--key"),
    ("--endpoints", "", "--endpoints"),
    ("--endpoints", "ftp://127.0.0.1:2379", "ftp"),
    ("--endpoints", "https://127.0.0.1:99999", "99999"),
    ("--endpoints", "http://192.0.2.1:2379", "http://192.0.2.1:2379"),
    ("--nonsense", "1", "--nonsense"),
])
def test_bad_value(group, flag, value, named):
    assert named in refused(group, with_flag(group, flag, value))


def test_no_command(group):
    assert "command" in refused(group, group.flags + ["--node", "a"], tail=[]).lower()
    assert "command" in refused(group, group.flags + ["--node", "a"], tail=["--"]).lower()


def test_value_missing(group):
    assert "--ttl" in refused(group, group.flags + ["--ttl"], tail=[])


@pytest.mark.parametrize("flag", ["--cacert", "--cert", "--key-file"])
@pytest.mark.parametrize("what", ["absent", "directory", "empty", "garbage"])
def test_bad_certificate_file(group, tmp_path, flag, what):
    path = tmp_path / "bad.pem"
    if what == "directory":
        path.mkdir()
    elif what == "empty":
        path.write_text("")
    elif what == "garbage":
        path.write_text("-----BEGIN CERTIFICATE-----\nnot base64 at all\n-----END CERTIFICATE-----\n")
    assert str(path) in refused(group, with_flag(group, flag, str(path)))


def test_key_of_another_certificate(group, cluster):
    line = refused(group, with_flag(group, "--key-file", cluster.tls.server_key))
    assert cluster.tls.server_key in line or cluster.tls.client in line


def test_certificate_without_its_key(group):
    flags = group.flags + ["--node", "a"]
    at = flags.index("--key-file")
    line = refused(group, flags[:at] + flags[at + 2:])
    assert "--key-file" in line or "KeyFile" in line


def test_server_of_another_authority(group, tmp_path):
    """Only the handshake shows it. The daemon says so and never goes on without the check."""
    stranger, _ = certs.authority(str(tmp_path / "stranger"))
    group.flags = with_flag(group, "--cacert", stranger)
    node = group.add("a").start()
    node.wait_log("certificate", 5)
    time.sleep(1)
    assert not os.path.exists(group.history.path)
    assert group.cluster.etcdctl("get", "", "--from-key", "--keys-only").strip() == ""
