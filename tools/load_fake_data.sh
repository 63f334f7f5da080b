#!/bin/sh
# Puts a small data set under datasets/, one put for each value: texts, JSON documents, random blobs.
#
#   STRING_COUNT=50 JSON_COUNT=20 BLOB_COUNT=10 BLOB_BYTES=1024   how many, how large
#   ETCD_ENDPOINT=http://127.0.0.1:2379                           where
#   ETCDCTL=etcdctl                                               the program; oncectl where there is no etcdctl
#   COMPOSE_CMD="docker compose" ETCD_SERVICE=etcd                run it inside that service instead
#
# The ETCDCTL_* variables work as always. For much data, there is etcd-faker.
set -eu

fail() {
    echo "load_fake_data.sh: $*" >&2
    exit 2
}

: "${STRING_COUNT:=50}" "${JSON_COUNT:=20}" "${BLOB_COUNT:=10}" "${BLOB_BYTES:=1024}"
: "${ETCD_ENDPOINT:=${ETCDCTL_ENDPOINTS:-http://127.0.0.1:2379}}" "${ETCDCTL:=}"
: "${COMPOSE_CMD:=}" "${ETCD_SERVICE:=etcd}"

for name in STRING_COUNT JSON_COUNT BLOB_COUNT BLOB_BYTES; do
    number=
    eval "number=\$$name"
    case $number in
    '' | *[!0-9]* | ??????????*) fail "$name=\"$number\": expected a number below 1000000000" ;;
    esac
done
[ "$BLOB_BYTES" -gt 0 ] || [ "$BLOB_COUNT" -eq 0 ] || fail "BLOB_BYTES=$BLOB_BYTES: expected 1 or more"

if [ -z "$ETCDCTL" ]; then
    ETCDCTL=etcdctl
    [ -n "$COMPOSE_CMD" ] || command -v etcdctl >/dev/null || ETCDCTL=oncectl
fi
[ -n "$COMPOSE_CMD" ] || command -v "$ETCDCTL" >/dev/null || fail "$ETCDCTL: there is no such program"

# As a variable: etcdctl refuses to have both that and the flag.
export ETCDCTL_API=3 ETCDCTL_ENDPOINTS="$ETCD_ENDPOINT"

# The value is read from standard input.
put() {
    if [ -n "$COMPOSE_CMD" ]; then
        # Its words are meant to be split.
        # shellcheck disable=SC2086
        $COMPOSE_CMD exec -T "$ETCD_SERVICE" env ETCDCTL_API=3 ETCDCTL_ENDPOINTS="$ETCD_ENDPOINT" "$ETCDCTL" put "$1"
    else
        "$ETCDCTL" put "$1"
    fi >/dev/null
}

i=0
while [ "$i" -lt "$STRING_COUNT" ]; do
    printf 'text number %d of a small data set' "$i" | put "datasets/strings/$i"
    i=$((i + 1))
done
i=0
while [ "$i" -lt "$JSON_COUNT" ]; do
    printf '{"id":%d,"type":"order","item":"item %d","price":%d.%02d}' "$i" "$i" $((i * 7 + 3)) $((i % 100)) |
        put "datasets/json/$i"
    i=$((i + 1))
done
i=0
while [ "$i" -lt "$BLOB_COUNT" ]; do
    head -c "$BLOB_BYTES" /dev/urandom | put "datasets/blobs/$i"
    i=$((i + 1))
done
echo "$STRING_COUNT texts, $JSON_COUNT JSON documents, $BLOB_COUNT blobs under datasets/"
