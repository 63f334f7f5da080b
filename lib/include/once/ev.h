/* libonce on a libev loop. Since 0.1. */
#ifndef ONCE_EV_H
#define ONCE_EV_H

#include <once/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ev_loop;

/* Wraps the caller's loop (borrowed; must outlive the result). NULL: out of memory. */
struct once_loop *once_loop_ev_new(struct ev_loop *loop);

/* Frees the wrapper, not the libev loop. All watchers made through it must be gone. Returns NULL. */
struct once_loop *once_loop_ev_free(struct once_loop *loop);

#ifdef __cplusplus
}
#endif

#endif
