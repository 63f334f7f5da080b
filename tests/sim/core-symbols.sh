#!/bin/sh
# core-symbols.sh ARCHIVE: the core may import memory functions and parsers, nothing else. That it has no clock, no
# allocation and no randomness of its own is what makes the simulator's answer the daemon's.
set -eu

# What the compiler adds by itself: the stack protector, the sanitizers, position independence,
# instructions that not every processor has.
added='__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__asan_.*|__ubsan_.*|__sanitizer_.*|__gcov_.*|__popcount.i2'
memory='memcpy|memset|memmove|memcmp'
# Of lib/base: what turns text into a value and does nothing else.
parsers='duration_parse|zoneinfo_name_valid'

all=$(nm "$1")
defined=$(echo "$all" | awk 'NF == 3 { print $3 }' | sort -u)
foreign=$(echo "$all" | awk '$1 == "U" { print $2 }' | sort -u |
	grep -Ev "^($added|$memory|$parsers)\$" | grep -Fvx "$defined" || true)

if [ -n "$foreign" ]; then
	echo "the core imports:" "$foreign"
	exit 1
fi
echo "the core imports only:" "$(echo "$all" | awk '$1 == "U" { print $2 }' | sort -u |
	grep -Ex "$memory|$parsers" | tr '\n' ' ')"
