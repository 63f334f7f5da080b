"""Runs etcd-faker, etcd-reporter and oncectl of the build that is under test."""
import os
import subprocess

from cluster import clean_environment
from conftest import program


def path(name):
    directory = "oncectl" if name == "oncectl" else name
    build = os.path.dirname(os.path.dirname(program("ONCED_BIN", "build/daemon/onced")))
    found = os.path.join(build, "tools", directory, name)
    assert os.access(found, os.X_OK), "no %s: run make first, or set ONCED_BIN" % found
    return found


def connection(cluster, urls=None, dash="-"):
    flags = [dash + "endpoints", urls or cluster.urls()]
    if cluster.tls:
        flags += [dash + "cacert", cluster.tls.ca, dash + "cert", cluster.tls.client, dash + "key",
                  cluster.tls.client_key]
    if cluster.etcd_keys:
        flags += [dash + "user", "onced", dash + "password-file", cluster.password_file]
    return flags


def run(name, *args, code=0, env=None, seconds=120, **options):
    """Standard output and standard error of one call; the exit code is checked."""
    done = subprocess.run([path(name), *map(str, args)], timeout=seconds, text=True,
                          env=dict(clean_environment(), **(env or {})),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **dict({} if "input" in options else {"stdin": subprocess.DEVNULL}, **options))
    assert done.returncode == code, "%s %s: exit %d\n%s%s" % (
        name, " ".join(map(str, args)), done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr
