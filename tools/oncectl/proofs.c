/* How old a leader's last proof is: etcd does not say when a key was written, so the next one is
 * waited for. */
#include "tools/oncectl/cluster.h"

#include <string.h>

struct proofs {
	struct ctl *ctl;
	struct ctl_cluster *cluster;
	size_t missing;
	bool done; /* all were seen, or the watch ended */
};

static void seen(struct proofs *p, struct once_bytes key, struct once_instant when)
{
	for (size_t i = 0; i < p->cluster->n_groups; i++) {
		struct ctl_group *g = &p->cluster->groups[i];

		if (g->token == 0 || !g->beat_key || strlen(g->beat_key) != key.size ||
			memcmp(g->beat_key, key.data, key.size) != 0)
			continue;
		p->missing -= !g->proof_seen;
		g->proof_seen = true;
		g->proof = when;
	}
	if (p->missing == 0)
		p->done = true;
}

static void on_watch(void *userdata, const struct once_watch_report *report)
{
	struct proofs *p = userdata;

	if (report->note == ONCE_WATCH_COMPACTED || report->note == ONCE_WATCH_FAILED)
		p->done = true;
	for (size_t i = 0; i < report->n_events; i++)
		seen(p, report->events[i].kv.key, report->received);
}

int ctl_cluster_proofs(struct ctl *ctl, struct ctl_cluster *cluster)
{
	const char *beats = ctl_key(ctl, "beat/");
	char end[CTL_KEY_MAX];
	struct once_watch_range range = {.key = once_str(beats)};
	struct once_watch_config config = {
		.ranges = &range, .n_ranges = 1, .start_revision = cluster->revision + 1};
	struct proofs p = {.ctl = ctl, .cluster = cluster};
	struct once_watch *watch = NULL;
	int64_t wait = 0;

	cluster->watched = ctl->loop->ops->now(ctl->loop);
	for (size_t i = 0; i < cluster->n_groups; i++) {
		const struct ctl_group *g = &cluster->groups[i];

		p.missing += g->token != 0 && g->beat_key;
		if (g->token != 0 && g->beat_ns + g->beat_ns / 2 > wait)
			wait = g->beat_ns + g->beat_ns / 2;
	}
	if (p.missing == 0)
		return CTL_OK;
	range.range_end = (struct once_bytes){end, once_prefix_end(range.key, end)};
	if (once_watch_start(ctl->client, &watch, &config, on_watch, &p) < 0)
		return ctl_out_of_memory();
	wait = wait < ctl_time_left(ctl) ? wait : ctl_time_left(ctl);
	(void)ctl_wait(ctl, &p.done, wait);
	/* Over by itself only when it failed; then it is freed. */
	if (p.missing == 0 || !p.done)
		(void)once_watch_cancel(watch);
	return CTL_OK;
}
