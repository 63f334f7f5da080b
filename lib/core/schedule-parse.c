/* Which of the three forms an expression has: a name with '@', cron's five fields, or a calendar
 * expression, which has four words at most. */
#include "core/schedule-inner.h"

#include "base/duration.h"

#include <string.h>

static const struct {
	const char *name, *expression;
	size_t name_size, size;
} nicknames[] = {
#define NICKNAME(name, expression)                                                                 \
	{                                                                                          \
		name, expression, sizeof(name) - 1, sizeof(expression) - 1                         \
	}
	NICKNAME("@hourly", "0 * * * *"),
	NICKNAME("@daily", "0 0 * * *"),
	NICKNAME("@midnight", "0 0 * * *"),
	NICKNAME("@weekly", "0 0 * * 0"),
	NICKNAME("@monthly", "0 0 1 * *"),
	NICKNAME("@yearly", "0 0 1 1 *"),
	NICKNAME("@annually", "0 0 1 1 *"),
};

enum { EVERY_MAX_DAYS = 3660 };
#define NSEC_PER_SEC INT64_C(1000000000)

static bool word_is(const struct schedule_reader *r, const char *text, size_t size)
{
	return schedule_word_end(r, r->at) - r->at == size &&
	       memcmp(r->text + r->at, text, size) == 0;
}

static int expect_end(struct schedule_reader *r)
{
	schedule_skip_blanks(r);
	return r->at < r->size
		       ? schedule_refuse_word(r, r->at, "is too much, expected the end", NULL)
		       : 0;
}

static int read_every(struct schedule_reader *r, struct schedule *s)
{
	const char *why = NULL;
	int64_t ns = 0;
	size_t end;

	r->at = schedule_word_end(r, r->at);
	schedule_skip_blanks(r);
	end = schedule_word_end(r, r->at);
	if (end == r->at)
		return schedule_refuse(
			r, r->at, 0, "it ends here, expected a duration, as in @every 90s", NULL);
	if (duration_parse(r->text + r->at, end - r->at, &ns, &why) < 0)
		return schedule_refuse_word(r, r->at, "is no duration: ", why);
	if (ns <= 0 || ns % NSEC_PER_SEC)
		return schedule_refuse_word(
			r, r->at, "is not possible, expected whole seconds, 1s or more", NULL);
	if (ns / NSEC_PER_SEC > EVERY_MAX_DAYS * INT64_C(86400))
		return schedule_refuse_word(r, r->at, "is too long, expected 3660d at most", NULL);
	r->at = end;
	s->kind = SCHEDULE_EVERY;
	s->every_s = ns / NSEC_PER_SEC;
	return expect_end(r);
}

static int read_nickname(struct schedule_reader *r, struct schedule *s)
{
	size_t end = schedule_word_end(r, r->at);

	if (word_is(r, "@every", 6))
		return read_every(r, s);
	if (word_is(r, "@reboot", 7))
		return schedule_refuse_word(r, r->at,
			"is not possible, a cluster does not boot; use Type=service for what runs "
			"while a "
			"node leads, Type=once for what runs one time",
			NULL);
	for (size_t i = 0; i < sizeof(nicknames) / sizeof(nicknames[0]); i++) {
		struct schedule_reader written = {
			nicknames[i].expression, nicknames[i].size, 0, r->error};

		if (!word_is(r, nicknames[i].name, nicknames[i].name_size))
			continue;
		r->at = end;
		return expect_end(r) ? SCHEDULE_E_INVALID : schedule_read_cron(&written, s);
	}
	return schedule_refuse_word(r, r->at,
		"is not known, expected @hourly, @daily, @weekly, @monthly, @yearly or @every "
		"DURATION",
		NULL);
}

static int count_words(const struct schedule_reader *r)
{
	int n = 0;

	for (size_t i = r->at; i < r->size; i++)
		n += !schedule_is_blank(r->text[i]) &&
		     (i == r->at || schedule_is_blank(r->text[i - 1]));
	return n;
}

/* "0 2 * *": somebody meant cron's form. */
static bool is_short_cron(const struct schedule_reader *r)
{
	if (count_words(r) < 2 || schedule_is_letter(schedule_peek(r, 0)))
		return false;
	for (size_t i = r->at; i < r->size; i++) {
		if (r->text[i] == ':' || (i < schedule_word_end(r, r->at) &&
						 (r->text[i] == '-' || r->text[i] == '~')))
			return false;
	}
	return true;
}

static int read_any(struct schedule_reader *r, struct schedule *s)
{
	if (r->at == r->size)
		return schedule_refuse(r, r->at, 0,
			"it is empty, expected cron's five fields, a calendar expression, or "
			"@every",
			NULL);
	if (schedule_peek(r, 0) == '@')
		return read_nickname(r, s);
	for (size_t i = r->at; i < schedule_word_end(r, r->at); i++) {
		if (r->text[i] == '=')
			return schedule_refuse_word(r, r->at,
				"is not possible here, expected TimeZone= for the zone", NULL);
	}
	if (count_words(r) >= 5 || is_short_cron(r))
		return schedule_read_cron(r, s);
	return schedule_read_calendar(r, s);
}

int schedule_parse(
	struct schedule *ret, const char *text, size_t size, struct schedule_error *ret_error)
{
	struct schedule_reader r = {text, size, 0, ret_error};
	struct schedule s;
	int64_t first_s;

	memset(&s, 0, sizeof(s));
	s.kind = SCHEDULE_CALENDAR;
	if (size > SCHEDULE_TEXT_MAX)
		return schedule_refuse(&r, SCHEDULE_TEXT_MAX, 0,
			"it is too long, expected 256 bytes at most", NULL);
	while (r.size > 0 && schedule_is_blank(text[r.size - 1]))
		r.size--;
	schedule_skip_blanks(&r);
	if (read_any(&r, &s))
		return SCHEDULE_E_INVALID;
	if (s.kind == SCHEDULE_CALENDAR && !schedule_local_next(&s, 0, &first_s)) {
		r.at = 0;
		schedule_skip_blanks(&r);
		return schedule_refuse(&r, r.at, r.size - r.at,
			"never comes: no such date from 1970 to 2199", NULL);
	}
	*ret = s;
	return 0;
}
