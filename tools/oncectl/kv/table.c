/* -w table, as etcdctl draws it: heads in the middle, cells to the right. */
#include "tools/oncectl/kv/kv.h"

#include <stdio.h>
#include <string.h>

static size_t count(const struct kv_table *table)
{
	size_t n = 0;

	while (table->heads[n])
		n++;
	return n;
}

static size_t width(const struct kv_table *table, size_t column)
{
	size_t widest = strlen(table->heads[column]);

	for (size_t i = column; i < table->n_cells; i += count(table))
		if (strlen(table->cells[i]) > widest)
			widest = strlen(table->cells[i]);
	return widest;
}

static void put_rule(const struct kv_table *table)
{
	for (size_t i = 0; table->heads[i]; i++) {
		putchar('+');
		for (size_t n = width(table, i) + 2; n > 0; n--)
			putchar('-');
	}
	puts("+");
}

static void put_heads(const struct kv_table *table)
{
	for (size_t i = 0; table->heads[i]; i++) {
		size_t gap = width(table, i) - strlen(table->heads[i]);

		printf("| %*s%s%*s ", (int)(gap / 2), "", table->heads[i], (int)(gap - gap / 2),
			"");
	}
	puts("|");
}

static void put_cells(const struct kv_table *table, size_t first)
{
	for (size_t i = 0; table->heads[i]; i++)
		printf("| %*s ", (int)width(table, i), table->cells[first + i]);
	puts("|");
}

static void put_line(const struct kv_table *table, size_t first)
{
	for (size_t i = 0; table->heads[i]; i++)
		printf("%s%s", i ? ", " : "", table->cells[first + i]);
	putchar('\n');
}

void kv_table_print(struct ctl *ctl, const struct kv_table *table)
{
	size_t step = count(table);

	if (ctl->format == CTL_TABLE) {
		put_rule(table);
		put_heads(table);
		put_rule(table);
	}
	for (size_t i = 0; i < table->n_cells; i += step) {
		if (ctl->format == CTL_TABLE)
			put_cells(table, i);
		else
			put_line(table, i);
	}
	if (ctl->format == CTL_TABLE)
		put_rule(table);
}
