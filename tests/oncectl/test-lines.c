/* Every refusal of the command line is one line on standard error, nothing on standard output, and
 * its exit code; nothing of it needs etcd. */
#include "../unit/unit.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

struct told {
	int code;
	char out[4096], err[4096];
};

static void read_all(int fd, char *text, size_t size)
{
	size_t n = 0;
	ssize_t r;

	while (n + 1 < size && (r = read(fd, text + n, size - 1 - n)) > 0)
		n += (size_t)r;
	text[n] = '\0';
	(void)close(fd);
}

/* The words of line are separated by blanks; '_' inside a word stands for one. */
static void call(const char *line, struct told *ret)
{
	char *words[32] = {(char *)"oncectl"}, copy[512], *at = copy;
	int out[2], err[2], status, n = 1;
	pid_t pid;

	(void)snprintf(copy, sizeof(copy), "%s", line);
	while (*at && n < 31) {
		words[n++] = at;
		for (; *at && *at != ' '; at++)
			if (*at == '_')
				*at = ' ';
		if (*at)
			*at++ = '\0';
	}
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(out[1], 1);
		(void)dup2(err[1], 2);
		(void)alarm(20);
		execv(ONCECTL, words);
		_exit(127);
	}
	(void)close(out[1]);
	(void)close(err[1]);
	read_all(out[0], ret->out, sizeof(ret->out));
	read_all(err[0], ret->err, sizeof(ret->err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ret->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const struct {
	const char *line;
	int code;
	const char *said; /* must be in the line */
} refusals[] = {
	{"", 2, "expected a command"},
	{"nonsense", 2, "nonsense: there is no such command"},
	{"stat\x1b[31m", 2, "stat\\x1b[31m"},
	{"get a --nonsense", 1, "--nonsense: unknown option"},
	{"get a --prefix=maybe", 1, "--prefix: expected true or false"},
	{"get a -w table", 4, "unknown format \"table\""},
	{"status -w fields", 2, "unknown format \"fields\""},
	{"status extra", 2, "unexpected word \"extra\""},
	{"status --nonsense", 2, "--nonsense: unknown option"},
	{"status --nonsense=secret", 2, "--nonsense: unknown option"},
	{"--password=x status", 2, "--password-file"},
	{"--insecure-skip-tls-verify status", 2, "--cacert"},
	{"status --endpoints", 2, "--endpoints: expected an argument"},
	{"status --endpoints=", 2, "--endpoints: expected an argument"},
	{"status --endpoints ftp://x:1", 2, "ftp://x:1"},
	{"status --endpoints 127.0.0.1", 2, "has no port"},
	{"status --endpoints http://192.0.2.1:2379", 2, "without encryption"},
	{"status --cacert /nonexistent/ca", 2, "/nonexistent/ca"},
	{"status --user a:b", 2, "a password does not belong here"},
	{"status --prefix onced", 2, "onced"},
	{"status --prefix /", 2, "bad etcd key"},
	{"status --leader /onced/x --prefix /onced", 2, "overlap"},
	{"status --command-timeout 5", 2, "bad duration"},
	{"status --command-timeout 0s", 2, "out of range"},
	{"status -w yaml", 2, "unknown format \"yaml\""},
	{"status --json=1", 2, "unknown option"},
	{"status --group ../x", 2, "bad name"},
	{"status --group A", 2, "bad name"},
	{"--config /nonexistent/onced.conf status", 78, "/nonexistent/onced.conf"},
	{"leaders --limit 0", 2, "bad number \"0\""},
	{"leaders --limit many", 2, "bad number \"many\""},
	{"status --interval 1", 2, "bad duration"},
	{"runs", 2, "something is missing"},
	{"runs Backup", 2, "bad name \"Backup\""},
	{"runs ../x", 2, "bad name"},
	{"runs backup tomorrow", 2, "bad time \"tomorrow\""},
	{"runs backup 2026-02-30T00:00:00Z", 2, "bad time"},
	{"runs backup now now", 2, "too many words"},
	{"runs backup --limit -1", 2, "bad number"},
	{"why", 2, "something is missing"},
	{"why backup\x01", 2, "backup\\x01"},
	{"why backup 25:00", 2, "bad time"},
	{"trigger", 2, "something is missing"},
	{"trigger a/b", 2, "bad name"},
	{"trigger backup --moment soon", 2, "bad time"},
	{"trigger backup --wait --timeout never", 2, "bad duration"},
	{"kill", 2, "something is missing"},
	{"kill backup yesterday", 2, "bad time"},
	{"pause Backup", 2, "bad name"},
	{"pause --until 1 --for 1s", 2, "expected one of them"},
	{"pause --until never", 2, "bad time"},
	{"pause --for 0s", 2, "out of range"},
	{"pause a b", 2, "too many words"},
	{"pause --reason a\tb", 2, "control characters"},
	{"resume ../x", 2, "bad name"},
	{"switchover --to Alpha", 2, "bad name"},
	{"switchover --at 99:99", 2, "bad time"},
	{"switchover alpha", 2, "unexpected word"},
	{"resign alpha", 2, "unexpected word"},
	{"fence", 2, "ONCED_TOKEN"},
	{"fence --token -1", 2, "bad token"},
	{"fence --token 07", 2, "bad token"},
	{"put --fenced /k v", 2, "ONCED_KEY"},
	{"lock", 128, "lock takes a lock name"},
	{"lock --ttl soon l true", 1, "invalid argument \"soon\""},
	{"lock l ls -l", 1, "-l: unknown option"},
	{"elect", 128, "elect takes one election name"},
	{"elect e", 128, "-l not set"},
	{"elect -l e x", 128, "-l is set"},
	{"watch", 128, "bad number of arguments"},
	{"watch -i --rev", 1, "expected an argument"},
	{"timing --profile quick", 2, "quick"},
	{"timing --ttl soon", 2, "soon"},
	{"timing --fence-after 1s", 2, "2.9s"},
	{"doctor --profile quick", 2, "quick"},
	{"help nonsense", 2, "nonsense"},
	{"help status more", 2, "too many words"},
};

static void refused(void **state)
{
	struct told told;

	for (size_t i = 0; i < LENGTH(refusals); i++) {
		call(refusals[i].line, &told);
		if (told.code != refusals[i].code || !strstr(told.err, refusals[i].said) || told.out[0] ||
			strchr(told.err, '\n') != told.err + strlen(told.err) - 1)
			fail_msg(
				"oncectl %s: exit %d, \"%s\", expected %d and one line with \"%s\"",
				refusals[i].line, told.code, told.err, refusals[i].code, refusals[i].said);
		assert_null(strstr(told.err, "secret"));
	}
}

static void helped(void **state)
{
	static const char *const lines[] = {
		"help", "--help", "-h", "help status", "status --help", "--version", "help help"};
	struct told told;

	for (size_t i = 0; i < LENGTH(lines); i++) {
		call(lines[i], &told);
		check_case(lines[i], told.code == 0 && told.out[0] && !told.err[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(refused), cmocka_unit_test(helped)};

	/* What a developer's shell may hold. */
	(void)unsetenv("ETCDCTL_ENDPOINTS");
	(void)unsetenv("ETCDCTL_CACERT");
	(void)unsetenv("ETCDCTL_CERT");
	(void)unsetenv("ETCDCTL_KEY");
	(void)unsetenv("ETCDCTL_USER");
	(void)unsetenv("ETCDCTL_PASSWORD");
	(void)unsetenv("ONCED_KEY");
	(void)unsetenv("ONCED_TOKEN");
	(void)unsetenv("ETCD_LOCK_KEY");
	(void)unsetenv("ETCD_LOCK_REV");
	(void)unsetenv("ETCDCTL_WATCH_KEY");
	(void)unsetenv("ETCDCTL_WATCH_RANGE_END");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
