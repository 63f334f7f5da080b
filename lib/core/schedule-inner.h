/* What the files of the schedule share. */
#ifndef CORE_SCHEDULE_INNER_H
#define CORE_SCHEDULE_INNER_H

#include "core/schedule.h"

/* ---- reading expressions: schedule-read.c ---- */

struct schedule_reader {
	const char *text;
	size_t size;
	size_t at;
	struct schedule_error *error;
};

/* What a field may hold. */
struct schedule_field {
	const char *name;     /* "minute" */
	const char *expected; /* "a minute, 0 to 59" */
	int low, high;
	int base;		  /* the value of bit 0 */
	const char *const *names; /* full; three letters are enough. NULL: numbers only */
	int n_names, first_name;
};

enum { SCHEDULE_SET_WORDS = 4 };

struct schedule_set {
	uint64_t bits[SCHEDULE_SET_WORDS];
};

enum { SCHEDULE_WEEKDAYS = 7 };
extern const char *const schedule_weekdays[SCHEDULE_WEEKDAYS];

/* The character there, or at an offset from there; '\0' at the end. */
char schedule_peek(const struct schedule_reader *r, size_t ahead);
bool schedule_is_blank(char c);
bool schedule_is_digit(char c);
bool schedule_is_letter(char c);
/* The end of the word that begins at `from`. */
size_t schedule_word_end(const struct schedule_reader *r, size_t from);
void schedule_skip_blanks(struct schedule_reader *r);

/* Always SCHEDULE_E_INVALID: what stands at `from` (size bytes are quoted, none when 0), then the
 * two texts; the second may be NULL. */
int schedule_refuse(
	struct schedule_reader *r, size_t from, size_t size, const char *what, const char *more);
/* The same about the word, or the rest of it, that begins at `from`. */
int schedule_refuse_word(
	struct schedule_reader *r, size_t from, const char *what, const char *more);

/* Which of names (any case; three letters or all) the `size` letters at `from` are; -1: none. */
int schedule_find_name(const struct schedule_reader *r, size_t from, size_t size,
	const char *const *names, int n_names);
/* A value of the field, as a number or a name. */
int schedule_read_value(struct schedule_reader *r, const struct schedule_field *field, int *ret);
/* "/n" with 1 <= n <= the field's high; without a '/', *ret is 0. */
int schedule_read_step(struct schedule_reader *r, const struct schedule_field *field, int *ret);
void schedule_set_add(
	struct schedule_set *set, const struct schedule_field *field, int low, int high, int step);

/* From the reader's place to its end. Each sets every field of *s that it stands for. */
int schedule_read_cron(struct schedule_reader *r, struct schedule *s);
int schedule_read_calendar(struct schedule_reader *r, struct schedule *s);

/* ---- local times that match: schedule-local.c ---- */

bool schedule_local_next(const struct schedule *s, int64_t from_s, int64_t *ret_s);
bool schedule_local_previous(const struct schedule *s, int64_t until_s, int64_t *ret_s);
/* In [from_s, end_s). */
uint64_t schedule_local_count(const struct schedule *s, int64_t from_s, int64_t end_s);

/* ---- instants: schedule.c ---- */

/* The latest that the local clock has shown up to and including this instant. */
int64_t schedule_shown(const struct zone *zone, int64_t at_s);

#endif
