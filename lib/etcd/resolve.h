/* Host names to addresses without stopping the loop. */
#ifndef ETCD_RESOLVE_H
#define ETCD_RESOLVE_H

#include <once/loop.h>
#include <stdbool.h>

enum { RESOLVE_MAX = 512 };

struct resolve;

/* addresses: "192.0.2.1,[2001:db8::1]", borrowed; NULL: no answer, message says why. Comes once,
 * never from inside the start, never after resolve_cancel(). It is the last touch. */
typedef void resolve_done_fn(void *userdata, const char *addresses, const char *message);

/* True, and the addresses in ret, when no question to a name server is needed: a literal or
 * localhost. */
bool resolve_literal(const char *host, char ret[static RESOLVE_MAX]);

int resolve_start(struct resolve **ret, struct once_loop *loop, const char *host,
	int64_t timeout_ns, resolve_done_fn *done, void *userdata);
struct resolve *resolve_cancel(struct resolve *resolve);

#endif
