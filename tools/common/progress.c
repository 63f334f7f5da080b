/* See progress.h. */
#include "tools/common/progress.h"

#include <stdio.h>
#include <unistd.h>

static const int64_t interval_ns = 200 * ONCE_NSEC_PER_MSEC;

void progress_init(struct progress *progress, const char *what, uint64_t total)
{
	*progress = (struct progress){.what = what,
		.total = total,
		.since = once_instant_now(),
		.on = isatty(STDERR_FILENO) == 1};
}

static void draw_bar(double part)
{
	enum { WIDTH = 30 };

	fputc('[', stderr);
	for (int i = 0; i < WIDTH; i++)
		fputc((double)i < part * WIDTH ? '#' : '.', stderr);
	fprintf(stderr, "] %3.0f%% ", part * 100);
}

bool progress_due(const struct progress *progress)
{
	return progress->on &&
	       (!progress->drawn ||
		       once_elapsed_max(progress->since, once_instant_now()) - progress->shown_ns >=
			       interval_ns);
}

void progress_show(struct progress *progress, uint64_t done, const char *more)
{
	int64_t now;
	double rate;

	if (!progress_due(progress))
		return;
	now = once_elapsed_max(progress->since, once_instant_now());
	progress->shown_ns = now;
	progress->drawn = true;
	rate = now > 0 ? (double)done / ((double)now / 1e9) : 0;
	fputs("\r", stderr);
	if (progress->total > 0)
		draw_bar((double)done / (double)progress->total);
	fprintf(stderr, "%llu %s, %.0f/s", (unsigned long long)done, progress->what, rate);
	if (progress->total > done && rate > 0)
		fprintf(stderr, ", %.0f s left", (double)(progress->total - done) / rate);
	fprintf(stderr, "%s%s\x1b[K", more ? ", " : "", more ? more : "");
	(void)fflush(stderr);
}

void progress_end(struct progress *progress)
{
	if (progress->drawn)
		fputs("\r\x1b[K", stderr);
	progress->drawn = false;
}
