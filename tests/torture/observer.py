"""Writes down every change in etcd, in order, with the time at which it was seen.

A line of the file is a JSON object: ns, revision, type ("put" or "delete"), key, value (base64),
create, mod, lease; or ns and gap (from, to), when etcd had compacted what came between.
"""
import base64
import json
import re
import subprocess
import threading

import procs
from cluster import clean_environment
from node import now_ns


class Observer:
    def __init__(self, cluster, path):
        self.cluster, self.path, self.revision = cluster, path, 0
        self._over, self._process = threading.Event(), None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _command(self):
        return self.cluster.etcdctl_command("watch", "", "--prefix", "--rev", str(self.revision + 1),
                                            "-w", "json", members=self.cluster.members)

    def _work(self):
        with open(self.path, "a") as out:
            while not self._over.is_set():
                with self._lock:
                    if self._over.is_set():
                        return
                    self._process = procs.spawn(
                        self._command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                        env=dict(clean_environment(), ETCDCTL_API="3"))
                for line in self._process.stdout:
                    self._line(out, line)
                out.flush()
                self._over.wait(0.3)

    def _line(self, out, line):
        ns = now_ns()
        try:
            response = json.loads(line)
        except ValueError:
            compacted = re.search(rb"compact\w* (?:at )?(?:rev(?:ision)? )?(\d+)", line)
            if compacted and int(compacted.group(1)) > self.revision:
                self._skip(out, ns, int(compacted.group(1)))
            return
        for event in response.get("Events") or []:
            kv = event["kv"]
            self.revision = max(self.revision, kv["mod_revision"])
            json.dump({"ns": ns, "revision": kv["mod_revision"],
                       "type": "delete" if event.get("type") else "put",
                       "key": base64.b64decode(kv["key"]).decode(errors="replace"),
                       "value": kv.get("value", "") if len(kv.get("value", "")) < 4096 else "",
                       "create": kv.get("create_revision", 0), "lease": kv.get("lease", 0)}, out)
            out.write("\n")
        compacted = response.get("CompactRevision") or 0
        if compacted > self.revision:
            self._skip(out, ns, compacted)

    def _skip(self, out, ns, revision):
        out.write(json.dumps({"ns": ns, "gap": [self.revision + 1, revision]}) + "\n")
        self.revision = revision

    def reached(self, revision):
        return self.revision >= revision

    def close(self):
        with self._lock:
            self._over.set()
            if self._process:
                procs.end(self._process)
        self._thread.join(5)
