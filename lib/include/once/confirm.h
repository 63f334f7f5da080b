/* Confirming ids through consensus, faster than one round trip each. Since 0.1.
 *
 * An id is confirmed when etcd holds it, put there by this writer, once. Three ways, one interface:
 *
 *	individual	one create-only key per id, many requests in flight
 *	txn		many such keys in one txn, several txns in flight
 *	packed		many ids, sorted and compressed, in one value; see once_packed_decode()
 *
 * Keys are prefix + id; a packed block is at prefix + tag/number. A batch leaves when it is full,
 * when its linger time has passed, or when nothing is in flight.
 *
 * A request without an answer may have been applied, or still be. It is sent again, the same, until
 * an answer tells: keys are only ever created, and what they hold says whose they are. So what is
 * reported as confirmed is in etcd, and what a later answer might still bring is never called
 * refused. */
#ifndef ONCE_CONFIRM_H
#define ONCE_CONFIRM_H

#include <once/client.h>

#ifdef __cplusplus
extern "C" {
#endif

enum once_confirm_mode { ONCE_CONFIRM_INDIVIDUAL, ONCE_CONFIRM_TXN, ONCE_CONFIRM_PACKED };

enum {
	ONCE_CONFIRM_ID_MAX = 4096, /* bytes of one id */
	ONCE_CONFIRM_TAG_MAX = 64,
	ONCE_CONFIRM_PACK_MAX = 1 << 20, /* ids in one packed block */
};

/* Strings are copied. Zero means the default. */
struct once_confirm_config {
	enum once_confirm_mode mode;
	struct once_bytes prefix;
	/* Names this writer for ever: no two runs may share it. NULL: 128 random bits in hex. */
	const char *tag;
	/* Ids in a request at most. Default: txn 1024, packed 65536. A server that takes fewer
	 * operations in a txn is found out by its refusals. */
	size_t batch;
	size_t batch_bytes;	    /* of keys and values in a request, default 1 MiB */
	/* Requests in flight. 0: at most 64 individual, else 8, and fewer while an answer takes a quarter
	 * longer than alone, so that others, and the beat of a leader, need not wait behind them. A
	 * number holds as it is given. */
	size_t inflight;
	int64_t linger_ns;	    /* an id waits so long at most for others, default 5 ms */
	int64_t attempt_timeout_ns; /* of each request, default 5 s */
	int64_t settle_timeout_ns;  /* until an id's outcome is given up as unknown, default 60 s */
	/* Every write also compares that this key was created at this revision: the token of a term
	 * of leadership. Token 0: no fence. */
	struct once_bytes fence_key;
	int64_t fence_token;
};

enum once_confirm_state {
	ONCE_CONFIRMED,		/* in etcd, by this writer */
	ONCE_CONFIRM_DUPLICATE, /* the key was there before, or the id twice in one block */
	ONCE_CONFIRM_REFUSED,	/* not in etcd and never will be by this writer; error says why */
	ONCE_CONFIRM_FENCED,	/* as refused: the term of the token is over */
	ONCE_CONFIRM_UNKNOWN,	/* time was up: it may be in etcd, or come to be */
};

struct once_confirmation {
	uint64_t number; /* of the once_writer_put() that gave it, from 0 */
	enum once_confirm_state state;
	int error;	 /* REFUSED, UNKNOWN: negative errno of <once/client.h> */
	bool same_value; /* DUPLICATE: the key holds the value that was to be put */
};

/* Some ids are settled; in any order, each exactly once. message: of the last error, one line;
 * took_ns: since the first of them was given to the writer. May put more, and may free the
 * writer. */
typedef void once_confirm_fn(void *userdata, const struct once_confirmation *results, size_t n,
	int64_t took_ns, const char *message);

struct once_writer;

/* client and loop are borrowed and must outlive it; its requests use the bulk lane. -EINVAL: a tag
 * that is too long or holds more than letters, digits, '.', '_', '-'; a fence without a key; -EIO:
 * no random bits; -ENOMEM. */
int once_writer_new(struct once_writer **ret, struct once_client *client, struct once_loop *loop,
	const struct once_confirm_config *config, once_confirm_fn *fn, void *userdata);
/* Forgets what is not settled; its requests may still be applied. Returns NULL; NULL is fine. */
struct once_writer *once_writer_free(struct once_writer *writer);

/* Gives an id, copied. value.data NULL: the key holds "tag/number", so that an unknown outcome can
 * be settled without doubt; with a value of your own an id whose outcome was unknown and that is
 * found with this value counts as confirmed. -EAGAIN: enough is in flight, try again after the next
 * callback; -EINVAL: an empty id, or a value in packed mode; -E2BIG: the id is too long;
 * -ECANCELED: fenced before; -ENOMEM. Otherwise the number it gets is the count of puts before it.
 */
int once_writer_put(struct once_writer *writer, struct once_bytes id, struct once_bytes value);
/* Sends what waits for company, now and until the next put. */
void once_writer_flush(struct once_writer *writer);
/* Ids given and not yet reported. */
size_t once_writer_pending(const struct once_writer *writer);

/* ---- packed blocks --------------------------------------------------------------------------- */

/* Writes ids (sorted bytewise, or by number when all are decimal numbers below 2^64 as
 * number_format_u64() would write them; none twice) as one block: *ret is to be freed with free().
 * sequence is kept with it. -EINVAL: not sorted, an id twice, empty or too long, more than
 * ONCE_CONFIRM_PACK_MAX or none at all; -ENOMEM. */
int once_packed_encode(
	void **ret, size_t *ret_size, const struct once_bytes *ids, size_t n, uint64_t sequence);

typedef int once_packed_fn(void *userdata, struct once_bytes id);

/* Calls fn with each id of a block, in order; an id is borrowed. Non-zero from fn ends it and is
 * returned. *ret_sequence may be NULL. -EBADMSG: not a block, or a damaged one, found before the
 * first call; sizes are checked before anything is allocated. -ENOMEM. */
int once_packed_decode(
	struct once_bytes block, uint64_t *ret_sequence, once_packed_fn *fn, void *userdata);

#ifdef __cplusplus
}
#endif

#endif
