/* The five fields of cron, as Vixie's cron reads them: minute hour day month weekday.
 *
 * Day and weekday: when both are restricted, either is enough; a field that begins with '*' (also
 * "*" with a step) is not restricted. What other crons add (seconds, L, W, #, ?, H) is refused with
 * what to write instead, never guessed. */
#include "core/schedule-inner.h"

static const char *const months[] = {"january", "february", "march", "april", "may", "june", "july",
	"august", "september", "october", "november", "december"};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, N_FIELDS };

static const struct schedule_field fields[N_FIELDS] = {
	{"minute", "a minute, 0 to 59", 0, 59, 0, NULL, 0, 0},
	{"hour", "an hour, 0 to 23", 0, 23, 0, NULL, 0, 0},
	{"day of the month", "a day of the month, 1 to 31", 1, 31, 0, NULL, 0, 0},
	{"month", "a month, 1 to 12 or jan to dec", 1, 12, 0, months, 12, 1},
	{"weekday", "a weekday, 0 to 7 or sun to sat", 0, 7, 0, schedule_weekdays,
		SCHEDULE_WEEKDAYS, 0},
};

static const struct {
	char c;
	const char *advice;
} foreign[] = {
	{'L', "is not cron's; for the last day of a month write a calendar expression: *-*~01 "
	      "02:00"},
	{'W', "is not cron's; there is no nearest weekday"},
	{'#', "is not cron's; for the second Monday write a calendar expression: Mon *-*-8..14 "
	      "02:00"},
	{'?', "is not cron's, expected *"},
	{'H', "is not cron's; write a number, and spread jobs with Jitter="},
	{'~', "is random in some crons; write a number, and spread jobs with Jitter="},
};

static int refuse_here(struct schedule_reader *r, const struct schedule_field *field)
{
	char next = schedule_peek(r, 1);

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (schedule_peek(r, 0) == foreign[i].c && !schedule_is_letter(next))
			return schedule_refuse(r, r->at, 1, foreign[i].advice, NULL);
	}
	return schedule_refuse_word(r, r->at, "is not possible here, expected ", field->expected);
}

static int read_value(struct schedule_reader *r, const struct schedule_field *field, int *ret)
{
	if (!schedule_is_digit(schedule_peek(r, 0)) &&
		!(field->names && schedule_is_letter(schedule_peek(r, 0)) &&
			schedule_is_letter(schedule_peek(r, 1))) &&
		r->at < r->size && !schedule_is_blank(schedule_peek(r, 0)))
		return refuse_here(r, field);
	return schedule_read_value(r, field, ret);
}

/* What an item's values are: a star, a value, or a range. */
static int read_range(struct schedule_reader *r, const struct schedule_field *field, int *ret_low,
	int *ret_high, bool *ret_single)
{
	size_t from = r->at;
	bool name;

	*ret_single = false;
	*ret_low = field->low;
	*ret_high = field->high;
	if (schedule_peek(r, 0) == '*') {
		r->at++;
		return 0;
	}
	if (read_value(r, field, ret_low))
		return SCHEDULE_E_INVALID;
	*ret_high = *ret_low;
	*ret_single = schedule_peek(r, 0) != '-';
	if (*ret_single)
		return 0;
	r->at++;
	name = schedule_is_letter(schedule_peek(r, 0));
	if (read_value(r, field, ret_high))
		return SCHEDULE_E_INVALID;
	if (name && *ret_high == 0) /* "fri-sun" */
		*ret_high = 7;
	if (*ret_high < *ret_low)
		return schedule_refuse(r, from, r->at - from,
			"goes backwards, expected two ranges, as in 22-23,0-2", NULL);
	return 0;
}

static int read_item(
	struct schedule_reader *r, const struct schedule_field *field, struct schedule_set *set)
{
	int low, high, step;
	size_t from = r->at;
	bool single;

	if (read_range(r, field, &low, &high, &single) || schedule_read_step(r, field, &step))
		return SCHEDULE_E_INVALID;
	if (step && single)
		return schedule_refuse(r, from, r->at - from,
			"is a step without a range, expected one, as in */15 or 5-59/15", NULL);
	schedule_set_add(set, field, low, high, step ? step : 1);
	return 0;
}

static int read_field(struct schedule_reader *r, const struct schedule_field *field, uint64_t *ret,
	bool *ret_star)
{
	struct schedule_set set = {0};

	schedule_skip_blanks(r);
	if (r->at == r->size)
		return schedule_refuse(r, r->at, 0,
			"it ends here, expected 5 fields: minute hour day month weekday; missing "
			"is the ",
			field->name);
	*ret_star = schedule_peek(r, 0) == '*';
	for (;;) {
		if (read_item(r, field, &set))
			return SCHEDULE_E_INVALID;
		if (schedule_peek(r, 0) != ',')
			break;
		r->at++;
	}
	if (r->at < r->size && !schedule_is_blank(schedule_peek(r, 0)))
		return refuse_here(r, field);
	*ret = set.bits[0];
	return 0;
}

int schedule_read_cron(struct schedule_reader *r, struct schedule *s)
{
	uint64_t sets[N_FIELDS];
	bool star[N_FIELDS];

	for (int i = 0; i < N_FIELDS; i++) {
		if (read_field(r, &fields[i], &sets[i], &star[i]))
			return SCHEDULE_E_INVALID;
	}
	schedule_skip_blanks(r);
	if (r->at < r->size)
		return schedule_refuse_word(r, r->at,
			"is too much, expected 5 fields: minute hour day month weekday; "
			"for seconds write @every 10s or *:*:0/10",
			NULL);
	s->seconds = 1;
	s->minutes = sets[MINUTE];
	s->hours = (uint32_t)sets[HOUR];
	s->days = (uint32_t)sets[DAY];
	s->months = (uint32_t)sets[MONTH];
	s->weekdays =
		(uint32_t)((sets[WEEKDAY] | sets[WEEKDAY] >> 7) & 0x7f); /* 7 is Sunday, too */
	for (int i = 0; i < SCHEDULE_SET_WORDS; i++)
		s->years[i] = UINT64_MAX;
	s->either = !star[DAY] && !star[WEEKDAY];
	s->wildcard = star[MINUTE] || star[HOUR];
	return 0;
}
