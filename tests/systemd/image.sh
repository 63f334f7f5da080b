#!/bin/sh
# image.sh: a small Debian with systemd and etcd, the tree that boot.sh starts.
#
# Made once by debootstrap, of this machine's own release and mirror, as apt knows them; kept in the
# user's cache, where only the first call needs the network. Prints its directory. When it cannot be
# made here, says why in one line, "skip: ...", and exits 77.
set -eu

packages=systemd,systemd-sysv,dbus,etcd-server,etcd-client,libcurl4,libcjson1,libev4,libinih1,libmicrohttpd12,libzstd1,procps
variant=minbase
revision=1

skip() {
    echo "skip: no Debian with systemd: $*"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "making it needs root"
command -v debootstrap >/dev/null || skip "no debootstrap"
# shellcheck source=/dev/null # of the machine
suite=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
[ -e "/usr/share/debootstrap/scripts/${suite:-none}" ] || skip "debootstrap does not know this machine's release"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/onced/systemd
name=$suite-$revision-$(echo "$packages" | cksum | cut -d ' ' -f 1)
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock -w 600 9 || skip "another has been making it for ten minutes"
if [ -d "$cache/$name" ]; then
    echo "$cache/$name"
    exit 0
fi

# shellcheck disable=SC2016 # apt's own placeholder
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
    grep '/debian/$' | sort -u | head -n 1)
[ "$mirror" ] || skip "apt knows no Debian mirror"
rm -rf --one-file-system "$cache"/.work.*
work=$cache/.work.$$
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM HUP
# In namespaces of its own: what it mounts and starts is gone with it, however it ends.
unshare --mount --pid --fork --kill-child debootstrap --variant=$variant --include="$packages" \
    "$suite" "$work" "$mirror" >"$cache/log" 2>&1 9>&- ||
    skip "debootstrap: $(tail -n 1 "$cache/log")"
# What an image does not need, and what would run beside the tests.
rm -rf "$work"/var/cache/apt/archives/*.deb "$work"/var/lib/apt/lists/* "$work"/usr/share/doc/* \
    "$work"/usr/share/locale/* "$work"/etc/systemd/system/*.wants "$work/etc/machine-id"
: >"$work/etc/machine-id"
mv "$work" "$cache/$name"
trap - EXIT
echo "$cache/$name"
