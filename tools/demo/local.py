#!/usr/bin/python3
"""A local three-member etcd cluster with TLS that stays until it is taken down.

    local.py up      start it (or say that it is up) and print how to talk to it
    local.py down    end it and forget its data
What runs is written down as pid and start time, so that only that is ever ended.
"""
import json
import os
import shutil
import signal
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))

import procs  # noqa: E402
from cluster import Cluster, ClusterError  # noqa: E402

DIRECTORY = os.path.join(TOP, "build", "local")
STATE = os.path.join(DIRECTORY, "state.json")


def load():
    try:
        with open(STATE) as state:
            return json.load(state)
    except (OSError, ValueError):
        return None


def save(cluster, nodes=()):
    """Daemons first: down() ends in this order."""
    pids = [node.guardian for node in nodes if node.running()]
    pids += [member.process.pid for member in cluster.members if member.alive]
    state = {"processes": [[pid, procs.start_time(pid)] for pid in pids],
             "environment": cluster.etcdctl_environment(), "onced": cluster.onced_flags()}
    with open(STATE, "w") as out:
        json.dump(state, out, indent=1)
    return state


def running(state):
    return [pid for pid, start in state["processes"] if procs.start_time(pid) == start]


def explain(state):
    for name, value in state["environment"].items():
        print("export %s=%s" % (name, value))
    print("""
# then, for example:
#   etcdctl endpoint status -w table
#   etcdctl get /leader        who leads
#   etcdctl watch /leader      every change of leader, as it happens
#   etcdctl del /leader        take it away, and see what happens
#   onced run %s --key /leader --profile fast --node a -- COMMAND
# end it with: make down""" % " ".join(state["onced"]))


def up():
    state = load()
    if state and running(state):
        print("# up already")
        return explain(state)
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    cluster = Cluster(DIRECTORY, members=3, tls=True, detach=True).start()
    return explain(save(cluster))


def down():
    state = load()
    for pid in running(state) if state else []:
        procs.send(pid, signal.SIGCONT)
        procs.send(pid, signal.SIGTERM)
        end = time.monotonic() + 5
        while procs.alive(pid) and time.monotonic() < end:
            time.sleep(0.02)
        if procs.alive(pid):
            procs.send(pid, signal.SIGKILL)
    shutil.rmtree(DIRECTORY, ignore_errors=True)


def main():
    actions = {"up": up, "down": down}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        sys.exit("usage: local.py up|down")
    try:
        actions[sys.argv[1]]()
    except ClusterError as error:
        sys.exit("local.py: %s" % error)


if __name__ == "__main__":
    main()
