"""Logins that are wrong or become so under a leader: users, passwords, roles, and auth itself, on both versions of
etcd at once, with tokens that are good for three seconds.

Each row is a case with a user and a role of its own. In the first act everybody leads who can; then each suffers
its own; then all is mended and everybody leads. Who has done nothing wrong leads through all of it."""
import os
import shlex
import subprocess
import time

import pytest

import hostile
import procs
from hostile import Admin, Moments, Suspect, calm, rights, wait_all, wait_proved
from passwords import AuthCluster

VERSIONS = ("3.4", "3.5")
SILENT = "etcd does not serve us"
PASSWORD = "a password"


class Case:
    """before, later, mend: what is done with (admin, name, node) before the start, under the leader, at last;
    said: of the log, None: nothing is to be feared."""

    def __init__(self, said, before=None, later=None, mend=None, user=True, group=False):
        self.said, self.before, self.later, self.mend, self.user = said, before, later, mend, user
        self.group = group  # its job is in a group, whose leader's key lies below the node's


def change(admin, name, password):
    admin.call("user/changepw", name=name, password=password)


def rotate(admin, name, node):
    change(admin, name, "another")
    node.put(node.password, b"another\n")
    procs.send(node.guardian, 1)


def without(number, kind=None):
    """later and mend of a right that is taken away, or only kept for reading."""
    def later(admin, name, node):
        key, prefix = rights(name)[number]
        if kind:
            admin.grant(name, key, prefix, kind=kind)
        else:
            admin.grant(name, key, prefix, "revoke")

    def mend(admin, name, node):
        key, prefix = rights(name)[number]
        admin.grant(name, key, prefix)
    return {"later": later, "mend": mend, "group": number == 1}


WRONG = "invalid user ID or password"
CASES = {
    "no-fault": Case(None),
    "wrong-password": Case(WRONG, before=lambda a, n, node: node.put(node.password, b"wrong\n"),
                           mend=lambda a, n, node: node.put(node.password, PASSWORD.encode() + b"\n")),
    "unknown-user": Case(WRONG, before=lambda a, n, node: a.call("user/delete", name=n),
                         mend=lambda a, n, node: a.add_user(n, PASSWORD)),
    "no-role": Case("permission denied", before=lambda a, n, node: a.call("user/revoke", name=n, role=n),
                    mend=lambda a, n, node: a.call("user/grant", user=n, role=n)),
    "no-user": Case("user name is empty", user=False, mend=lambda a, n, node: (
        node.rewrite((r"\[Node\]", "User=%s\nPasswordFile=%s\n[Node]" % (n, node.password))),
        procs.send(node.guardian, 1))),
    "user-deleted": Case(WRONG, later=lambda a, n, node: a.call("user/delete", name=n),
                         mend=lambda a, n, node: a.add_user(n, PASSWORD)),
    "password-changed": Case(WRONG, later=lambda a, n, node: change(a, n, "another"),
                             mend=lambda a, n, node: node.put(node.password, b"another\n")),
    "password-rotated": Case(None, later=rotate),
    "without-the-leader-key": Case("permission denied", **without(0)),
    "without-the-keys-of-groups": Case("permission denied", **without(1)),
    "without-the-prefix": Case("permission denied", **without(2)),
    # a leader who may still write proves itself; what operators ask comes over a stream that is open
    "reads-the-prefix": Case("permission denied", **without(2, "READ")),
    "writes-the-prefix-unseen": Case(None, **without(2, "WRITE")),
    "role-revoked": Case("permission denied", later=lambda a, n, node: a.call("user/revoke", name=n, role=n),
                         mend=lambda a, n, node: a.call("user/grant", user=n, role=n)),
    "role-deleted": Case("permission denied", later=lambda a, n, node: a.call("role/delete", role=n),
                         mend=lambda a, n, node: (a.add_role(n), a.call("user/grant", user=n, role=n))),
}


class World:
    """One etcd with auth, with a node for each case."""

    def __init__(self, version, directory, bindir, onced):
        self.version, self.nodes = version, {}
        self.cluster = AuthCluster(os.path.join(directory, version), 1, True, bindir)
        hostile.metrics_flags(self.cluster)
        self.cluster.start()
        self.admin = Admin(self.cluster)
        self.admin.call("user/add", name="root", password="root")
        self.admin.call("user/grant", user="root", role="root")
        for name, case in CASES.items():
            self._add(name, case, directory, onced)
        self.admin.call("enable")
        self.admin.login()
        for name, case in CASES.items():
            if case.before:
                case.before(self.admin, name, self.nodes[name])

    def _add(self, name, case, directory, onced):
        node = Suspect(name, os.path.join(directory, "nodes-" + self.version), onced, self.cluster,
                       self.cluster.members[0].url)
        self.admin.add_role(name)
        self.admin.add_user(name, PASSWORD)
        node.put(node.password, PASSWORD.encode() + b"\n")
        if case.group:
            with open(os.path.join(node.directory, "jobs.d", "idle.job"), "a", encoding="ascii") as job:
                job.write("Group=g\n")
        if case.user:
            node.rewrite((r"\[Node\]", "User=%s\nPasswordFile=%s\n[Node]" % (name, node.password)))
        self.nodes[name] = node

    def close(self):
        for node in self.nodes.values():
            if node.process:
                node.stop()
        self.cluster.close()


def play(worlds):
    """The three acts."""
    every = [(world, name, case, world.nodes[name]) for world in worlds for name, case in CASES.items()]

    def nodes(test):
        return [node for _, _, case, node in every if test(case)]

    for *_, node in every:
        node.start()
    moments = Moments(nodes(lambda case: True), [world.nodes["no-fault"] for world in worlds])
    wait_all("leads", nodes(lambda case: not case.before and case.user), Suspect.leads, 30)
    moments.note("the start")
    for world, name, case, node in every:
        node.kept = node.text() if case.before or not case.user else ""
        node.mark = len(node.text())
        if case.later:
            case.later(world.admin, name, node)
    wait_all("stops", nodes(lambda case: case.said and case.later), lambda n: not n.leads(), 30)
    time.sleep(3)  # as long as a token is good for
    wait_proved([(world.admin, [world.nodes[name] for name, case in CASES.items() if not case.said])
                 for world in worlds])
    moments.note("the faults")
    for *_, node in every:
        node.kept = node.kept or node.text()[node.mark:]
        node.kept_job = node.leads()
        node.alive = node.running()
    for world, name, case, node in every:
        if case.mend:
            case.mend(world.admin, name, node)
    wait_all("leads again", [node for *_, node in every], Suspect.leads, 60)
    moments.note("their end")
    for world in worlds:
        world.admin.call("disable")
        world.admin.token = None
    time.sleep(3)
    wait_proved([(world.admin, world.nodes.values()) for world in worlds])
    moments.note("auth off")
    for world in worlds:
        world.admin.call("enable")
        world.admin.login()
    time.sleep(3)
    wait_proved([(world.admin, world.nodes.values()) for world in worlds])
    moments.note("auth on again")
    return moments


@pytest.fixture(scope="module")
def worlds(tmp_path_factory, versions, onced):
    made = {}
    directory = str(tmp_path_factory.mktemp("logins"))
    try:
        for version in VERSIONS:
            try:
                bindir = versions.bindir(version)
            except pytest.skip.Exception:
                continue
            made[version] = World(version, directory, bindir, onced)
        moments = play(list(made.values()))
        for world in made.values():
            world.moments = moments
        yield made
    finally:
        for world in made.values():
            world.close()
        left = procs.end_orphans()
        assert not left, left


def seen(worlds, version, name):
    if version not in worlds:
        pytest.skip("no etcd %s here" % version)
    return worlds[version].nodes[name]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_login_that_is_wrong_is_said_and_waited_for(worlds, version, name):
    node, case = seen(worlds, version, name), CASES[name]
    lines = [line for line in calm(node.kept) if SILENT in line]
    print(node.kept)
    assert node.alive and node.running(), node.text()
    if case.said is None:
        worlds[version].moments.judge(node, "the start", "the faults")
        assert not lines, node.text()
    else:
        assert not node.kept_job, "it works without the right to"
        assert 1 <= len(lines) <= 3 and case.said in lines[-1] and "expected" in lines[-1], node.kept
    assert len(calm(node.kept)) <= 12, node.kept
    assert len(calm(node.text())) <= 60, node.text()


@pytest.mark.parametrize("version", VERSIONS)
def test_auth_is_turned_off_and_on_under_leaders(worlds, version):
    for name in CASES:
        node = seen(worlds, version, name)
        worlds[version].moments.judge(node, "their end", "auth off", "auth on again")


def test_the_table_has_every_right_that_is_printed(oncectl):
    printed = subprocess.run([oncectl, "--leader", "/lead/x", "--prefix", "/on/x", "rbac"], check=True, timeout=10,
                             stdout=subprocess.PIPE, text=True).stdout
    words = [shlex.split(line, comments=True) for line in printed.splitlines()]
    granted = [(w[5], "--prefix" in w) for w in words if w[1:3] == ["role", "grant-permission"]]
    assert granted == rights("x")
