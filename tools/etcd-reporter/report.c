/* See report.h. Names from etcd are escaped. */
#include "tools/etcd-reporter/report.h"

#include <stdio.h>

#include "base/escape.h"
#include "tools/oncectl/ctl.h"

static unsigned long long ull(uint64_t value)
{
	return value;
}

static double average(const struct stats *stats)
{
	return stats->price.count ? stats->price.sum / (double)stats->price.count : 0;
}

static void print_top(const struct top *top, bool prefixes)
{
	for (size_t i = 0; i < top->n; i++) {
		const struct entry *e = &top->entries[i];
		char name[4 * NAME_MAX_SHOWN + 4];

		(void)escape_line(name, sizeof(name), e->name, e->size);
		if (prefixes)
			printf("  %12llu bytes %10llu keys  %s\n", ull(e->bytes), ull(e->keys),
				name);
		else
			printf("  %12llu bytes  %s\n", ull(e->bytes), name);
	}
}

static void print_text(
	const struct stats *stats, const char *prefix, int64_t revision, int64_t count)
{
	printf("%llu keys%s%s at revision %lld: %llu bytes of keys, %llu bytes of values\n",
		ull(stats->keys), *prefix ? " under " : "", prefix, (long long)revision,
		ull(stats->key_bytes), ull(stats->value_bytes));
	for (int i = 0; i < VALUE_TYPES; i++)
		printf("  %-8s %10llu keys %14llu bytes\n", stats_type_name((enum value_type)i),
			ull(stats->types[i].keys), ull(stats->types[i].bytes));
	if (stats->price.count > 0)
		printf("price in JSON: %llu documents, average %.2f, least %.2f, most %.2f\n",
			ull(stats->price.count), average(stats), stats->price.min,
			stats->price.max);
	if (stats->keys > 0)
		printf("sizes of values:\n");
	histogram_print(&stats->sizes, stdout, histogram_bytes);
	for (size_t i = 0; i < stats->depth; i++) {
		if (stats->prefixes[i].n > 0)
			printf("largest prefixes of %zu level%s:\n", i + 1, i ? "s" : "");
		print_top(&stats->prefixes[i], true);
	}
	if (stats->largest.n > 0)
		printf("largest keys:\n");
	print_top(&stats->largest, false);
	printf("count check: %lld keys in etcd, %llu read: %s\n", (long long)count,
		ull(stats->keys), (uint64_t)count == stats->keys ? "ok" : "DIFFERENT");
}

static void json_top(struct ctl_json *json, const char *key, const struct top *top, bool prefixes)
{
	ctl_json_array(json, key);
	for (size_t i = 0; i < top->n; i++) {
		const struct entry *e = &top->entries[i];

		ctl_json_object(json, NULL);
		ctl_json_bytes(
			json, prefixes ? "prefix" : "key", (struct once_bytes){e->name, e->size});
		if (prefixes)
			ctl_json_number(json, "keys", (int64_t)e->keys);
		ctl_json_number(json, "bytes", (int64_t)e->bytes);
		ctl_json_end_object(json);
	}
	ctl_json_end_array(json);
}

/* With three digits behind the point. */
static void json_price(struct ctl_json *json, const char *key, double value)
{
	ctl_json_seconds(json, key, (int64_t)(value * 1e9));
}

static void print_json(
	const struct stats *stats, const char *prefix, int64_t revision, int64_t count)
{
	struct ctl_json json = {0};

	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "prefix", prefix);
	ctl_json_number(&json, "revision", revision);
	ctl_json_number(&json, "keys", (int64_t)stats->keys);
	ctl_json_number(&json, "count", count);
	ctl_json_bool(&json, "count_ok", (uint64_t)count == stats->keys);
	ctl_json_number(&json, "key_bytes", (int64_t)stats->key_bytes);
	ctl_json_number(&json, "value_bytes", (int64_t)stats->value_bytes);
	ctl_json_object(&json, "types");
	for (int i = 0; i < VALUE_TYPES; i++) {
		ctl_json_object(&json, stats_type_name((enum value_type)i));
		ctl_json_number(&json, "keys", (int64_t)stats->types[i].keys);
		ctl_json_number(&json, "bytes", (int64_t)stats->types[i].bytes);
		ctl_json_end_object(&json);
	}
	ctl_json_end_object(&json);
	ctl_json_object(&json, "price");
	ctl_json_number(&json, "count", (int64_t)stats->price.count);
	if (stats->price.count > 0) {
		json_price(&json, "average", average(stats));
		json_price(&json, "min", stats->price.min);
		json_price(&json, "max", stats->price.max);
	}
	ctl_json_end_object(&json);
	ctl_json_array(&json, "sizes");
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (stats->sizes.counts[i] == 0)
			continue;
		ctl_json_object(&json, NULL);
		ctl_json_number(&json, "up_to", (int64_t)histogram_upper(i));
		ctl_json_number(&json, "keys", (int64_t)stats->sizes.counts[i]);
		ctl_json_end_object(&json);
	}
	ctl_json_end_array(&json);
	ctl_json_array(&json, "prefixes");
	for (size_t i = 0; i < stats->depth; i++)
		json_top(&json, NULL, &stats->prefixes[i], true);
	ctl_json_end_array(&json);
	json_top(&json, "largest", &stats->largest, false);
	ctl_json_end_object(&json);
}

void report_print(
	const struct stats *stats, const char *prefix, int64_t revision, int64_t count, bool json)
{
	if (json)
		print_json(stats, prefix, revision, count);
	else
		print_text(stats, prefix, revision, count);
}
