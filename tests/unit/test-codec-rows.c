/* codec_rows_push() of etcd/codec.h: whatever pieces an answer comes in, it is the same answer. */
#include "etcd/codec.h"
#include "unit.h"

#define HEADER                                                                                     \
	"\"header\":{\"cluster_id\":\"17\", \"member_id\":\"4\", \"revision\":\"2\", "             \
	"\"raft_term\":\"3\"}"
#define A                                                                                          \
	"{\"key\":\"YQ==\", \"create_revision\":\"2\",\"mod_revision\":\"4\",\"version\":\"3\","   \
	"\"value\":\"Yw==\",\"lease\":\"-5\"}"
#define B "{\"value\":\"\", \"key\" : \"Yg\\u003d=\", \"z\":[\"\\\"]},{\\\\\", {}], \"version\":9}"

/* What came, as text, and how much at a time at most. */
struct taken {
	char text[512];
	size_t n;
	struct buf around;
};

static void take(struct taken *taken, const struct codec_rows *rows)
{
	for (size_t i = 0; i < rows->n_kvs; i++) {
		const struct once_kv *kv = &rows->kvs[i];
		size_t n = strlen(taken->text);

		(void)snprintf(taken->text + n, sizeof(taken->text) - n,
			"%.*s=%.*s@%lld-%lld v%lld l%lld;", (int)kv->key.size,
			(const char *)kv->key.data, (int)kv->value.size,
			(const char *)kv->value.data, (long long)kv->create_revision,
			(long long)kv->mod_revision, (long long)kv->version, (long long)kv->lease);
		taken->n++;
	}
}

/* 0, or what the rows or the rest of the answer are rejected with. */
static int push(const char *body, size_t first, size_t piece, struct taken *ret)
{
	const struct once_op op = {.kind = ONCE_OP_RANGE};
	struct codec_request request;
	struct codec_reply reply;
	struct codec_rows rows;
	size_t size = strlen(body), at = 0, n = first ? first : piece;
	int r = 0;

	*ret = (struct taken){0};
	codec_rows_init(&rows);
	codec_reply_init(&reply);
	codec_request_init(&request, 0);
	for (; at < size && r == 0; at += n, n = piece) {
		/* A copy that ends where the piece does, for the sanitizer. */
		char *copy = strndup(body + at, n);

		r = codec_rows_push(&rows, copy, strlen(copy), &reply.arena);
		free(copy);
		take(ret, &rows);
		assert_true(ret->n == 0 || r < 0 || strncmp(body, "{" HEADER, 11) != 0 ||
			    rows.revision == 2);
	}
	assert_int_equal(codec_encode_op(&request, &op), 0);
	if (r == 0)
		r = codec_decode(&reply, &request, 200, buf_text(&rows.around), rows.around.size);
	if (r == 0)
		assert_int_equal(reply.response.op.count, ret->n);
	codec_rows_fini(&rows);
	codec_reply_fini(&reply);
	codec_request_fini(&request);
	return r;
}

static const char *const bodies[] = {
	"{" HEADER "}",
	"{" HEADER ",\"kvs\":[]}",
	"{" HEADER ", \"kvs\":[" A "], \"count\":\"1\"}",
	" {" HEADER ",\n\"kvs\" : [ " A " , " B "\t] , \"more\":false, \"count\" : \"2\"} ",
	"{" HEADER ",\"x\":[{\"kvs\":[1]},\"\\\"kvs\\\":[{\"],\"kvs\":[" B "," A "," B
	"],\"count\":\"3\"}",
};

static const char *const broken[] = {
	"{" HEADER ",\"kvs\":[" A,
	"{" HEADER ",\"kvs\":[" A "]",
	"{" HEADER ",\"kvs\":[" A ",]}",
	"{" HEADER ",\"kvs\":[," A "]}",
	"{" HEADER ",\"kvs\":[" A " " A "]}",
	"{" HEADER ",\"kvs\":[" A ",1]}",
	"{" HEADER ",\"kvs\":[" A ",[]]}",
	"{" HEADER ",\"kvs\":[{\"key\":\"YQ==\",\"key\":\"YQ==\"}]}",
	"{" HEADER ",\"kvs\":[{\"key\":\"YQ==\",}]}",
	"{" HEADER ",\"kvs\":[{\"key\":\"YQ==\"]]}",
	"{" HEADER ",\"kvs\":[{\"key\":\"Y\"}]}",
	"{" HEADER ",\"kvs\":[{\"key\":7}]}",
	"{" HEADER ",\"kvs\":[{\"version\":\"1.5\"}]}",
	"{" HEADER ",\"kvs\":[" A "],\"kvs\":[]}",
	"{" HEADER ",\"kvs\":[" A "]}}",
	"{" HEADER " \"kvs\":[" A "]}",
	"{\"header\":7,\"kvs\":[" A "]}",
	"[" A "]",
	"",
	"\"",
};

static void test_any_pieces_make_the_same_answer(void **state)
{
	static const char *const texts[] = {"", "", "a=c@2-4 v3 l-5;",
		"a=c@2-4 v3 l-5;b=@0-0 v9 l0;", "b=@0-0 v9 l0;a=c@2-4 v3 l-5;b=@0-0 v9 l0;"};
	struct taken taken;

	for (size_t i = 0; i < LENGTH(bodies); i++)
		for (size_t n = 1; n <= strlen(bodies[i]); n++) {
			check_case(bodies[i], push(bodies[i], 0, n, &taken) == 0);
			check_case(bodies[i], strcmp(taken.text, texts[i]) == 0);
			check_case(bodies[i], push(bodies[i], n, SIZE_MAX / 2, &taken) == 0);
			check_case(bodies[i], strcmp(taken.text, texts[i]) == 0);
		}
}

static void test_what_is_broken_is_rejected_in_any_pieces(void **state)
{
	struct taken taken;

	for (size_t i = 0; i < LENGTH(broken); i++)
		for (size_t n = 1; n <= strlen(broken[i]) + 1; n++)
			check_case(broken[i], push(broken[i], 0, n, &taken) == -EBADMSG);
}

static void test_an_answer_that_is_cut_is_rejected(void **state)
{
	struct taken taken;

	for (size_t i = 1; i < LENGTH(bodies); i++)
		for (size_t n = 1; n + 1 < strlen(bodies[i]); n++) {
			char *cut = strndup(bodies[i], n);

			check_case(cut, push(cut, 0, 7, &taken) == -EBADMSG);
			free(cut);
		}
}

/* What stands around the keys is kept; it may not be without end. */
static void test_no_array_for_too_long(void **state)
{
	static char blanks[65536];
	struct codec_rows rows;
	struct arena arena;
	int r = 0;

	memset(blanks, ' ', sizeof(blanks));
	arena_init(&arena);
	codec_rows_init(&rows);
	for (int i = 0; i < 20 && r == 0; i++)
		r = codec_rows_push(&rows, blanks, sizeof(blanks), &arena);
	assert_int_equal(r, -EBADMSG);
	assert_int_equal(codec_rows_push(&rows, "{", 1, &arena), -EBADMSG);
	codec_rows_fini(&rows);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_pieces_make_the_same_answer),
		cmocka_unit_test(test_what_is_broken_is_rejected_in_any_pieces),
		cmocka_unit_test(test_an_answer_that_is_cut_is_rejected),
		cmocka_unit_test(test_no_array_for_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
