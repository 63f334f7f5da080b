#!/bin/sh
# core-symbols.sh ARCHIVE: the core may import nothing but memory functions. That it has no clock, no
# allocation and no randomness of its own is what makes the simulator's answer the daemon's.
set -eu

# What the compiler adds by itself: the stack protector, the sanitizers, position independence.
added='__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__asan_.*|__ubsan_.*|__sanitizer_.*|__gcov_.*'
memory='memcpy|memset|memmove|memcmp'

all=$(nm "$1")
defined=$(echo "$all" | awk 'NF == 3 { print $3 }' | sort -u)
foreign=$(echo "$all" | awk '$1 == "U" { print $2 }' | sort -u |
	grep -Ev "^($added|$memory)\$" | grep -Fvx "$defined" || true)

if [ -n "$foreign" ]; then
	echo "the core imports:" "$foreign"
	exit 1
fi
echo "the core imports only:" "$(echo "$all" | awk '$1 == "U" { print $2 }' | sort -u |
	grep -Ex "$memory" | tr '\n' ' ')"
