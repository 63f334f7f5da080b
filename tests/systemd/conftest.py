"""One box with etcd for all tests; daemons in it as units, with a job that writes down its own life.

    ONCED_BUILD   the build whose `meson install` is laid over the image (default build)
"""
import os
import shutil
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "tests", "integration")]
import box as boxes  # noqa: E402
import certs  # noqa: E402
import procs  # noqa: E402
from cluster import wait_for  # noqa: E402
from units import Units  # noqa: E402

procs.adopt()


@pytest.fixture(scope="session")
def build():
    path = os.path.abspath(os.environ.get("ONCED_BUILD") or os.path.join(TOP, "build"))
    assert os.access(os.path.join(path, "daemon", "onced"), os.X_OK), "no %s: run make first" % path
    return path


def start_etcd(made, directory):
    tls = certs.make(os.path.join(str(directory), "tls"), {"127.0.0.1"})
    store = made.path("/etc/credstore")
    os.makedirs(store, mode=0o700, exist_ok=True)
    for source, name in ((tls.ca, "ca"), (tls.client, "crt"), (tls.client_key, "key")):
        shutil.copy(source, os.path.join(store, "onced." + name))
    for name in ("ca", "server", "server_key", "client", "client_key"):
        shutil.copy(getattr(tls, name), os.path.join(made.share, "etcd." + name))
        os.chmod(os.path.join(made.share, "etcd." + name), 0o600)
    made.run("systemd-run", "--unit=member", "--service-type=notify", "-p", "Restart=always", "etcd",
             "--data-dir=/run/etcd", "--listen-client-urls=https://127.0.0.1:2379",
             "--advertise-client-urls=https://127.0.0.1:2379", "--client-cert-auth",
             "--cert-file=/share/etcd.server", "--key-file=/share/etcd.server_key",
             "--trusted-ca-file=/share/etcd.ca")


@pytest.fixture(scope="session")
def machine(build, tmp_path_factory):
    directory = tmp_path_factory.mktemp("box")
    tree = boxes.Box.install(build, os.path.join(str(directory), "installed"))
    with boxes.boot(directory, tree) as made:
        shutil.copy(os.path.join(build, "tests", "integration", "lifejob"), made.share)
        start_etcd(made, directory)
        yield made


@pytest.fixture
def units(machine):
    """Daemons on the box, ended and judged after the test."""
    made = Units(machine)
    yield made
    try:
        made.check()
    finally:
        print(machine.journal("-n", "200"))  # shown when the test failed
        made.close()


__all__ = ["wait_for"]
