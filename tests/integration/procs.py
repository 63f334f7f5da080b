"""Processes of ours: started here, found again by parent and namespace, ended by their own pid.

adopt() makes this process the reaper of every orphan among its descendants, so that what a daemon
leaves behind is still its child, can be told from everybody else's and cannot escape the end: that of
a test, nor that of this process, by whatever signal but SIGKILL it comes. SIGKILL ends what was
started here; what that leaves behind goes to whoever adopted above, as tests/run.py does.
"""
import atexit
import ctypes
import fcntl
import glob
import os
import signal
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36
DIE_WITH_US = ["setpriv", "--pdeathsig", "KILL"]
END_WITH_US = ["setpriv", "--pdeathsig", "TERM"]  # for what ends its own then
TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONE_END = 2.0  # seconds; make, timeout and a terminal tell of the same end twice or thrice

_started = {}
_told = -ONE_END  # when the end was last told


def adopt():
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    unwind_on_signals()
    atexit.unregister(end_everything)  # once is enough
    atexit.register(end_everything)


def unwind_on_signals():
    """They end this process as Ctrl-C does, through every finally. Those that nohup or a shell ignores stay so."""
    for signo in TO_END:
        if signal.getsignal(signo) is not signal.SIG_IGN:
            signal.signal(signo, _unwind)


def _unwind(*unused):
    global _told
    last, _told = _told, time.monotonic()
    if _told - last >= ONE_END:
        raise KeyboardInterrupt


def ignore_signals():
    """There is nothing to unwind any more."""
    for signo in TO_END:
        signal.signal(signo, signal.SIG_IGN)


def end_everything():
    """Kill what was started and is still there, if not detached, and what it left behind. A fork of this process
    has no children here, so that it ends nothing."""
    ignore_signals()
    for pid, process in list(_started.items()):
        if not process.detached:
            del _started[pid]  # an orphan like the others
    end_orphans(0)


def spawn(command, prefix=(), detach=False, with_us=DIE_WITH_US, **options):
    """Popen in a session of its own; the process dies with this one unless detach."""
    front = list(prefix) + ([] if detach else with_us)
    options.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen(front + list(command), start_new_session=True, **options)
    process.detached = detach
    _started[process.pid] = process
    return process


def _stat(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def alive(pid):
    """Neither gone nor a zombie."""
    stat = _stat(pid)
    return stat is not None and stat[0] not in "ZX"


def start_time(pid):
    """With the pid it names one process of this boot."""
    stat = _stat(pid)
    return int(stat[19]) if stat else None


def link(pid, name):
    try:
        return os.readlink("/proc/%d/%s" % (pid, name))
    except OSError:
        return None


def name(pid):
    try:
        with open("/proc/%d/comm" % pid, errors="replace") as comm:
            return comm.read().rstrip("\n")
    except OSError:
        return ""


def leaves():
    """Cgroups of daemons that run or ran beside us."""
    with open("/proc/self/cgroup") as own:
        paths = [line.rstrip("\n")[3:] for line in own if line.startswith("0::")]
    return {leaf for path in paths for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
            for leaf in glob.glob(mount + path.rstrip("/") + "/onced-*")}


def remove_leaves(found):
    """Those with nothing in them, and no guardian who holds their lock."""
    for leaf in found:
        try:
            lock = os.open(leaf, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path in glob.glob(leaf + "/run-*") + [leaf]:
                os.rmdir(path)
        except OSError:
            pass
        finally:
            os.close(lock)


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as cmdline:
            return cmdline.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _tree():
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = _stat(int(name))
            if stat and stat[0] not in "ZX":
                children.setdefault(int(stat[1]), []).append(int(name))
    return children


def children(pid):
    return _tree().get(pid, [])


def descendants(pid):
    tree, found, todo = _tree(), [], [pid]
    while todo:
        below = tree.get(todo.pop(), [])
        found += below
        todo += below
    return found


def send(pid, signo):
    """Signal a process that may be gone already."""
    try:
        os.kill(pid, signo)
    except ProcessLookupError:
        pass


def wait(process, seconds):
    """Its exit code, or TimeoutExpired. Meanwhile orphans that die are collected, as process 1 would."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return process.wait(max(0, min(0.25, deadline - time.monotonic())))
        except subprocess.TimeoutExpired:
            reap()
            if time.monotonic() >= deadline:
                raise


def end(process, signo=signal.SIGKILL, seconds=5):
    """Signal, continue and reap a started process; SIGKILL when it takes too long."""
    if process.poll() is None:
        send(process.pid, signo)
        send(process.pid, signal.SIGCONT)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            send(process.pid, signal.SIGKILL)
            process.wait(10)
    _started.pop(process.pid, None)
    return process.returncode


def orphans():
    """Children of ours that we did not start: left behind by a daemon."""
    reap()
    return [pid for pid in children(os.getpid()) if pid not in _started]


def reap():
    """Collect dead orphans, without stealing the status of what we started."""
    for name in os.listdir("/proc"):
        stat = _stat(int(name)) if name.isdigit() and int(name) not in _started else None
        if stat and stat[0] == "Z" and int(stat[1]) == os.getpid():
            try:
                os.waitpid(int(name), os.WNOHANG)
            except ChildProcessError:
                pass


def end_orphans(patience=1.0):
    """Kill what is left behind; its command lines. It may still be dying by itself for a moment."""
    deadline = time.monotonic() + patience
    while orphans() and time.monotonic() < deadline:
        time.sleep(0.02)
    left = []
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = orphans()
        if not found:
            break
        for pid in found:
            for each in [pid] + descendants(pid):
                line = command_line(each) or name(each)
                if line not in left:
                    left.append(line)
                send(each, signal.SIGKILL)
        time.sleep(0.02)
    return left
