/* Deadlines of groups. See deadline.h.
 *
 * A slot keeps the group's last token after its runs are gone, so that a late packet of an old term
 * stays refused. It is given away only when the table is full, its time is over and nothing lives.
 */
#include "deadline.h"
#include <errno.h>
#include <string.h>

/* No configuration comes near this; it keeps the sums far from overflow. */
#define VALID_MAX_NS (INT64_C(86400) * ONCE_NSEC_PER_SEC)

static bool duration_is_sane(int64_t ns)
{
	return ns >= 0 && ns <= VALID_MAX_NS;
}

struct deadline *deadlines_find(struct deadlines *table, uint32_t group)
{
	for (unsigned i = 0; i < table->high; i++)
		if (table->slot[i].used && table->slot[i].group == group)
			return &table->slot[i];
	return NULL;
}

static struct deadline *take_slot(struct deadlines *table, struct once_instant now)
{
	struct deadline *d = NULL;

	if (table->high < LINK_GROUPS_MAX) {
		d = &table->slot[table->high++];
	} else {
		for (unsigned i = 0; i < table->high && !d; i++)
			if (!table->slot[i].live && !table->slot[i].owe_fenced &&
				deadline_left(&table->slot[i], now) <= 0)
				d = &table->slot[i];
	}
	if (d)
		memset(d, 0, sizeof(*d));
	return d;
}

/* A proof cannot come from the future; one that claims so counts from now. */
static struct once_instant not_after(struct once_instant t, struct once_instant now)
{
	if (t.boot_ns > now.boot_ns)
		t.boot_ns = now.boot_ns;
	if (t.raw_ns > now.raw_ns)
		t.raw_ns = now.raw_ns;
	return t;
}

int deadlines_extend(
	struct deadlines *table, const struct link_extend *packet, struct once_instant now)
{
	struct deadline *d = deadlines_find(table, packet->group);
	struct deadline next = {.proved = not_after(packet->proved, now)};
	bool replaced;

	if (!duration_is_sane(packet->valid_ns) || !duration_is_sane(packet->grace_ns) ||
		!duration_is_sane(packet->kill_ns) || packet->proved.boot_ns < 0 ||
		packet->proved.raw_ns < 0)
		return -EINVAL;
	if (d && packet->token < d->token)
		return DEADLINE_STALE;
	next.valid_ns = packet->valid_ns;
	replaced = d && packet->token > d->token;
	if (d && !replaced && deadline_left(&next, now) <= deadline_left(d, now))
		return 0;
	if (!d) {
		d = take_slot(table, now);
		if (!d)
			return -ENOSPC;
	}
	d->used = true;
	d->group = packet->group;
	d->token = packet->token;
	d->proved = next.proved;
	d->valid_ns = packet->valid_ns;
	d->grace_ns = packet->grace_ns;
	d->kill_ns = packet->kill_ns;
	d->soft_done = false;
	return replaced ? DEADLINE_REPLACED : 0;
}

int64_t deadlines_next_wake(const struct deadlines *table, struct once_instant now)
{
	int64_t wake = DEADLINE_NEVER;

	for (unsigned i = 0; i < table->high; i++) {
		const struct deadline *d = &table->slot[i];
		int64_t in;

		if (!d->unkilled)
			continue;
		in = deadline_left(d, now) - d->kill_ns - (d->soft_done ? 0 : d->grace_ns);
		if (in > ONCE_NSEC_PER_MSEC)
			in -= in / 10;
		if (in < wake)
			wake = in;
	}
	return wake;
}

int64_t deadlines_fuse(const struct deadlines *table, struct once_instant now)
{
	int64_t fuse = DEADLINE_NEVER;

	for (unsigned i = 0; i < table->high; i++) {
		const struct deadline *d = &table->slot[i];
		int64_t in;

		if (!d->unkilled)
			continue;
		in = deadline_left(d, now) - d->kill_ns / 4;
		if (in < fuse)
			fuse = in;
	}
	return fuse < 1 ? 1 : fuse;
}
