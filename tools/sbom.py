#!/usr/bin/python3
"""What the programs are made of, as SPDX 2.3 in JSON, on standard output.

    sbom.py VERSION FILE...    FILE: the built programs and libraries

Of each file its SHA-256; of each library that one of them is linked with, and of what came in as headers
alone, Debian's package, its version and its purl. What these need in turn is Debian's to say. The time is
that of SOURCE_DATE_EPOCH, so that two builds can be compared.
"""
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys

HEADERS = {"uthash-dev": "/usr/include/uthash.h"}
OWN = "SPDXRef-onced"


class Unknown(Exception):
    pass


def output(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, LC_ALL="C")).stdout


def needed(path):
    """The sonames of what it is linked with directly."""
    return re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-Wd", path))


def where(path):
    """{soname: file} as the dynamic linker finds them."""
    return dict(re.findall(r"^\s*(\S+) => (/\S+)", output("ldd", path), re.M))


def names_of(path):
    """A file's names, also that before /usr was merged."""
    real = os.path.realpath(path)
    return [path, real, real.removeprefix("/usr"), "/usr" + path]


def owners(paths):
    """{path: Debian's package that owns it}, in one question: each takes a while."""
    done = subprocess.run(["dpkg-query", "-S", *sorted({name for path in paths for name in names_of(path)})],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    known = {}
    for line in done.stdout.splitlines():
        package, _, name = line.partition(": ")
        known[name] = package.split(",")[0]
    found = {path: next((known[name] for name in names_of(path) if name in known), None) for path in paths}
    for path, package in found.items():
        if not package:
            raise Unknown("%s belongs to no Debian package" % path)
    return found


def places_of(files):
    """{file of a library or header: its name}; not ours."""
    own = [os.path.basename(os.path.realpath(path)) for path in files]
    found = {}
    for path in files:
        places = where(path)
        for soname in needed(path):
            if not any(name.startswith(soname) for name in own):
                found[places.get(soname, "/lib64/" + soname)] = soname
    return {**found, **{header: os.path.basename(header) for header in HEADERS.values()}}


def parts(files):
    """{package: (version, architecture, what of it)}"""
    places, found = places_of(files), {}
    packages = owners(places)
    told = output("dpkg-query", "-W", "-f", "${binary:Package} ${Package} ${Version} ${Architecture}\n",
                  *sorted(set(packages.values())))
    known = {}
    for line in told.splitlines():
        full, name, version, architecture = line.split()
        known[full] = known[name] = (name, version, architecture)
    for place, what in places.items():
        name, version, architecture = known[packages[place]]
        found.setdefault(name, (version, architecture, set()))[2].add(what)
    return found


def spdx_id(name):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)


def package(name, version, architecture, what):
    return {"SPDXID": spdx_id("Package-" + name), "name": name, "versionInfo": version,
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "supplier": "Organization: Debian",
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
            "comment": ", ".join(sorted(what)),
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": "pkg:deb/debian/%s@%s?arch=%s" % (name, version, architecture)}]}


def file_entry(path):
    with open(path, "rb") as file:
        data = file.read()
    name = os.path.basename(path)
    return {"SPDXID": spdx_id("File-" + name), "fileName": "./" + name, "fileTypes": ["BINARY"],
            "licenseConcluded": "MIT", "copyrightText": "NOASSERTION",
            "checksums": [{"algorithm": kind.upper(), "checksumValue": hashlib.new(kind, data).hexdigest()}
                          for kind in ("sha1", "sha256")]}


def related(a, kind, b):
    return {"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b}


def document(version, files):
    now = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    entries = [file_entry(path) for path in files]
    packages = [package(name, *what) for name, what in sorted(parts(files).items())]
    sums = sorted(entry["checksums"][0]["checksumValue"] for entry in entries)
    own = {"SPDXID": OWN, "name": "onced", "versionInfo": version, "downloadLocation": "NOASSERTION",
           "filesAnalyzed": True, "hasFiles": [entry["SPDXID"] for entry in entries],
           "packageVerificationCode": {"packageVerificationCodeValue": hashlib.sha1("".join(sums).encode()).hexdigest()},
           "licenseConcluded": "MIT", "licenseDeclared": "MIT", "copyrightText": "NOASSERTION"}
    links = [related("SPDXRef-DOCUMENT", "DESCRIBES", OWN)]
    links += [related(OWN, "CONTAINS", entry["SPDXID"]) for entry in entries]
    links += [related(OWN, "STATIC_LINK" if p["name"] in HEADERS else "DYNAMIC_LINK", p["SPDXID"]) for p in packages]
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
            "name": "onced-" + version,
            "documentNamespace": "urn:onced:sbom:%s:%s" % (version, hashlib.sha256("".join(sums).encode()).hexdigest()),
            "creationInfo": {"created": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: onced-sbom"]},
            "packages": [own] + packages, "files": entries, "relationships": links}


def main(version, *files):
    try:
        json.dump(document(version, files), sys.stdout, indent=1)
    except (Unknown, OSError, subprocess.CalledProcessError) as error:
        sys.exit("sbom: %s" % error)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 2 else sys.exit(__doc__)
