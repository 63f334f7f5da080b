/* What people read: errors, texts from etcd, times, tables. */
#include "tools/oncectl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "base/utf8.h"

enum { TEXT_MAX = 16 * 1024 };

const char *ctl_program = "oncectl";

int ctl_error(int code, const char *format, ...)
{
	char why[1024], line[2048];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	(void)escape_line(line, sizeof(line), why, strlen(why));
	(void)fflush(stdout);
	fprintf(stderr, "%s: %s\n", ctl_program, line);
	return code;
}

int ctl_out_of_memory(void)
{
	return ctl_error(CTL_FAILED, "out of memory");
}

void ctl_end_without_memory(void)
{
	exit(ctl_out_of_memory());
}

const char *ctl_text(struct ctl *ctl, struct once_bytes bytes)
{
	size_t cap = bytes.size < TEXT_MAX / 4 ? bytes.size * 4 + 4 : TEXT_MAX;
	char *text = arena_alloc(&ctl->arena, cap);

	if (!text)
		return "";
	(void)escape_line(text, cap, bytes.data, bytes.size);
	return text;
}

const char *ctl_printf(struct ctl *ctl, const char *format, ...)
{
	char text[1024], *copy;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	copy = n < 0 ? NULL : arena_copy(&ctl->arena, text, strlen(text));
	if (!copy)
		ctl_end_without_memory();
	return copy;
}

const char *ctl_time_text(struct ctl *ctl, int64_t unix_ns)
{
	time_t t = (time_t)(unix_ns / ONCE_NSEC_PER_SEC);
	int64_t ms = unix_ns / ONCE_NSEC_PER_MSEC % 1000;
	char text[48] = "?";
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return "?";
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	if (ms > 0)
		return ctl_printf(ctl, "%s.%03dZ", text, (int)ms);
	return ctl_printf(ctl, "%sZ", text);
}

const char *ctl_age_text(struct ctl *ctl, int64_t ns)
{
	static const struct {
		int64_t ns;
		const char *unit;
	} units[] = {{86400 * ONCE_NSEC_PER_SEC, "d"}, {3600 * ONCE_NSEC_PER_SEC, "h"},
		{60 * ONCE_NSEC_PER_SEC, "min"}};

	if (ns < 0)
		ns = 0;
	if (ns < ONCE_NSEC_PER_SEC)
		return ctl_printf(ctl, "%lldms", (long long)(ns / ONCE_NSEC_PER_MSEC));
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (ns >= 2 * units[i].ns)
			return ctl_printf(
				ctl, "%lld%s", (long long)(ns / units[i].ns), units[i].unit);
	return ctl_printf(ctl, "%.1fs", (double)ns / 1e9);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static size_t width(const char *text)
{
	size_t n = 0, left = strlen(text), step;

	for (; left > 0; text += step, left -= step, n++) {
		step = utf8_next(text, left, NULL);
		step = step ? step : 1;
	}
	return n;
}

void ctl_table_init(struct ctl_table *table, struct ctl *ctl, const char *const *heads)
{
	*table = (struct ctl_table){.ctl = ctl};
	while (heads[table->n_columns])
		table->n_columns++;
	for (size_t i = 0; i < table->n_columns; i++)
		ctl_table_add(table, heads[i]);
}

void ctl_table_add(struct ctl_table *table, const char *text)
{
	if (table->n_cells == table->cap) {
		size_t cap = table->cap ? table->cap * 2 : 64;
		const char **cells = arena_array(&table->ctl->arena, cap, sizeof(*cells));

		if (!cells)
			return;
		if (table->n_cells > 0)
			memcpy(cells, table->cells, table->n_cells * sizeof(*cells));
		table->cells = cells;
		table->cap = cap;
	}
	table->cells[table->n_cells++] = text && *text ? text : "-";
}

void ctl_table_print(const struct ctl_table *table)
{
	size_t widest;

	for (size_t i = 0; i < table->n_cells; i++) {
		const char *text = table->cells[i];
		size_t column = i % table->n_columns;

		fputs(text, stdout);
		if (column + 1 == table->n_columns || i + 1 == table->n_cells) {
			putchar('\n');
			continue;
		}
		widest = 0;
		for (size_t k = column; k < table->n_cells; k += table->n_columns) {
			size_t w = width(table->cells[k]);

			widest = w > widest ? w : widest;
		}
		for (size_t w = width(text); w < widest + 2; w++)
			putchar(' ');
	}
}
