/* Events as bytes. One function walks an event's fields for both ways, so that what is read is what
 * was written: `put` says which. */
#include "core/ring-code.h"

#include <string.h>

struct code {
	bool put, bad;
	unsigned char *out; /* put: next byte */
	const unsigned char *in, *end;
	const struct election *e;
};

static void code_u64(struct code *c, uint64_t *value)
{
	uint64_t v = *value;

	if (c->put) {
		for (; v >= 0x80; v >>= 7)
			*c->out++ = (unsigned char)(v | 0x80);
		*c->out++ = (unsigned char)v;
		return;
	}
	v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (c->in == c->end)
			break;
		v |= (uint64_t)(*c->in & 0x7f) << shift;
		if (*c->in++ < 0x80) {
			*value = v;
			return;
		}
	}
	c->bad = true;
	*value = 0;
}

/* As a difference from base, small ones of either sign in few bytes. */
static void code_i64(struct code *c, int64_t *value, int64_t base)
{
	uint64_t d = (uint64_t)*value - (uint64_t)base;
	uint64_t z = d << 1 ^ (d >> 63 ? UINT64_MAX : 0);

	code_u64(c, &z);
	if (!c->put)
		*value = (int64_t)((uint64_t)base + (z >> 1 ^ (z & 1 ? UINT64_MAX : 0)));
}

/* As what differs from base: nothing in most cases. */
static void code_id(struct code *c, uint64_t *value, uint64_t base)
{
	uint64_t x = *value ^ base;

	code_u64(c, &x);
	*value = x ^ base;
}

static void code_signed_id(struct code *c, int64_t *value, int64_t base)
{
	uint64_t x = (uint64_t)*value;

	code_id(c, &x, (uint64_t)base);
	*value = (int64_t)x;
}

/* The value in one byte, none above max. */
static unsigned code_byte(struct code *c, unsigned value, unsigned max)
{
	if (c->put) {
		*c->out++ = (unsigned char)value;
		return value;
	}
	value = c->in == c->end ? max + 1 : *c->in++;
	if (value > max) {
		c->bad = true;
		value = 0;
	}
	return value;
}

static void code_instant(struct code *c, struct once_instant *t, struct once_instant base)
{
	int64_t boot, gained;

	code_i64(c, &t->boot_ns, base.boot_ns);
	/* the other clock has gained nearly as much */
	boot = (int64_t)((uint64_t)t->boot_ns - (uint64_t)base.boot_ns);
	gained = (int64_t)((uint64_t)t->raw_ns - (uint64_t)base.raw_ns);
	code_i64(c, &gained, boot);
	t->raw_ns = (int64_t)((uint64_t)base.raw_ns + (uint64_t)gained);
}

static void code_view(struct code *c, struct election_view *v)
{
	const struct election_view *known = &c->e->view;
	unsigned few = (unsigned)v->config | (unsigned)v->reserve << 2;
	static const struct election_view nothing;

	/* most answers carry none */
	if (code_byte(c, c->put && memcmp(v, &nothing, sizeof(nothing)) == 0, 1) == 1)
		return;
	code_i64(c, &v->leader.create, known->leader.create);
	code_signed_id(c, &v->leader.lease, known->leader.lease);
	code_i64(c, &v->epoch.mod, known->epoch.mod);
	code_id(c, &v->epoch.incarnation, known->epoch.incarnation);
	code_i64(c, &v->beat.mod, known->beat.mod);
	code_id(c, &v->beat.incarnation, known->beat.incarnation);
	code_i64(c, &v->clean, known->clean);
	few = code_byte(c, few, 15);
	if ((few & 3) > ELECTION_CONFIG_OTHER || few >> 2 > ELECTION_RESERVE_OTHER) {
		c->bad = true;
		few = 0;
	}
	v->config = few & 3;
	v->reserve = few >> 2;
}

static void code_reply(struct code *c, struct election_event *ev)
{
	uint64_t back = c->e->last_op - ev->reply.op; /* of operations, modulo 2^32 */
	unsigned flags = (unsigned)ev->reply.outcome | (unsigned)ev->reply.refusal << 2 |
			 (ev->reply.succeeded ? 16U : 0);

	back &= UINT32_MAX;
	code_u64(c, &back);
	ev->reply.op = c->e->last_op - (uint32_t)back;
	flags = code_byte(c, flags, 31);
	if ((flags >> 2 & 3) > ELECTION_REFUSED_NO_LEASE) {
		c->bad = true;
		flags = 0;
	}
	ev->reply.outcome = flags & 3;
	ev->reply.refusal = flags >> 2 & 3;
	ev->reply.succeeded = flags & 16;
	code_instant(c, &ev->reply.sent, ev->now);
	code_i64(c, &ev->reply.revision, c->e->view.beat.mod);
	code_signed_id(c, &ev->reply.lease, 0);
	code_i64(c, &ev->reply.ttl, 0);
	code_view(c, &ev->reply.view);
}

static void code_start(struct code *c, struct election_recovered *r)
{
	unsigned flags = (r->ready ? 1U : 0) | (r->dead ? 2U : 0);

	code_i64(c, &r->token, 0);
	code_signed_id(c, &r->lease, 0);
	flags = code_byte(c, flags, 3);
	r->ready = flags & 1;
	r->dead = flags & 2;
}

static void code_event(struct code *c, struct election_event *ev)
{
	ev->kind = code_byte(c, (unsigned)ev->kind, ELECTION_RESUME);
	code_instant(c, &ev->now, c->e->now);
	switch (ev->kind) {
	case ELECTION_START:
		code_start(c, &ev->start.recovered);
		break;
	case ELECTION_LISTED:
		code_i64(c, &ev->listed.revision, c->e->view.beat.mod);
		code_view(c, &ev->listed.view);
		break;
	case ELECTION_SEEN:
		ev->seen.key = code_byte(c, (unsigned)ev->seen.key, ELECTION_KEYS);
		code_i64(c, &ev->seen.revision, c->e->view.beat.mod);
		code_view(c, &ev->seen.view);
		break;
	case ELECTION_REPLY:
		code_reply(c, ev);
		break;
	case ELECTION_RESIGN:
		ev->resign.to_other = code_byte(c, ev->resign.to_other, 1);
		code_i64(c, &ev->resign.stay_away, 0);
		break;
	case ELECTION_STAND_BACK:
		code_i64(c, &ev->stand_back.duration, 0);
		break;
	case ELECTION_TICK:
	case ELECTION_LIST_FAILED:
	case ELECTION_UNWATCHED:
	case ELECTION_WORK_DEAD:
	case ELECTION_STOP:
	case ELECTION_PROVE:
	case ELECTION_SUSPEND:
	case ELECTION_RESUME:
		break;
	default:
		c->bad = true;
		break;
	}
}

size_t ring_encode(unsigned char *out, const struct election *e, const struct election_event *event)
{
	struct code c = {.put = true, .out = out, .e = e};
	struct election_event copy = *event;

	code_event(&c, &copy);
	return (size_t)(c.out - out);
}

size_t ring_decode(const unsigned char *data, size_t size, const struct election *e,
	struct election_event *ret)
{
	struct code c = {.in = data, .end = data + size, .e = e};

	memset(ret, 0, sizeof(*ret));
	code_event(&c, ret);
	return c.bad ? 0 : (size_t)(c.in - data);
}
