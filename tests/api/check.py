#!/usr/bin/python3
"""Who may include what, and which functions nobody calls.

    check.py layers ROOT      every #include in lib/, daemon/ and tools/ against the layers of HACKING.md
    check.py calls ROOT       functions that are banned, or that a library has no business with
    check.py self-test ROOT   plants each kind of violation in a copy and expects it to be found

Prints one line per violation; exit code 1 when there is one.
"""
import os
import re
import shutil
import sys
import tempfile

LIBC = set("""
arpa/inet.h assert.h ctype.h dirent.h errno.h fcntl.h ftw.h grp.h inttypes.h libgen.h limits.h
link.h linux/sched.h malloc.h netdb.h netinet/in.h netinet/tcp.h poll.h pthread.h pwd.h sched.h signal.h
stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h strings.h
sys/epoll.h sys/eventfd.h sys/file.h sys/ioctl.h sys/mman.h sys/mount.h sys/prctl.h sys/random.h
sys/resource.h sys/select.h sys/signalfd.h sys/socket.h sys/stat.h sys/syscall.h sys/time.h
sys/timerfd.h sys/types.h sys/uio.h sys/un.h sys/vfs.h sys/wait.h termios.h time.h unistd.h
locale.h wchar.h wctype.h
""".split())
# What a pure function may need: types and memory functions.
PURE = {"limits.h", "stdbool.h", "stddef.h", "stdint.h", "string.h", "inttypes.h"}
TOPS = ("lib", "daemon") + tuple(
    os.path.join("tools", name) for name in ("oncectl", "common", "etcd-faker", "etcd-reporter"))
GUARDIAN = r"daemon/(guardian|tree|cgroup|slice|runs|spawn|deadline|link-io|notify|memory|keeper|pids)[a-z-]*\.[ch]"

# First match decides: which files, which libc headers, what else.
LAYERS = [
    (r"lib/include/once/.*\.h", PURE, r"once/"),
    (r"lib/base/.*", LIBC, r"base/|once/"),
    (r"lib/core/.*", PURE, r"base/|core/|once/time\.h"),
    (r"lib/etcd/(transport-curl\.c|curl(-[a-z]+)?\.[ch])", LIBC, r"base/|etcd/|once/|curl/curl\.h"),
    (r"lib/etcd/loop-ev\.c", LIBC, r"base/|etcd/|once/|ev\.h"),
    (r"lib/etcd/codec[a-z-]*\.[ch]", LIBC, r"base/|etcd/|once/|cjson/cJSON\.h"),
    (r"lib/etcd/pem\.c", LIBC, r"base/|etcd/|once/|openssl/"),
    (r"lib/etcd/.*", LIBC, r"base/|etcd/|once/"),
    (r"lib/elect/node\.h", LIBC, r"base/|core/|elect/|once/|uthash\.h"),
    (r"lib/elect/.*", LIBC, r"base/|core/|elect/|once/"),
    (r"lib/record/hash\.c", LIBC, r"base/|record/|once/|openssl/"),
    (r"lib/record/packed\.c", LIBC, r"base/|record/|once/|zstd\.h"),
    (r"lib/record/.*", LIBC, r"base/|core/|record/|once/|etcd/codec-object\.h"),
    (GUARDIAN, LIBC, r"once/time\.h|daemon/link\.h|daemon/log\.h|" + GUARDIAN),
    (r"daemon/agent\.c", LIBC, r"base/|once/|daemon/|ev\.h"),
    (r"daemon/unit(-bus|-check|-internal)?\.[ch]", LIBC, r"daemon/(unit|unit-internal|link)\.h|once/time\.h|systemd/sd-(bus|login)\.h"),
    (r"daemon/config-file\.c", LIBC, r"base/|once/|daemon/|ini\.h"),
    (r"daemon/web-internal\.h", LIBC, r"base/|once/|daemon/|microhttpd\.h"),
    (r"daemon/look\.c", LIBC, r"base/|once/|daemon/|elect/keys\.h"),
    (r"daemon/history\.c", LIBC, r"base/|once/|daemon/|elect/keys\.h"),
    (r"daemon/.*", LIBC, r"base/|once/|daemon/|core/(policy|schedule|zone|civil)\.h"),
    (r"tools/oncectl/certificate\.[ch]", LIBC, r"tools/oncectl/certificate\.h|openssl/"),
    (r"tools/oncectl/connect\.c", LIBC, r"base/|once/|tools/oncectl/|ev\.h"),
    (r"tools/etcd-reporter/json\.[ch]", PURE | {"stdlib.h"}, r"base/|tools/etcd-reporter/"),
    (r"tools/etcd-faker/generate\.[ch]", PURE | {"errno.h"}, r"base/|tools/etcd-faker/"),
    (r"tools/common/(histogram|pace|progress)\.[ch]", LIBC, r"once/time\.h|tools/common/(histogram|pace|progress)\.h"),
    (r"tools/(common|etcd-faker|etcd-reporter)/.*", LIBC,
     r"base/|once/|daemon/options\.h|tools/(common|etcd-faker|etcd-reporter)/|tools/oncectl/ctl\.h"),
    # Of the elector what it keeps in etcd, of the daemon how it is configured.
    (r"tools/oncectl/.*", LIBC,
     r"base/|core/|once/|elect/keys\.h|record/code\.h|daemon/(config|options|timing|flow-items|result)\.h|tools/oncectl/"
     r"|tools/common/(histogram|pace|progress)\.h"),
]

# They overrun, keep hidden state, hide errors, or run a shell.
BANNED = """strcpy strcat stpcpy sprintf vsprintf strtok atoi atol atoll atof gets alloca system
    popen localtime gmtime asctime ctime tmpnam mktemp""".split()
# A library leaves the process, its output and its signals to the program.
NOT_IN_LIBRARY = """exit _exit _Exit quick_exit abort assert printf vprintf fprintf vfprintf dprintf
    puts fputs putchar fputc putc fwrite perror warn warnx err errx syslog vsyslog openlog signal
    sigaction bsd_signal raise kill fork setenv putenv unsetenv setlocale""".split()

# (file, function): why it is all right.
ALLOWED = {}

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*(<[^>]*>|\"[^\"]*\")", re.M)
# Comments, strings, characters, checked formats: taken out before functions are looked for.
NOISE = re.compile(
    r"\bformat\(printf\b|/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def sources(root):
    found = []
    for top in TOPS:
        for directory, _, names in os.walk(os.path.join(root, top)):
            found += [os.path.relpath(os.path.join(directory, n), root)
                      for n in names if n.endswith((".c", ".h"))]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def included(root, path, name):
    """What an #include of this file means, as a path from lib/, or from the top for daemon/."""
    header = name[1:-1]
    beside = os.path.join(os.path.dirname(path), header)
    if name[0] == '"' and os.path.exists(os.path.join(root, beside)):
        header = beside[len("lib/"):] if beside.startswith("lib/") else beside
    return os.path.normpath(header)


def layers(root):
    wrong = []
    for path in sources(root):
        rule = next((r for r in LAYERS if re.fullmatch(r[0], path)), None)
        if not rule:
            wrong.append("%s: belongs to no layer" % path)
            continue
        text = read(root, path)
        for found in INCLUDE.finditer(text):
            header = included(root, path, found.group(1))
            libc = found.group(1)[0] == "<" and header in rule[1]
            if not libc and not re.match(r"(?:%s)" % rule[2], header):
                wrong.append("%s:%d: may not include %s" % (
                    path, line_of(text, found.start()), found.group(1)))
    return wrong


def blank(found):
    """As many lines and characters as before, so that positions stay."""
    return re.sub(r"[^\n]", " ", found.group())


def calls(root):
    wrong = []
    for path in sources(root):
        names = BANNED + (NOT_IN_LIBRARY if path.startswith("lib/") else [])
        text = NOISE.sub(blank, read(root, path))
        # Also without a call: a name that is handed on. Not members: ops->signal().
        for found in re.finditer(r"(?<![\w.>])(%s)\b(?=\s*[(,);])" % "|".join(names), text):
            if (path, found.group(1)) not in ALLOWED:
                wrong.append("%s:%d: %s()" % (path, line_of(text, found.start()), found.group(1)))
    return wrong


# What must be found, each alone: check, file, text added at its end, and what the line must say.
PLANTS = [
    (layers, "lib/base/buf.c", "#include <curl/curl.h>", "curl"),
    (layers, "lib/base/buf.c", '#include "etcd/internal.h"', "etcd/internal.h"),
    (layers, "lib/base/list.h", '  #  include "core/election.h"', "core/election.h"),
    (layers, "lib/core/election.c", "#include <time.h>", "time.h"),
    (layers, "lib/core/election.c", "#include <stdlib.h>", "stdlib.h"),
    (layers, "lib/core/election.c", "#include <once/client.h>", "once/client.h"),
    (layers, "lib/core/election.h", '#include "etcd/codec.h"', "etcd/codec.h"),
    (layers, "lib/etcd/client.c", "#include <curl/curl.h>", "curl"),
    (layers, "lib/etcd/client.c", "#include <ev.h>", "ev.h"),
    (layers, "lib/etcd/client.c", "#include <cjson/cJSON.h>", "cJSON"),
    (layers, "lib/etcd/transport-curl.c", "#include <openssl/ssl.h>", "openssl"),
    (layers, "lib/etcd/transport.h", "#include <curl/curl.h>", "curl"),
    (layers, "lib/etcd/watch.c", '#include "core/election.h"', "core/election.h"),
    (layers, "lib/etcd/watch.c", '#include "elect/keys.h"', "elect/keys.h"),
    (layers, "lib/elect/elector.c", '#include "etcd/internal.h"', "etcd/internal.h"),
    (layers, "lib/elect/view.c", '#include "daemon/log.h"', "daemon/log.h"),
    (layers, "lib/elect/view.c", '#include "../etcd/errors.h"', "etcd/errors.h"),
    (layers, "lib/include/once/loop.h", "#include <ev.h>", "ev.h"),
    (layers, "lib/include/once/loop.h", '#include "base/list.h"', "base/list.h"),
    (layers, "daemon/guardian.c", '#include "config.h"', "config.h"),
    (layers, "daemon/runs.c", '#include "base/buf.h"', "base/buf.h"),
    (layers, "daemon/spawn.c", "#include <once/client.h>", "once/client.h"),
    (layers, "daemon/tree.h", '#include "daemon/jobs.h"', "daemon/jobs.h"),
    (layers, "daemon/jobs.c", "#include <ev.h>", "ev.h"),
    (layers, "daemon/agent.c", '#include "elect/elector.h"', "elect/elector.h"),
    (layers, "daemon/service.c", '#include "core/election.h"', "core/election.h"),
    (layers, "daemon/config.c", "#include <ini.h>", "ini.h"),
    (layers, "daemon/web.c", "#include <microhttpd.h>", "microhttpd.h"),
    (layers, "daemon/facts.c", '#include "elect/keys.h"', "elect/keys.h"),
    (layers, "lib/record/keys.c", '#include "elect/keys.h"', "elect/keys.h"),
    (layers, "lib/record/keys.c", '#include "etcd/internal.h"', "etcd/internal.h"),
    (layers, "lib/record/keys.c", "#include <cjson/cJSON.h>", "cJSON"),
    (layers, "lib/elect/view.c", '#include "record/code.h"', "record/code.h"),
    (layers, "lib/other/new.c", "", "no layer"),
    (layers, "tools/oncectl/output.c", '#include "daemon/guardian.h"', "daemon/guardian.h"),
    (layers, "tools/oncectl/output.c", "#include <ev.h>", "ev.h"),
    (layers, "lib/record/writer.c", "#include <zstd.h>", "zstd.h"),
    (layers, "tools/etcd-faker/generate.c", "#include <time.h>", "time.h"),
    (layers, "tools/etcd-faker/load.c", '#include "record/writer.h"', "record/writer.h"),
    (calls, "lib/base/buf.c", "void f(char *a) { strcpy(a, a); }", "strcpy"),
    (calls, "daemon/log.c", "int f(const char *a) { return atoi (a); }", "atoi"),
    (calls, "daemon/service.c", "char *(*f)(char *, const char *) = strtok;", "strtok"),
    (calls, "lib/elect/keys.c", "void f(void) { struct tm *t = localtime(NULL); }", "localtime"),
    (calls, "lib/etcd/client.c", "void f(void) { abort(); }", "abort"),
    (calls, "lib/etcd/client.c", 'void f(void) { fprintf(stderr, "x"); }', "fprintf"),
    (calls, "lib/core/election.c", "void f(void) { assert(1); }", "assert"),
    (calls, "lib/base/clock.c", 'void f(void) { syslog(3, "/*"); }', "syslog"),
    (calls, "lib/etcd/resolve.c", "void f(void) { (void)signal(13, NULL); }", "signal"),
]
# What must not be taken for a violation.
HARMLESS = [
    (layers, "lib/base/buf.c", "#include <sys/uio.h>"),
    (layers, "lib/elect/view.c", '#include "keys.h"'),
    (layers, "daemon/guardian.c", '#include "spawn.h"'),
    (calls, "lib/base/buf.c", "/* not strcpy() */ // nor system()"),
    (calls, "lib/base/buf.c", 'const char *text = "exit(1) \\" abort()";'),
    (calls, "lib/base/buf.c", "void f(struct o *o) { o->exit(o); my_exit(); snprintf(); }"),
    (calls, "daemon/service.c", "void f(void) { exit(1); }"),
]


def plant(check, root, path, text):
    """What the check says of a copy in which this text was added to that file."""
    with tempfile.TemporaryDirectory() as copy:
        for top in TOPS:
            shutil.copytree(os.path.join(root, top), os.path.join(copy, top))
        os.makedirs(os.path.dirname(os.path.join(copy, path)), exist_ok=True)
        with open(os.path.join(copy, path), "a", encoding="utf-8") as file:
            file.write("\n%s\n" % text)
        return check(copy)


def self_test(root):
    wrong = []
    for check, path, text, named in PLANTS:
        said = plant(check, root, path, text)
        if len(said) != 1 or not said[0].startswith(path + ":") or named not in said[0]:
            wrong.append("%s in %s: expected one violation, got %s" % (text, path, said))
    for check, path, text in HARMLESS:
        said = plant(check, root, path, text)
        if said:
            wrong.append("%s in %s: is harmless, got %s" % (text, path, said))
    return wrong


def main():
    checks = {"layers": layers, "calls": calls, "self-test": self_test}
    if len(sys.argv) != 3 or sys.argv[1] not in checks:
        sys.exit(__doc__)
    root = sys.argv[2]
    if len(sources(root)) < 50:
        sys.exit("%s: this is not the tree: too few files" % root)
    wrong = checks[sys.argv[1]](root)
    print("\n".join(wrong) or "%s: %d files" % (sys.argv[1], len(sources(root))))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
