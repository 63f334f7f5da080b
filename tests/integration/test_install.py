"""libonce installed: a program outside of this tree builds with what pkg-config says, and runs."""
import os
import re
import shlex
import shutil
import subprocess

import pytest

from cluster import clean_environment
from conftest import TOP

HEADERS = set(os.listdir(os.path.join(TOP, "lib", "include", "once")))


def run(command, env=None, cwd=None):
    done = subprocess.run(command, env=env, cwd=cwd, timeout=120, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, "%s:\n%s%s" % (shlex.join(command), done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory, onced):
    """Where everything is installed to, and the environment in which pkg-config finds it there."""
    root = tmp_path_factory.mktemp("installed")
    build = os.path.dirname(os.path.dirname(onced))
    run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", str(root)])
    found = [p for p, _, names in os.walk(root) if "once.pc" in names]
    assert len(found) == 1, "once.pc in %s" % found
    env = dict(clean_environment(), PKG_CONFIG_PATH=found[0], PKG_CONFIG_SYSROOT_DIR=str(root))
    return root, env


def flags(installed, *options):
    return shlex.split(run(["pkg-config", *options, "once"], env=installed[1]))


def library(installed):
    found = [os.path.join(p, "libonce.so.1") for p, _, ns in os.walk(installed[0]) if "libonce.so.1" in ns]
    assert len(found) == 1
    return found[0]


def exported(path):
    lines = run(["nm", "-D", "--defined-only", path]).splitlines()
    return {line.split()[2].split("@")[0] for line in lines if line.split()[1] != "A"}


def declared():
    """Every name of the public headers that looks like one of a function's."""
    text = ""
    for name in HEADERS:
        with open(os.path.join(TOP, "lib", "include", "once", name), encoding="utf-8") as header:
            text += header.read()
    return set(re.findall(r"\b(once_\w+)\s*\(", text))


def test_library_shows_its_public_names_only(installed):
    names = exported(library(installed))
    assert len(names) > 50
    assert names <= declared(), "not in a public header: %s" % sorted(names - declared())


def test_library_keeps_what_it_has_shown(installed):
    """A name that goes, goes with a new number of the library; the list is the package's."""
    with open(os.path.join(TOP, "debian", "libonce1.symbols"), encoding="ascii") as file:
        kept = {line.split("@")[0].strip() for line in file if line.startswith(" once_")}
    assert len(kept) > 50
    assert kept <= exported(library(installed)), "gone: %s" % sorted(kept - exported(library(installed)))
    read = run(["readelf", "-d", library(installed)])
    assert "[libonce.so.1]" in read, "its own name"


def test_what_is_installed(installed):
    root = installed[0]
    names = {os.path.relpath(os.path.join(p, n), root) for p, _, ns in os.walk(root) for n in ns}
    assert {os.path.basename(n) for n in names if "/include/once/" in "/" + n} == HEADERS
    for name in ("/libonce.a", "/libonce.so", "/libonce.so.1", "bin/onced"):
        assert [n for n in names if n.endswith(name)], name
    for source in os.listdir(os.path.join(TOP, "docs", "man")):
        if source.endswith(".scd"):
            page = source[:-len(".scd")]
            assert [n for n in names if n.endswith("/man/man%s/%s" % (page[-1], page))], "%s is not installed" % page
    assert not [n for n in names if n.endswith(("/elect", "lifejob", "etcd-client-test"))]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_example_builds_outside_of_the_tree(installed, tmp_path, compiler):
    if not shutil.which(compiler):
        pytest.skip("no " + compiler)
    shutil.copy(os.path.join(TOP, "examples", "elect.c"), tmp_path)
    # As the example's own comment says. Nothing but its flags tells where anything is.
    run([compiler, "-std=gnu99", "-Wall", "-Wextra", "-Werror", "elect.c",
         *flags(installed, "--cflags", "--libs"), "-lev", "-o", "elect"], cwd=tmp_path)
    env = dict(clean_environment(), LD_LIBRARY_PATH=os.path.dirname(library(installed)))
    done = subprocess.run(["./elect", "nonsense://x"], cwd=tmp_path, timeout=20, text=True, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 1 and "nonsense" in done.stderr


def test_pkg_config(installed):
    """Whoever links the archive needs what that needs; the shared library brings it along."""
    needed = {"-lonce", "-lcurl", "-lcrypto", "-lcjson", "-lev"}
    assert [f for f in flags(installed, "--libs") if f.startswith("-l")] == ["-lonce"]
    assert needed <= set(flags(installed, "--static", "--libs"))
    version = run(["pkg-config", "--modversion", "once"], env=installed[1]).strip()
    project = run(["meson", "introspect", "--projectinfo", "meson.build"], cwd=TOP)
    assert version and version in project
