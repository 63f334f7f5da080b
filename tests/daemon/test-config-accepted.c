/* The configuration files: what is accepted and what it becomes. */
#include "tests/daemon/loaded.h"

/* What --check prints holds this line. */
static const struct acceptance {
	const char *conf, *job, *line;
} acceptances[] = {
	{ETCD, NULL, "\nEndpoints=https://a:2379\n"},
	{"\xef\xbb\xbf" ETCD, NULL, "\nName=n1\n"},
	{"[Etcd]\r\nEndpoints=https://a:2379\r\n[Node]\r\nName=n1\r\n", NULL, "\nName=n1\n"},
	{"[Etcd]\nEndpoints=https://a:1, https://b:2\nEndpoints=https://c:3/\n[Node]\nName=n\n",
		NULL, "\nEndpoints=https://a:1 https://b:2 https://c:3\n"},
	{"[Etcd]\nEndpoints=https://a:1\nEndpoints=\nEndpoints=https://c:3\n[Node]\nName=n\n", NULL,
		"\nEndpoints=https://c:3\n"},
	{"[Etcd]\nEndpoints=localhost:1 127.0.0.1:2 http://[::1]:3\n[Node]\nName=n\n", NULL,
		"\nEndpoints=http://localhost:1 http://127.0.0.1:2 http://[::1]:3\n"},
	{"[Etcd]\nEndpoints=10.0.0.1:1\nCACert=~/ca.pem\n[Node]\nName=n\n", NULL,
		"\nEndpoints=https://10.0.0.1:1\n"},
	{"[Etcd]\nEndpoints=http://10.0.0.1:1\nAllowPlaintext=yes\n[Node]\nName=n\n", NULL,
		"\nEndpoints=http://10.0.0.1:1\n"},
	{ETCD "[Etcd]\nCert=~/cert.pem\nKey=~/key.pem\n", NULL, "\nKey=~/key.pem\n"},
	{ETCD "[Etcd]\nUser=u\nPasswordFile=~/pw\n", NULL, "\n# password: (set)\n"},
	{ETCD, NULL, "\nAddress=\n"},
	{ETCD "Address=10.0.0.1 # not a comment\n", NULL, "\nAddress=10.0.0.1 # not a comment\n"},
	{ETCD "Address=a\\\n# comment\n  b\n", NULL, "\nAddress=a   b\n"},
	{ETCD "  Address  =  x  \n", NULL, "\nAddress=x\n"},
	{ETCD, NULL, "\nValue=n1\n"},
	{ETCD "[Election]\nValue=other\n", NULL, "\nValue=other\n"},
	{ETCD "[Election]\nKey=\n", NULL, "\nKey=/leader\n"},
	{ETCD "[Election]\nProfile=fast\n", NULL, "\nFenceAfter=1.5s\n"},
	{ETCD "[Election]\nProfile=wan\n", NULL, "\nLeaseTTL=30s\n"},
	{ETCD "[Election]\nLeaseTTL=12\n", NULL, "\nLeaseTTL=12s\n"},
	{ETCD "[Election]\nStopGrace=1s\nProfile=normal\n", NULL, "\nStopGrace=1s\n"},
	{ETCD "[Election]\nClockDrift=20 %\n", NULL, "\nClockDrift=20%\n"},
	{ETCD, NULL, "V(1 + ClockDrift) + 3R"},
	{ETCD, NULL, "1s + 2 * 900ms + 600ms = 3.4s <= 6s - 2s - 500ms = 3.5s"},
	{ETCD, NULL, "# no job"},
	{ETCD "[Daemon]\nLogLevel=debug\n", NULL, "\nLogLevel=debug\n"},
	{ETCD, JOB, "\nExec=/bin/true\n"},
	{ETCD, JOB, "\n# jobs.d/j.job\n"},
	{ETCD, JOB, "\nRestart=always\n"},
	{ETCD, JOB, "\nRestartDelay=1s\n"},
	{ETCD, JOB, "\nStopGrace=2s\n"},
	{ETCD, JOB "Restart=on-failure\n", "\nRestart=on-failure\n"},
	{ETCD, JOB "StopGrace=500ms\n", "\nStopGrace=500ms\n"},
	{ETCD "[Daemon]\nIsolate=yes\n", JOB, "\nStopGrace=2s\nIsolate=yes\n"},
	{ETCD "[Daemon]\nIsolate=yes\n", JOB "Isolate=no\n", "\nStopGrace=2s\nIsolate=no\n"},
	{ETCD, "[Job]\nExec=/bin/echo 'a b' \"c \\\" d\" e\\sf \\x41 \\u00e4 %n $HOME ;\n",
		"\nExec=/bin/echo \"a b\" \"c \\\" d\" \"e f\" A \xc3\xa4 %n $HOME ;\n"},
	{ETCD, "[Job]\nShell=yes\nExec=a | b \"c\n", "\nExec=/bin/sh -c \"a | b \\\"c\"\n"},
	{ETCD, "[Job]\nExec=/none/such\n", "# warning: Exec= cannot be run here now"},
	{ETCD, CRON "Schedule=@hourly\n", "\nSchedule=@hourly\nTimeZone=UTC\nJitter=0s\nOverlap=skip\n"
					   "Missed=latest\nStartingDeadline=0s\n"},
	{ETCD, CRON "Schedule=@hourly\n", "\nOnInterrupt=skip\nProbe=\n"},
	{ETCD "[Daemon]\nIsolate=yes\n", "[Job]\nUnit=a@b.service\n", "\nExec=\nUnit=a@b.service\n"},
	{ETCD "[Daemon]\nIsolate=yes\n", "[Job]\nUnit=a.service\nWorkingDirectory=/\nShell=no\nIsolate=no\n", "\nIsolate=no\n"},
	{ETCD, "[Job]\nType=once\nUnit=a.service\nExec=\n", "\nId=j\n"},
	{ETCD, CRON "Schedule=@hourly\nRetryOn=3 timeout 1\n", "\nRetryOn=timeout 1 3\n"},
	{ETCD, CRON "Schedule=@hourly\n", "\nRetryOn=\n"},
	{ETCD, CRON "Schedule=@hourly\nOutputTail=1K\n", "\nOutputTail=1024\n"},
	{ETCD, JOB "Type=once\n", "\nId=j\n"},
	{ETCD, "[Job]\nType=steps\nStep=a :  b 'c d'\nStep=e: f\n", "\nStep=a: b \"c d\"\nStep=e: f\n"},
	{ETCD, "[Job]\nType=steps\nStep=a: b\n", "\nOnInterrupt=rerun\n"},
	{ETCD, "[Job]\nType=steps\nStep=a: b\n", "\nOnFailure=hold\n"},
	{ETCD, "[Job]\nType=steps\nStep=a: b\nUndo=a: c d\n", "\nOnFailure=undo\n"},
	{ETCD, "[Job]\nType=steps\nUndo=e: c 'd'\nStep=a: b\nStep=e: f\n", "\nUndo=e: c d\n"},
	{ETCD, "[Job]\nShell=yes\nType=steps\nStep=a: b | c\n", "\nStep=a: /bin/sh -c \"b | c\"\n"},
	{ETCD, MIGRATE "Runner=psql -f %f\n", "\nRunner=psql -f %f\n"},
	{ETCD, MIGRATE "Runner=psql -f %f\n", "\nOnInterrupt=hold\n"},
	{ETCD, JOB "Environment=A=b 'C=d e'\nEnvironment=A=z TEST_SECRET NOT_SET_AT_ALL\n",
		"# Environment= (values not shown): A C TEST_SECRET\n"},
};

static char *print(const struct config *config)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(config_print(config, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void test_what_is_accepted_means(void **state)
{
	struct outcome out;

	assert_int_equal(setenv("TEST_SECRET", "s3cr3t-value", 1), 0);
	for (size_t i = 0; i < sizeof(acceptances) / sizeof(acceptances[0]); i++) {
		const struct acceptance *row = &acceptances[i];
		char *text;

		load_texts(&out, row->conf, row->job);
		if (out.code != 0)
			fail_msg("row %zu: %s", i, out.errors);
		assert_string_equal(out.errors, "");
		text = print(&out.config);
		if (!strstr(text, scratch_fill(row->line)))
			fail_msg("row %zu: no %s in\n%s", i, scratch_fill(row->line), text);
		assert_null(strstr(text, "s3cr3t"));
		free(text);
		config_free(&out.config);
	}
	print_message("%zu acceptances\n", sizeof(acceptances) / sizeof(acceptances[0]));
}

static void test_what_is_printed_reads_back_the_same(void **state)
{
	struct outcome out;
	char *first, *second;

	load_texts(&out,
		ETCD "[Election]\nProfile=wan\nStopGrace=4s\n[Etcd]\nUser=u\nPasswordFile=~/pw\n",
		NULL);
	assert_int_equal(out.code, 0);
	first = print(&out.config);
	config_free(&out.config);
	load_texts(&out, first, NULL);
	assert_int_equal(out.code, 0);
	second = print(&out.config);
	assert_string_equal(first, second);
	config_free(&out.config);
	free(first);
	free(second);
}

static void test_fields_are_filled(void **state)
{
	struct outcome out;
	const struct config_job *job;

	load_texts(&out, ETCD "[Etcd]\nUser=u\nPasswordFile=~/pw\n",
		"[Job]\nExec=/bin/echo  'a b'\nEnvironment=A=b 'C=d "
		"e'\nEnvironment=A=z\nRestart=no\n");
	assert_int_equal(out.code, 0);
	assert_int_equal(out.config.n_endpoints, 1);
	assert_null(out.config.endpoints[1]);
	assert_string_equal(out.config.password, "s3cr3t-value");
	assert_string_equal(out.config.group, "default");
	assert_false(out.config.run);
	assert_int_equal(out.config.log_level, ONCE_LOG_INFO);
	assert_int_equal(out.config.n_jobs, 1);
	job = &out.config.jobs[0];
	assert_string_equal(job->name, "j");
	assert_int_equal(job->argc, 2);
	assert_string_equal(job->argv[1], "a b");
	assert_null(job->argv[2]);
	assert_int_equal(job->n_environment, 2);
	assert_string_equal(job->environment[0], "A=z");
	assert_string_equal(job->environment[1], "C=d e");
	assert_int_equal(job->restart, CONFIG_RESTART_NO);
	assert_int_equal(job->stop_grace_ns, out.config.timing.stop_grace_ns);
	config_free(&out.config);
	assert_null(out.config.password);
}

static void test_jobs_of_a_group_are_taken_out(void **state)
{
	char x[] = "x", y[] = "y", other[] = "default", names[4][2] = {"a", "b", "c", "d"};
	struct config_job jobs[4] = {{.name = names[0], .group = x}, {.name = names[1], .group = other},
		{.name = names[2], .group = x}, {.name = names[3], .group = y}};
	struct config all = {.jobs = jobs, .n_jobs = 4}, part;

	assert_int_equal(config_take_group(&all, "z", &part), 0);
	assert_int_equal(part.n_jobs, 0);
	assert_int_equal(config_take_group(&all, "x", &part), 0);
	assert_int_equal(part.n_jobs, 2);
	assert_string_equal(part.jobs[0].name, "a");
	assert_string_equal(part.jobs[1].name, "c");
	free(part.jobs);
	assert_int_equal(all.n_jobs, 2);
	assert_string_equal(all.jobs[0].name, "b");
	assert_string_equal(all.jobs[1].name, "d");
}

static void test_long_lines_are_whole(void **state)
{
	char conf[4096], value[1001];
	struct outcome out;

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	(void)snprintf(conf, sizeof(conf), "%s[Election]\nValue=%s\n", ETCD, value);
	load_texts(&out, conf, NULL);
	assert_int_equal(out.code, 0);
	assert_string_equal(out.config.value, value);
	config_free(&out.config);
}

static void test_other_files_beside_the_jobs_are_not_read(void **state)
{
	static const char *const names[] = {
		"jobs.d/.hidden.job", "jobs.d/j.job.bak", "jobs.d/.job"};
	struct outcome out;
	char path[256];

	load_texts(&out, ETCD, JOB);
	config_free(&out.config);
	for (size_t i = 0; i < 3; i++)
		scratch_write(names[i], "nonsense\n", 9, 0644);
	load(&out);
	assert_int_equal(out.code, 0);
	assert_int_equal(out.config.n_jobs, 1);
	config_free(&out.config);
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", scratch, names[i]);
		assert_int_equal(unlink(path), 0);
	}
}

/* Under systemd a credential's mode shows the mask of its ACL in the place of the group. */
static void test_credentials_may_show_an_acl(void **state)
{
	struct outcome out;

	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", scratch, 1), 0);
	load_texts(&out, ETCD "[Etcd]\nCert=cert.pem\nKey=key-open.pem\n", NULL);
	assert_int_equal(out.code, 0);
	assert_string_equal(out.config.key_file, scratch_fill("~/key-open.pem"));
	config_free(&out.config);
	load_texts(&out, ETCD "[Etcd]\nCert=cert.pem\nKey=key-world.pem\n", NULL);
	assert_int_equal(out.code, EXIT_CONFIG_FILE);
	load_texts(&out, ETCD "[Etcd]\nCert=~/cert.pem\nKey=~/jobs.d/../key-open.pem\n", NULL);
	assert_int_equal(out.code, EXIT_CONFIG_FILE);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

/* The shipped files are good, and with every key uncommented they say what is the default anyway.
 */
static void test_shipped_files_hold_every_default(void **state)
{
	const char *source = getenv("ONCED_SOURCE");
	char path[512], *text = calloc(1, 65536), *active = calloc(1, 65536);
	FILE *file;

	assert_non_null(source);
	(void)snprintf(path, sizeof(path), "%s/conf/onced.conf", source);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_true(fread(text, 1, 65535, file) > 0);
	assert_int_equal(fclose(file), 0);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (line[0] == '#' && line[1] >= 'A' && line[1] <= 'Z' && strchr(line, '='))
			line++;
		(void)strncat(active, line, 60000 - strlen(active));
		(void)strcat(active, "\n");
	}
	for (size_t i = 0; i < config_main_table.n_keys; i++) {
		const struct config_key *key = &config_main_table.keys[i];
		char line[256];

		(void)snprintf(line, sizeof(line), "\n%s=%s\n", key->name,
			strcmp(key->name, "Endpoints") == 0 ? "https://127.0.0.1:2379"
							    : (key->fallback ? key->fallback : ""));
		if (!strstr(active, line))
			fail_msg("conf/onced.conf lacks%s", line);
	}
	free(text);
	text = active;
	struct outcome out;
	load_texts(&out, text, NULL);
	if (out.code != 0)
		fail_msg("%s", out.errors);
	config_free(&out.config);
	free(text);
}

/* Each type has its example, and together they show every key that a type has. */
static void test_shipped_jobs_are_good(void **state)
{
	static const char *const names[] = {"service", "unit", "cron", "once", "steps", "migrate", "migrate-postgresql",
		"logrotate"};
	bool shown[CONFIG_KEYS_MAX] = {false};
	char text[8192], path[512], key[64];
	struct outcome out;

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
		FILE *file;
		size_t size;

		(void)snprintf(path, sizeof(path), "%s/conf/jobs.d/%s.job.example", getenv("ONCED_SOURCE"),
			names[n]);
		file = fopen(path, "re");
		assert_non_null(file);
		size = fread(text, 1, sizeof(text) - 1, file);
		text[size] = '\0';
		assert_int_equal(fclose(file), 0);
		load_texts(&out, ETCD, text);
		if (out.code != 0)
			fail_msg("%s: %s", names[n], out.errors);
		config_free(&out.config);
		for (size_t i = 0; i < config_job_table.n_keys; i++) {
			(void)snprintf(key, sizeof(key), "\n%s=", config_job_table.keys[i].name);
			shown[i] |= strstr(text, key) != NULL;
			(void)snprintf(key, sizeof(key), "\n#%s=", config_job_table.keys[i].name);
			shown[i] |= strstr(text, key) != NULL;
		}
	}
	for (size_t i = 0; i < config_job_table.n_keys; i++)
		if (!shown[i])
			fail_msg("no example shows %s=", config_job_table.keys[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_accepted_means),
		cmocka_unit_test(test_what_is_printed_reads_back_the_same),
		cmocka_unit_test(test_fields_are_filled),
		cmocka_unit_test(test_jobs_of_a_group_are_taken_out),
		cmocka_unit_test(test_long_lines_are_whole),
		cmocka_unit_test(test_other_files_beside_the_jobs_are_not_read),
		cmocka_unit_test(test_credentials_may_show_an_acl),
		cmocka_unit_test(test_shipped_files_hold_every_default),
		cmocka_unit_test(test_shipped_jobs_are_good),
	};

	(void)unsetenv("CREDENTIALS_DIRECTORY");
	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
