#!/bin/sh
# etcd-versions.sh [DIR]: have the newest etcd 3.5 of Debian's later suites at hand.
#
# Downloads through the machine's own apt mirror and keyring into DIR (default: the user's cache) and
# unpacks there; nothing is installed and apt's configuration is not touched. What is there is kept,
# so that only the first call needs the network. Prints VERSION<TAB>DIRECTORY. When no 3.5 can be had
# it says why in one line, "skip: ...", and exits 77.
set -eu

dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/onced/etcd}
suites='sid trixie'
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

skip() {
    echo "skip: no etcd 3.5: $*"
    exit 77
}

newest() {
    for bin in "$dir"/3.5.*/etcd; do
        [ -x "$bin" ] && [ -x "${bin}ctl" ] && basename "$(dirname "$bin")"
    done | sort -V | tail -n 1
}

report() {
    version=$(newest)
    [ -n "$version" ] || return 1
    "$dir/$version/etcd" --version >/dev/null 2>&1 || skip "$version does not run on this machine"
    printf '%s\t%s\n' "$version" "$dir/$version"
}

# apt with lists and cache of its own
private_apt() {
    tool=$1
    shift
    "$tool" -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=20 "$@"
}

fetch() {
    suite=$1
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs"
    echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/sources.list"
    private_apt apt-get -qq update >/dev/null 2>&1 || return 1
    version=$(private_apt apt-cache show etcd-server | sed -n 's/^Version: \(3\.5\.[0-9]*\).*/\1/p' |
        sort -V | tail -n 1)
    [ -n "$version" ] || return 1
    (cd "$work/debs" && private_apt apt-get -qq download etcd-server etcd-client) >/dev/null 2>&1 ||
        return 1
    for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
    rm -rf "${dir:?}/$version"
    mkdir -p "$dir/$version"
    cp "$work/root/usr/bin/etcdctl" "$dir/$version/etcdctl"
    mv "$work/root/usr/bin/etcd" "$dir/$version/etcd"
}

report && exit 0
command -v apt-get >/dev/null || skip "no apt-get here"
[ -r "$keyring" ] || skip "no $keyring"
# shellcheck disable=SC2016 # apt's own placeholder
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
    grep '/debian/$' | sort -u | head -n 1)
[ -n "$mirror" ] || skip "apt knows no Debian mirror"
mkdir -p "$dir"
work=$dir/.work.$$
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
for suite in $suites; do
    if fetch "$suite"; then break; fi
done
report || skip "neither of '$suites' has it, or the mirror was out of reach"
