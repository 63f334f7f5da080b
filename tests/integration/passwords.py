"""A cluster that asks for passwords, its roles made of what `oncectl rbac` prints, its tokens good for
three seconds."""
import os
import shlex
import subprocess

from cluster import Cluster

PASSWORD = "not a secret"
TOKEN_SECONDS = 3


class AuthCluster(Cluster):
    """A Cluster; after ask_for_passwords() etcdctl() is root."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options, extra=[
            "--auth-token", "simple", "--auth-token-ttl", str(TOKEN_SECONDS),
            # else each login costs a tenth of a second of a processor that all share
            "--bcrypt-cost", "4"])
        self.auth = False
        self.password_file = os.path.join(self.directory, "password")
        with open(os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(PASSWORD + "\n")

    def add_role(self, oncectl, role):
        """As an administrator would, but for the question for the password."""
        printed = subprocess.run([oncectl, "rbac", "--for", role], check=True, timeout=10,
                                 stdout=subprocess.PIPE, text=True).stdout
        for line in printed.splitlines():
            words = shlex.split(line, comments=True)
            if words[1:3] == ["user", "add"]:
                words[3] += ":" + PASSWORD
            if words:
                self.etcdctl(*words[1:])

    def ask_for_passwords(self):
        self.etcdctl("user", "add", "root:" + PASSWORD)
        self.etcdctl("user", "grant-role", "root", "root")
        self.etcdctl("auth", "enable")
        self.auth = True

    def guard(self, oncectl):
        """From now on whoever uses this cluster as any other one does it with a password and the node's role."""
        self.add_role(oncectl, "node")
        self.ask_for_passwords()
        self.etcd_keys = "User=onced\nPasswordFile=%s\n" % self.password_file
        return self

    def onced_flags(self, members=None):
        user = ["--user", "onced", "--password-file", self.password_file] if self.etcd_keys else []
        return super().onced_flags(members) + user

    def etcdctl_environment(self):
        user = {"ETCDCTL_USER": "onced:" + PASSWORD} if self.etcd_keys else {}
        return dict(super().etcdctl_environment(), **user)

    def etcdctl_command(self, *args, members=None):
        user = ["--user", "root:" + PASSWORD] if self.auth else []
        return super().etcdctl_command(*user, *args, members=members)
