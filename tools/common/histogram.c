/* See histogram.h. Bucket 4 * octave + quarter. */
#include "tools/common/histogram.h"

#include <stddef.h>
#include <string.h>

static unsigned bucket_of(uint64_t value)
{
	unsigned octave, quarter;

	if (value < 4)
		return (unsigned)value;
	octave = 63 - (unsigned)__builtin_clzll(value);
	quarter = (unsigned)(value >> (octave - 2)) & 3;
	octave = 4 * (octave - 1) + quarter;
	return octave < HISTOGRAM_BUCKETS ? octave : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_upper(unsigned bucket)
{
	if (bucket < 4)
		return bucket;
	return ((UINT64_C(5) + bucket % 4) << (bucket / 4 - 1)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value, uint64_t count)
{
	histogram->counts[bucket_of(value)] += count;
	histogram->total += count;
}

uint64_t histogram_quantile(const struct histogram *histogram, double part)
{
	double wanted = part * (double)histogram->total;
	uint64_t seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if (histogram->counts[i] > 0 && (double)seen >= wanted)
			return histogram_upper(i);
	}
	return 0;
}

void histogram_time(char *text, size_t size, uint64_t us)
{
	if (us < 1000)
		(void)snprintf(text, size, "%lluus", (unsigned long long)us);
	else if (us < 1000000)
		(void)snprintf(text, size, "%.1fms", (double)us / 1e3);
	else
		(void)snprintf(text, size, "%.2fs", (double)us / 1e6);
}

void histogram_bytes(char *text, size_t size, uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	if (bytes < 1024) {
		(void)snprintf(text, size, "%lluB", (unsigned long long)bytes);
		return;
	}
	for (value /= 1024; value >= 1024 && unit < 3; unit++)
		value /= 1024;
	(void)snprintf(text, size, "%.1f%s", value, units[unit]);
}

void histogram_print(const struct histogram *histogram, FILE *out,
	void (*name)(char *text, size_t size, uint64_t value))
{
	static const char bar[] = "########################################";
	uint64_t counts[HISTOGRAM_BUCKETS / 4] = {0}, most = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		counts[i / 4] += histogram->counts[i];
		most = counts[i / 4] > most ? counts[i / 4] : most;
	}
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS / 4; i++) {
		char text[32];

		if (counts[i] == 0)
			continue;
		name(text, sizeof(text), histogram_upper(4 * i + 3));
		fprintf(out, "  up to %-9s %10llu  %.*s\n", text, (unsigned long long)counts[i],
			(int)((double)counts[i] / (double)most * (double)strlen(bar) + 0.5), bar);
	}
}
