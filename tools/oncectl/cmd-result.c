/* oncectl result put and get: what a run hands back. */
#include "tools/oncectl/ask.h"
#include "tools/oncectl/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/number.h"

/* ---- put ------------------------------------------------------------------------------------- */

/* The descriptor that a job was given; -1 after a line. */
static int result_fd(void)
{
	const char *text = getenv("ONCED_RESULT_FD");
	struct stat st;
	int64_t fd;

	if (!text) {
		(void)ctl_error(CTL_FAILED, "ONCED_RESULT_FD is not set, expected to be called "
					    "within a job of onced");
		return -1;
	}
	if (number_parse_i64(text, strlen(text), &fd) < 0 || fd < 0 || fd > INT32_MAX ||
		fstat((int)fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)ctl_error(CTL_FAILED,
			"ONCED_RESULT_FD=%s: is no descriptor for a result, expected that of the "
			"job to be left open",
			text);
		return -1;
	}
	return (int)fd;
}

/* Standard input, one byte more than fits. */
static int read_input(char *data, size_t *ret_size)
{
	ssize_t n = 1;

	for (*ret_size = 0; *ret_size <= ONCE_RESULT_MAX && n != 0;
		*ret_size += n > 0 ? (size_t)n : 0) {
		n = read(STDIN_FILENO, data + *ret_size, ONCE_RESULT_MAX + 1 - *ret_size);
		if (n < 0 && errno != EINTR)
			return ctl_error(
				CTL_FAILED, "standard input cannot be read: %s", strerror(errno));
	}
	return CTL_OK;
}

/* In place of what was there. */
static int replace(int fd, const char *data, size_t size)
{
	bool ok = ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0;

	for (size_t at = 0; ok && at < size;) {
		ssize_t n = write(fd, data + at, size - at);

		ok = n > 0 || (n < 0 && errno == EINTR);
		at += n > 0 ? (size_t)n : 0;
	}
	return ok ? CTL_OK
		  : ctl_error(CTL_FAILED, "the result cannot be written: %s", strerror(errno));
}

static int run_put(struct ctl *ctl)
{
	char *data = arena_alloc(&ctl->arena, ONCE_RESULT_MAX + 1);
	int fd = result_fd(), code = CTL_OK;
	size_t size;

	if (fd < 0 || !data)
		return fd < 0 ? CTL_FAILED : ctl_out_of_memory();
	if (ctl->n_words > 0) {
		size = strlen(ctl->words[0]);
		data = ctl->words[0];
	} else {
		code = read_input(data, &size);
	}
	if (code == CTL_OK && size > ONCE_RESULT_MAX)
		code = ctl_error(CTL_USAGE,
			"the result has more than %d bytes, expected at most "
			"that many",
			ONCE_RESULT_MAX);
	return code == CTL_OK ? replace(fd, data, size) : code;
}

/* ---- get ------------------------------------------------------------------------------------- */

static int print_result(struct ctl *ctl, const struct ctl_run *r, const char *what)
{
	struct ctl_json json = {0};

	if (r->run.result.size == 0)
		return ctl_error(CTL_ABSENT, "%s: %s, and handed back no result", what,
			ctl_run_state_text(ctl, r));
	if (ctl->json)
		ctl_run_json(ctl, &json, r, false);
	else
		(void)fwrite(r->run.result.data, 1, r->run.result.size, stdout);
	return CTL_OK;
}

static int get_step(struct ctl *ctl, const char *flow, const char *step)
{
	const char *key, *what = ctl_printf(ctl, "step %s of flow %s", step, flow);
	const struct once_response *answer;
	struct ctl_run run;

	if (!once_id_valid(flow) || !once_id_valid(step))
		return ctl_error(CTL_USAGE, "bad name \"%s/%s\", expected FLOW/STEP, each %s", flow,
			step, ONCE_ID_RULE);
	key = ctl_record_key(ctl, ONCE_KEY_STEP, flow, step, 0);
	answer = key ? ctl_get(ctl, key) : NULL;
	if (!answer)
		return key ? CTL_UNREACHABLE : CTL_USAGE;
	if (answer->op.n_kvs == 0)
		return ctl_error(CTL_ABSENT, "%s has no record", what);
	(void)ctl_run_read(ctl, &answer->op.kvs[0], &run);
	return print_result(ctl, &run, what);
}

/* Of that moment, or the latest that is ok. */
static int get_run(struct ctl *ctl, const char *job)
{
	struct ctl_runs runs = {0};
	int64_t ns = 0;
	int code = ctl_check_name("job", job);

	if (code == CTL_OK && ctl->n_words == 2) {
		code = ctl_parse_time("TIME", ctl->words[1], &ns);
		if (code == CTL_OK)
			code = ctl_runs_exact(ctl, job, ns / ONCE_NSEC_PER_MSEC, &runs);
	} else if (code == CTL_OK) {
		code = ctl_runs_latest(ctl, job, 0, 100, &runs);
	}
	for (size_t i = 0; code == CTL_OK && i < runs.n; i++)
		if (ctl->n_words == 2 || runs.runs[i].run.state == ONCE_RUN_OK)
			return print_result(ctl, &runs.runs[i],
				ctl_printf(ctl, "%s %s", job,
					ctl_moment(ctl, runs.runs[i].key.at_ms)));
	return code != CTL_OK ? code : ctl_error(CTL_ABSENT, "job %s has no such run", job);
}

static int run_get(struct ctl *ctl)
{
	char *name = ctl->words[0], *slash = strchr(name, '/');

	if (!slash)
		return get_run(ctl, name);
	if (ctl->n_words == 2)
		return ctl_error(
			CTL_USAGE, "%s: a step has no TIME, expected FLOW/STEP alone", name);
	*slash = '\0';
	return get_step(ctl, name, slash + 1);
}

const struct ctl_command ctl_command_result_put = {
	.name = "result put",
	.words = "[TEXT]",
	.max_words = 1,
	.offline = true,
	.summary = "hand back a result from within a job",
	.details =
		"TEXT, or standard input; at most 16 KiB. It is recorded in the same moment as "
		"the end of the\nrun, if that ends well, and never without. The last one counts.\n",
	.run = run_put,
};

const struct ctl_command ctl_command_result_get = {
	.name = "result get",
	.words = "JOB|FLOW/STEP [TIME]",
	.min_words = 1,
	.max_words = 2,
	.summary = "print what a run handed back, byte for byte",
	.details = "Without TIME, the latest run of the job that ended well.\n",
	.run = run_get,
};
