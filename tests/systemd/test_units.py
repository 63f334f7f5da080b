"""The units themselves: what systemd says of them, and what they let a job do."""
import re

import pytest

from cluster import wait_for

UNITS = ("onced.service", "onced@.service")
# What `systemd-analyze security` makes of them, of 10; a change that makes it worse has to be meant.
SCORES = {"default": 8.2, "strict": 2.2}
STRICT = "/usr/local/share/onced/strict.conf"


@pytest.mark.parametrize("name", UNITS)
def test_verify(machine, name):
    path = "/usr/local/lib/systemd/system/" + name.replace("@.", "@one.")
    said = machine.run("systemd-analyze", "verify", "--man=no", path)
    assert said.strip() == "", said


@pytest.mark.parametrize("which", sorted(SCORES))
def test_exposure(units, which):
    unit = units.add("host")
    if which == "strict":
        unit.drop_in(units.box.run("sed", "/^#/d;/^.Service.$/d", STRICT))
    said = units.box.run("systemd-analyze", "security", unit.unit, check=False)
    score = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", said).group(1))
    assert score <= SCORES[which], said


def test_users_and_directories(machine):
    machine.run("systemd-sysusers")
    machine.run("systemd-tmpfiles", "--create", "onced.conf")
    assert machine.run("getent", "passwd", "onced").strip().endswith(":/var/lib/onced:/usr/sbin/nologin")
    assert machine.run("stat", "-c", "%a %U", "/run/onced").strip() == "755 root"
    assert machine.run("stat", "-c", "%a %U", "/etc/credstore").strip() == "700 root"


# ---- what a job may do

def job_says(units, unit, script, seconds=10):
    """What a job that runs a shell script wrote."""
    path = "/share/said"
    units.box.run("rm", "-f", path)
    units.box.write("/share/script", "#!/bin/sh\nexec >/share/said.new 2>&1\n%s\nmv /share/said.new %s\n"
                    "exec sleep 600\n" % (script, path), 0o755)
    unit.job("says", "/share/script")
    unit.systemctl("start")
    wait_for("the job's words", lambda: units.box.run("cat", path, check=False)
             if units.box.run("ls", path, check=False).strip() == path else None, seconds)
    return units.box.run("cat", path)


def may_lower_oom_score():
    """CAP_SYS_RESOURCE, which a machine in a sandbox has not."""
    with open("/proc/self/status", encoding="ascii") as status:
        rights = [line.split()[1] for line in status if line.startswith("CapEff:")][0]
    return int(rights, 16) & 1 << 24


def test_jobs_survive_the_sandbox(units):
    """Mounts of the host, other users, namespaces, devices: what jobs of a cluster do."""
    unit = units.add("host", job=False)
    units.box.run("mkdir", "-p", "/srv/volume")
    said = job_says(units, unit, """set -e
mount -t tmpfs volume /srv/volume
touch /srv/volume/here
setpriv --reuid nobody --regid nogroup --clear-groups id -un
unshare --mount --pid --fork --mount-proc sh -c 'echo in $$'
chmod 4755 /srv/volume/here
echo $(cat /proc/self/oom_score_adj) $(umask) $CREDENTIALS_DIRECTORY.
date -s @0 >/dev/null 2>&1 || echo no clock
""")
    assert said.split("\n")[:4] == ["nobody", "in 1", "0 0022 .", "no clock"], said
    assert units.box.run("ls", "/srv/volume").strip() == "here", "the host sees what the job mounted"
    units.box.run("umount", "/srv/volume")
    if may_lower_oom_score():
        with open("/proc/%d/oom_score_adj" % unit.guardian(), encoding="ascii") as shield:
            assert shield.read().strip() == "-500"


def test_isolated_job(units):
    unit = units.add("host", job=False)
    units.box.write("/etc/onced/jobs.d/says.job", "")
    unit.job("isolated", "/bin/sh -c 'echo $$ >/share/isolated; exec sleep 600'", Isolate="yes")
    units.box.run("rm", "-f", "/etc/onced/jobs.d/says.job")
    unit.systemctl("start")
    wait_for("the job", lambda: units.box.run("cat", "/share/isolated", check=False).strip().isdigit(), 10)
    assert int(units.box.run("cat", "/share/isolated")) < 10, "a PID namespace of its own"


def test_strict_sandbox(units):
    units.box.run("systemd-sysusers")
    unit = units.add("host", job=False)
    unit.drop_in(units.box.run("sed", "/^#/d;/^.Service.$/d", STRICT) + "ReadWritePaths=/share\n")
    said = job_says(units, unit, """id -un
touch /var/lib/onced/here && echo wrote
touch /etc/here 2>/dev/null || echo not there
mount -t tmpfs none /mnt 2>/dev/null || echo no mount
""")
    assert said.split("\n")[:4] == ["onced", "wrote", "not there", "no mount"], said
    assert unit.show("StatusText").startswith("Leading"), units.box.journal("-u", unit.unit)
    assert "held" in units.box.run("sh", "-c", "cat /run/onced/*.lock"), "held by cgroups"
