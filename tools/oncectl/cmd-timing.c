/* oncectl timing: what a configuration promises, before it is used. */
#include "tools/oncectl/ctl.h"

#include <stdio.h>

#include "base/duration.h"
#include "daemon/timing.h"

static const struct {
	const char *letter, *key;
	size_t offset;
} keys[] = {
	{"V", "FenceAfter", offsetof(struct once_timing, fence_after_ns)},
	{"H", "BeatInterval", offsetof(struct once_timing, beat_interval_ns)},
	{"R", "RequestTimeout", offsetof(struct once_timing, request_timeout_ns)},
	{"G", "StopGrace", offsetof(struct once_timing, stop_grace_ns)},
	{"K", "KillBudget", offsetof(struct once_timing, kill_budget_ns)},
};

static int64_t at(const struct once_timing *timing, size_t i)
{
	return *(const int64_t *)(const void *)((const char *)timing + keys[i].offset);
}

/* Without a proof for so long jobs get SIGTERM; this is what an etcd that does not answer may cost.
 */
static int64_t soft(const struct once_timing *t)
{
	return t->fence_after_ns - t->stop_grace_ns - t->kill_budget_ns;
}

static void print(struct ctl *ctl, const struct once_timing *t, const struct timing_fault *faults)
{
	static const char *const heads[] = {"FAULT", "AT MOST", "WHICH IS", NULL};
	char text[DURATION_TEXT_MAX];
	struct ctl_table table;

	printf("profile %s, LeaseTTL %llds", ctl->config.profile, (long long)t->lease_ttl_s);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		printf(", %s (%s) %s", keys[i].key, keys[i].letter,
			duration_format(text, at(t, i)));
	printf(", ClockDrift %d%%\n\n", t->clock_drift_ppm / 10000);
	printf("From a fault to the next leader's job, with etcd answering within R:\n\n");
	ctl_table_init(&table, ctl, heads);
	for (size_t i = 0; i < TIMING_FAULTS; i++) {
		ctl_table_add(&table, faults[i].fault);
		ctl_table_add(
			&table, ctl_printf(ctl, "%s", duration_format(text, faults[i].at_most_ns)));
		ctl_table_add(&table, faults[i].how);
	}
	ctl_table_print(&table);
	printf("\nJobs get SIGTERM %s after the last proof that was answered, so etcd may stand "
	       "still\n",
		duration_format(text, soft(t)));
	printf("for up to %s, and are dead after ",
		duration_format(text, soft(t) - t->beat_interval_ns));
	printf("%s.\n", duration_format(text, t->fence_after_ns));
}

static void print_json(
	struct ctl *ctl, const struct once_timing *t, const struct timing_fault *faults)
{
	struct ctl_json json = {0};

	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "profile", ctl->config.profile);
	ctl_json_number(&json, "LeaseTTL", t->lease_ttl_s);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		ctl_json_seconds(&json, keys[i].key, at(t, i));
	ctl_json_number(&json, "ClockDriftPercent", t->clock_drift_ppm / 10000);
	ctl_json_array(&json, "faults");
	for (size_t i = 0; i < TIMING_FAULTS; i++) {
		ctl_json_object(&json, NULL);
		ctl_json_text(&json, "fault", faults[i].fault);
		ctl_json_seconds(&json, "at_most_seconds", faults[i].at_most_ns);
		ctl_json_text(&json, "which_is", faults[i].how);
		ctl_json_end_object(&json);
	}
	ctl_json_end_array(&json);
	ctl_json_seconds(&json, "stop_after_seconds", soft(t));
	ctl_json_end_object(&json);
}

static int run(struct ctl *ctl)
{
	struct timing_fault faults[TIMING_FAULTS];

	timing_faults(&ctl->config.timing, faults);
	if (ctl->json)
		print_json(ctl, &ctl->config.timing, faults);
	else
		print(ctl, &ctl->config.timing, faults);
	return CTL_OK;
}

static const struct ctl_flag flags[] = {
	{"--profile", "NAME", "normal, fast or wan [normal]"},
	{"--ttl", "SECONDS", "TTL of the lease"},
	{"--fence-after", "TIME", "V"},
	{"--beat-interval", "TIME", "H"},
	{"--request-timeout", "TIME", "R"},
	{"--stop-grace", "TIME", "G"},
	{"--kill-budget", "TIME", "K"},
	{"--clock-drift", "PERCENT", "between two nodes' clocks"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_timing = {
	.name = "timing",
	.words = "",
	.timing = true,
	.summary = "the longest failover of each fault, for a configuration",
	.details = "Of the file given with --config, or of flags as onced run has them. A timing "
		   "that\n"
		   "breaks the rule is refused with its numbers.\n",
	.flags = flags,
	.run = run,
};
