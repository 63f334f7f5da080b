"""The client of libonce on real etcd: every call, every outcome, and what it does when etcd dies."""
import os
import subprocess
import time

import pytest

from client_driver import APPLIED, NOT_APPLIED, UNKNOWN, Client
from cluster import Cluster, clean_environment

CONFIGS = [(v, 1, tls) for v in ("3.4", "3.5") for tls in (True, False)]
NAMES = ["%s-%s" % (v, "tls" if tls else "plain") for v, _, tls in CONFIGS]
every_kind = pytest.mark.parametrize("cluster", CONFIGS, ids=NAMES, indirect=True)
both_versions = pytest.mark.parametrize("cluster", [c for c in CONFIGS if c[2]], ids=["3.4", "3.5"],
                                        indirect=True)
three_members = pytest.mark.parametrize("cluster", [("3.4", 3, True), ("3.5", 3, True)],
                                        ids=["3.4", "3.5"], indirect=True)


@every_kind
def test_http_version_is_2_on_tls_and_1_1_on_plaintext(cluster):
    with Client.on(cluster) as client:
        client.ok("get", "k")
        note = client.until(lambda: client.notes)[0]
        assert note["version"] == (20 if cluster.tls else 11)
        assert note["url"] == cluster.members[0].url


@every_kind
def test_keys_and_guards(cluster):
    with Client.on(cluster) as client:
        put = client.ok("put", "k", "1")
        again = client.ok("put", "k", "2")
        assert again["revision"] == put["revision"] + 1
        assert [kv["value"] for kv in again["op"]["kvs"]] == ["1"]
        get = client.ok("get", "k")["op"]
        assert get["count"] == 1 and get["kvs"][0]["value"] == "2" and get["kvs"][0]["version"] == 2
        assert client.ok("stale", "k")["op"]["kvs"][0]["value"] == "2"
        assert client.ok("getat", "k", put["revision"])["op"]["kvs"][0]["value"] == "1"
        lost = client.ok("create", "k", "3")["op"]
        assert not lost["succeeded"] and lost["results"][0]["kvs"][0]["value"] == "2"
        won = client.ok("create", "other", "3")["op"]
        assert won["succeeded"] and won["results"][0]["kind"] == 1
        gone = client.ok("del", "k")["op"]
        assert gone["count"] == 1 and gone["kvs"][0]["value"] == "2"
        assert client.ok("del", "k")["op"]["count"] == 0
        assert client.ok("get", "k")["op"]["count"] == 0


@every_kind
def test_leases(cluster):
    with Client.on(cluster) as client:
        grant = client.ok("grant", 10, 77)
        assert (grant["lease"], grant["ttl"]) == (77, 10)
        assert client.call("grant", 10, 77)["error"] == -17  # EEXIST
        client.ok("put", "leased", "v", 77)
        assert client.ok("keepalive", 77)["ttl"] == 10
        left = client.ok("ttl", 77)
        assert left["granted"] == 10 and 8 <= left["ttl"] <= 10 and left["keys"] == 1
        assert 77 in client.ok("leases")["leases"]
        client.ok("revoke", 77)
        assert client.ok("get", "leased")["op"]["count"] == 0
        gone = client.call("revoke", 77)
        assert gone["error"] == -2 and gone["outcome"] == APPLIED
        assert client.ok("keepalive", 77)["ttl"] == 0
        assert client.ok("ttl", 77)["ttl"] == -1
        refused = client.call("put", "leased", "v", 77)
        assert refused["error"] == -2 and refused["outcome"] == NOT_APPLIED
        assert client.ok("grant", 10)["lease"] != 0


@every_kind
def test_cluster_calls(cluster):
    with Client.on(cluster) as client:
        status = client.ok("status")
        assert status["leader"] == status["member"] != 0 and status["db_size"] > 0
        assert status["version"].startswith("3.")
        assert client.ok("members", 0)["members"] == [cluster.members[0].url]
        assert client.ok("members", 1)["members"] == [cluster.members[0].url]


@every_kind
def test_self_test_writes_nothing(cluster):
    with Client.on(cluster) as client:
        before = client.ok("get", "k")["revision"]
        client.ok("selftest", "k")
        client.ok("put", "other", "v")
        client.ok("selftest", "other")
        assert client.ok("get", "k")["revision"] == before + 1


@every_kind
def test_pages_give_every_key_of_one_revision(cluster):
    with Client.on(cluster) as client:
        for first in range(0, 500, 100):
            client.ok("bulk", "p", first, 100)
        pages = client.ok("pages", "p", "q", 70)
        assert (pages["rows"], pages["pages"]) == (500, 8)
        assert client.ok("pages", "p", "q", 70, 75)["rows"] == 75
        assert client.ok("pages", "none", "nonf", 70)["rows"] == 0
        client.send("lane", "bulk")
        assert client.ok("pages", "p", "q", 0)["rows"] == 500


@both_versions
def test_errors_are_told_apart(cluster):
    with Client.on(cluster) as client:
        revision = client.ok("put", "k", "v")["revision"]
        client.ok("put", "k", "w")
        client.ok("compact", revision)
        assert client.call("getat", "k", revision - 1)["error"] == -116  # ESTALE
        assert client.call("getat", "k", revision + 1000)["error"] == -34  # ERANGE
        large = client.call("fill", "k", 1700000)
        assert large["error"] == -7 and large["outcome"] == NOT_APPLIED  # E2BIG
        assert client.call("bulk", "k", 0, 128)["error"] == 0


@both_versions
def test_large_values_travel_on_both_lanes(cluster):
    with Client.on(cluster) as client:
        for lane in ("control", "bulk"):
            client.send("lane", lane)
            client.ok("fill", "large", 1 << 20)
            assert client.ok("get", "large")["op"]["kvs"][0]["size"] == 1 << 20


@both_versions
def test_an_answer_above_the_cap_is_refused(cluster):
    with Client.on(cluster) as client:
        for i in range(5):
            client.ok("fill", "large%d" % i, 1 << 20)
        answer = client.call("get", "large", "largf")
        assert answer["error"] == -74 and "larger" in answer["message"]  # EBADMSG
        client.send("lane", "bulk")
        assert client.ok("get", "large", "largf")["op"]["count"] == 5


@every_kind
def test_many_calls_at_once(cluster):
    with Client.on(cluster) as client:
        numbers = [client.send("put", "k%d" % i, i) for i in range(300)]
        assert all(client.wait(n)["error"] == 0 for n in numbers)
        assert client.ok("get", "k", "l")["op"]["count"] == 300


@both_versions
def test_a_cancelled_call_is_never_heard_of(cluster):
    with Client.on(cluster) as client:
        client.ok("get", "k")
        for _ in range(50):
            n, _ = client.send_together(("put", "k", "v"), ("cancel",))
            assert client.ok("get", "k") and n not in client.answers


# ---- watches


@every_kind
def test_watch_tells_changes_with_what_was_before(cluster):
    with Client.on(cluster) as client:
        client.call("watch", 0, 0, 0, "p", "a", "b")
        client.wait_note("started")
        client.ok("put", "a1", "1")
        client.ok("put", "a1", "2")
        client.ok("put", "c", "elsewhere")
        client.ok("del", "a1")
        first, second, third = client.wait_events(3)
        assert (first["kind"], first["kv"]["value"]) == (0, "1") and "prev" not in first
        assert second["kv"]["value"] == "2" and second["prev"]["value"] == "1"
        assert third["kind"] == 1 and third["prev"]["value"] == "2"
        client.run_for(0.1)
        assert len(client.events()) == 3


@every_kind
def test_watch_of_several_ranges_with_filters(cluster):
    with Client.on(cluster) as client:
        client.call("watch", 0, 0, 0, "d", "a", "b", "x", "y", "single", "-")
        client.wait_note("started")
        for key in ("a1", "x1", "single", "single2", "m"):
            client.ok("put", key, "v")
        client.ok("del", "a1")
        client.ok("put", "a2", "v")
        events = client.wait_events(4)
        client.run_for(0.1)
        assert sorted(e["kv"]["key"] for e in client.events()) == ["a1", "a2", "single", "x1"]
        assert all(e["kind"] == 0 for e in events) and len(client.notes_of("started")) == 1


@every_kind
def test_watch_from_a_revision_gives_history_once_and_whole(cluster):
    with Client.on(cluster) as client:
        start = client.ok("get", "h")["revision"] + 1
        for i in range(20):
            client.ok("bulk", "h", i * 10, 10)
        client.call("watch", 0, start, 0, "-", "h", "i")
        client.wait_events(200)
        client.run_for(0.1)
        assert len(client.events()) == 200
        for note in client.notes_of("events"):
            for revision in {e["kv"]["mod"] for e in note["events"]}:
                assert sum(e["kv"]["mod"] == revision for e in note["events"]) == 10


@both_versions
def test_fragments_are_put_together(cluster):
    with Client.on(cluster) as client:
        start = client.ok("get", "f")["revision"] + 1
        for _ in range(12):
            client.ok("fill", "f", 1 << 20)
        client.call("watch", 0, start, 0, "-", "f", "-")
        events = client.wait_events(12, 20)
        client.run_for(0.1)
        assert [e["kv"]["mod"] for e in client.events()] == list(range(start, start + 12))
        assert all(e["kv"]["size"] == 1 << 20 for e in events)


@every_kind
def test_watch_of_a_compacted_revision_ends(cluster):
    with Client.on(cluster) as client:
        for _ in range(5):
            revision = client.ok("put", "k", "v")["revision"]
        client.ok("compact", revision)
        client.call("watch", 0, revision - 3, 0, "-", "k", "-")
        end = client.wait_note("compacted")[0]
        assert end["revision"] == revision and end["error"] == -116
        client.call("watch", 0, revision, 0, "-", "k", "-")
        client.wait_events(1)


@both_versions
def test_watch_that_is_cancelled_says_nothing_more(cluster):
    with Client.on(cluster) as client:
        client.call("watch", 0, 0, 0, "-", "k", "-")
        client.wait_note("started")
        client.send("unwatch", 0)
        client.ok("put", "k", "v")
        client.run_for(0.2)
        assert not client.events()


@every_kind
def test_watch_survives_kill_and_restart(cluster):
    with Client.on(cluster) as client:
        client.call("watch", 0, 0, 0, "-", "k", "l")
        client.wait_note("started")
        client.ok("put", "k0", "v")
        client.wait_events(1)
        cluster.kill(0)
        broken = client.wait_note("broken")[0]
        assert broken["error"] < 0
        cluster.spawn(0)
        cluster.wait_healthy()
        cluster.etcdctl("put", "k1", "while nobody looked")
        client.wait_note("started", 2)
        client.ok("put", "k2", "v")
        client.wait_events(3)
        client.run_for(0.2)
        assert [e["kv"]["key"] for e in client.events()] == ["k0", "k1", "k2"]
        assert len(client.notes_of("broken")) == 1


@both_versions
def test_refused_connections_fail_at_once_and_never_apply(cluster):
    with Client.on(cluster) as client:
        cluster.kill(0)
        start = time.monotonic()
        answer = client.call("put", "k", "v")
        assert answer["error"] == -113 and answer["outcome"] == NOT_APPLIED
        assert time.monotonic() - start < 2
        cluster.repair()
        client.ok("put", "k", "v")


@both_versions
def test_a_stopped_member_is_a_timeout_of_unknown_outcome(cluster):
    with Client.on(cluster) as client:
        client.ok("put", "k", "v")
        cluster.pause(0)
        client.send("timeout", 300)
        start = time.monotonic()
        first, second = client.send("put", "k", "w"), client.send("put", "k", "x")
        answers = [client.wait(first), client.wait(second)]
        assert 0.25 < time.monotonic() - start < 2
        assert {a["outcome"] for a in answers} == {UNKNOWN}
        assert {a["error"] for a in answers} <= {-110, -104}
        assert -110 in [a["error"] for a in answers]
        cluster.resume(0)
        client.send("timeout", 3000)
        client.ok("put", "k", "y")


@both_versions
def test_calls_given_up_do_not_happen_later(cluster):
    """The sockets of a generation that is thrown away are reset: the body in the kernel's buffers
    of a stopped member may still be read, but one that never left must not be."""
    with Client.on(cluster) as client:
        client.ok("put", "k", "v")
        cluster.pause(0)
        client.send("timeout", 200)
        for i in range(3):
            assert client.call("put", "late%d" % i, "v")["outcome"] != APPLIED
        cluster.resume(0)
        cluster.wait_healthy()
        client.send("timeout", 3000)
        client.ok("get", "k")


# ---- three members


@three_members
def test_the_next_member_is_used_when_one_dies(cluster):
    with Client.on(cluster) as client:
        client.send("timeout", 900)
        client.ok("put", "k", "v")
        cluster.kill(0)
        start, answer = time.monotonic(), {"error": 1}
        while answer["error"] and time.monotonic() - start < 10:
            answer = client.call("put", "k", "v")
        assert answer["error"] == 0 and answer["endpoint"] != cluster.members[0].url
        client.run_for(0.05)
        assert [n["version"] for n in client.notes][-1] == 20


@three_members
def test_a_stopped_member_is_left_at_the_first_missed_deadline(cluster):
    victim = next(m for m in cluster.members if m.index != cluster.leader())
    order = [victim] + [m for m in cluster.members if m is not victim]
    with Client.on(cluster, members=order) as client:
        client.send("timeout", 400)
        client.call("watch", 0, 0, 0, "-", "k", "l")
        client.wait_note("started")
        client.ok("put", "k", "1")
        cluster.pause(victim.index)
        start = time.monotonic()
        assert client.call("put", "k", "2")["outcome"] == UNKNOWN
        client.ok("put", "k", "3")
        assert time.monotonic() - start < 3
        client.wait_note("started", 2)
        client.until(lambda: [e for e in client.events() if e["kv"]["value"] == "3"])
        values = [e["kv"]["value"] for e in client.events()]
        assert values in (["1", "3"], ["1", "2", "3"])


@three_members
def test_a_silent_watch_moves(cluster):
    victim = next(m for m in cluster.members if m.index != cluster.leader())
    order = [victim] + [m for m in cluster.members if m is not victim]
    with Client.on(cluster, members=order) as client:
        client.call("watch", 0, 0, 500, "-", "k", "l")
        client.wait_note("started")
        cluster.pause(victim.index)
        cluster.etcdctl("put", "k", "v", members=order[1:])
        assert client.wait_note("broken", seconds=2)[0]["error"] == -110
        client.wait_events(1)


@three_members
def test_the_leader_of_etcd_is_preferred(cluster):
    leader = cluster.leader()
    order = sorted(cluster.members, key=lambda m: m.index == leader)
    with Client.on(cluster, "--leader", members=order) as client:
        client.ok("put", "k", "v")
        url = cluster.members[leader].url
        client.until(lambda: [n for n in client.notes if n["version"] and n["url"] == url] or
                     client.send("put", "k", "v") and time.sleep(0.1))
        assert client.ok("put", "k", "v")["endpoint"] == url


@three_members
def test_without_quorum_calls_say_so(cluster):
    with Client.on(cluster) as client:
        client.ok("put", "k", "v")
        client.call("watch", 0, 0, 0, "-", "k", "l")
        client.wait_note("started")
        cluster.kill(1)
        cluster.kill(2)
        time.sleep(2.5)
        client.send("timeout", 900)
        answer = client.call("put", "k", "w")
        assert answer["error"] in (-113, -110, -104) and answer["outcome"] != APPLIED
        client.wait_note("broken")
        cluster.repair()
        client.until(lambda: client.call("put", "k", "x")["error"] == 0, 20)
        client.until(lambda: [e for e in client.events() if e["kv"]["value"] == "x"])


@three_members
def test_an_operator_rotates(cluster):
    with Client.on(cluster) as client:
        before = client.ok("get", "k")["endpoint"]
        n = client.send("put", "k", "v")
        client.send("rotate")
        cut = client.wait(n)
        assert cut["outcome"] in (APPLIED, UNKNOWN)
        assert client.ok("get", "k")["endpoint"] != before


# ---- who is who


def make_cluster(tmp_path, versions, version, tls=True, extra=()):
    return Cluster(tmp_path / "etcd", 1, tls, versions.bindir(version), extra=extra)


def change_password(cluster, user, password):
    command = cluster.etcdctl_command("--user=root:root", "user", "passwd", user, "--interactive=false")
    subprocess.run(command, input=password + "\n", text=True, check=True, timeout=10,
                   env=dict(clean_environment(), ETCDCTL_API="3"), stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_users_and_passwords(version, tls, tmp_path, versions):
    with make_cluster(tmp_path, versions, version, tls) as cluster:
        for command in ("user add root:root", "user grant-role root root", "role add r",
                        "role grant-permission r readwrite a b", "user add u:pw",
                        "user grant-role u r", "auth enable"):
            cluster.etcdctl(*command.split())
        root = ("--user=root:root",)
        with Client.on(cluster, "--user", "u", "pw") as client:
            numbers = [client.send("put", "a%d" % i, "v") for i in range(20)]
            assert all(client.wait(n)["error"] == 0 for n in numbers)
            forbidden = client.call("put", "z", "v")
            assert forbidden["error"] == -1 and forbidden["outcome"] == NOT_APPLIED
            client.call("watch", 0, 0, 0, "-", "a", "b")
            client.wait_note("started")
            client.call("watch", 1, 0, 0, "-", "z", "-")
            assert client.wait_note("failed")[0]["error"] == -1
            # A changed password kills the token: the client logs in again.
            change_password(cluster, "u", "pw")
            client.ok("put", "a1", "w")
        with Client.on(cluster, "--user", "u", "wrong") as client:
            wrong = client.call("put", "a", "v")
            assert wrong["error"] == -13 and wrong["outcome"] == NOT_APPLIED
            client.call("watch", 0, 0, 0, "-", "a", "b")
            assert client.wait_note("failed")[0]["error"] == -13
        with Client.on(cluster) as client:
            assert client.call("put", "a", "v")["error"] == -13
        cluster.etcdctl("auth", "disable", *root)
        with Client.on(cluster, "--user", "u", "pw") as client:
            client.ok("put", "a", "without authentication")


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_a_token_that_dies_is_renewed(version, tmp_path, versions):
    extra = ["--auth-token=simple"]
    with make_cluster(tmp_path, versions, version, True, extra) as cluster:
        for command in ("user add root:root", "user grant-role root root", "auth enable"):
            cluster.etcdctl(*command.split())
        with Client.on(cluster, "--user", "root", "root") as client:
            client.ok("put", "k", "v")
            client.call("watch", 0, 0, 0, "-", "k", "-")
            client.wait_note("started")
            # A simple token is forgotten when authentication is turned off and on.
            cluster.etcdctl("--user=root:root", "auth", "disable")
            cluster.etcdctl("auth", "enable")
            client.ok("put", "k", "w")
            numbers = [client.send("put", "k", "x") for _ in range(10)]
            assert all(client.wait(n)["error"] == 0 for n in numbers)


def check_refused(answer):
    """etcd's reset may overtake the alert in which it says why."""
    assert answer["outcome"] == NOT_APPLIED, answer
    assert answer["error"] == -129 or (answer["error"] == -113 and "certificate" in answer["message"])


@both_versions
def test_certificates_are_checked(cluster, tmp_path):
    import certs
    tls = cluster.tls
    ca, ca_key = certs.authority(str(tmp_path / "other"))
    url = cluster.members[0].url
    with Client("--tls", ca, tls.client, tls.client_key, url) as client:
        answer = client.call("put", "k", "v")
        assert answer["error"] == -129 and answer["outcome"] == NOT_APPLIED
    stranger, stranger_key = certs.issue(str(tmp_path), "c", "/O=x", ca, ca_key, "clientAuth")
    with Client("--tls", tls.ca, stranger, stranger_key, url) as client:
        check_refused(client.call("put", "k", "v"))
    with Client("--ca", tls.ca, url) as client:
        check_refused(client.call("put", "k", "v"))
    with Client("--tls", tls.ca, tls.client, tls.client_key, url.replace("127.0.0.1", "localhost")) as client:
        client.ok("put", "k", "v")


def test_mistakes_in_the_configuration_are_named(tmp_path):
    bad = tmp_path / "bad.pem"
    bad.write_text("no PEM\n")
    good = "https://127.0.0.1:1"
    for args, error, text in (
            (["ftp://h:1"], -22, "ftp://h:1"), (["https://h"], -22, "https://h"),
            (["https://h:99999"], -22, "99999"), (["https://[::1:1"], -22, "endpoint"),
            (["https://h:1/path"], -22, "path"), (["https://u@h:1"], -22, "endpoint"),
            (["http://192.0.2.1:1"], -1, "plaintext"), (["192.0.2.1:1"], -1, "plaintext"),
            (["--ca", str(tmp_path / "none"), good], -2, "none"),
            (["--ca", str(bad), good], -129, "CERTIFICATE"), ([], -22, "no endpoint")):
        client = Client(*args)
        client.until(lambda: client.broken)
        assert client.broken["error"] == error and text in client.broken["message"], args
        assert client.process.wait(10) == 1


def test_a_name_that_cannot_be_resolved_does_not_stop_the_loop():
    with Client("--connect", "1000", "--ca", "/etc/ssl/certs/ca-certificates.crt",
                "https://nosuchhost.invalid:1") as client:
        n = client.send("put", "k", "v")
        assert client.call("endpoint", seconds=0.5)["endpoint"].startswith("https://nosuch")
        answer = client.wait(n)
        assert answer["error"] == -113 and answer["outcome"] == NOT_APPLIED, answer


@both_versions
def test_an_idle_watch_costs_no_turns(cluster):
    with Client.on(cluster) as client:
        client.call("watch", 0, 0, 60000, "-", "k", "-")
        client.wait_note("started")
        client.run_for(2.5)
        before = client.call("turns")["turns"]
        client.run_for(3)
        assert client.call("turns")["turns"] - before <= 2


if __name__ == "__main__":
    raise SystemExit(pytest.main([os.path.abspath(__file__), "-q"]))
