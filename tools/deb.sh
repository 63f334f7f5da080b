#!/bin/sh
# deb.sh DIR: build the Debian packages of this tree into DIR.
#
# In a copy, so that the tree stays as it is; what is not in git is left out. Same tree, same packages,
# byte for byte: tests/deb builds them twice.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
out=$1
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

mkdir "$work/onced"
cd "$top"
if git rev-parse --git-dir >/dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$work/onced" --
else
    tar -c --exclude './build*' . | tar -x -C "$work/onced"
fi
cd "$work/onced"
dpkg-buildpackage --build=binary --no-sign --jobs="${JOBS:-$(nproc)}" >"$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    echo "deb: dpkg-buildpackage failed" >&2
    exit 1
}
rm -f "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
mv "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$out"
mv "$work/log" "$out/build.log"
ls "$out"/*.deb
