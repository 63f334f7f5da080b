/* Every allocation of reading the configuration is refused once: an exit code and a line that says so, or
 * exactly the configuration that the files mean. Never another one. */
#include "tests/daemon/scratch.h"
#include "tests/unit/refuse.h"

#include "daemon/config.h"
#include "daemon/options.h"

#define CONF                                                                                       \
	"[Etcd]\nEndpoints=https://a:2379 https://b:2379\nCACert=~/ca.pem\nCert=~/cert.pem\n"      \
	"Key=~/key.pem\nUser=onced\nPasswordFile=~/pw\n[Node]\nName=n1\nAddress=here\n"            \
	"[Daemon]\nRuntimeDirectory=~/run\n"

static const char *const jobs[][2] = {
	{"service", "[Job]\nExec=/bin/sh -c \"exec x\"\nEnvironment=A=1 B=\"2 3\"\nGroup=web\n"},
	{"cron", "[Job]\nType=cron\nExec=/bin/true\nSchedule=*/5 1-3 * * "
		 "mon\nTimeZone=Europe/Berlin\n"
		 "RetryOn=1 7\nJitter=5s\n"},
	{"once", "[Job]\nType=once\nExec=/bin/echo ~ x\nId=migrated\n"},
	{"steps", "[Job]\nType=steps\nStep=one: /bin/true\nStep=two: /bin/echo a b\nUndo=one: "
		  "/bin/false\n"},
	{"migrate", "[Job]\nType=migrate\nDirectory=~\nRunner=/bin/echo %f\n"},
	{"unit", "[Job]\nUnit=a@b.service\n"},
};

static char expected[32768]; /* what --check prints of it */

static void fill(void)
{
	const char *text = scratch_fill(CONF);

	scratch_write("onced.conf", text, strlen(text), 0644);
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "jobs.d/%s.job", jobs[i][0]);
		text = scratch_fill(jobs[i][1]);
		scratch_write(name, text, strlen(text), 0644);
	}
}

/* Into a buffer: a stream over memory would allocate. */
static void print(const struct config *config, char *out, size_t size)
{
	FILE *file;

	refuse_pause(true);
	file = fmemopen(out, size, "w");
	assert_int_equal(config_print(config, file), 0);
	assert_int_equal(fclose(file), 0);
	refuse_pause(false);
}

static void check_errors(const char *errors)
{
	size_t n = strlen(errors);

	assert_true(n > 0 && errors[n - 1] == '\n');
	if (!strstr(errors, "out of memory"))
		fail_msg("it does not say why: %s", errors);
}

/* 0 or -ENOMEM. */
static int judge(int code, struct config *config, const char *errors)
{
	static char printed[sizeof(expected)];

	if (code != 0) {
		check_errors(errors);
		return -ENOMEM;
	}
	assert_string_equal(errors, "");
	print(config, printed, sizeof(printed));
	if (!expected[0])
		memcpy(expected, printed, sizeof(expected));
	assert_string_equal(printed, expected);
	config_free(config);
	return 0;
}

typedef int load_fn(const struct options *options, struct config *config, FILE *errors);

static int load(const struct options *options, load_fn *fn)
{
	static char errors[8192];
	struct config config = {0};
	FILE *file;
	int code;

	errors[0] = '\0';
	refuse_pause(true);
	file = fmemopen(errors, sizeof(errors), "w");
	refuse_pause(false);
	code = fn(options, &config, file);
	refuse_pause(true);
	assert_int_equal(fclose(file), 0);
	refuse_pause(false);
	return judge(code, &config, errors);
}

static int step_file(void)
{
	char path[256];
	struct options options = {.file = path};

	(void)snprintf(path, sizeof(path), "%s/onced.conf", scratch);
	return load(&options, config_load);
}

static int load_client(const struct options *options, struct config *config, FILE *errors)
{
	return config_load_client(options, "oncectl", config, errors);
}

static int step_client(void)
{
	char path[256];
	struct options options = {.file = path};

	(void)snprintf(path, sizeof(path), "%s/onced.conf", scratch);
	return load(&options, load_client);
}

static int step_setting(void)
{
	struct options options = {0};

	options_set(&options, "--endpoints", "Etcd", "Endpoints", "https://a:1");
	return load(&options, load_client);
}

/* The line of a command, read and completed; the options' own memory included. */
static int step_run(void)
{
	static const char *const words[] = {"onced", "run", "--endpoints",
		"https://a:1,https://b:2", "--node", "n1", "--key", "/leader/x", "--", "/bin/echo",
		"a b", NULL};
	struct options options;
	int r;

	r = options_parse((int)(sizeof(words) / sizeof(words[0])) - 1, (char **)words, &options);
	r = r ? -ENOMEM : load(&options, config_load);
	return r;
}

static int step_group(void)
{
	char path[256];
	struct options options = {.file = path};
	struct config config = {0}, web = {0};
	size_t before;
	int r;

	(void)snprintf(path, sizeof(path), "%s/onced.conf", scratch);
	refuse_pause(true);
	assert_int_equal(config_load(&options, &config, stderr), 0);
	before = config.n_jobs;
	refuse_pause(false);
	r = config_take_group(&config, "web", &web);
	assert_int_equal(config.n_jobs, r < 0 ? before : before - 1);
	assert_int_equal(web.n_jobs, r < 0 ? 0 : 1);
	config_free(&config);
	config_free(&web);
	return r;
}

static void each(const char *name, int (*run)(void), long at_least)
{
	const struct refuse_step step = {name, run, at_least, false};

	expected[0] = '\0';
	refuse_pause(true);
	(void)run(); /* what is right */
	refuse_each(&step, 1);
}

static void test_each_refusal_is_told(void **state)
{
	fill();
	each("a file with jobs", step_file, 80);
	each("a file for a client", step_client, 20);
	each("flags for a client", step_setting, 5);
	each("a command line", step_run, 15);
	each("a group's jobs", step_group, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_refusal_is_told),
	};

	(void)setenv("XDG_RUNTIME_DIR", "/run/user/1", 1); /* one path more to be made */
	return cmocka_run_group_tests_name("config-memory", tests, scratch_setup, scratch_teardown);
}
