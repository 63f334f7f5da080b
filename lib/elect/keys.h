/* The group's keys in etcd and the values in them: names, writing, strict reading. Values are one line
 * of text, so that etcdctl shows what is there. Whatever a value holds that is not as written here is
 * foreign: it reads as absent, never as an error. */
#ifndef ELECT_KEYS_H
#define ELECT_KEYS_H

#include <once/elect.h>
#include <once/names.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	KEYS_PATH_MAX = 200,	/* the leader key and the prefix, as the elector takes them */
	KEYS_ADDRESS_MAX = 255,
	KEYS_BEAT_MAX = 352,	/* prefix + "/beat/" + node + "/" + group */
	KEYS_ENDED_MAX = 160,
	KEYS_VALUE_MAX = 768,	/* an epoch with the longest of all these */
};

/* Owned strings. */
struct keys {
	char *leader;	  /* "/leader" */
	char *group;	  /* "/onced/g/default/", with all below */
	char *beats;	  /* "/onced/beat/" */
	char *config;	  /* group + "config" */
	char *epoch;
	char *clean;
	char *reserve;
	char *ended;	/* for people: who ended the latest term that was ended, and why */
	char *handover; /* an operator's request; deleted with the term it ends */
	char *beat;	  /* beats + node + "/" + group name: this node's */
	char *registration; /* prefix + "/nodes/" + node: this node lives, on its lease */
	char *config_value; /* what every node of the group must have there */
};

int keys_init(struct keys *keys, const struct once_elector_config *config);
void keys_fini(struct keys *keys);

/* epoch: who acquired, when by its clock (for people), and where its beats are. */
struct keys_epoch {
	uint64_t incarnation;
	char beat[KEYS_BEAT_MAX];
};
int keys_epoch_write(char *out, size_t size, uint64_t incarnation, const char *node,
	const char *address, const char *beat);
bool keys_epoch_read(struct keys_epoch *ret, struct once_bytes value);

/* registration: incarnation and address */
int keys_registration_write(char *out, size_t size, uint64_t incarnation, const char *address);
bool keys_registration_read(uint64_t *ret_incarnation, struct once_bytes value);

/* beat: incarnation and number */
int keys_beat_write(char *out, size_t size, uint64_t incarnation, uint64_t number);
bool keys_beat_read(uint64_t *ret_incarnation, struct once_bytes value);

/* ended: the term, who ended it, and why: shutdown, switchover, deadline (not proven in time), crash
 * (by the process after the one that led), silent (by a follower). */
int keys_ended_write(char *out, size_t size, int64_t token, const char *by, const char *reason);

/* clean: a token */
int keys_clean_write(char *out, size_t size, int64_t token);
bool keys_clean_read(int64_t *ret_token, struct once_bytes value);

/* P/generation: what etcd is now counts, for every node that knows of no revision above this one. Written by
 * oncectl new-generation, once etcd's own revision is above it. */
struct keys_generation {
	int64_t above;
};

int keys_generation_write(char *out, size_t size, int64_t above, const char *by, const char *reason);
/* False: it is none, or was written below what it says. */
bool keys_generation_read(struct keys_generation *ret, const struct once_kv *kv);

/* P/history/NODE: this node knows a later etcd than the one it finds. */
int keys_alarm_write(char *out, size_t size, const struct once_lineage *known);

#endif
