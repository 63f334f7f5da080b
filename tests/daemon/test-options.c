/* The command line and etcdctl's environment: what is accepted and what it becomes, what is
 * refused. */
#include "tests/daemon/scratch.h"

#include "daemon/config.h"
#include "daemon/words.h"

struct outcome {
	int code;
	char errors[4096]; /* stderr of options_parse(), then config_load()'s errors */
	char output[8192]; /* config_print() */
	struct options options;
	struct config config;
};

static const char *const variables[] = {"ETCDCTL_ENDPOINTS", "ETCDCTL_CACERT", "ETCDCTL_CERT",
	"ETCDCTL_KEY", "ETCDCTL_USER", "ETCDCTL_PASSWORD"};

static void set_environment(const char *words)
{
	char **list = NULL;
	const char *why;
	size_t n;

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		assert_int_equal(unsetenv(variables[i]), 0);
	assert_int_equal(words_split(scratch_fill(words), &list, &n, &why), 0);
	for (size_t i = 0; i < n; i++) {
		char *value = strchr(list[i], '=');

		*value = '\0';
		assert_int_equal(setenv(list[i], value + 1, 1), 0);
	}
	words_free(list);
}

static FILE *redirect(int fd, int *saved)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	(void)fflush(NULL);
	*saved = dup(fd);
	assert_true(dup2(fileno(file), fd) == fd);
	return file;
}

static void restore(FILE *file, int fd, int saved, char *out, size_t size)
{
	ssize_t n;

	(void)fflush(NULL);
	assert_true(dup2(saved, fd) == fd);
	(void)close(saved);
	n = pread(fileno(file), out, size - 1, 0);
	assert_true(n >= 0);
	out[n] = '\0';
	(void)fclose(file);
}

static void load(struct outcome *out)
{
	char *text = NULL;
	size_t size = 0;
	FILE *errors = open_memstream(&text, &size), *print;

	out->code = config_load(&out->options, &out->config, errors);
	(void)fclose(errors);
	(void)snprintf(out->errors + strlen(out->errors), 2048, "%s", text);
	free(text);
	if (out->code != 0)
		return;
	print = fmemopen(out->output, sizeof(out->output), "w");
	assert_int_equal(config_print(&out->config, print), 0);
	(void)fclose(print);
}

/* Words as in a configuration file; the first is the program's name. argv stays allocated. */
static char **parse(struct outcome *out, const char *environment, const char *line)
{
	int saved_out, saved_err;
	char **argv = NULL;
	const char *why;
	size_t argc;
	FILE *file_out, *file_err;

	*out = (struct outcome){0};
	set_environment(environment);
	assert_int_equal(words_split(scratch_fill(line), &argv, &argc, &why), 0);
	file_err = redirect(2, &saved_err);
	file_out = redirect(1, &saved_out);
	out->code = options_parse((int)argc, argv, &out->options);
	restore(file_out, 1, saved_out, out->output, sizeof(out->output));
	restore(file_err, 2, saved_err, out->errors, sizeof(out->errors));
	if (out->code == 0 && !out->options.done && out->options.run)
		load(out);
	return argv;
}

/* Every refusal: exit code 2, this in its one line, "onced: " before it. */
static const struct refusal {
	const char *environment, *line, *message;
} refusals[] = {
	{"", "onced --frobnicate", "onced: --frobnicate: unknown option; see onced --help\n"},
	{"", "onced --frobnicate=secret",
		"onced: --frobnicate: unknown option; see onced --help\n"},
	{"", "onced file", "onced: file: unexpected word; see onced --help\n"},
	{"", "onced -c", "onced: -c: expected an argument, FILE\n"},
	{"", "onced --config=", "onced: -c: expected an argument, FILE\n"},
	{"", "onced --ttl 5", "onced: --ttl: unknown option; see onced --help\n"},
	{"", "onced -- x", "onced: --: unknown option"},
	{"", "onced \"a\\nb\\x1b\"", "onced: a\\x0ab\\x1b: unexpected word"},
	{"", "onced run", "onced: run: expected a command: onced run [OPTION...] -- COMMAND"},
	{"", "onced run --", "onced: run: expected a command"},
	{"", "onced run -- ''", "onced: run: the command is empty\n"},
	{"", "onced run -c x -- w", "onced: -c: unknown option; see onced run --help\n"},
	{"", "onced run --tt 5 -- w", "onced: --tt: unknown option"},
	{"", "onced run --ttlx=5 -- w", "onced: --ttlx: unknown option"},
	{"", "onced run --dump-keys -- w", "onced: --dump-keys: unknown option"},
	{"", "onced run --ttl", "onced: --ttl: expected an argument, SECONDS\n"},
	{"", "onced run --ttl soon -- w", "onced: --ttl: bad duration \"soon\": "},
	{"", "onced run --ttl= -- w", "onced: --ttl: is empty, expected a value\n"},
	{"", "onced run --ttl 5 -- w", "onced: --ttl: LeaseTTL is less than FenceAfter: 5s < 6s"},
	{"", "onced run --fence-after 20s --ttl 10 -- w", "onced: --ttl: LeaseTTL is less than"},
	{"", "onced run --stop-grace 4s -- w",
		"onced: --stop-grace: BeatInterval + 2 RequestTimeout"},
	{"", "onced run --beat-interval 5 -- w", "onced: --beat-interval: bad duration \"5\""},
	{"", "onced run --profile quick -- w", "onced: --profile: unknown profile \"quick\""},
	{"", "onced run --node 'Node One' -- w", "onced: --node: bad name \"Node One\""},
	{"", "onced run --node ../a -- w", "onced: --node: bad name \"../a\""},
	{"", "onced run --node \"a\\nb\" -- w", "onced: --node: holds control characters"},
	{"", "onced run --key leader -- w", "onced: --key: bad etcd key \"leader\""},
	{"", "onced run --key ~/key.pem -- w",
		"onced: --key: names a file, expected the leader key in etcd, such as /leader; the "
		"client "
		"certificate's key is --key-file\n"},
	{"", "onced run --prefix /leader -- w",
		"onced: --prefix: the leader key /leader and the prefix"},
	{"", "onced run --endpoints ftp://a:1 -- w",
		"onced: --endpoints: \"ftp://a:1\" is neither"},
	{"", "onced run --endpoints http://192.0.2.1:1 -- w",
		"expected https://, or --allow-plaintext\n"},
	{"", "onced run --endpoints https://u:s3cr3t@a:1 -- w", "the value is not shown"},
	{"", "onced run --user u:s3cr3t -- w", "onced: --user: a password does not belong here"},
	{"", "onced run --user=u:s3cr3t -- w",
		"and the password in PasswordFile= or --password-file\n"},
	{"", "onced run --user u -- w",
		"onced: --user: has no password with it, expected --password-file"},
	{"", "onced run --password s3cr3t -- w",
		"onced: --password: everybody can read a command line"},
	{"", "onced run --password=s3cr3t -- w",
		"onced: --password: everybody can read a command line"},
	{"", "onced run --insecure-skip-tls-verify -- w",
		"there is no such option, expected --cacert"},
	{"", "onced run --password-file ~/pw -- w", "onced: --password-file: has no user with it"},
	{"", "onced run --user u --password-file ~/pw-open -- w",
		"it has mode 0644, expected 0600"},
	{"", "onced run --cacert ~/none -- w",
		"onced: --cacert: \"~/none\": No such file or directory\n"},
	{"", "onced run --cert ~/cert.pem -- w",
		"onced: --cert: has no key with it, expected --key-file"},
	{"", "onced run --key-file ~/key.pem -- w",
		"onced: --key-file: has no certificate with it"},
	{"", "onced run --allow-plaintext=maybe -- w", "\"maybe\" is neither yes nor no"},
	{"ETCDCTL_CACERT=~/none", "onced run -- w",
		"onced: ETCDCTL_CACERT: \"~/none\": No such file"},
	{"ETCDCTL_ENDPOINTS=x", "onced run -- w", "onced: ETCDCTL_ENDPOINTS: \"x\" has no port"},
	{"ETCDCTL_KEY=~/key-open.pem ETCDCTL_CERT=~/cert.pem", "onced run -- w",
		"onced: ETCDCTL_KEY: \"~/key-open.pem\": it has mode 0640"},
	{"ETCDCTL_USER=alice:s3cr3t", "onced run --user bob -- w",
		"onced: --user: has no password with"},
};

static void test_refusals(void **state)
{
	struct outcome out;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *row = &refusals[i];
		char **argv = parse(&out, row->environment, row->line);
		const char *end = strchr(out.errors, '\n');

		if (out.code != EXIT_USAGE || !end || end[1] != '\0' ||
			strncmp(out.errors, "onced: ", 7) != 0 ||
			!strstr(out.errors, scratch_fill(row->message)))
			fail_msg("%s: code %d: %s\nexpected: %s", row->line, out.code, out.errors,
				row->message);
		assert_null(strstr(out.errors, "s3cr3t"));
		assert_string_equal(out.output, "");
		words_free(argv);
	}
	print_message("%zu refusals\n", sizeof(refusals) / sizeof(refusals[0]));
}

static const struct acceptance {
	const char *environment, *line, *printed;
} acceptances[] = {
	{"", "onced run w", "\nEndpoints=http://127.0.0.1:2379\n"},
	{"", "onced run w", "\nPrefix=/onced\n"},
	{"", "onced run -- w", "\nExec=w\n"},
	{"", "onced run w --ttl x", "\nExec=w --ttl x\n"},
	{"", "onced run -- -w -- x", "\nExec=-w -- x\n"},
	{"", "onced run --key /a/b w", "\nPrefix=/onced/run/a/b\n"},
	{"", "onced run --key /leader w", "\nPrefix=/onced\n"},
	{"", "onced run --key /a --prefix /p w", "\nPrefix=/p\n"},
	{"", "onced run --node a w", "\nValue=a\n"},
	{"", "onced run --node a --value b w", "\nValue=b\n"},
	{"", "onced run --ttl 12 w", "\nLeaseTTL=12s\n"},
	{"", "onced run --ttl=12s w", "\nLeaseTTL=12s\n"},
	{"", "onced run --ttl 1 --ttl 13 w", "\nLeaseTTL=13s\n"},
	{"", "onced run --profile fast w", "\nBeatInterval=150ms\n"},
	{"", "onced run --beat-interval 500ms w", "\nBeatInterval=500ms\n"},
	{"", "onced run --request-timeout 500ms w", "\nRequestTimeout=500ms\n"},
	{"", "onced run --stop-grace 1s w", "\nStopGrace=1s\n"},
	{"", "onced run --kill-budget 400ms w", "\nKillBudget=400ms\n"},
	{"", "onced run --isolate w", "\nStopGrace=2s\nIsolate=yes\n"},
	{"", "onced run --isolate=no w", "\nStopGrace=2s\nIsolate=no\n"},
	{"", "onced run --quiet w", "\nLogLevel=warning\n"},
	{"", "onced run -v w", "\nLogLevel=debug\n"},
	{"", "onced run -d -v w", "\nLogLevel=debug\n"},
	{"", "onced run -q -q -q -q w", "\nLogLevel=error\n"},
	{"", "onced run --endpoints a:1,b:2 --cacert ~/ca.pem w",
		"\nEndpoints=https://a:1 https://b:2\n"},
	{"", "onced run --cert ~/cert.pem --key-file ~/key.pem w", "https://127.0.0.1:2379\n"},
	{"", "onced run --endpoints http://h:1 --allow-plaintext w", "\nEndpoints=http://h:1\n"},
	{"", "onced run --user u --password-file ~/pw w", "\n# password: (set)\n"},
	{"", "onced run --runtime-dir /tmp/x w", "\nRuntimeDirectory=/tmp/x\n"},
	{"", "onced run --check", "# no job"},
	{"ETCDCTL_ENDPOINTS=https://e:1,https://f:2", "onced run w",
		"\nEndpoints=https://e:1 https://f:2\n"},
	{"ETCDCTL_ENDPOINTS=https://e:1", "onced run --endpoints https://g:1 w", "=https://g:1\n"},
	{"ETCDCTL_ENDPOINTS=", "onced run w", "\nEndpoints=http://127.0.0.1:2379\n"},
	{"ETCDCTL_CACERT=~/none", "onced run --cacert ~/ca.pem w", "\nCACert=~/ca.pem\n"},
	{"ETCDCTL_CERT=~/cert.pem ETCDCTL_KEY=~/key.pem", "onced run w", "\nKey=~/key.pem\n"},
	{"ETCDCTL_KEY=~/key.pem ETCDCTL_CERT=~/cert.pem", "onced run --key /k w", "\nKey=/k\n"},
	{"ETCDCTL_USER=u:s3cr3t:2", "onced run w", "\nUser=u\n"},
	{"ETCDCTL_USER=u ETCDCTL_PASSWORD=s3cr3t", "onced run w", "\n# password: (set)\n"},
	{"ETCDCTL_PASSWORD=s3cr3t", "onced run --user u w", "\n# password: (set)\n"},
	{"ETCDCTL_PASSWORD=s3cr3t", "onced run w", "\nUser=\n"},
};

static void test_acceptances(void **state)
{
	struct outcome out;

	for (size_t i = 0; i < sizeof(acceptances) / sizeof(acceptances[0]); i++) {
		const struct acceptance *row = &acceptances[i];
		char **argv = parse(&out, row->environment, row->line);

		if (out.code != 0 || *out.errors || !strstr(out.output, scratch_fill(row->printed)))
			fail_msg("%s: code %d: %s\nno %s in\n%s", row->line, out.code, out.errors,
				scratch_fill(row->printed), out.output);
		assert_null(strstr(out.output, "s3cr3t"));
		config_free(&out.config);
		words_free(argv);
	}
	print_message("%zu acceptances\n", sizeof(acceptances) / sizeof(acceptances[0]));
}

static void test_fields_of_a_run(void **state)
{
	struct outcome out;
	char **argv =
		parse(&out, "ETCDCTL_USER=u:s3cr3t:2", "onced run --once -- w -v 'a b' \"\\xff\"");

	assert_int_equal(out.code, 0);
	assert_true(out.config.run && out.config.once && out.config.inherit_environment);
	assert_true(out.config.password_from_environment);
	assert_string_equal(out.config.password, "s3cr3t:2");
	assert_int_equal(out.config.n_jobs, 1);
	assert_string_equal(out.config.jobs[0].name, "run");
	assert_int_equal(out.config.jobs[0].argc, 4);
	assert_string_equal(out.config.jobs[0].argv[3], "\xff");
	assert_int_equal(out.config.jobs[0].restart, CONFIG_RESTART_NO);
	assert_int_equal(out.config.jobs[0].directory[0], '/');
	config_free(&out.config);
	words_free(argv);
	argv = parse(&out, "ETCDCTL_USER=u:s3cr3t", "onced run --password-file ~/pw w");
	assert_int_equal(out.code, 0);
	assert_false(out.config.password_from_environment);
	assert_string_equal(out.config.password, "s3cr3t-value");
	config_free(&out.config);
	words_free(argv);
	argv = parse(&out, "ETCDCTL_PASSWORD=s3cr3t", "onced run w");
	assert_int_equal(out.code, 0);
	assert_null(out.config.password);
	assert_false(out.config.password_from_environment);
	config_free(&out.config);
	words_free(argv);
}

static void test_relative_files_of_flags_are_completed(void **state)
{
	char here[512];
	struct outcome out;
	char **argv;

	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(scratch), 0);
	argv = parse(&out, "", "onced run --cacert ca.pem w");
	assert_int_equal(out.code, 0);
	assert_string_equal(out.config.cacert, scratch_fill("~/ca.pem"));
	assert_string_equal(out.config.jobs[0].directory, scratch);
	config_free(&out.config);
	words_free(argv);
	assert_int_equal(chdir(here), 0);
}

static void test_the_daemons_own_line(void **state)
{
	struct outcome out;
	char **argv = parse(&out, "", "onced -n -v -c /x");

	assert_int_equal(out.code, 0);
	assert_true(out.options.check && !out.options.run);
	assert_int_equal(out.options.verbose, 1);
	assert_string_equal(out.options.file, "/x");
	words_free(argv);
	argv = parse(&out, "", "onced --check --config=/y -d");
	assert_string_equal(out.options.file, "/y");
	assert_int_equal(out.options.verbose, 3);
	words_free(argv);
	argv = parse(&out, "", "onced");
	assert_string_equal(out.options.file, CONFIG_FILE_DEFAULT);
	words_free(argv);
	argv = parse(&out, "", "onced --dump-keys");
	assert_true(out.options.dump_keys);
	words_free(argv);
}

static void test_help_and_version_end_well(void **state)
{
	static const struct {
		const char *line, *printed;
	} rows[] = {{"onced --help", "usage: onced [-c FILE]"}, {"onced -h", "onced run"},
		{"onced --version", "onced 0."}, {"onced run --help", "usage: onced run"},
		{"onced run --help", "--key-file FILE"},
		{"onced run --ttl 1 --version", "onced 0."}, {"onced run --help", "--quiet"}};
	struct outcome out;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char **argv = parse(&out, "", rows[i].line);

		assert_int_equal(out.code, 0);
		assert_true(out.options.done);
		if (!strstr(out.output, rows[i].printed))
			fail_msg("%s: no %s in %s", rows[i].line, rows[i].printed, out.output);
		words_free(argv);
	}
}

static void test_a_command_keeps_its_help(void **state)
{
	struct outcome out;
	char **argv = parse(&out, "", "onced run w --help");

	assert_int_equal(out.code, 0);
	assert_false(out.options.done);
	config_free(&out.config);
	words_free(argv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_acceptances),
		cmocka_unit_test(test_fields_of_a_run),
		cmocka_unit_test(test_relative_files_of_flags_are_completed),
		cmocka_unit_test(test_the_daemons_own_line),
		cmocka_unit_test(test_help_and_version_end_well),
		cmocka_unit_test(test_a_command_keeps_its_help),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
