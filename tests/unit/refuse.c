/* See refuse.h. The linker sends our own objects' calls here (--wrap). */
#include "tests/unit/refuse.h"
#include "tests/unit/unit.h"

#include <execinfo.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void __real_free(void *data);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
__attribute__((format(printf, 2, 3))) int __wrap_asprintf(char **ret, const char *format, ...);
void __wrap_free(void *data);

static long until_refusal = -1; /* allocations to go; negative: none is refused */
static bool paused;

/* What is alive of what went through here. The C library also hands out memory of its own (a stream's
 * text, a line), which is freed by us and not counted: the sanitizer looks after that. */
enum { PLACES = 1 << 16 };
static void *places[PLACES];
static long live;

/* Where it is, or the empty place where it would be. */
static size_t place_of(const void *data)
{
	size_t at = ((uintptr_t)data >> 4) * 2654435761U % PLACES;

	while (places[at] && places[at] != data)
		at = (at + 1) % PLACES;
	return at;
}

static void *counted(void *data)
{
	if (data) {
		assert_true(live < PLACES / 2);
		places[place_of(data)] = data;
		live++;
	}
	return data;
}

/* It goes; what had to be put behind it moves up. */
static void forget(const void *data)
{
	size_t at = data ? place_of(data) : 0, next;

	if (!data || !places[at])
		return;
	live--;
	places[at] = NULL;
	for (next = (at + 1) % PLACES; places[next]; next = (next + 1) % PLACES) {
		void *moved = places[next];

		places[next] = NULL;
		places[place_of(moved)] = moved;
	}
}

/* REFUSE_LOG=1 shows where. */
static void show(void)
{
	void *frames[16];

	backtrace_symbols_fd(frames, backtrace(frames, LENGTH(frames)), STDERR_FILENO);
}

static bool refused(void)
{
	if (paused || until_refusal < 0 || until_refusal-- > 0)
		return false;
	if (getenv("REFUSE_LOG"))
		show();
	return true;
}

void *__wrap_malloc(size_t size)
{
	return refused() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	if (refused())
		return NULL;
	forget(old);
	return counted(__real_realloc(old, size));
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
	return __builtin_mul_overflow(n, size, &size) ? NULL : __wrap_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return refused() ? NULL : counted(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t size)
{
	return refused() ? NULL : counted(__real_strndup(text, size));
}

int __wrap_asprintf(char **ret, const char *format, ...)
{
	va_list ap;
	int r = -1;

	va_start(ap, format);
	*ret = NULL;
	if (!refused())
		r = vasprintf(ret, format, ap);
	va_end(ap);
	(void)counted(*ret);
	return r;
}

void __wrap_free(void *data)
{
	forget(data);
	__real_free(data);
}

void *refuse_malloc(size_t size)
{
	return __wrap_malloc(size);
}

void refuse_free(void *data)
{
	__wrap_free(data);
}

void refuse_pause(bool pause)
{
	paused = pause;
}

static void each(const struct refuse_step *step)
{
	long before = live, n;
	int r;

	for (n = 0;; n += step->then_some && n >= step->then_some ? 7 : 1) {
		until_refusal = n;
		paused = false;
		if (getenv("REFUSE_LOG"))
			print_message("%s: allocation %ld\n", step->name, n);
		r = step->run();
		if (until_refusal >= 0)
			break;
		if ((r != -ENOMEM && !step->any) || live != before)
			fail_msg("%s: allocation %ld: %d, %ld live", step->name, n, r,
				live - before);
	}
	until_refusal = -1;
	if (r != 0 || live != before || n < step->at_least)
		fail_msg("%s: at last, %ld allocations: %d, %ld live", step->name, n, r,
			live - before);
}

void refuse_each(const struct refuse_step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		each(&steps[i]);
	paused = false;
}
