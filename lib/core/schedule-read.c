/* The words of schedule expressions: values, names, steps, and what to say about wrong ones. */
#include "core/schedule-inner.h"

const char *const schedule_weekdays[SCHEDULE_WEEKDAYS] = {
	"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

bool schedule_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool schedule_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool schedule_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char schedule_peek(const struct schedule_reader *r, size_t ahead)
{
	return ahead < r->size - r->at ? r->text[r->at + ahead] : '\0';
}

size_t schedule_word_end(const struct schedule_reader *r, size_t from)
{
	while (from < r->size && !schedule_is_blank(r->text[from]))
		from++;
	return from;
}

void schedule_skip_blanks(struct schedule_reader *r)
{
	while (r->at < r->size && schedule_is_blank(r->text[r->at]))
		r->at++;
}

static void put_char(struct schedule_error *error, size_t *size, char c)
{
	if (*size < sizeof(error->text) - 1)
		error->text[(*size)++] = c >= ' ' && c <= '~' ? c : '?';
}

static void put_text(struct schedule_error *error, size_t *size, const char *text)
{
	while (text && *text)
		put_char(error, size, *text++);
}

int schedule_refuse(
	struct schedule_reader *r, size_t from, size_t size, const char *what, const char *more)
{
	enum { QUOTED_MAX = 40 };
	size_t n = 0;

	r->error->column = from + 1;
	if (size > 0) {
		put_char(r->error, &n, '"');
		for (size_t i = 0; i < size && i < QUOTED_MAX; i++)
			put_char(r->error, &n, r->text[from + i]);
		put_text(r->error, &n, size > QUOTED_MAX ? "...\" " : "\" ");
	}
	put_text(r->error, &n, what);
	put_text(r->error, &n, more);
	r->error->text[n] = '\0';
	return SCHEDULE_E_INVALID;
}

int schedule_refuse_word(struct schedule_reader *r, size_t from, const char *what, const char *more)
{
	return schedule_refuse(r, from, schedule_word_end(r, from) - from, what, more);
}

static bool same_letter(char a, char lower)
{
	return a == lower || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == lower);
}

int schedule_find_name(const struct schedule_reader *r, size_t from, size_t size,
	const char *const *names, int n_names)
{
	for (int i = 0; i < n_names; i++) {
		size_t same = 0;

		while (same < size && names[i][same] &&
			same_letter(r->text[from + same], names[i][same]))
			same++;
		if (same == size && (size == 3 || !names[i][same]))
			return i;
	}
	return -1;
}

static int read_name(struct schedule_reader *r, const struct schedule_field *field, int *ret)
{
	size_t size = 0;
	int i;

	while (schedule_is_letter(schedule_peek(r, size)))
		size++;
	i = field->names ? schedule_find_name(r, r->at, size, field->names, field->n_names) : -1;
	if (i < 0)
		return schedule_refuse(
			r, r->at, size, "is not possible here, expected ", field->expected);
	r->at += size;
	*ret = field->first_name + i;
	return 0;
}

/* Digits; at most 9999, which is above everything. */
static int read_digits(struct schedule_reader *r, int *ret)
{
	int n = 0;

	while (schedule_is_digit(schedule_peek(r, 0))) {
		n = n * 10 + (schedule_peek(r, 0) - '0');
		n = n > 9999 ? 9999 : n;
		r->at++;
	}
	return *ret = n;
}

int schedule_read_value(struct schedule_reader *r, const struct schedule_field *field, int *ret)
{
	size_t from = r->at;
	int n;

	if (schedule_is_letter(schedule_peek(r, 0)))
		return read_name(r, field, ret);
	if (from == r->size || schedule_is_blank(r->text[from]))
		return schedule_refuse(r, from, 0, "it ends here, expected ", field->expected);
	if (!schedule_is_digit(r->text[from]))
		return schedule_refuse(
			r, from, 1, "is not possible here, expected ", field->expected);
	if (read_digits(r, &n) < field->low || n > field->high)
		return schedule_refuse(
			r, from, r->at - from, "is out of range, expected ", field->expected);
	*ret = n;
	return 0;
}

int schedule_read_step(struct schedule_reader *r, const struct schedule_field *field, int *ret)
{
	size_t from = r->at;
	int n;

	*ret = 0;
	if (schedule_peek(r, 0) != '/')
		return 0;
	r->at++;
	if (!schedule_is_digit(schedule_peek(r, 0)))
		return schedule_refuse_word(
			r, from, "is no step, expected a number behind the /", NULL);
	if (read_digits(r, &n) == 0)
		return schedule_refuse(
			r, from, r->at - from, "is a step of nothing, expected 1 or more", NULL);
	if (n > field->high)
		return schedule_refuse(r, from, r->at - from, "is a step beyond ", field->expected);
	*ret = n;
	return 0;
}

void schedule_set_add(
	struct schedule_set *set, const struct schedule_field *field, int low, int high, int step)
{
	for (int value = low; value <= high; value += step) {
		unsigned bit = (unsigned)(value - field->base);

		set->bits[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}
