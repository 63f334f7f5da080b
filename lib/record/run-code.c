/* A run's record as text and back; see once/ledger.h. */
#include "record/code.h"
#include <once/ledger.h>

#include "base/escape.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const states[] = {
	[ONCE_RUN_BEGUN] = "begun",
	[ONCE_RUN_OK] = "ok",
	[ONCE_RUN_FAILED] = "failed",
	[ONCE_RUN_TIMEOUT] = "timeout",
	[ONCE_RUN_INTERRUPTED] = "interrupted",
	[ONCE_RUN_SKIPPED] = "skipped",
	[ONCE_RUN_LOST] = "lost",
};
enum { STATES = sizeof(states) / sizeof(states[0]) };

const char *once_run_state_name(enum once_run_state state)
{
	return (unsigned)state < STATES && states[state] ? states[state] : "?";
}

int once_run_state_parse(enum once_run_state *ret, const char *name)
{
	for (int i = ONCE_RUN_BEGUN; i < STATES; i++) {
		if (strcmp(name, states[i]) == 0) {
			*ret = (enum once_run_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

static bool names_valid(const struct once_run *run)
{
	return code_hex_valid(run->id, sizeof(run->id)) &&
	       code_hex_valid(run->hash, sizeof(run->hash)) &&
	       (!run->node[0] || once_id_valid(run->node)) &&
	       (!run->closed_by[0] || once_id_valid(run->closed_by)) &&
	       code_word_valid(run->cause, sizeof(run->cause)) &&
	       code_word_valid(run->reason, sizeof(run->reason));
}

static bool numbers_valid(const struct once_run *run)
{
	return run->token >= 0 && run->exit_code >= 0 && run->exit_code <= 255 &&
	       run->exit_signal >= 0 && run->exit_signal <= 64 && run->user_us >= 0 &&
	       run->system_us >= 0 && run->max_rss_kib >= 0 && run->count >= 0 &&
	       run->live_ms >= 0 && run->output_size >= 0;
}

static bool times_valid(const struct once_run *run)
{
	return code_utc_valid(run->scheduled_ms) && code_utc_valid(run->start_ms) &&
	       code_utc_valid(run->end_ms) && code_utc_valid(run->until_ms);
}

/* Also what a record of this state must have. */
static bool valid(const struct once_run *run)
{
	if (run->state < ONCE_RUN_BEGUN || run->state > ONCE_RUN_LOST)
		return false;
	if (run->state == ONCE_RUN_BEGUN && !run->id[0])
		return false;
	if (run->result.size > ONCE_RESULT_MAX)
		return false;
	return names_valid(run) && numbers_valid(run) && times_valid(run);
}

/* The end of it, from the beginning of a character if there are characters. */
static struct once_bytes cut(struct once_bytes tail)
{
	const unsigned char *data = tail.data;

	if (tail.size <= ONCE_TAIL_MAX)
		return tail;
	data += tail.size - ONCE_TAIL_MAX;
	tail.size = ONCE_TAIL_MAX;
	for (int i = 0; i < 3 && (*data & 0xc0) == 0x80; i++) {
		data++;
		tail.size--;
	}
	tail.data = data;
	return tail;
}

static void put_ends(struct buf *out, const struct once_run *run)
{
	if (run->exited) {
		object_put_true(out, "exited", true);
		object_put_i64(out, "exit", run->exit_code);
	}
	object_put_i64(out, "signal", run->exit_signal);
	object_put_i64(out, "user_us", run->user_us);
	object_put_i64(out, "system_us", run->system_us);
	object_put_i64(out, "max_rss_kib", run->max_rss_kib);
}

int once_run_encode(char **ret, size_t *ret_size, const struct once_run *run)
{
	char detail[ONCE_DETAIL_MAX + 1];
	struct once_bytes tail = cut(run->tail);
	struct buf out;
	int r;

	if (!valid(run))
		return -EINVAL;
	escape_line(detail, sizeof(detail), run->detail, strnlen(run->detail, ONCE_DETAIL_MAX));
	buf_init(&out, ONCE_RECORD_MAX);
	code_begin(&out);
	object_put_text(&out, "state", states[run->state]);
	object_put_text(&out, "reason", run->reason);
	object_put_text(&out, "detail", detail);
	object_put_text(&out, "id", run->id);
	object_put_text(&out, "node", run->node);
	object_put_i64(&out, "token", run->token);
	object_put_i64(&out, "attempt", run->attempt);
	object_put_text(&out, "cause", run->cause);
	code_put_utc(&out, "scheduled", run->scheduled_ms);
	code_put_utc(&out, "start", run->start_ms);
	code_put_utc(&out, "end", run->end_ms);
	put_ends(&out, run);
	object_put_text(&out, "closed_by", run->closed_by);
	code_put_utc(&out, "until", run->until_ms);
	object_put_i64(&out, "count", run->count);
	object_put_i64(&out, "live_ms", run->live_ms);
	object_put_text(&out, "hash", run->hash);
	object_put_i64(&out, "output_size", run->output_size);
	object_put_bytes(&out, "tail", tail.data, tail.size);
	object_put_bytes(&out, "result", run->result.data, run->result.size);
	r = object_end(&out);
	if (r < 0) {
		buf_fini(&out);
		return r;
	}
	*ret = out.data;
	*ret_size = out.size;
	return 0;
}

static void read_ends(struct once_run *run, struct object *object)
{
	run->exited = object_bool(object, "exited");
	run->exit_code = (int32_t)object_i64(object, "exit", 0, 255);
	if (run->exit_code && !run->exited)
		object_fail(object);
	run->exit_signal = (int32_t)object_i64(object, "signal", 1, 64);
	run->user_us = object_i64(object, "user_us", 0, INT64_MAX);
	run->system_us = object_i64(object, "system_us", 0, INT64_MAX);
	run->max_rss_kib = object_i64(object, "max_rss_kib", 0, INT64_MAX);
}

static void read_all(struct once_run *run, struct object *object)
{
	char state[ONCE_WORD_MAX];

	object_text(object, "state", state, sizeof(state));
	if (once_run_state_parse(&run->state, state) < 0)
		object_fail(object);
	code_word(object, "reason", run->reason, sizeof(run->reason));
	code_text(object, "detail", run->detail, sizeof(run->detail));
	code_hex(object, "id", run->id, sizeof(run->id));
	code_text(object, "node", run->node, sizeof(run->node));
	run->token = object_i64(object, "token", 1, INT64_MAX);
	run->attempt = (uint32_t)object_i64(object, "attempt", 1, UINT32_MAX);
	code_word(object, "cause", run->cause, sizeof(run->cause));
	run->scheduled_ms = code_utc(object, "scheduled");
	run->start_ms = code_utc(object, "start");
	run->end_ms = code_utc(object, "end");
	read_ends(run, object);
	code_text(object, "closed_by", run->closed_by, sizeof(run->closed_by));
	run->until_ms = code_utc(object, "until");
	run->count = object_i64(object, "count", 1, INT64_MAX);
	run->live_ms = object_i64(object, "live_ms", 1, INT64_MAX);
	code_hex(object, "hash", run->hash, sizeof(run->hash));
	run->output_size = object_i64(object, "output_size", 0, INT64_MAX);
	if (object_error(object) == 0 && !valid(run))
		object_fail(object);
}

static struct once_bytes put(char *at, struct once_bytes bytes)
{
	if (bytes.size > 0)
		memcpy(at, bytes.data, bytes.size);
	at[bytes.size] = '\0';
	return (struct once_bytes){at, bytes.size};
}

/* One allocation: the record, and behind it tail and result, each with a NUL. */
static struct once_run *whole(const struct once_run *run)
{
	struct once_run *copy = malloc(sizeof(*copy) + run->tail.size + run->result.size + 2);
	char *at;

	if (!copy)
		return NULL;
	at = (char *)(copy + 1);
	*copy = *run;
	copy->tail = put(at, run->tail);
	copy->result = put(at + run->tail.size + 1, run->result);
	return copy;
}

int once_run_decode(struct once_run **ret, struct once_bytes value)
{
	struct once_run run = {0};
	struct object *object;
	int r = code_read(&object, value, ONCE_RECORD_MAX);

	if (r < 0)
		return r;
	read_all(&run, object);
	run.tail.data = object_bytes(object, "tail", ONCE_TAIL_MAX, &run.tail.size);
	run.result.data = object_bytes(object, "result", ONCE_RESULT_MAX, &run.result.size);
	r = object_error(object);
	if (r == 0) {
		*ret = whole(&run);
		r = *ret ? 0 : -ENOMEM;
	}
	object = object_free(object);
	return r;
}

struct once_run *once_run_free(struct once_run *run)
{
	free(run);
	return NULL;
}
