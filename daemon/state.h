/* The state file: what a restarted daemon needs to give its old term away at once. It lives under the
 * runtime directory, is of this boot or worth nothing, and says whose it is: the guardian proves of one
 * incarnation, the one before, that its work is dead. A file that is older, because the group was not there
 * in that one, is worth nothing. */
#ifndef ONCED_STATE_H
#define ONCED_STATE_H

#include "daemon/link.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { STATE_DATA_MAX = 256, STATE_GROUP_MAX = 64 };

struct state {
	char path[LINK_PATH_MAX + LINK_NAME_MAX + STATE_GROUP_MAX + 16]; /* empty: there is no runtime directory */
	char boot_id[40];
};

/* Incarnations of the guardian, as WELCOME says. */
struct state_owner {
	uint64_t own;	 /* what is saved is this one's */
	uint64_t proven; /* the one before, if its work is dead for certain; else 0 */
};

/* The kernel's boot id is read once. Each group has a file; group NULL: the default one, of the instance's
 * name alone. */
void state_init(struct state *state, const char *runtime_dir, const char *instance, const char *group);

/* Bytes read, 0: none of this boot, or none of either owner. */
size_t state_load(const struct state *state, const struct state_owner *owner, char data[STATE_DATA_MAX]);

/* Replaces the file as a whole; size 0 removes it. data is one line of text. Negative errno: what is on disk is older, which is
 * safe: it names a term that only gets released if it is still there. */
int state_save(const struct state *state, const struct state_owner *owner, const void *data, size_t size);

/* For other files like it. Bytes read, at most size - 1, a NUL behind them; links are not
 * followed. Negative errno. */
ssize_t state_read(const char *path, char *out, size_t size);
/* The file as a whole, through PATH.new. Negative errno: what is on disk is as before. */
int state_replace(const char *path, const char *text, size_t size);

#endif
