/* Says that another host is spoken to without encryption, as AllowPlaintext= says: at once, and again each hour, for a
 * log that is rotated or read from its end. Nothing else depends on it. */
#ifndef ONCED_PLAINTEXT_H
#define ONCED_PLAINTEXT_H

#include "daemon/config.h"

#include <once/loop.h>

struct plaintext {
	const struct config *config; /* borrowed, as the loop: .plaintext is looked at each time */
	struct once_loop *loop;
	struct once_timer *timer; /* owned */
};

/* Says it for the first time. -ENOMEM. */
int plaintext_init(struct plaintext *p, const struct config *config, struct once_loop *loop);
/* Zeros are fine. */
void plaintext_fini(struct plaintext *p);

#endif
