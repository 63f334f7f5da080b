/* Do this client and this server mean the same by a guard? A txn whose guard cannot hold must take
 * the failure branch, one whose guard must hold the other. Neither branch has operations, so
 *nothing is written. A gateway that ignores a field it does not know would take every guard for
 *another.
 *
 *	AWAIT_FALSE -> AWAIT_TRUE -> done()
 *
 * Failures: an error of either call ends the test with it; a wrong branch is -EBADMSG. */
#include "etcd/internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { AWAIT_FALSE, AWAIT_TRUE };

struct self_test {
	struct once_call base; /* first */
	int state;
	struct once_call *call;
	struct once_call_options options;
	char *key; /* owned */
	size_t key_size;
	once_done_fn *done;
	void *userdata;
};

static void self_test_free(struct once_call *call)
{
	struct self_test *t = (struct self_test *)call;
	t->call = once_call_cancel(t->call);
	call_fini(&t->base);
	free(t->key);
	free(t);
}

static int ask(struct self_test *t);

static void finish(struct self_test *t, const struct once_response *response)
{
	once_done_fn *done = t->done;
	void *userdata = t->userdata;
	self_test_free(&t->base);
	done(userdata, response);
}

static void finish_with(
	struct self_test *t, const struct once_response *response, int error, const char *message)
{
	struct codec_reply reply;
	codec_reply_init(&reply);
	codec_reply_fail(&reply, error, ONCE_UNKNOWN, message);
	reply.response.endpoint = response->endpoint;
	reply.response.sent = response->sent;
	reply.response.received = response->received;
	finish(t, &reply.response);
	codec_reply_fini(&reply);
}

static void on_answer(void *userdata, const struct once_response *response)
{
	struct self_test *t = userdata;
	bool wanted = t->state == AWAIT_TRUE;
	t->call = NULL;
	if (response->error) {
		finish(t, response);
	} else if (response->op.succeeded != wanted) {
		finish_with(t, response, -EBADMSG,
			wanted ? "a guard that holds was taken for false: guards do not work here"
			       : "a guard that cannot hold was taken for true: guards do not "
				 "protect here");
	} else if (t->state == AWAIT_FALSE) {
		t->state = AWAIT_TRUE;
		int r = ask(t);
		if (r < 0) {
			finish_with(t, response, r, once_strerror(r));
		}
	} else {
		finish(t, response);
	}
}

/* No revision is above 2^62 and no version is negative: each target that guards anything in this
 * library is asked about once. */
static int ask(struct self_test *t)
{
	struct once_bytes key = {t->key, t->key_size};
	const int64_t far = INT64_C(1) << 62;
	struct once_compare compares[] = {
		{.target = ONCE_COMPARE_MOD, .result = ONCE_LESS, .key = key, .number = far},
		{.target = ONCE_COMPARE_CREATE, .result = ONCE_LESS, .key = key, .number = far},
		{.target = ONCE_COMPARE_VERSION,
			.result = ONCE_NOT_EQUAL,
			.key = key,
			.number = -1},
		{.target = ONCE_COMPARE_CREATE, .result = ONCE_EQUAL, .key = key, .number = far},
	};
	struct once_txn txn = {.compares = compares, .n_compares = 3};
	if (t->state == AWAIT_FALSE) {
		txn.compares = compares + 3;
		txn.n_compares = 1;
	}
	return once_txn(t->base.client, &t->call, &t->options, &txn, on_answer, t);
}

int once_self_test(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, struct once_bytes key, once_done_fn *done,
	void *userdata)
{
	struct self_test *t = calloc(1, sizeof(*t));
	if (!t) {
		return -ENOMEM;
	}
	call_init(&t->base, client, self_test_free);
	t->options = options ? *options : (struct once_call_options){0};
	t->done = done;
	t->userdata = userdata;
	t->key = malloc(key.size ? key.size : 1);
	t->key_size = key.size;
	int r = t->key ? 0 : -ENOMEM;
	if (!r) {
		memcpy(t->key, key.data, key.size);
		r = ask(t);
	}
	if (r < 0) {
		self_test_free(&t->base);
		return r;
	}
	if (ret_call) {
		*ret_call = &t->base;
	}
	return 0;
}
