/* See writer-window.h.
 *
 * - What an answer takes alone is learned while one is in flight; with more, it is only ever lowered,
 *   and slowly, since a single fast answer says little. So a server that has become slower for good
 *   brings the window down to one, and there it is measured again.
 * - A size holds for as many answers as it has requests: before, nothing shows what it did. */
#include "record/writer-window.h"

enum { SMOOTH = 8, OUTLIER = 4 };

/* Two processors that work on two requests take about as long as one on one; on three, half as long
 * again. Between them. */
#define LONGER 1.25

void window_init(struct window *window, size_t max, bool fixed)
{
	*window = (struct window){
		.size = fixed ? max : 1, .max = max, .fixed = fixed, .ramping = true};
}

static int64_t at_most(int64_t ns, int64_t most_ns)
{
	return ns < most_ns ? ns : most_ns;
}

/* One answer that met a pause of the server's must not stand for many. */
static void measure(struct window *w, int64_t took_ns)
{
	int64_t base_ns = w->base_ns;

	if (took_ns < base_ns || w->size == 1)
		w->base_ns += (at_most(took_ns, 2 * base_ns) - base_ns) / SMOOTH;
	w->smooth_ns += (at_most(took_ns, OUTLIER * base_ns) - w->smooth_ns) / SMOOTH;
}

/* As many as would not have waited, if it is the number that makes them wait; half at least. */
static size_t fewer(const struct window *w)
{
	size_t fit = (size_t)((double)w->size * LONGER * (double)w->base_ns / (double)w->smooth_ns);

	return fit < w->size / 2 ? w->size / 2 : fit < w->size ? fit : w->size - 1;
}

static void resize(struct window *w, size_t size)
{
	w->size = size < 1 ? 1 : size > w->max ? w->max : size;
	w->answers = 0;
}

void window_answered(struct window *w, int64_t took_ns, size_t bytes)
{
	bool waits;

	if (w->fixed)
		return;
	if (bytes < w->bytes / 2) {
		w->bytes -= w->bytes / 64; /* until small ones are all there is */
		return;
	}
	if (w->base_ns == 0 || bytes / 2 > w->bytes) {
		w->base_ns = w->smooth_ns = took_ns;
		w->bytes = bytes;
	}
	measure(w, took_ns);
	waits = (double)w->smooth_ns > LONGER * (double)w->base_ns;
	if (w->ramping || ++w->answers >= w->size)
		resize(w, waits ? fewer(w) : w->size + 1);
	w->ramping = w->ramping && !waits;
}

void window_lost(struct window *w)
{
	w->ramping = false;
	if (!w->fixed)
		resize(w, w->size / 2);
}
