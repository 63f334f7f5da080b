#!/bin/sh
# deps.sh GROUP...: install what is missing of the groups of packages.list (build, test, demo).
#
# When everything is there apt is not asked at all. Otherwise apt-get runs as root or through sudo.
# A service that a package brings (etcd on port 2379) is neither started nor enabled by this.
set -eu

list=$(dirname "$0")/../packages.list
hook=/usr/sbin/policy-rc.d

die() {
    echo "deps: $*" >&2
    exit 1
}

present() {
    case $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) in
        ?i*) return 0 ;;
        *) return 1 ;;
    esac
}

# Runs as root. While packages are configured, a policy-rc.d that refuses every start is in place,
# unless the machine has one of its own.
install_now() {
    if [ ! -e "$hook" ]; then
        trap 'rm -f "$hook"' EXIT
        trap 'exit 130' INT TERM HUP
        printf '#!/bin/sh\nexit 101\n' >"$hook"
        chmod 755 "$hook"
    fi
    new_etcd=no
    for package; do
        if [ "$package" = etcd-server ]; then new_etcd=yes; fi
    done
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update || die "apt-get update failed; missing: $*"
    apt-get -qq -y --no-install-recommends install "$@" >/dev/null ||
        die "apt-get could not install: $*"
    # Newly brought by this script: it must not come up at the next boot either.
    if [ $new_etcd = yes ] && command -v systemctl >/dev/null; then
        systemctl --quiet disable etcd.service >/dev/null 2>&1 || true
        if [ -d /run/systemd/system ]; then systemctl --quiet stop etcd.service || true; fi
    fi
}

if [ "${1-}" = --install ]; then
    shift
    install_now "$@"
    exit 0
fi

[ $# -gt 0 ] || die "usage: deps.sh build|test|demo..."
command -v dpkg-query >/dev/null || die "this is not a Debian; packages.list says what is needed"
missing=
for group; do
    wanted=$(awk -v g="$group" '$1 == g { print $2 }' "$list")
    [ -n "$wanted" ] || die "no group '$group' in packages.list"
    for package in $wanted; do
        case " $missing " in *" $package "*) continue ;; esac
        present "$package" || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

echo "deps: installing$missing"
# shellcheck disable=SC2086 # a list of words
if [ "$(id -u)" = 0 ]; then
    install_now $missing
elif command -v sudo >/dev/null; then
    sudo "$0" --install $missing
else
    die "neither root nor sudo; as root: apt-get install$missing"
fi
