/* The warning of plaintext beyond this host. See plaintext.h. */
#include "daemon/plaintext.h"

#include "daemon/log.h"

#include <errno.h>

static const int64_t AGAIN_AFTER = 3600 * ONCE_NSEC_PER_SEC;

static void on_timer(void *userdata)
{
	struct plaintext *p = userdata;

	if (!p->config->plaintext)
		return;
	log_warning("plaintext",
		"%s is spoken to without encryption, as AllowPlaintext= says: everybody on "
		"the way may read and change what is sent, expected https://",
		p->config->plaintext);
	p->loop->ops->timer_set(p->timer, AGAIN_AFTER);
}

int plaintext_init(struct plaintext *p, const struct config *config, struct once_loop *loop)
{
	*p = (struct plaintext){.config = config, .loop = loop};
	p->timer = loop->ops->timer_new(loop, on_timer, p);
	if (!p->timer)
		return -ENOMEM;
	on_timer(p);
	return 0;
}

void plaintext_fini(struct plaintext *p)
{
	if (p->timer)
		p->loop->ops->timer_free(p->timer);
	p->timer = NULL;
}
