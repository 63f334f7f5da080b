"""What a leader and a follower cost while nothing happens: memory, CPU, wakeups, requests to etcd."""
import os
import re
import ssl
import time
import urllib.request

import procs
from candidates import Onced
from cluster import wait_for
from node import History


def requests_served(cluster):
    """Messages etcd has received from clients, one per unary call and per message of a stream."""
    context = None
    if cluster.tls:
        context = ssl.create_default_context(cafile=cluster.tls.ca)
        context.load_cert_chain(cluster.tls.client, cluster.tls.client_key)
    total = 0
    for member in cluster.running():
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with opener.open(member.url + "/metrics", timeout=5) as page:
            for value in re.findall(r"^grpc_server_msg_received_total\{.*\} (\S+)$",
                                    page.read().decode(), re.M):
                total += float(value)
    return total


def _fields(path):
    fields = {}
    try:
        with open(path) as status:
            for line in status:
                name, _, value = line.partition(":")
                fields[name] = value.split()
    except OSError:
        pass
    return fields


def sample(pids):
    """Sums over processes: KiB, nanoseconds of CPU, voluntary context switches."""
    total = {"rss": 0, "pss": 0, "private": 0, "cpu": 0, "switches": 0}
    for pid in pids:
        total["rss"] += int(_fields("/proc/%d/status" % pid)["VmRSS"][0])
        rollup = _fields("/proc/%d/smaps_rollup" % pid)
        total["pss"] += int(rollup["Pss"][0])
        total["private"] += int(rollup["Private_Clean"][0]) + int(rollup["Private_Dirty"][0])
        for task in os.listdir("/proc/%d/task" % pid):
            base = "/proc/%d/task/%s/" % (pid, task)
            with open(base + "schedstat") as stat:
                total["cpu"] += int(stat.read().split()[0])
            total["switches"] += int(_fields(base + "status")["voluntary_ctxt_switches"][0])
    return total


def watch(cluster, roles, seconds):
    """roles: name -> pids. One row per role, and the rate of requests of all together."""
    before = {role: sample(pids) for role, pids in roles.items()}
    served, start = requests_served(cluster), time.monotonic()
    time.sleep(seconds)
    served, took = requests_served(cluster) - served, time.monotonic() - start
    rows = {}
    for role, pids in roles.items():
        now, old = sample(pids), before[role]
        rows[role] = {"rss_mb": now["rss"] / 1024, "pss_mb": now["pss"] / 1024,
                      "private_mb": now["private"] / 1024,
                      "cpu_s_h": (now["cpu"] - old["cpu"]) / 1e9 / took * 3600,
                      "wakeups_s": (now["switches"] - old["switches"]) / took}
    return rows, served / took


def measure_onced(bench):
    """The leader alone, then beside a follower: the difference in requests is the follower's."""
    directory = os.path.join(bench.directory, "idle")
    os.makedirs(directory)
    history = History(os.path.join(directory, "history"))
    candidate, nodes = Onced(bench.onced, "normal"), {}
    try:
        for name in ("a", "b"):
            job = [bench.lifejob, history.path, name, "--period", "3600000", "--max", "7200"]
            nodes[name] = candidate.node(name, directory, bench.cluster, "idle", job)
        nodes["a"].start()
        history.wait_life(10)
        time.sleep(bench.settle)
        leader = nodes["a"].own()
        rows, leader_rate = watch(bench.cluster, {"leader": leader}, bench.seconds)
        nodes["b"].start()
        time.sleep(bench.settle)
        follower = nodes["b"].own()
        more, both_rate = watch(bench.cluster, {"follower": follower}, bench.seconds)
        rows["leader"]["requests_s"] = leader_rate
        more["follower"]["requests_s"] = max(0.0, both_rate - leader_rate)
        return [dict(row, candidate="onced normal", role=role)
                for role, row in {**rows, **more}.items()]
    finally:
        for node in nodes.values():
            node.close()


def measure_elect(bench):
    """etcdctl elect, in the same way. It runs no job."""
    processes, rates, rows = {}, [], {}
    try:
        for role in ("leader", "follower"):
            log = os.path.join(bench.directory, "elect-%s.log" % role)
            with open(log, "wb") as out:
                processes[role] = procs.spawn(
                    bench.cluster.etcdctl_command("elect", "/elect", role), stdout=out, stderr=out,
                    env=dict(os.environ, ETCDCTL_API="3"))
            if role == "leader":
                wait_for("etcdctl elect", lambda: os.path.getsize(log) > 0, 10)
            time.sleep(bench.settle)
            more, rate = watch(bench.cluster, {role: [processes[role].pid]}, bench.seconds)
            rates.append(rate)
            rows.update(more)
        rows["leader"]["requests_s"] = rates[0]
        rows["follower"]["requests_s"] = max(0.0, rates[1] - rates[0])
        return [dict(row, candidate="etcdctl elect", role=role) for role, row in rows.items()]
    finally:
        for process in processes.values():
            procs.end(process)


def measure(bench):
    return measure_onced(bench) + measure_elect(bench)
