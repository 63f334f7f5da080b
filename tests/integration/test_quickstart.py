"""docs/quickstart.md: each line of its part for one machine; that for systemd is played by tests/deb, on the
packages. The pages' etcd listens on 2379 and 2380; the one here where nobody else does."""
import os

import pages
import procs

PAGE = os.path.join(pages.TOP, "docs", "quickstart.md")


def test_one_machine(tmp_path, oncectl):
    build = os.path.dirname(os.path.dirname(os.path.dirname(oncectl)))
    ports = pages.Ports("2379", "2380")
    client, peer = ("http://127.0.0.1:" + ports.here[port] for port in ("2379", "2380"))
    env = {"ETCD_LISTEN_CLIENT_URLS": client, "ETCD_ADVERTISE_CLIENT_URLS": client, "ETCD_LISTEN_PEER_URLS": peer,
           "ETCD_INITIAL_ADVERTISE_PEER_URLS": peer, "ETCD_INITIAL_CLUSTER": "default=" + peer,
           "ETCDCTL_ENDPOINTS": client}
    shell = pages.Shell(str(tmp_path / "here"), build, None, env)
    try:
        wrong = pages.play(PAGE, shell)
    finally:
        shell.close()
        ports.close()
        left = procs.end_orphans()
    assert not wrong, wrong
    assert not left, "the page leaves behind: %s" % left


def test_the_page_has_both_parts():
    assert len(pages.read(PAGE)) > 8
    root = "\n".join(command.text for command in pages.read(PAGE, "root"))
    for words in ("apt-get -q -y install ./onced_", "onced.conf", "--check", "systemctl start", "systemctl stop"):
        assert words in root, words
