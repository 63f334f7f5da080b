/* What programs take of the configuration beside all of it: the connection of a program that only talks to etcd,
 * one job file, the credentials that are replaced, the table of keys, a schedule with its zone. */
#include "tests/daemon/scratch.h"

#include "daemon/calendar.h"
#include "daemon/config-internal.h"

#define ETCD                                                                                       \
	"[Etcd]\nEndpoints=https://a:1, https://b:2\nUser=u\nPasswordFile=~/pw\n[Node]\nName=n1\n"

static char errors[4096];

static FILE *begin(void)
{
	FILE *out = fmemopen(errors, sizeof(errors), "w");

	errors[0] = '\0';
	assert_non_null(out);
	return out;
}

static const char *path_of(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", scratch, name);
	return path;
}

static void write_text(const char *name, const char *template)
{
	const char *text = scratch_fill(template);

	scratch_write(name, text, strlen(text), 0644);
}

static void remove_file(const char *name)
{
	assert_int_equal(unlink(path_of(name)), 0);
}

static void expect_one_line(const char *part)
{
	const char *end = strchr(errors, '\n');

	if (!end || end[1] || !strstr(errors, part))
		fail_msg("\"%s\", expected one line with \"%s\"", errors, part);
}

/* ---- a program that only talks to etcd -------------------------------------------------------- */

static int load_client(struct options *options, struct config *ret)
{
	FILE *out = begin();
	int code = config_load_client(options, "oncectl", ret, out);

	assert_int_equal(fclose(out), 0);
	return code;
}

static void test_a_setting_goes_before_the_file(void **state)
{
	struct options options = {.file = path_of("onced.conf")};
	struct once_client_config connection;
	struct config config;

	write_text("onced.conf", ETCD);
	options_set(&options, "--endpoints", "Etcd", "Endpoints", "https://c:3");
	options_set(&options, "--user", "Etcd", "User", "other");
	assert_int_equal(load_client(&options, &config), 0);
	assert_string_equal(errors, "");
	connection = config_connection(&config);
	assert_int_equal(connection.n_endpoints, 1);
	assert_string_equal(connection.endpoints[0], "https://c:3");
	assert_null(connection.endpoints[1]);
	assert_string_equal(connection.user, "other");
	assert_string_equal(connection.password, "s3cr3t-value");
	assert_string_equal(config.source, options.file);
	config_free(&config);
}

static void test_a_setting_alone_is_enough(void **state)
{
	struct options options = {0};
	struct config config;

	options_set(&options, "--endpoints", "Etcd", "Endpoints", "https://c:3");
	assert_int_equal(load_client(&options, &config), 0);
	assert_string_equal(config.source, "oncectl");
	config_free(&config);
}

static void test_what_is_wrong_for_a_client_is_said(void **state)
{
	struct options options = {0};
	struct config config;

	options_set(&options, "--endpoints", "Etcd", "Endpoints", "ftp://c:3");
	assert_int_equal(load_client(&options, &config), EXIT_USAGE);
	expect_one_line("oncectl: --endpoints: \"ftp://c:3\" is neither");
	options.file = path_of("none.conf");
	assert_int_equal(load_client(&options, &config), EXIT_CONFIG_FILE);
	expect_one_line("none.conf: No such file");
	assert_null(config.endpoints);
}

/* ---- jobs ------------------------------------------------------------------------------------- */

static int load_job(const char *name, struct config_job *ret)
{
	char directory[256];
	FILE *out = begin();
	int code;

	(void)snprintf(directory, sizeof(directory), "%s/jobs.d", scratch);
	code = config_load_job(directory, name, "oncectl", ret, out);
	assert_int_equal(fclose(out), 0);
	return code;
}

static void test_one_job_is_read_alone(void **state)
{
	struct config_job job;

	/* a grace that the daemon compares with its own, a user of another host */
	write_text("jobs.d/j.job", "[Job]\nExec=/bin/true\nUser=no-such-user\nStopGrace=1h\n");
	assert_int_equal(load_job("j", &job), 0);
	assert_string_equal(errors, "");
	assert_string_equal(job.name, "j");
	assert_string_equal(job.user.name, "no-such-user");
	assert_string_equal(job.argv[0], "/bin/true");
	config_job_free(&job);
	write_text("jobs.d/j.job", "[Job]\nExec=\n");
	assert_int_equal(load_job("j", &job), EXIT_CONFIG_FILE);
	expect_one_line("j.job");
	assert_null(job.name);
	remove_file("jobs.d/j.job");
	assert_int_equal(load_job("j", &job), EXIT_CONFIG_FILE);
	expect_one_line("No such file");
}

static int load(const char *file)
{
	struct options options = {.file = file};
	struct config config;
	FILE *out = begin();
	int code = config_load(&options, &config, out);

	assert_int_equal(fclose(out), 0);
	config_free(&config);
	return code;
}

static void test_a_slice_is_of_one_job(void **state)
{
	write_text("onced.conf", ETCD "[Daemon]\nRuntimeDirectory=~/run\n");
	write_text("jobs.d/a.job", "[Job]\nUnit=x@1.service\n");
	write_text("jobs.d/b.job", "[Job]\nExec=/bin/true\n");
	write_text("jobs.d/c.job", "[Job]\nUnit=x@2.service\n");
	assert_int_equal(load(path_of("onced.conf")), 0);
	write_text("jobs.d/c.job", "[Job]\nUnit=x_1.service\n");
	assert_int_equal(load(path_of("onced.conf")), EXIT_CONFIG_FILE);
	expect_one_line("jobs.d/c.job: Unit: x_1.service is in onced-x_1.slice as x@1.service of "
			"the job a is");
	remove_file("jobs.d/a.job");
	remove_file("jobs.d/b.job");
	remove_file("jobs.d/c.job");
}

static void test_jobs_that_are_no_directory_are_told(void **state)
{
	char other[256];

	(void)snprintf(other, sizeof(other), "%s/jobs.off", scratch);
	assert_int_equal(rename(path_of("jobs.d"), other), 0);
	assert_int_equal(load(path_of("onced.conf")), 0); /* none, no jobs */
	write_text("jobs.d", "");
	assert_int_equal(load(path_of("onced.conf")), EXIT_CONFIG_FILE);
	expect_one_line("jobs.d: Not a directory, expected a directory of job files");
	remove_file("jobs.d");
	assert_int_equal(rename(other, path_of("jobs.d")), 0);
}

/* ---- the rest --------------------------------------------------------------------------------- */

static void test_credentials_are_exchanged(void **state)
{
	struct config a = {
		.cacert = (char *)"ca", .cert = (char *)"cert", .key_file = (char *)"key"};
	struct config b = {
		.user = (char *)"u", .password = (char *)"p", .password_file = (char *)"f"};

	a.node = (char *)"a";
	config_swap_credentials(&a, &b);
	assert_true(!a.cacert && !a.cert && !a.key_file);
	assert_string_equal(a.user, "u");
	assert_string_equal(a.password, "p");
	assert_string_equal(a.password_file, "f");
	assert_string_equal(b.cacert, "ca");
	assert_string_equal(b.cert, "cert");
	assert_string_equal(b.key_file, "key");
	assert_true(!b.user && !b.password && !b.password_file);
	assert_string_equal(a.node, "a"); /* nothing else */
	assert_null(b.node);
}

static void test_each_key_is_in_the_table_once(void **state)
{
	char *text = NULL;
	size_t size = 0, lines = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	config_dump_keys(out);
	assert_int_equal(fclose(out), 0);
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	assert_int_equal(lines, config_main_table.n_keys + config_job_table.n_keys);
	assert_non_null(strstr(text, "main\tEtcd\tEndpoints\t"));
	assert_non_null(strstr(text, "\njob\tJob\tExec\t"));
	free(text);
}

static void test_a_calendar_has_its_zone(void **state)
{
	const int64_t midnight = 1795305600; /* 2026-11-22T00:00:00Z; Berlin is an hour ahead */
	struct calendar *calendar = calendar_new("0 3 * * *", "Europe/Berlin");
	struct policy_schedule policy;
	char why[256];

	assert_non_null(calendar);
	policy = calendar_policy(calendar);
	assert_int_equal(policy.next(policy.data, midnight), midnight + 2 * 3600);
	assert_int_equal(policy.count(policy.data, midnight, midnight + 3 * 86400), 3);
	calendar = calendar_free(calendar);
	assert_null(calendar_new("nonsense", "UTC"));
	assert_null(calendar_new("@daily", "No/Where"));
	assert_int_equal(calendar_check("@daily", why, sizeof(why)), 0);
	assert_int_equal(calendar_check("61 * * * *", why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "(at character "));
	assert_int_equal(calendar_check_zone("../etc/passwd", why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "no time zone \"?\" (not a name), expected UTC or one like"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_setting_goes_before_the_file),
		cmocka_unit_test(test_a_setting_alone_is_enough),
		cmocka_unit_test(test_what_is_wrong_for_a_client_is_said),
		cmocka_unit_test(test_one_job_is_read_alone),
		cmocka_unit_test(test_a_slice_is_of_one_job),
		cmocka_unit_test(test_jobs_that_are_no_directory_are_told),
		cmocka_unit_test(test_credentials_are_exchanged),
		cmocka_unit_test(test_each_key_is_in_the_table_once),
		cmocka_unit_test(test_a_calendar_has_its_zone),
	};

	(void)unsetenv("CREDENTIALS_DIRECTORY");
	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
