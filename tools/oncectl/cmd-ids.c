/* oncectl ids alloc NAME: numbers that nobody else gets. */
#include "tools/oncectl/claimed.h"

#include <errno.h>
#include <once/ids.h>
#include <stdio.h>
#include <string.h>

struct taken {
	struct ctl *ctl;
	const char *name;
	bool done;
	int code;
};

static void print(const struct taken *t, int64_t first, int64_t count)
{
	struct ctl_json json = {0};

	if (!t->ctl->json) {
		printf("%lld %lld\n", (long long)first, (long long)(first + count - 1));
		return;
	}
	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "name", t->name);
	ctl_json_number(&json, "first", first);
	ctl_json_number(&json, "last", first + count - 1);
	ctl_json_number(&json, "count", count);
	ctl_json_end_object(&json);
}

static void on_ids(void *userdata, int error, int64_t first, int64_t count, const char *message)
{
	struct taken *t = userdata;

	t->done = true;
	if (error == -EOVERFLOW || error == -EBADMSG)
		t->code = ctl_error(CTL_FAILED, "ids %s: %s", t->name, message);
	else if (error)
		t->code = ctl_error(CTL_UNREACHABLE, "etcd: %s", message);
	else
		print(t, first, count);
}

static int run(struct ctl *ctl)
{
	const char *verb = ctl->words[0], *count_text = ctl_flag(ctl, "--count");
	struct taken t = {.ctl = ctl, .name = ctl->words[1]};
	struct once_records *records;
	int64_t count = 1;
	int r;

	if (strcmp(verb, "alloc") != 0)
		return ctl_error(CTL_USAGE, "ids: bad word \"%s\", expected alloc", verb);
	if (!once_id_valid(t.name))
		return ctl_error(
			CTL_USAGE, "name: bad name \"%s\", expected %s", t.name, ONCE_ID_RULE);
	if (count_text && ctl_parse_number("--count", count_text, 1, ONCE_IDS_MAX, &count))
		return CTL_USAGE;
	records = claimed_records(ctl);
	if (!records)
		return CTL_FAILED;
	r = once_ids_alloc(records, NULL, t.name, count, ctl->timeout_ns, on_ids, &t);
	if (r < 0)
		t.code = ctl_error(CTL_FAILED, "ids %s: %s", t.name, once_strerror(r));
	else if (!ctl_wait(ctl, &t.done, ctl->timeout_ns + 5 * ONCE_NSEC_PER_SEC))
		t.code = ctl_error(CTL_UNREACHABLE, "etcd: no answer in time");
	records = once_records_free(records);
	return t.code;
}

static const struct ctl_flag flags[] = {
	{"--count", "N", "how many, in a row [1]"},
	{NULL},
};

const struct ctl_command ctl_command_ids = {
	.name = "ids",
	.words = "ACTION NAME",
	.min_words = 2,
	.max_words = 2,
	.summary = "take numbers that nobody else gets",
	.details = "The action is alloc. Prints the first and the last. Numbers begin at 1, grow, "
		   "and are never given "
		   "out twice;\n"
		   "there are gaps, for instance where an answer was lost.\n",
	.flags = flags,
	.run = run,
};
