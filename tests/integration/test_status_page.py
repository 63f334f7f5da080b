"""The status page, the metrics and the health paths of real daemons: what they say while leadership moves,
and that no client of theirs costs the daemon a beat."""
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest

import procs
from cluster import wait_for
from conftest import TOP, describe
from jobnode import FileNode
from web import Page, samples

pytestmark = pytest.mark.parametrize("cluster", [("3.5", 1, True)], indirect=True, ids=describe)
PATHS = ("/", "/status", "/metrics", "/leader", "/follower", "/health", "/readiness", "/liveness")
HTTP = ("--http", "127.0.0.1:0")
# A proof is worth longer than this machine may pause, yet not so long that tests have to wait.
SLOW = ("--profile", "normal", "--fence-after", "4s", "--stop-grace", "200ms")


def start(group, *names):
    """Nodes with a page each: {name: Page}, once one of them leads."""
    for name in names:
        group.add(name, *HTTP, *SLOW).start()
    group.history.wait_life(15)
    return {name: Page(group.nodes[name]) for name in names}


def test_paths_of_a_leader_of_a_follower_and_without_etcd(group):
    pages = start(group, "a", "b")
    leader = pages[group.leader().name]
    follower = pages[group.followers()[0].name]
    follower.wait("/readiness", 200, 10)
    assert [leader.status(p) for p in PATHS] == [200, 200, 200, 200, 503, 200, 200, 200]
    assert [follower.status(p) for p in PATHS] == [200, 200, 200, 503, 200, 200, 200, 200]
    body = leader.get("/leader").json()
    assert (body["state"], body["token"]) == ("leading", group.token()) and 0 < body["deadline_seconds"] <= 4
    assert follower.get("/leader").json()["leader"] == body["leader"]
    assert leader.status("/leader?group=none") == 404
    assert leader.status("/leader?group=default") == 200
    mine, theirs = leader.metrics(), follower.metrics()
    assert mine['onced_leader{group="default"}'] == 1 and theirs['onced_leader{group="default"}'] == 0
    assert mine['onced_token{group="default"}'] == theirs['onced_leader_token{group="default"}'] == body["token"]
    assert mine["onced_beat_round_trip_seconds_count"] > 0

    group.cluster.pause(0)
    try:
        last = leader.get("/leader")
        assert last.status == 503 or last.json()["deadline_seconds"] > 0
        lost = leader.wait("/leader", 503, 10).json()
        assert not (lost["state"] == "leading" and lost["deadline_seconds"] > 0)
        leader.wait("/readiness", 503, 20)
        follower.wait("/readiness", 503, 20)
        assert [leader.status(p) for p in ("/health", "/liveness")] == [200, 200]
        assert leader.metrics()['onced_leader{group="default"}'] == 0
    finally:
        group.cluster.resume(0)
    wait_for("a leader again", lambda: any(p.status("/leader") == 200 for p in pages.values()), 20)


def test_words_are_those_of_oncectl(group, oncectl):
    pages = start(group, "a", "b")
    first = group.leader()
    page = pages[next(name for name in pages if name != first.name)]
    first.process.terminate()
    first.wait_end(10)
    page.wait("/leader", 200, 10)

    def settled():
        page.get("/status")
        shown = page.get("/status").json()
        terms = shown["groups"][0]["terms"]
        return shown if len(terms) == 2 and len(shown["nodes"]) == 1 and not terms[1]["leads"] else None
    shown = wait_for("both terms", settled, 10, 0.2)
    done = subprocess.run([oncectl, "--json", "status", "--no-etcd"], env=dict(
        os.environ, **group.cluster.etcdctl_environment()), timeout=30, stdout=subprocess.PIPE, check=True)
    told = json.loads(done.stdout)
    for word in ("group", "leader", "value", "token", "since", "remark"):
        assert shown["groups"][0][word] == told["groups"][0][word], word
    assert [{word: node[word] for word in ("node", "address", "leads")} for node in told["nodes"]] == shown["nodes"]
    terms = shown["groups"][0]["terms"]
    assert (terms[0]["leads"], terms[1]["leads"]) == (True, False)
    assert (terms[1]["end"], terms[1]["ended_by"], terms[1]["node"]) == ("shutdown", first.name, first.name)


def start_files(jobs, *names):
    """Nodes with the job files, a page each: {name: Page}."""
    for name in names:
        jobs.nodes[name] = FileNode(name, jobs.directory, jobs.onced, jobs.cluster, etcd_keys=jobs.etcd_keys)
        with open(jobs.nodes[name].conf, "r+", encoding="ascii") as file:
            text = file.read().replace("Profile=fast", "Profile=normal")  # no machine pauses that long
            file.seek(0)
            file.write(text + "[Http]\nListen=127.0.0.1:0\n")
        jobs.nodes[name].start()
    return {name: Page(jobs.nodes[name]) for name in names}


def test_jobs(jobs):
    jobs.job("busy", Type="cron", Schedule="@every 1s", Exec="/bin/sleep 1.5", Description="<b>&\"")
    page = start_files(jobs, "a")["a"]
    wait_for("a run and a skip", lambda: (
        lambda m: m['onced_job_runs_total{job_name="busy",state="ok"}'] >= 1 and
        m.get('onced_job_skipped_total{job_name="busy",reason="overlap"}', 0) >= 1)(page.metrics()), 20, 0.2)
    found = page.metrics()
    assert abs(found['onced_job_last_success_timestamp_seconds{job_name="busy"}'] - time.time()) < 30
    assert found['onced_job_duration_seconds_bucket{job_name="busy",le="1.0"}'] == 0
    answer = page.get("/status")
    job = answer.json()["jobs"][0]
    assert (job["job"], job["type"], job["description"]) == ("busy", "cron", "<b>&\"")
    assert "<" not in answer.body and {"ok", "skipped"} <= {r["state"] for r in job["last"]}


def led(found):
    """The groups whose leader these metrics say this node is; and all that they know."""
    values = {re.search('group="(.*?)"', key).group(1): value for key, value in found.items()
              if key.startswith("onced_leader{")}
    return {name for name, value in values.items() if value == 1}, set(values)


def test_groups(jobs):
    """Each group has its own leader, by metrics, JSON and health paths; and only groups of the files have a label."""
    names = ["default"] + ["g%d" % i for i in range(6)]
    for name in names[1:]:
        jobs.job("job-" + name, Group=name, Exec="/bin/sleep 1000")
    pages = start_files(jobs, "a", "b")

    def shared():
        found = [led(page.metrics()) for page in pages.values()]
        good = found[0][0] | found[1][0] == set(names) and not found[0][0] & found[1][0]
        return good and found[0][0] and found[1][0] and found
    found = wait_for("each group to have a leader, and each node a group", shared, 30, 0.2)
    assert [known for _, known in found] == [set(names)] * 2
    jobs.cluster.etcdctl("put", "/leader/evil", "mallory")
    jobs.cluster.etcdctl("put", "/onced/g/evil/epoch", "node=mallory")
    for page in pages.values():
        mine, known = led(page.metrics())
        body = page.get("/status").json()
        assert [g["group"] for g in body["groups"]] == names and known == set(names)
        assert {j["job"]: j["group"] for j in body["jobs"]} == {"job-" + name: name for name in names[1:]}
        for g in body["groups"]:
            assert g["leader"] in pages and g["token"] > 0
            leads = g["leader"] == body["node"]
            answer = page.get("/leader?group=" + g["group"])
            assert (answer.status, answer.json()["group"]) == (200 if leads else 503, g["group"])
            assert page.status("/follower?group=" + g["group"]) == (503 if leads else 200)
            assert page.status("/readiness?group=" + g["group"]) == 200
            assert (g["group"] in mine) == leads
        assert page.status("/leader?group=evil") == page.status("/leader?group=") == 404
        wait_for("what each node leads", lambda at=page: sum(
            n["leads"] for n in at.get("/status").json()["nodes"]) == len(names), 10, 0.2)

    # a reload brings a group and takes one, and their labels
    os.unlink(os.path.join(jobs.jobs_dir, "job-g5.job"))
    jobs.job("job-new", Group="new", Exec="/bin/sleep 1000")
    for node in jobs.nodes.values():
        procs.send(node.guardian, signal.SIGHUP)
    names = names[:-1] + ["new"]
    found = wait_for("the groups of the reload", lambda: (lambda f: f and f[0][1] == f[1][1] == set(names) and f)(
        shared()), 30, 0.2)
    classic = pages["a"].get("/metrics", headers={"Accept": "text/plain;version=0.0.4"}).body
    agreed_by_other_readers(pages["a"].get("/metrics").body, classic)


def agreed_by_other_readers(openmetrics, classic):
    """Prometheus's tool and its Python library, where they are here."""
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=classic, text=True, timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
    try:
        from prometheus_client.openmetrics import parser  # pylint: disable=import-outside-toplevel
    except ImportError:
        return
    families = {family.name: family for family in parser.text_string_to_metric_families(openmetrics)}
    assert len({s.labels["group"] for s in families["onced_leader"].samples}) > 1


def read_events(sock, n, seconds=10):
    """The first n whole events of a stream, as {field: value}."""
    text, end = b"", time.monotonic() + seconds
    while text.count(b"\n\n") < n + 1 and time.monotonic() < end:
        text += sock.recv(65536)
    body = text.split(b"\r\n\r\n", 1)[1].decode()
    plain = "\n".join(x for x in body.split("\n") if not x.endswith("\r"))  # without the chunks' sizes
    blocks = [b for b in plain.split("\n\n") if "event:" in b]
    return [dict(line.split(": ", 1) for line in b.strip().splitlines() if ": " in line) for b in blocks]


def test_events(group):
    page = start(group, "a")["a"]

    def stream(last=None):
        sock = page.connect()
        extra = "Last-Event-ID: %s\r\n" % last if last else ""
        sock.sendall(("GET /events HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % extra).encode())
        return sock
    with stream() as sock:
        events = read_events(sock, 5)
    lines = [e for e in events if e["event"] == "line"]
    assert json.loads(lines[0]["data"])["event"] == "http"
    assert any("holding /leader" in e["data"] for e in lines)
    last = lines[-1]["id"]
    with stream(last) as sock:
        events = read_events(sock, 1)
    assert events[0]["event"] == "pulse" or int(events[0]["id"]) > int(last)
    streams = [stream() for _ in range(20)]
    try:
        first = [s.recv(100).split()[1] for s in streams]
    finally:
        for sock in streams:
            sock.close()
    assert first.count(b"200") <= 16 and first.count(b"503") >= 4
    assert page.status("/leader") == 200


def test_the_page_asks_nobody_else(group):
    page = start(group, "a")["a"]
    began = time.monotonic()
    answer = page.get("/")
    print("first byte to last: %.1f ms" % ((time.monotonic() - began) * 1000))
    assert len(answer.body.encode()) < 60000
    assert "http://" not in answer.body and "https://" not in answer.body
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src 'sha256-" in policy
    assert "innerHTML" not in answer.body and "insertAdjacent" not in answer.body
    assert page.get("/", "HEAD").body == "" and page.get("/", "HEAD").status == 200


def test_refusals(group):
    page = start(group, "a")["a"]
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        answer = page.get("/leader", method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    for path in ("/none", "//", "/../etc/passwd", "/leader/", "/" + "a" * 3000):
        assert page.status(path) == 404, path
    assert page.get("/status", headers={"Host": "evil.example"}).status == 403
    assert page.get("/status", headers={"Host": "127.0.0.1.evil.example:80"}).status == 403
    for host in ("localhost", "127.0.0.1:1", "[::1]:80"):
        assert page.get("/health", headers={"Host": host}).status == 200
    with page.connect() as sock:
        try:  # refused before it is read to its end, so the connection may break on either side
            sock.sendall(b"GET /health HTTP/1.1\r\nX: " + b"y" * 20000 + b"\r\n\r\n")
            assert sock.recv(100).split()[1] in (b"413", b"431")
        except OSError:
            pass
    assert page.metrics()["onced_http_refused_total"] >= 12


def test_hostile_clients_cost_no_beat(group):
    """Half a header, nothing at all, garbage, answers nobody reads, and a crowd: leadership must not have
    moved, and proofs must have gone on."""
    page = start(group, "a", "b")[group.leader().name]
    before, token = page.metrics(), group.token()
    texts = (b"", b"GET /leader HT", b"\x16\x03\x01\x02\x00" * 100, b"GET / HTTP/1.1\r\nX: " + b"a" * 200000,
             b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 300, b"POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n")
    crowd, end = [], time.monotonic() + 3
    try:
        while time.monotonic() < end:
            try:
                sock = page.connect(0.2)
                sock.settimeout(0.01)
                crowd.append(sock)
                sock.sendall(texts[len(crowd) % len(texts)])
            except OSError:
                time.sleep(0.01)
            if len(crowd) > 250:
                crowd.pop(0).close()
    finally:
        for sock in crowd:
            sock.close()
    page.wait("/leader", 200, 10)
    after = page.metrics()
    assert group.token() == token and after['onced_token{group="default"}'] == token
    assert after["onced_beat_round_trip_seconds_count"] > before["onced_beat_round_trip_seconds_count"]


def test_a_unix_socket(group, tmp_path):
    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), "onced-%d.sock" % os.getpid())
    node = group.add("a", "--http", path).start()
    try:
        group.history.wait_life(15)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(path)
            sock.sendall(b"GET /leader HTTP/1.0\r\nHost: anything\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.0 200") or sock.recv(0) == b""
        group.nodes["a"].signal("kill", "agent")  # leaves its socket behind
        wait_for("the page again", lambda: node.text().count("status page on") == 2, 15)
        node.process.terminate()
        node.wait_end(10)
        assert not os.path.exists(path)
    finally:
        if os.path.exists(path):
            os.unlink(path)


def test_an_address_in_use_does_not_hinder(group):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        node = group.add("a", "--http", address).start()
        group.history.wait_life(15)
        node.wait_log("%s: cannot be listened on: Address already in use" % address, 5)
    node.wait_log("status page on http://%s/" % address, 15)


def test_promtool(group):
    """What Prometheus's own tool says of the classic form, and of the rules that are shipped."""
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("no promtool here: Debian has it in the package prometheus")
    page = start(group, "a")["a"]
    answer = page.get("/metrics", headers={"Accept": "text/plain;version=0.0.4"})
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    done = subprocess.run([promtool, "check", "metrics"], input=answer.body, text=True, timeout=30,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    answer = page.get("/metrics", headers={
        "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"})
    assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert samples(answer.body)


def test_openmetrics_by_another_reader(group):
    """Prometheus's own Python library, which is strict."""
    parser = pytest.importorskip("prometheus_client.openmetrics.parser",
                                 reason="Debian has it in the package python3-prometheus-client")
    page = start(group, "a")["a"]
    found = {family.name: family.type for family in parser.text_string_to_metric_families(page.get("/metrics").body)}
    assert found["onced_state"] == "stateset" and found["onced_beat_round_trip_seconds"] == "histogram"
    assert found["onced_terms"] == "counter" and found["onced_node"] == "info"


def test_rules_and_dashboard(cluster, onced):
    """Every metric that the shipped rules and the dashboard name is one that the daemon has."""
    where = os.path.join(TOP, "conf", "monitoring")
    with open(os.path.join(TOP, "daemon", "facts-metrics.c"), encoding="utf-8") as file:
        families = set(re.findall(r'family\(w, "(\w+)"', file.read()))
    for name in ("onced.rules.yml", "grafana.json"):
        with open(os.path.join(where, name), encoding="utf-8") as file:
            text = file.read()
        if name.endswith(".json"):
            text = " ".join(t["expr"] for p in json.loads(text)["panels"] for t in p["targets"])
        exprs = re.findall(r"expr: (.*)", text) if name.endswith(".yml") else [text]
        for used in set(re.findall(r"\bonced_\w+", " ".join(exprs))):
            assert re.sub("_(total|bucket|sum|count|info)$", "", used) in families, "%s: %s" % (name, used)
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("no promtool here: Debian has it in the package prometheus")
    for command in (["check", "rules", "onced.rules.yml"], ["test", "rules", "onced.rules.test.yml"]):
        done = subprocess.run([promtool, *command], cwd=where, text=True, timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
