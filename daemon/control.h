/* What operators ask of the leader through etcd: pauses, triggers, kills, a handover; and the
 * cursors of the schedules, which lie beside them. Of one group; what etcd holds comes from the feed,
 * which is one for all of them.
 *
 * Happy path: a term begins -> the feed lists -> changed() -> each event of its stream -> changed().
 * A stream that ends for good (compaction) begins it anew. Everything is forgotten with the term. What
 * cannot be read is said once in the log; a pause that cannot be read is a pause. */
#ifndef ONCED_CONTROL_H
#define ONCED_CONTROL_H

#include "base/list.h"
#include "daemon/feed.h"
#include "daemon/process.h"

#include <once/control.h>
#include <once/ledger.h>

struct control_trigger {
	struct control_trigger *next;
	char job[ONCE_ID_MAX + 1];
	char key[ONCE_KEY_SIZE];
	int64_t revision; /* of etcd, when it was asked for */
	struct once_trigger trigger;
};

struct control_owner {
	void *userdata;
	/* Something may run now, or may not any more. */
	void (*changed)(void *userdata);
	/* That run is to end. */
	void (*killed)(
		void *userdata, const char *job, int64_t at_ms, const struct once_kill *kill);
	/* Leadership is to go to that node; NULL: any other. */
	void (*handover)(void *userdata, const char *to, const struct once_handover *handover);
};

struct control_entry;

struct control {
	const struct scene *scene; /* borrowed */
	struct feed *feed;	   /* borrowed */
	const struct control_owner *owner;
	struct list in_feed; /* while the term lasts */
	bool listing;	     /* the list on its way is for it, too */
	bool touched;	     /* by the events that are being read */
	struct once_timer *timer; /* of a handover */
	bool ready;		  /* the list has been read */
	bool paused;
	struct once_pause pause;
	struct control_entry *entries;	  /* owned: cursors and pauses of jobs */
	struct control_trigger *triggers; /* owned, in the order they were seen */
	struct once_handover handover;
	bool handover_waits; /* for its time */
};

int control_init(struct control *control, const struct scene *scene, struct feed *feed,
	const struct control_owner *owner);
void control_fini(struct control *control);

/* The term of scene->term begins, ends. */
void control_lead(struct control *control);
void control_stop(struct control *control);

/* What the feed says: a list begins, a key of this group is there (kv NULL: is deleted), the list has
 * ended; all is unknown again. */
void control_listed(struct control *control);
void control_take(struct control *control, const struct once_key *name, struct once_bytes key,
	const struct once_kv *kv);
void control_ready(struct control *control);
void control_unknown(struct control *control);

/* Why the job may start nothing now, in words for people; NULL: it may. *ret_until_ms: when that
 * ends by itself; 0: never. */
const char *control_paused(const struct control *control, const char *job, int64_t *ret_until_ms);
/* Pauses the job by a guarded write; it is paused from now on, whatever becomes of that. done() as
 * of once_settle(). */
int control_pause(struct control *control, struct once_task **ret_task, const char *job,
	const char *reason, once_done_fn *done, void *userdata);
/* As it was when the term began; NULL: there was none. */
const struct once_cursor *control_cursor(const struct control *control, const char *job);
/* The next one for the job; NULL: none. */
const struct control_trigger *control_trigger(const struct control *control, const char *job);
/* It was acted on, or cannot be: forget it, and delete its key (guarded by the term) if that is to
 * be. */
void control_forget(struct control *control, const struct control_trigger *trigger, bool delete);

#endif
