/* Do this client and this server mean the same by a guard? One txn asks it of every target that guards
 * anything here: guards that cannot hold must take the failure branch, guards that must hold the other.
 * No branch has an operation on a key, so nothing is written. A gateway that ignores a field it does not
 * know would take every guard for another.
 *
 * Failures: an error of the call ends the test with it; a wrong branch is -EBADMSG. */
#include "etcd/internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FALSE_GUARDS = 3 }; /* nested ones; one more is the txn's own */

struct self_test {
	struct once_call base; /* first */
	struct once_call *call;
	once_done_fn *done;
	void *userdata;
};

static void self_test_free(struct once_call *call)
{
	struct self_test *t = (struct self_test *)call;
	t->call = once_call_cancel(t->call);
	call_fini(&t->base);
	free(t);
}

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

/* The txn's own guard is false, then the first nested one is true, all others are false. */
static const char *verdict(const struct once_op_result *op)
{
	bool holds = !op->succeeded && op->n_results == FALSE_GUARDS + 1 && op->results[0].succeeded;

	for (size_t i = 1; holds && i <= FALSE_GUARDS; i++)
		if (op->results[i].succeeded)
			return "a guard that cannot hold was taken for true: guards do not protect here";
	if (op->succeeded)
		return "a guard that cannot hold was taken for true: guards do not protect here";
	return holds ? NULL : "a guard that holds was taken for false: guards do not work here";
}

static void on_answer(void *userdata, const struct once_response *response)
{
	struct self_test *t = userdata;
	const char *wrong = response->error ? NULL : verdict(&response->op);

	t->call = NULL;
	if (wrong)
		finish_with(t, response, -EBADMSG, wrong);
	else
		finish(t, response);
}

/* No revision is above 2^62 and no version is negative; nobody chooses such a lease or such a value. */
static int ask(struct self_test *t, const struct once_call_options *options, struct once_bytes key)
{
	const int64_t far = INT64_C(1) << 62;
	struct once_compare no[] = {
		{.target = ONCE_COMPARE_CREATE, .result = ONCE_EQUAL, .key = key, .number = far},
		{.target = ONCE_COMPARE_MOD, .result = ONCE_EQUAL, .key = key, .number = far},
		{.target = ONCE_COMPARE_LEASE, .result = ONCE_EQUAL, .key = key, .number = far},
		{.target = ONCE_COMPARE_VALUE,
			.result = ONCE_EQUAL,
			.key = key,
			.value = once_str("\x01 no value \x01")},
	};
	struct once_compare yes[] = {
		{.target = ONCE_COMPARE_MOD, .result = ONCE_LESS, .key = key, .number = far},
		{.target = ONCE_COMPARE_CREATE, .result = ONCE_LESS, .key = key, .number = far},
		{.target = ONCE_COMPARE_VERSION, .result = ONCE_NOT_EQUAL, .key = key, .number = -1},
	};
	struct once_txn nested[FALSE_GUARDS + 1] = {{.compares = yes, .n_compares = 3}};
	struct once_op ops[FALSE_GUARDS + 1];
	struct once_txn txn = {.compares = no, .n_compares = 1, .failure = ops, .n_failure = FALSE_GUARDS + 1};

	for (size_t i = 0; i <= FALSE_GUARDS; i++) {
		if (i > 0)
			nested[i] = (struct once_txn){.compares = &no[i], .n_compares = 1};
		ops[i] = (struct once_op){.kind = ONCE_OP_TXN, .txn = &nested[i]};
	}
	return once_txn(t->base.client, &t->call, options, &txn, on_answer, t);
}

int once_self_test(struct once_client *client, struct once_call **ret_call,
	const struct once_call_options *options, struct once_bytes key, once_done_fn *done,
	void *userdata)
{
	struct self_test *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	call_init(&t->base, client, self_test_free);
	t->done = done;
	t->userdata = userdata;
	r = ask(t, options, key);
	if (r < 0) {
		self_test_free(&t->base);
		return r;
	}
	if (ret_call)
		*ret_call = &t->base;
	return 0;
}
