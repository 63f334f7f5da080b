/* Events as bytes: what ring.c writes and reads. Numbers are differences from what the state
 * already knows, seven bits a byte, low ones first. */
#ifndef CORE_RING_CODE_H
#define CORE_RING_CODE_H

#include "core/election.h"

#include <stddef.h>

enum { RING_EVENT_MAX = 192 }; /* bytes, of the longest event with the largest differences */

/* Bytes written. */
size_t ring_encode(
	unsigned char *out, const struct election *e, const struct election_event *event);

/* Bytes read; 0: no event. */
size_t ring_decode(const unsigned char *data, size_t size, const struct election *e,
	struct election_event *ret);

#endif
