#!/usr/bin/python3
"""Each public header compiles alone, in ISO C99 and in C++, without a warning.

    headers.py ROOT      every <once/*.h> with every compiler there is
    headers.py --notices a header that does not must be noticed, by each of them

TAP on standard output; a compiler that is missing is a skip.
"""
import os
import shutil
import subprocess
import sys
import tempfile

STRICT = ["-Wall", "-Wextra", "-pedantic", "-pedantic-errors", "-Werror", "-fsyntax-only"]
COMPILERS = {
    "gcc -std=c99": ["gcc", "-std=c99", *STRICT, "-x", "c"],
    "clang -std=c99": ["clang", "-std=c99", *STRICT, "-x", "c"],
    "g++ -std=c++11": ["g++", "-std=c++11", *STRICT, "-x", "c++"],
    "clang++ -std=c++11": ["clang++", "-std=c++11", *STRICT, "-x", "c++"],
}
# In the other language each is fine, or nearly: what a header must not have.
BAD = {
    "c": ["#include <once/time.h>\nenum { LAST, };\nint f(int x) { typeof(x) y = x; return y; }",
          "bool f(void);", "static inline int f(void) { return (int)sizeof(struct once_call); }"],
    "c++": ["struct new { int class; };", "static inline int *f(void *p) { return p; }"],
}


def compiles(command, include, text):
    done = subprocess.run([*command, "-I", include, "-"], input=text, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode == 0, done.stdout


def headers(include):
    found = sorted(n for n in os.listdir(os.path.join(include, "once")) if n.endswith(".h"))
    assert len(found) >= 5, "no headers in " + include
    return found


def good(include):
    for name, command in COMPILERS.items():
        for header in headers(include):
            # Twice: the guard works. ISO C wants a declaration in every file.
            text = "#include <once/%s>\n" % header * 2 + "extern int dummy;\n"
            yield "%s <once/%s>" % (name, header), command, lambda t=text, c=command: compiles(
                c, include, t)


def bad(include):
    for name, command in COMPILERS.items():
        for i, text in enumerate(BAD[command[-1]]):
            def noticed(t=text, c=command):
                ok, said = compiles(c, include, t + "\n")
                return not ok, said or "no complaint about: " + t
            yield "%s notices %d" % (name, i), command, noticed


def main():
    notices = sys.argv[1:] == ["--notices"]
    with tempfile.TemporaryDirectory() as empty:
        os.mkdir(os.path.join(empty, "once"))
        open(os.path.join(empty, "once", "time.h"), "w", encoding="ascii").close()
        cases = list(bad(empty) if notices else good(os.path.join(sys.argv[1], "lib", "include")))
        print("1..%d" % len(cases))
        failed = 0
        for number, (name, command, check) in enumerate(cases, 1):
            if not shutil.which(command[0]):
                print("ok %d - %s # SKIP no %s here" % (number, name, command[0]))
                continue
            ok, said = check()
            failed += not ok
            print("%sok %d - %s" % ("" if ok else "not ", number, name))
            if not ok:
                print("".join("# %s\n" % line for line in said.splitlines()), end="")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
