/* How long things took: counts in buckets of a quarter of an octave, from 1 us up. Constant size;
 * what it says is at most a fifth too large. */
#ifndef TOOLS_HISTOGRAM_H
#define TOOLS_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

enum { HISTOGRAM_BUCKETS = 128 };

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS], total;
};

void histogram_add(struct histogram *histogram, uint64_t value, uint64_t count);
/* The upper end of the bucket that holds this part (0 to 1) of all; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double part);
/* The largest value of a bucket. */
uint64_t histogram_upper(unsigned bucket);
/* A line with a bar for each octave that is not empty. name: turns a value into text. */
void histogram_print(const struct histogram *histogram, FILE *out,
	void (*name)(char *text, size_t size, uint64_t value));

/* "1.5ms" of microseconds, "4.0KiB" of bytes. */
void histogram_time(char *text, size_t size, uint64_t us);
void histogram_bytes(char *text, size_t size, uint64_t bytes);

#endif
