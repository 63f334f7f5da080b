#!/bin/sh
# run.sh [SECONDS]: build the fuzz targets with clang and run each for so long (default 60).
#
# A target is an executable build-fuzz/tests/fuzz/fuzzer-NAME; its seeds are in tests/fuzz/corpus/NAME.
# What it finds on the way is kept in build-fuzz/found/NAME, which the next run starts from.
set -eu

cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ -e build-fuzz/build.ninja ] ||
    CC=clang meson setup build-fuzz -Dfuzz=enabled
ninja -C build-fuzz
ran=0
for target in build-fuzz/tests/fuzz/fuzzer-*; do
    [ -f "$target" ] || continue
    name=$(basename "$target")
    name=${name#fuzzer-}
    found=build-fuzz/found/$name
    mkdir -p "$found"
    set -- "$found"
    if [ -d "tests/fuzz/corpus/$name" ]; then set -- "$@" "tests/fuzz/corpus/$name"; fi
    echo "== $name: $seconds s"
    "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="build-fuzz/found/$name-" "$@"
    ran=$((ran + 1))
done
[ $ran -gt 0 ] || {
    echo "fuzz: no target was built" >&2
    exit 1
}
echo "$ran targets, $seconds s each, nothing found"
