#!/bin/sh
# cron-parser.sh [DIR]: have the npm package cron-parser at hand, which tests/schedule compares with.
#
# Installs one fixed version into DIR (default: the user's cache), through the machine's own npm and
# its configuration, without running any script of a package. What is there is kept. When it cannot
# be had it says why in one line, "skip: ...", and exits 77.
set -eu

dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/onced/cron-parser}

[ ! -e "$dir/node_modules/cron-parser/dist/index.js" ] || exit 0
command -v npm >/dev/null || {
    echo "skip: no cron-parser: npm is missing (Debian package npm)"
    exit 77
}
mkdir -p "$dir"
timeout 120 npm install --silent --ignore-scripts --no-audit --no-fund --prefix "$dir" \
    cron-parser@5.5.0 luxon@3.7.2 || {
    echo "skip: no cron-parser: npm cannot install it"
    exit 77
}
