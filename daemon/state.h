/* The state file: what a restarted daemon needs to give its old term away at once. It lives under the
 * runtime directory, is of this boot or worth nothing, and says how the work was held, because only a
 * cgroup lets a new guardian prove that an old one's work is dead. */
#ifndef ONCED_STATE_H
#define ONCED_STATE_H

#include "daemon/link.h"

#include <stddef.h>

enum { STATE_DATA_MAX = 256, STATE_GROUP_MAX = 64 };

struct state {
	char path[LINK_PATH_MAX + LINK_NAME_MAX + STATE_GROUP_MAX + 16]; /* empty: there is no runtime directory */
	char boot_id[40];
};

/* The kernel's boot id is read once. Each group has a file; group NULL: the default one, of the instance's
 * name alone. */
void state_init(struct state *state, const char *runtime_dir, const char *instance, const char *group);

/* Bytes read, 0: none of this boot. *ret_contain: how the work was held then. */
size_t state_load(const struct state *state, char data[STATE_DATA_MAX], enum link_contain *ret_contain);

/* Replaces the file as a whole; size 0 removes it. data is one line of text. Negative errno: what is on disk is older, which is
 * safe: it names a term that only gets released if it is still there. */
int state_save(const struct state *state, enum link_contain contain, const void *data, size_t size);

#endif
