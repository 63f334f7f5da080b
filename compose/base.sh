#!/bin/sh
# base.sh NAME: makes a Debian 12 base image without an image registry, from where this machine's apt
# has its packages. Needs root, debootstrap and a Docker engine.
set -eu
[ $# = 1 ] || { echo "usage: base.sh NAME" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "base.sh: needs the package debootstrap" >&2; exit 1; }
# shellcheck disable=SC2016 # apt replaces them
site=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' |
    awk '$2 == "bookworm" { print $1; exit }')
[ -n "$site" ] || { echo "base.sh: apt has no source for bookworm here" >&2; exit 1; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'exit 130' INT TERM HUP
debootstrap --variant=minbase bookworm "$root" "$site" >"$root.log" 2>&1 ||
    { tail -n 5 "$root.log" >&2; exit 1; }
rm -rf "$root.log" "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
tar -C "$root" -c . | docker import - "$1" >/dev/null
echo "base.sh: $1 is made"
