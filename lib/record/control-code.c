/* What operators write, and the cursor, as text and back; see once/control.h. */
#include "record/code.h"
#include <once/control.h>

#include <errno.h>
#include <string.h>

/* Hands a finished record over. */
static int finish(char out[ONCE_CONTROL_SIZE], struct buf *buf)
{
	int r = object_end(buf);

	if (r == 0 && buf->size >= ONCE_CONTROL_SIZE)
		r = -EINVAL;
	if (r == 0) {
		memcpy(out, buf->data, buf->size + 1);
		r = (int)buf->size;
	}
	buf_fini(buf);
	return r == -E2BIG ? -EINVAL : r;
}

static void begin(struct buf *buf)
{
	buf_init(buf, ONCE_CONTROL_SIZE);
	code_begin(buf);
}

/* r, or the error that a reader ended with. */
static int end(struct object *object)
{
	int r = object_error(object);

	(void)object_free(object);
	return r;
}

static bool who_valid(const char *by, const char *reason)
{
	return code_text_valid(by, ONCE_BY_MAX + 1) && code_text_valid(reason, ONCE_REASON_MAX + 1);
}

static void put_who(struct buf *buf, const char *by, const char *reason)
{
	object_put_text(buf, "by", by);
	object_put_text(buf, "reason", reason);
}

static void read_who(struct object *object, char *by, char *reason)
{
	code_text(object, "by", by, ONCE_BY_MAX + 1);
	code_text(object, "reason", reason, ONCE_REASON_MAX + 1);
}

int once_pause_encode(char out[ONCE_CONTROL_SIZE], const struct once_pause *pause)
{
	struct buf buf;

	if (!who_valid(pause->by, pause->reason) || !code_utc_valid(pause->since_ms) ||
		!code_utc_valid(pause->until_ms))
		return -EINVAL;
	begin(&buf);
	put_who(&buf, pause->by, pause->reason);
	code_put_utc(&buf, "since", pause->since_ms);
	code_put_utc(&buf, "until", pause->until_ms);
	return finish(out, &buf);
}

int once_pause_decode(struct once_pause *ret, struct once_bytes value)
{
	struct object *object;
	int r = code_read(&object, value, ONCE_CONTROL_SIZE);

	if (r < 0)
		return r;
	*ret = (struct once_pause){0};
	read_who(object, ret->by, ret->reason);
	ret->since_ms = code_utc(object, "since");
	ret->until_ms = code_utc(object, "until");
	return end(object);
}

int once_trigger_encode(char out[ONCE_CONTROL_SIZE], const struct once_trigger *trigger)
{
	struct buf buf;

	if (!who_valid(trigger->by, trigger->reason) || !code_utc_valid(trigger->at_ms) ||
		!code_utc_valid(trigger->scheduled_ms))
		return -EINVAL;
	begin(&buf);
	put_who(&buf, trigger->by, trigger->reason);
	code_put_utc(&buf, "at", trigger->at_ms);
	code_put_utc(&buf, "scheduled", trigger->scheduled_ms);
	object_put_true(&buf, "undo", trigger->undo);
	return finish(out, &buf);
}

int once_trigger_decode(struct once_trigger *ret, struct once_bytes value)
{
	struct object *object;
	int r = code_read(&object, value, ONCE_CONTROL_SIZE);

	if (r < 0)
		return r;
	*ret = (struct once_trigger){0};
	read_who(object, ret->by, ret->reason);
	ret->at_ms = code_utc(object, "at");
	ret->scheduled_ms = code_utc(object, "scheduled");
	ret->undo = object_bool(object, "undo");
	return end(object);
}

int once_kill_encode(char out[ONCE_CONTROL_SIZE], const struct once_kill *order)
{
	struct buf buf;

	if (!who_valid(order->by, order->reason) || !code_utc_valid(order->at_ms) ||
		!code_hex_valid(order->run, sizeof(order->run)))
		return -EINVAL;
	begin(&buf);
	put_who(&buf, order->by, order->reason);
	code_put_utc(&buf, "at", order->at_ms);
	object_put_text(&buf, "run", order->run);
	return finish(out, &buf);
}

int once_kill_decode(struct once_kill *ret, struct once_bytes value)
{
	struct object *object;
	int r = code_read(&object, value, ONCE_CONTROL_SIZE);

	if (r < 0)
		return r;
	*ret = (struct once_kill){0};
	read_who(object, ret->by, ret->reason);
	ret->at_ms = code_utc(object, "at");
	code_hex(object, "run", ret->run, sizeof(ret->run));
	return end(object);
}

static bool node_valid(const char *node)
{
	return !node[0] || once_name_valid(node);
}

int once_handover_encode(char out[ONCE_CONTROL_SIZE], const struct once_handover *handover)
{
	struct buf buf;

	if (!who_valid(handover->by, handover->reason) || !code_utc_valid(handover->at_ms) ||
		!code_utc_valid(handover->not_before_ms) || !node_valid(handover->from) ||
		!node_valid(handover->to) || handover->token < 0 || handover->stay_away_s < 0)
		return -EINVAL;
	begin(&buf);
	put_who(&buf, handover->by, handover->reason);
	code_put_utc(&buf, "at", handover->at_ms);
	code_put_utc(&buf, "not_before", handover->not_before_ms);
	object_put_i64(&buf, "token", handover->token);
	object_put_text(&buf, "from", handover->from);
	object_put_text(&buf, "to", handover->to);
	object_put_i64(&buf, "stay_away_s", handover->stay_away_s);
	return finish(out, &buf);
}

static void read_node(struct object *object, const char *name, char out[ONCE_NAME_MAX + 1])
{
	object_text(object, name, out, ONCE_NAME_MAX + 1);
	if (!node_valid(out))
		object_fail(object);
}

int once_handover_decode(struct once_handover *ret, struct once_bytes value)
{
	struct object *object;
	int r = code_read(&object, value, ONCE_CONTROL_SIZE);

	if (r < 0)
		return r;
	*ret = (struct once_handover){0};
	read_who(object, ret->by, ret->reason);
	ret->at_ms = code_utc(object, "at");
	ret->not_before_ms = code_utc(object, "not_before");
	ret->token = object_i64(object, "token", 1, INT64_MAX);
	read_node(object, "from", ret->from);
	read_node(object, "to", ret->to);
	ret->stay_away_s = object_i64(object, "stay_away_s", 1, INT32_MAX);
	return end(object);
}

int once_cursor_encode(char out[ONCE_CONTROL_SIZE], const struct once_cursor *cursor)
{
	struct buf buf;

	if (!code_utc_valid(cursor->decided_ms) || !code_utc_valid(cursor->next_ms) ||
		!code_text_valid(cursor->schedule, sizeof(cursor->schedule)))
		return -EINVAL;
	begin(&buf);
	code_put_utc(&buf, "decided", cursor->decided_ms);
	code_put_utc(&buf, "next", cursor->next_ms);
	object_put_text(&buf, "schedule", cursor->schedule);
	return finish(out, &buf);
}

int once_cursor_decode(struct once_cursor *ret, struct once_bytes value)
{
	struct object *object;
	int r = code_read(&object, value, ONCE_CONTROL_SIZE);

	if (r < 0)
		return r;
	*ret = (struct once_cursor){0};
	ret->decided_ms = code_utc(object, "decided");
	ret->next_ms = code_utc(object, "next");
	code_text(object, "schedule", ret->schedule, sizeof(ret->schedule));
	return end(object);
}
