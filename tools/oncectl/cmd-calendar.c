/* oncectl calendar EXPRESSION: when a schedule is due, in local time and in UTC, and what the local
 * clock does there. Asks etcd nothing. */
#include "tools/oncectl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/duration.h"
#include "base/zoneinfo.h"
#include "core/civil.h"
#include "core/schedule.h"

enum { COUNT_DEFAULT = 5, COUNT_MAX = 1000 };

struct calendar {
	struct ctl *ctl;
	const char *expression;
	struct schedule schedule;
	struct zone zone;
	const char *zone_name;
	int64_t after_s;
	int64_t count;
};

static const char *const remark_names[] = {
	[SCHEDULE_REMARK_GAP] = "gap",
	[SCHEDULE_REMARK_ONCE] = "fold-once",
	[SCHEDULE_REMARK_FIRST] = "fold-first",
	[SCHEDULE_REMARK_SECOND] = "fold-second",
};

/* ---- the question ---------------------------------------------------------------------------- */

static int load_zone(struct calendar *c)
{
	static unsigned char data[ZONEINFO_FILE_MAX];
	const char *wrong;
	size_t size;
	int r;

	/* every machine has it, also without tzdata */
	zone_init_utc(&c->zone);
	if (strcmp(c->zone_name, "UTC") == 0)
		return 0;
	r = zoneinfo_read(NULL, c->zone_name, data, &size);
	if (r == -EINVAL || r == -ENOENT)
		return ctl_error(CTL_USAGE,
			"calendar: there is no time zone \"%s\", expected a name "
			"in " ZONEINFO_DIRECTORY " such as Europe/Berlin",
			c->zone_name);
	if (r < 0)
		return ctl_error(CTL_FAILED, "calendar: " ZONEINFO_DIRECTORY "/%s: %s",
			c->zone_name, strerror(-r));
	wrong = zone_parse(&c->zone, data, size);
	return wrong ? ctl_error(CTL_FAILED,
			       "calendar: " ZONEINFO_DIRECTORY "/%s: bad time zone file: %s",
			       c->zone_name, wrong)
		     : 0;
}

/* An expression need not be quoted, as far as the shell leaves it alone. NULL without memory. */
static const char *join_words(struct ctl *ctl)
{
	size_t size = 0;
	char *joined, *text;

	for (int i = 0; i < ctl->n_words; i++)
		size += strlen(ctl->words[i]) + 1;
	joined = text = arena_alloc(&ctl->arena, size);
	for (int i = 0; text && i < ctl->n_words; i++) {
		size_t n = strlen(ctl->words[i]);

		memcpy(text, ctl->words[i], n);
		text[n] = i + 1 < ctl->n_words ? ' ' : '\0';
		text += n + 1;
	}
	return joined;
}

static int read_flags(struct calendar *c)
{
	const char *after = ctl_flag(c->ctl, "--after"), *count = ctl_flag(c->ctl, "-n");
	const char *tz = ctl_flag(c->ctl, "--tz");
	int64_t after_ns;
	int code = ctl_parse_time("--after", after ? after : "now", &after_ns);

	if (code == 0 && count)
		code = ctl_parse_number("-n", count, 1, COUNT_MAX, &c->count);
	if (code)
		return code;
	c->after_s = after_ns / ONCE_NSEC_PER_SEC;
	if (tz && c->schedule.zone[0] && strcmp(tz, c->schedule.zone) != 0)
		return ctl_error(CTL_USAGE, "--tz: the expression names its time zone itself, %s",
			c->schedule.zone);
	c->zone_name = c->schedule.zone[0] ? c->schedule.zone : tz ? tz : "UTC";
	return load_zone(c);
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* "Sun 2026-03-29 03:00:00 CEST" */
static const char *local_text(struct ctl *ctl, int64_t local_s, const char *abbreviation)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	char text[CIVIL_TEXT_MAX];

	return ctl_printf(ctl, "%s %s %s", days[civil_from_seconds(local_s).weekday],
		civil_format(text, local_s), abbreviation);
}

/* "2026-03-29T03:00:00+02:00" */
static const char *local_json(struct ctl *ctl, int64_t local_s, int32_t offset_s)
{
	int minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
	char text[CIVIL_TEXT_MAX];

	civil_format(text, local_s);
	text[10] = 'T';
	return ctl_printf(
		ctl, "%s%c%02d:%02d", text, offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/* before_s: the offset at the instant before. */
static const char *remark_text(
	struct ctl *ctl, const struct schedule_remark *remark, int32_t before_s, int32_t offset_s)
{
	char text[CIVIL_TEXT_MAX], duration[DURATION_TEXT_MAX];
	int64_t moved_s = (int64_t)offset_s - before_s;

	switch (remark->kind) {
	case SCHEDULE_REMARK_GAP:
		return ctl_printf(ctl, "stands for %s, which the clock skips",
			civil_format(text, remark->local_s));
	case SCHEDULE_REMARK_ONCE:
		return "the clock shows this time twice; due once, the first time";
	case SCHEDULE_REMARK_FIRST:
		return "the clock shows this time twice; due both times, this is the first";
	case SCHEDULE_REMARK_SECOND:
		return "the clock shows this time again; due both times, this is the second";
	case SCHEDULE_REMARK_NONE:
		break;
	}
	if (moved_s == 0)
		return "";
	return ctl_printf(ctl, "the clock has been set %s by %s", moved_s > 0 ? "forward" : "back",
		duration_format(duration, (moved_s < 0 ? -moved_s : moved_s) * ONCE_NSEC_PER_SEC));
}

static void print_json_instant(struct calendar *c, struct ctl_json *json, int64_t at_s)
{
	struct schedule_remark remark;
	struct zone_segment segment;
	char text[CIVIL_TEXT_MAX];

	zone_at(&c->zone, at_s, &segment);
	schedule_remark(&c->schedule, &c->zone, at_s, &remark);
	ctl_json_object(json, NULL);
	ctl_json_text(json, "utc", ctl_time_text(c->ctl, at_s * ONCE_NSEC_PER_SEC));
	ctl_json_number(json, "unix", at_s);
	ctl_json_text(json, "local",
		local_json(c->ctl, at_s + segment.type.offset_s, segment.type.offset_s));
	ctl_json_text(json, "abbreviation", segment.type.abbreviation);
	ctl_json_text(json, "remark", remark_names[remark.kind]);
	if (remark.kind == SCHEDULE_REMARK_GAP) {
		civil_format(text, remark.local_s);
		text[10] = 'T';
		ctl_json_text(json, "skipped", text);
	}
	ctl_json_end_object(json);
}

static void print_json(struct calendar *c, const int64_t *at_s, size_t n)
{
	struct ctl_json json = {0};

	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "expression", c->expression);
	ctl_json_text(&json, "zone", c->zone_name);
	ctl_json_array(&json, "instants");
	for (size_t i = 0; i < n; i++)
		print_json_instant(c, &json, at_s[i]);
	ctl_json_end_array(&json);
	ctl_json_end_object(&json);
}

static void print_table(struct calendar *c, const int64_t *at_s, size_t n)
{
	static const char *const heads[] = {"LOCAL", "UTC", "REMARK", NULL};
	struct zone_segment segment;
	struct ctl_table table;
	int32_t before_s;

	zone_at(&c->zone, c->after_s, &segment);
	before_s = segment.type.offset_s;
	ctl_table_init(&table, c->ctl, heads);
	for (size_t i = 0; i < n; i++) {
		struct schedule_remark remark;
		int32_t offset_s;

		zone_at(&c->zone, at_s[i], &segment);
		offset_s = segment.type.offset_s;
		schedule_remark(&c->schedule, &c->zone, at_s[i], &remark);
		ctl_table_add(
			&table, local_text(c->ctl, at_s[i] + offset_s, segment.type.abbreviation));
		ctl_table_add(&table, ctl_time_text(c->ctl, at_s[i] * ONCE_NSEC_PER_SEC));
		ctl_table_add(&table, remark_text(c->ctl, &remark, before_s, offset_s));
		before_s = offset_s;
	}
	ctl_table_print(&table);
}

static int run(struct ctl *ctl)
{
	struct calendar c = {.ctl = ctl, .count = COUNT_DEFAULT};
	struct schedule_error error;
	int64_t at_s[COUNT_MAX];
	size_t n = 0;
	int code;

	c.expression = join_words(ctl);
	if (!c.expression)
		return ctl_out_of_memory();
	if (schedule_parse(&c.schedule, c.expression, strlen(c.expression), &error))
		return ctl_error(CTL_USAGE, "calendar: bad schedule \"%s\": column %zu: %s",
			c.expression, error.column, error.text);
	code = read_flags(&c);
	if (code)
		return code;
	for (int64_t after_s = c.after_s; n < (size_t)c.count; after_s = at_s[n++])
		if (!schedule_next(&c.schedule, &c.zone, after_s, &at_s[n]))
			break;
	if (ctl->json)
		print_json(&c, at_s, n);
	if (n == 0)
		return ctl_error(CTL_FAILED, "calendar: \"%s\" is not due again after %s",
			c.expression, ctl_time_text(ctl, c.after_s * ONCE_NSEC_PER_SEC));
	if (!ctl->json)
		print_table(&c, at_s, n);
	return CTL_OK;
}

static const struct ctl_flag flags[] = {
	{"--tz", "ZONE", "time zone of the schedule [UTC, as TimeZone= of a job]"},
	{"--after", "TIME", "where to begin [now]"},
	{"-n", "NUMBER", "how many instants, 1 to 1000 [5]"},
	{0},
};

const struct ctl_command ctl_command_calendar = {
	.name = "calendar",
	.words = "EXPRESSION",
	.min_words = 1,
	.max_words = -1,
	.offline = true,
	.summary = "when a schedule is due next",
	.details = "EXPRESSION is what a job's Schedule= takes, see onced-schedule(7): quote it "
		   "for the "
		   "shell.\n",
	.flags = flags,
	.run = run,
};
