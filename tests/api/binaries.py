#!/usr/bin/python3
"""binaries.py hardening FILE... | sbom SBOM.PY FILE... | self-test FILE...: what the built files are.

hardening: position independent, relocations read-only and bound at the start, no executable stack, stack
protector, fortified calls. Archives (.a): every object is made for control-flow enforcement, where the
compiler of this processor can. (The programs themselves lack the mark: Debian's start files have none.)

sbom: the list is SPDX 2.3 as far as it says anything, everything it refers to is in it, and each library that
a file is linked with is named.
"""
import json
import platform
import re
import subprocess
import sys


def readelf(*words):
    return subprocess.run(["readelf", "-W", *words], check=True, text=True, stdout=subprocess.PIPE).stdout


def problems_of_text(headers, dynamic, symbols):
    bad = []
    if "DYN" not in re.search(r"Type:\s+(\S+)", headers).group(1):
        bad.append("is not position independent")
    if not re.search(r"GNU_RELRO", headers):
        bad.append("has relocations that stay writable")
    if not re.search(r"NOW", dynamic):
        bad.append("binds lazily")
    if re.search(r"GNU_STACK.*\bRWE\b", headers) or "GNU_STACK" not in headers:
        bad.append("has an executable stack")
    if "__stack_chk_fail" not in symbols:
        bad.append("has no stack protector")
    if not re.search(r"__\w+_chk\b", symbols.replace("__stack_chk_fail", "")):
        bad.append("has no fortified call")
    return bad


def problems_of(path):
    if path.endswith(".a"):
        notes = readelf("-n", path)
        objects = notes.count("\nFile: ")
        marked = len(re.findall(r"x86 feature: IBT, SHSTK", notes))
        return ["%d of %d objects lack the mark of -fcf-protection" % (objects - marked, objects)] \
            if platform.machine() == "x86_64" and marked < objects else []
    return problems_of_text(readelf("-h", "-l", path), readelf("-d", path), readelf("--dyn-syms", path))


def hardening(files):
    return ["%s %s" % (path, problem) for path in files for problem in problems_of(path)]


# ---- the list of parts

REQUIRED = {"": ("spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo"),
            "packages": ("SPDXID", "name", "versionInfo", "downloadLocation"),
            "files": ("SPDXID", "fileName", "checksums")}


def problems_of_sbom(sbom, linked):
    bad = ["lacks " + field for field in REQUIRED[""] if not sbom.get(field)]
    if sbom.get("spdxVersion") != "SPDX-2.3" or sbom.get("dataLicense") != "CC0-1.0":
        bad.append("is not SPDX 2.3")
    ids = [sbom.get("SPDXID")]
    for kind in ("packages", "files"):
        for entry in sbom.get(kind, []):
            bad += ["%s lacks %s" % (entry.get("name", kind), f) for f in REQUIRED[kind] if not entry.get(f)]
            ids.append(entry.get("SPDXID"))
    bad += ["%s is no id" % i for i in ids if not re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i or "")]
    bad += ["%s stands for two" % i for i in set(ids) if ids.count(i) > 1]
    ends = {link[end] for link in sbom.get("relationships", []) for end in ("spdxElementId", "relatedSpdxElement")}
    bad += ["refers to %s, which is not there" % i for i in ends - set(ids)]
    bad += ["%s belongs to nothing" % i for i in set(ids) - ends]
    named = {part for p in sbom.get("packages", []) for part in p.get("comment", "").split(", ")}
    return bad + ["does not name " + soname for soname in sorted(linked - named)]


def linked_with(files):
    found = {soname for path in files for soname in re.findall(r"\(NEEDED\).*\[(.+)\]", readelf("-d", path))}
    return {soname for soname in found if not soname.startswith("libonce.")}


def sbom(tool, files):
    text = subprocess.run([sys.executable, tool, "0", *files], check=True, text=True, stdout=subprocess.PIPE).stdout
    return problems_of_sbom(json.loads(text), linked_with(files))


# ---- that it would notice

def self_test(files):
    headers, dynamic, symbols = readelf("-h", "-l", files[0]), readelf("-d", files[0]), readelf("--dyn-syms", files[0])
    changes = [(headers.replace("DYN (", "EXEC ("), dynamic, symbols), (headers.replace("RELRO", "X"), dynamic, symbols),
               (headers, dynamic.replace("NOW", "X"), symbols), (re.sub("(GNU_STACK.*) RW ", r"\1 RWE", headers), dynamic, symbols),
               (headers, dynamic, symbols.replace("__stack_chk_fail", "x")), (headers, dynamic, re.sub(r"_chk\b", "", symbols) + "__stack_chk_fail")]
    bad = ["change %d is not noticed" % i for i, change in enumerate(changes) if len(problems_of_text(*change)) != 1]
    good = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "n",
            "documentNamespace": "urn:n", "creationInfo": {"created": "x"},
            "packages": [{"SPDXID": "SPDXRef-a", "name": "a", "versionInfo": "1", "downloadLocation": "NOASSERTION",
                          "comment": "liba.so.1"}],
            "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relatedSpdxElement": "SPDXRef-a"}]}
    if problems_of_sbom(good, {"liba.so.1"}):
        bad.append("a good list is refused")
    for change in ({"spdxVersion": "SPDX-2.2"}, {"name": ""}, {"packages": []}, {"packages": good["packages"] * 2},
                   {"relationships": []}, {"packages": [dict(good["packages"][0], versionInfo="")]}):
        if not problems_of_sbom({**good, **change}, {"liba.so.1"}):
            bad.append("%s is not noticed" % change)
    if problems_of_sbom(good, {"libb.so.1"}) != ["does not name libb.so.1"]:
        bad.append("a library that is not named is not noticed")
    return bad


def main():
    kind, files = sys.argv[1], sys.argv[2:]
    wrong = hardening(files) if kind == "hardening" else self_test(files) if kind == "self-test" else sbom(files[0], files[1:])
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main() if len(sys.argv) > 2 else __doc__)
