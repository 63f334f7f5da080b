/* What becomes of each id of a batch by what its requests were answered: the rows of the table in
 * record/writer-answer.c, over a little etcd. */
#include "tests/unit/unit.h"
#include "tests/fake/etcd.h"
#include "tests/fake/rig.h"

#include <once/confirm.h>

#define MS ONCE_NSEC_PER_MSEC
#define LEADER "/leader"

static struct rig rig;
static struct fake_etcd *etcd;
static struct once_writer *writer;
static struct once_confirmation told[64]; /* by number */
static size_t n_told, n_put;
static char why[128];

static void on_results(void *userdata, const struct once_confirmation *results, size_t n,
	int64_t took_ns, const char *message)
{
	assert_true(took_ns >= 0);
	if (*message)
		(void)snprintf(why, sizeof(why), "%s", message);
	for (size_t i = 0; i < n; i++) {
		assert_true(results[i].number < n_put);
		told[results[i].number] = results[i];
		n_told++;
	}
}

static int setup(void **state)
{
	rig_init(&rig, 1, NULL);
	etcd = fake_etcd_new(&rig.loop);
	n_told = n_put = 0;
	return 0;
}

static int teardown(void **state)
{
	writer = once_writer_free(writer);
	rig_fini(&rig);
	fake_etcd_free(etcd);
	return 0;
}

static void begin_with(struct once_confirm_config config)
{
	assert_int_equal(
		once_writer_new(&writer, rig.client, &rig.loop.loop, &config, on_results, NULL), 0);
}

static void begin(enum once_confirm_mode mode, int64_t fence)
{
	struct once_confirm_config config = {.mode = mode,
		.prefix = once_str("/x/"),
		.tag = "me",
		.linger_ns = MS,
		.settle_timeout_ns = 10 * ONCE_NSEC_PER_SEC,
		.fence_key = once_str(LEADER),
		.fence_token = fence};

	begin_with(config);
}

/* value NULL: the writer's own. */
static void give(const char *id, const char *value)
{
	n_put++;
	assert_int_equal(once_writer_put(writer, once_str(id), once_str(value)), 0);
}

static void give_all(const char *ids)
{
	for (char id[2] = ""; *ids; ids++) {
		id[0] = *ids;
		give(id, NULL);
	}
}

/* The next request, which may have to wait for a pause. */
static struct transport_exchange *request(void)
{
	for (int i = 0; i < 1000; i++) {
		struct transport_exchange *next = fake_pending(rig.transport, NULL);

		if (next) {
			assert_string_equal(next->path, "/v3/kv/txn");
			return next;
		}
		fake_loop_run(&rig.loop, 5 * MS);
	}
	fail_msg("no request came");
	return NULL;
}

static void serve(enum fake_fate fate)
{
	(void)request();
	assert_true(fake_etcd_serve(etcd, rig.transport, fate));
	rig_settle(&rig);
}

static void answer(int status, const char *body)
{
	fake_answer(request(), status, body);
	rig_settle(&rig);
}

static size_t ids_in(const struct transport_exchange *request)
{
	size_t n = 0;

	for (const char *at = request->body; (at = strstr(at, "request_put")); at++)
		n++;
	return n;
}

/* One letter for each id in the order of giving: Confirmed, Duplicate, Refused, Fenced, Unknown. */
static void expect(const char *states)
{
	static const char letters[] = {[ONCE_CONFIRMED] = 'C',
		[ONCE_CONFIRM_DUPLICATE] = 'D',
		[ONCE_CONFIRM_REFUSED] = 'R',
		[ONCE_CONFIRM_FENCED] = 'F',
		[ONCE_CONFIRM_UNKNOWN] = 'U'};
	char is[65] = "";

	fake_loop_run(&rig.loop, ONCE_NSEC_PER_SEC);
	assert_null(fake_pending(rig.transport, NULL));
	assert_int_equal(n_told, n_put);
	assert_int_equal(once_writer_pending(writer), 0);
	for (size_t i = 0; i < n_put; i++)
		is[i] = letters[told[i].state];
	assert_string_equal(is, states);
}

static size_t in_flight(size_t inflight)
{
	struct list *i;
	size_t n = 0;

	begin_with((struct once_confirm_config){
		.mode = ONCE_CONFIRM_TXN, .batch = 1, .inflight = inflight});
	while (once_writer_put(writer, once_str("a"), once_str(NULL)) == 0)
		fake_loop_run(&rig.loop, 10 * MS);
	list_foreach (i, &rig.transport->exchanges)
		n++;
	writer = once_writer_free(writer);
	return n;
}

static void as_many_are_in_flight_as_were_asked_for(void **state)
{
	assert_int_equal(in_flight(3), 3);
	assert_int_equal(in_flight(2), 2);
	assert_int_equal(in_flight(0), 1); /* until an answer says what one takes */
}

static int64_t version_of(const char *key)
{
	const struct fake_kv *kv = fake_etcd_get(etcd, key);

	return kv ? kv->version : 0;
}

#define TOO_MANY "{\"code\":3, \"message\":\"etcdserver: too many operations in txn request\"}"
#define TOO_LARGE "{\"code\":3, \"message\":\"etcdserver: request is too large\"}"
#define FORBIDDEN "{\"code\":7, \"message\":\"etcdserver: permission denied\"}"

static void what_is_applied_is_confirmed(void **state)
{
	begin(ONCE_CONFIRM_TXN, 0);
	give_all("abc");
	serve(FATE_ANSWERED);
	expect("CCC");
	assert_int_equal(etcd->n_txns, 1);
}

static void a_key_that_was_there_is_a_duplicate_and_the_others_go_again(void **state)
{
	begin(ONCE_CONFIRM_TXN, 0);
	fake_etcd_put(etcd, "/x/b", "other", 0);
	fake_etcd_put(etcd, "/x/d", "mine", 0);
	give_all("abc");
	give("d", "mine");
	serve(FATE_ANSWERED); /* some key is there */
	serve(FATE_ANSWERED); /* these are */
	serve(FATE_ANSWERED); /* the rest */
	expect("CDCD");
	assert_false(told[1].same_value);
	assert_true(told[3].same_value);
	assert_int_equal(version_of("/x/b"), 1);
}

static void a_lost_answer_is_found_out(void **state)
{
	begin(ONCE_CONFIRM_TXN, 0);
	give_all("ab");
	give("v", "mine");
	serve(FATE_ANSWER_LOST);
	serve(FATE_ANSWERED);
	expect("CCC");
	assert_int_equal(version_of("/x/a"), 1);
	/* without doubt, what holds our own words is still not ours */
	give("v", "mine");
	serve(FATE_ANSWERED);
	serve(FATE_ANSWERED);
	expect("CCCD");
	assert_true(told[3].same_value);
}

static void a_lost_request_goes_again(void **state)
{
	begin(ONCE_CONFIRM_TXN, 0);
	give_all("ab");
	serve(FATE_REQUEST_LOST);
	serve(FATE_UNREACHABLE);
	serve(FATE_ANSWERED);
	expect("CC");
}

static void a_late_copy_changes_nothing(void **state)
{
	begin(ONCE_CONFIRM_TXN, 0);
	give_all("ab");
	serve(FATE_LATE);
	serve(FATE_ANSWERED);
	assert_true(fake_etcd_deliver_late(etcd));
	expect("CC");
	assert_int_equal(version_of("/x/a"), 1);
	/* nor does one that was faster than the second try */
	give_all("cd");
	serve(FATE_LATE);
	assert_true(fake_etcd_deliver_late(etcd));
	serve(FATE_ANSWERED);
	expect("CCCC");
}

static void when_the_term_is_over_only_what_is_there_is_confirmed(void **state)
{
	fake_etcd_put(etcd, LEADER, "me", 0);
	begin(ONCE_CONFIRM_TXN, fake_etcd_get(etcd, LEADER)->create);
	give_all("ab");
	serve(FATE_ANSWER_LOST);
	fake_etcd_delete(etcd, LEADER);
	fake_etcd_put(etcd, LEADER, "other", 0);
	serve(FATE_ANSWERED);
	expect("CC");
	assert_int_equal(
		once_writer_put(writer, once_str("c"), (struct once_bytes){0}), -ECANCELED);
	writer = once_writer_free(writer);
	n_told = n_put = 0;
	begin(ONCE_CONFIRM_TXN, fake_etcd_get(etcd, LEADER)->create - 1);
	give_all("bcd");
	serve(FATE_ANSWERED);
	serve(FATE_ANSWERED);
	expect("DFF");
	assert_null(fake_etcd_get(etcd, "/x/c"));
}

static void too_many_operations_are_halved_and_remembered(void **state)
{
	size_t first;

	begin(ONCE_CONFIRM_TXN, 0);
	give_all("abcdefgh");
	assert_int_equal(ids_in(request()), 8);
	answer(400, TOO_MANY);
	first = ids_in(request());
	assert_int_equal(first, 4);
	serve(FATE_ANSWERED);
	serve(FATE_ANSWERED);
	expect("CCCCCCCC");
	give_all("ijklmn");
	assert_true(ids_in(request()) <= 4);
	serve(FATE_ANSWERED);
	serve(FATE_ANSWERED);
	expect("CCCCCCCCCCCCCC");
}

static void one_that_is_too_large_is_refused_alone(void **state)
{
	begin(ONCE_CONFIRM_TXN, 0);
	give_all("abcd");
	/* b is the one */
	while (n_told < 4) {
		if (strstr(request()->body, "\"L3gvYg==\""))
			answer(400, TOO_LARGE);
		else
			serve(FATE_ANSWERED);
	}
	expect("CRCC");
	assert_int_equal(told[1].error, -E2BIG);
	assert_non_null(strstr(why, "too large"));
}

static void an_id_twice_in_a_batch_is_split_until_each_is_alone(void **state)
{
	begin(ONCE_CONFIRM_TXN, 0);
	give_all("aa");
	answer(400, "{\"code\":3, \"message\":\"etcdserver: duplicate key given in txn request\"}");
	serve(FATE_ANSWERED);
	serve(FATE_ANSWERED);
	serve(FATE_ANSWERED);
	expect("CD");
}

static void a_refusal_is_final_unless_there_is_doubt(void **state)
{
	begin(ONCE_CONFIRM_TXN, 0);
	give_all("a");
	answer(403, FORBIDDEN);
	expect("R");
	assert_int_equal(told[0].error, -EPERM);
	assert_string_equal(why, "etcdserver: permission denied");
	give_all("b");
	serve(FATE_ANSWER_LOST);
	answer(403, FORBIDDEN);
	expect("RU");
	assert_int_equal(told[1].error, -EPERM);
}

static void when_its_time_is_up_it_is_unknown_only_if_it_was_sent(void **state)
{
	begin(ONCE_CONFIRM_TXN, 0);
	give_all("a");
	while (n_told < 1)
		serve(FATE_UNREACHABLE);
	expect("R");
	give_all("b");
	serve(FATE_ANSWER_LOST);
	while (n_told < 2)
		serve(FATE_UNREACHABLE);
	expect("RU");
}

static void a_packed_block_is_there_or_not(void **state)
{
	begin(ONCE_CONFIRM_PACKED, 0);
	give_all("ab");
	serve(FATE_ANSWER_LOST);
	serve(FATE_ANSWERED);
	expect("CC");
	assert_int_equal(version_of("/x/me/0000000000000000"), 1);
	/* somebody else has this writer's name */
	fake_etcd_put(etcd, "/x/me/0000000000000001", "other", 0);
	give_all("cd");
	serve(FATE_ANSWERED);
	serve(FATE_ANSWERED);
	expect("CCRR");
	assert_int_equal(told[2].error, -EEXIST);
}

static void a_packed_block_that_is_too_large_becomes_two(void **state)
{
	begin(ONCE_CONFIRM_PACKED, 0);
	give_all("abcd");
	answer(400, TOO_LARGE);
	serve(FATE_ANSWERED);
	serve(FATE_ANSWERED);
	expect("CCCC");
	assert_int_equal(etcd->n_kvs, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_many_are_in_flight_as_were_asked_for),
		TEST(what_is_applied_is_confirmed),
		TEST(a_key_that_was_there_is_a_duplicate_and_the_others_go_again),
		TEST(a_lost_answer_is_found_out),
		TEST(a_lost_request_goes_again),
		TEST(a_late_copy_changes_nothing),
		TEST(when_the_term_is_over_only_what_is_there_is_confirmed),
		TEST(too_many_operations_are_halved_and_remembered),
		TEST(one_that_is_too_large_is_refused_alone),
		TEST(an_id_twice_in_a_batch_is_split_until_each_is_alone),
		TEST(a_refusal_is_final_unless_there_is_doubt),
		TEST(when_its_time_is_up_it_is_unknown_only_if_it_was_sent),
		TEST(a_packed_block_is_there_or_not),
		TEST(a_packed_block_that_is_too_large_becomes_two),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
