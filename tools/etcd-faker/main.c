/* etcd-faker: fills an etcd with data that looks real. Flags in, report and exit code out; see
 * etcd-faker(1). */
#include "tools/common/goflags.h"
#include "tools/etcd-faker/faker.h"

#include <string.h>

enum { N_MAX = 1000000000, PREFIX_MAX = 1024, VALUE_MAX = 16 << 20, BATCH = 128, IN_FLIGHT = 1536 };

static int parse(struct faker *f, int argc, char **argv, bool *ret_done)
{
	const struct goflag flags[] = {
		{"n", GOFLAG_NUMBER, &f->n, 1, N_MAX, "COUNT", "keys to write [1000]"},
		{"c", GOFLAG_NUMBER, &f->c, 1, 1024, "COUNT", "requests in flight [as many as help, 8 at most]"},
		{"prefix", GOFLAG_TEXT, &f->prefix, 0, 0, "KEY", "what keys begin with [/fake/]"},
		{"json", GOFLAG_BOOL, &f->json, 0, 1, NULL, "write JSON documents"},
		{"text", GOFLAG_BOOL, &f->text, 0, 1, NULL, "write sentences"},
		{"binary", GOFLAG_BOOL, &f->binary, 0, 1, NULL,
			"write random bytes; without any of the three: all of them"},
		{"seed", GOFLAG_NUMBER, &f->seed, 0, INT64_MAX, "NUMBER",
			"same seed, same keys and bytes [1]"},
		{"blob-bytes", GOFLAG_NUMBER, &f->blob_bytes, 1, VALUE_MAX, "BYTES",
			"size of a random value [1024]"},
		{"value-bytes", GOFLAG_NUMBER, &f->value_bytes, 0, VALUE_MAX, "BYTES",
			"least size of a JSON document or text [as it comes]"},
		{"batch", GOFLAG_NUMBER, &f->batch, 1, 100000, "COUNT",
			"keys in a request [128, and then -c is 12 at most]"},
		{"rate", GOFLAG_NUMBER, &f->rate, 0, INT64_MAX, "COUNT",
			"keys per second at most [no limit]"},
		{"verify", GOFLAG_BOOL, &f->verify, 0, 1, NULL, "read everything back and compare"},
		{"timeout", GOFLAG_DURATION, &f->timeout_ns, ONCE_NSEC_PER_MSEC,
			3600 * ONCE_NSEC_PER_SEC, "TIME",
			"until a request without an answer is given up [10s]"},
		{0},
	};
	const struct goprogram program = {"etcd-faker",
		"Fills an etcd with JSON documents, texts and random bytes. What is there already\n"
		"is left alone, so an interrupted run is continued by starting it again.",
		flags};
	int code;

	f->n = 1000;
	f->seed = 1;
	f->prefix = "/fake/";
	f->blob_bytes = 1024;
	f->timeout_ns = 10 * ONCE_NSEC_PER_SEC;
	code = goflags_parse(&program, &f->ctl, argc, argv, ret_done);
	if (code == 0 && !*ret_done && (!*f->prefix || strlen(f->prefix) > PREFIX_MAX))
		return ctl_error(
			CTL_USAGE, "-prefix: expected 1 to %d characters", (int)PREFIX_MAX);
	/* Few large requests keep any server busy and cost it less; what is in flight is held in memory. */
	if (f->batch == 0) {
		f->batch = BATCH;
		f->c = f->c * BATCH <= IN_FLIGHT ? f->c : IN_FLIGHT / BATCH;
	}
	return code;
}

static void set_mix(struct faker *f)
{
	bool all = !f->json && !f->text && !f->binary;

	f->mix = (struct fake_mix){.json = all || f->json,
		.text = all || f->text,
		.binary = all || f->binary,
		.value_bytes = (uint32_t)f->value_bytes,
		.blob_bytes = (uint32_t)f->blob_bytes,
		.seed = (uint64_t)f->seed};
}

static unsigned long long ull(uint64_t value)
{
	return value;
}

static void report_load(const struct faker *f)
{
	uint64_t all = f->created + f->there + f->other;
	double s = (double)f->took_ns / 1e9;
	char size[32], p50[32], p99[32];

	histogram_bytes(size, sizeof(size), f->bytes);
	histogram_time(p50, sizeof(p50), histogram_quantile(&f->latency, 0.5));
	histogram_time(p99, sizeof(p99), histogram_quantile(&f->latency, 0.99));
	printf("%llu keys created, %llu were there, in %.2f s: %.0f keys/s, %s\n", ull(f->created),
		ull(f->there), s, s > 0 ? (double)all / s : 0, size);
	printf("until confirmed: p50 %s, p99 %s\n", p50, p99);
	histogram_print(&f->latency, stdout, histogram_time);
}

static int judge_load(const struct faker *f)
{
	if (f->refused + f->unknown > 0)
		return ctl_error(CTL_UNREACHABLE,
			"%llu keys were not written, %llu perhaps: etcd: %s; start it again to go "
			"on",
			ull(f->refused + (uint64_t)f->n - f->created - f->there - f->other -
				f->refused - f->unknown),
			ull(f->unknown), f->message);
	if (f->other > 0)
		return ctl_error(CTL_FAILED,
			"%llu keys were there with another value: written with another -seed, mix "
			"or "
			"size, or by somebody else",
			ull(f->other));
	return 0;
}

static int judge_verify(const struct faker *f)
{
	printf("verified: %llu of %lld keys are as they should be, %llu others under %s\n",
		ull(f->verified), (long long)f->n, ull(f->foreign), f->prefix);
	if (f->missing + f->wrong == 0)
		return 0;
	return ctl_error(CTL_FAILED, "verify: %llu keys are missing, %llu hold another value",
		ull(f->missing), ull(f->wrong));
}

static int run(struct faker *f)
{
	int code;

	set_mix(f);
	code = ctl_connect(&f->ctl);
	if (code == 0)
		code = faker_load(f);
	if (code != 0)
		return code;
	report_load(f);
	(void)fflush(stdout);
	code = judge_load(f);
	if (code == 0 && f->verify) {
		code = faker_verify(f);
		code = code ? code : judge_verify(f);
	}
	return code;
}

int main(int argc, char **argv)
{
	static struct faker f;
	bool done = false;
	int code;

	arena_init(&f.ctl.arena);
	code = parse(&f, argc, argv, &done);
	if (code == 0 && !done)
		code = run(&f);
	if (code == 0 && f.ctl.arena.short_of_memory)
		code = ctl_out_of_memory();
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0)
		code = ctl_error(CTL_FAILED, "standard output: cannot be written");
	ctl_disconnect(&f.ctl);
	arena_fini(&f.ctl.arena);
	return code;
}
