#!/usr/bin/python3
"""libonce's binary interface, as programs that were built with it know it: names, signatures, the layout
of every public struct and the values of every public enum.

    abi.py check LIBRARY HEADERS STORED   is it that of the stored file? Any difference fails, and is shown
    abi.py write LIBRARY HEADERS STORED   store what there is now: make abi
    abi.py notices                        small libraries, each broken in another way: all must be noticed

abidw of libabigail reads it from the debugging information; abidiff compares. A struct that the
headers do not define is opaque and may change at will. No path, compiler or place of the build gets into the
file. Exit code 77: it cannot be told here, with the reason. Constants behind #define are not seen.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

WANTED = """
%(stored)s is what programs were built with. If the difference is wanted:
  something was added: make abi; new functions also go into debian/libonce1.symbols
  something changed or went: a program built before would break. Keep the old name beside a new one; or
  give the library another number (version: in lib/meson.build, LIBONCE_2 in lib/libonce.map, libonce2 in
  debian/), then make abi. Before the first release, make abi and a line in NEWS.md are enough.
"""
# A struct that the headers name and do not define. The label is what abidw --headers-dir gives its own rule:
# it makes a type opaque, not unknown. (The option itself looks for any file of a header's name, and finds
# lib/record/claim.h.)
OPAQUE = """[suppress_type]
label = Artificial private types suppression specification
type_kind = struct
name_regexp = ^(%s)$
drop = true
"""


def run(*command):
    return subprocess.run(command, text=True, timeout=120, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def skip(reason):
    print("skipped: " + reason)
    sys.exit(77)


def opaque(headers):
    """The structs that are named there and defined elsewhere."""
    text = ""
    for name in os.listdir(headers):
        with open(os.path.join(headers, name), encoding="utf-8") as file:
            text += file.read()
    return sorted(set(re.findall(r"\bstruct (once_\w+)", text)) - set(re.findall(r"\bstruct (once_\w+) {", text)))


def read(library, headers, into):
    """Writes the library's interface into a file."""
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as rules:
        rules.write(OPAQUE % "|".join(opaque(headers)))
        rules.flush()
        done = run("abidw", "--suppressions", rules.name, "--exported-interfaces-only", "--no-corpus-path",
                   "--no-comp-dir-path", "--no-show-locs", "--no-elf-needed", "--no-parameter-names",
                   "--type-id-style", "hash", "--out-file", into, library)
    if done.returncode:
        sys.exit("abidw %s: exit %d\n%s" % (library, done.returncode, done.stdout))
    with open(into, encoding="utf-8") as file:
        text = re.sub(r"(<abi-instr [^>]*path=')[^']*?((lib/)?[\w-]+/[\w-]+\.c')", r"\1\2", file.read())
    with open(into, "w", encoding="utf-8") as file:
        file.write(text)


def difference(old, new):
    """What abidiff says; None when it finds nothing."""
    done = run("abidiff", "--harmless", "--leaf-changes-only", old, new)
    if done.returncode & 3:
        sys.exit("abidiff: exit %d\n%s" % (done.returncode, done.stdout))
    return done.stdout if done.returncode else None


def architecture(path):
    with open(path, encoding="utf-8") as file:
        return re.search(r"architecture='([^']*)'", file.read(4096)).group(1)


def check(library, headers, stored):
    with tempfile.TemporaryDirectory() as directory:
        now = os.path.join(directory, "now.abi")
        read(library, headers, now)
        if architecture(now) != architecture(stored):
            skip("the stored file is of %s, this is %s" % (architecture(stored), architecture(now)))
        found = difference(stored, now)
    if found:
        print(found + WANTED % {"stored": os.path.relpath(stored)})
    return 1 if found else 0


# ---- whether it would notice

HEADER = """enum once_color { ONCE_RED, ONCE_BLUE };
struct once_part { int size; long length; enum once_color color; };
struct once_thing;
typedef void once_fn(const struct once_part *part);
int once_use(struct once_thing *thing, const struct once_part *part, once_fn *done);
void once_free(struct once_thing *thing);
"""
SOURCE = """#include <once/thing.h>
struct once_thing { int private; };
int once_use(struct once_thing *thing, const struct once_part *part, once_fn *done)
{ done(part); return thing->private; }
void once_free(struct once_thing *thing) { thing->private = 0; }
"""
CHANGES = {
    "nothing": (("", ""), False),
    "a member of a private struct": (("{ int private", "{ char more[9]; int private"), False),
    "a member's type": (("int size", "short size"), True),
    "a member's name": (("int size", "int bytes"), True),
    "a member more": (("color; };", "color; int more; };"), True),
    "the order of members": (("int size; long length;", "long length; int size;"), True),
    "a constant's value": (("ONCE_RED, ONCE_BLUE", "ONCE_BLUE, ONCE_RED"), True),
    "a constant less": (("ONCE_RED, ", ""), True),
    "a parameter more": (("once_fn *done", "once_fn *done, int more"), True),
    "a parameter of a callback": (("const struct once_part *part);\nint", "int part);\nint"), True),
    "what is returned": (("void once_free", "long once_free"), True),
    "a function's name": (("once_free", "once_end"), True),
    "a function more": (("void once_free(struct once_thing *thing)", "void once_more(void)"), True),
}


def interface(directory, header, source):
    """The file of a library of that header and source."""
    os.makedirs(os.path.join(directory, "once"))
    paths = [os.path.join(directory, name) for name in ("once/thing.h", "thing.c", "thing.so", "abi")]
    for path, text in zip(paths, (header, source)):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    done = run("gcc", "-g", "-w", "-shared", "-fPIC", "-I", directory, "-o", paths[2], paths[1])
    assert done.returncode == 0, done.stdout
    read(paths[2], os.path.dirname(paths[0]), paths[3])
    return paths[3]


def notices():
    wrong = []
    with tempfile.TemporaryDirectory() as top:
        old = interface(os.path.join(top, "old"), HEADER, SOURCE)
        for number, (name, ((before, after), expected)) in enumerate(CHANGES.items()):
            if name == "a function more":
                header, source = HEADER + after + ";\n", SOURCE + after + " {}\n"
            else:
                header, source = HEADER.replace(before, after), SOURCE.replace(before, after)
            if name == "a parameter of a callback":
                source = source.replace("done(part);", "")
            found = difference(old, interface(os.path.join(top, str(number)), header, source))
            if bool(found) != expected:
                wrong.append("%s: %s" % (name, found or "not noticed"))
    print("\n".join(wrong) or "%d changes" % len(CHANGES))
    return 1 if wrong else 0


def main(command, *arguments):
    if not shutil.which("abidw") or not shutil.which("abidiff"):
        skip("no abidw or abidiff here (Debian: abigail-tools)")
    if command == "notices":
        return notices()
    library, headers, stored = arguments
    if ".debug_info" not in run("readelf", "-S", "-W", library).stdout:
        skip("%s was built without debugging information" % library)
    return (check if command == "check" else read)(library, headers, stored)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
