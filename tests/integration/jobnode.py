"""Daemons with job files: nodes of one group that read one jobs.d, and what the ledger says of them."""
import base64
import datetime
import json
import os

import procs
from cluster import clean_environment
from node import Node

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                        "conf", "jobs.d")
CONF = """[Etcd]
Endpoints=%(endpoints)s
CACert=%(ca)s
Cert=%(cert)s
Key=%(key)s
%(etcd_keys)s
[Node]
Name=%(name)s
[Election]
Profile=fast
[Daemon]
RuntimeDirectory=%(run)s
"""


def told(name):
    """The indented lines of an example's comments: what people are told to write elsewhere."""
    with open(os.path.join(EXAMPLES, name + ".job.example"), encoding="ascii") as file:
        return "".join(line[6:] for line in file if line.startswith("#     "))


def moment(text):
    """Seconds since 1970 of a moment in a key."""
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.datetime.strptime(text, form).replace(
        tzinfo=datetime.timezone.utc).timestamp()


class FileNode(Node):
    """`onced -c FILE`. etcd_keys: more lines of [Etcd]."""

    def __init__(self, name, directory, onced, cluster, prefix=(), etcd_keys=""):
        super().__init__(name, directory, onced, (), (), prefix)
        self.conf = os.path.join(self.directory, "onced-%s.conf" % name)
        tls = cluster.tls
        with open(self.conf, "w", encoding="ascii") as file:
            file.write(CONF % {"endpoints": cluster.urls(), "ca": tls.ca, "cert": tls.client,
                               "key": tls.client_key, "name": name, "run": self.runtime,
                               "etcd_keys": etcd_keys})

    def command(self):
        return [self.onced, "-c", self.conf]


class JobGroup:
    """Nodes on one cluster with the same jobs."""

    def __init__(self, directory, cluster, onced):
        self.directory, self.cluster, self.onced = str(directory), cluster, onced
        self.jobs_dir = os.path.join(self.directory, "jobs.d")
        os.mkdir(self.jobs_dir)
        self.nodes, self.etcd_keys = {}, cluster.etcd_keys

    def job(self, name, **keys):
        """A job file; a key with a list as value is said once for each."""
        lines = ["[Job]"]
        for key, value in keys.items():
            values = value if isinstance(value, list) else [value]
            lines += ["%s=%s" % (key, str(v).replace("\\", "\\\\")) for v in values]
        path = os.path.join(self.jobs_dir, name + ".job")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def example(self, name, *changes, job=None):
        """The shipped example as a job, with what belongs to this machine in place of its (old, new)."""
        with open(os.path.join(EXAMPLES, name + ".job.example"), encoding="ascii") as file:
            text = file.read()
        for old, new in changes:
            assert old in text, "no %s in the example %s" % (old, name)
            text = text.replace(old, new)
        with open(os.path.join(self.jobs_dir, (job or name) + ".job"), "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, *names):
        for name in names:
            self.nodes[name] = FileNode(name, self.directory, self.onced, self.cluster,
                                        etcd_keys=self.etcd_keys).start()

    def leader(self):
        """The node that holds the key; None: none does."""
        name = self.cluster.etcdctl("get", "/leader", "--print-value-only", check=False).strip()
        return self.nodes.get(name)

    def get(self, prefix):
        """{key: value} of a prefix, in the order of the keys."""
        text = self.cluster.etcdctl("get", "--prefix", prefix, "-w", "json")
        return {base64.b64decode(kv["key"]).decode(): base64.b64decode(kv.get("value", "")).decode()
                for kv in json.loads(text).get("kvs", [])}

    def records(self, prefix):
        return {key[len(prefix):]: json.loads(value)
                for key, value in self.get(prefix).items()}

    def runs(self, job):
        """{moment: record}"""
        return self.records("/onced/run/%s/" % job)

    def steps(self, flow):
        return self.records("/onced/step/%s/" % flow)

    def put(self, key, value):
        self.cluster.etcdctl("put", key, json.dumps(value))

    def logs(self):
        return "".join("--- %s\n%s" % (n.name, n.text()) for n in self.nodes.values())

    def close(self):
        for node in self.nodes.values():
            node.close()
        left = procs.end_orphans()
        assert not left, "left behind: " + "; ".join(left)


__all__ = ["EXAMPLES", "FileNode", "JobGroup", "moment", "told", "clean_environment"]
