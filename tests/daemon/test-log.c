/* The log: one line each, escaped, cut, and never waiting for its reader. */
#include "tests/daemon/scratch.h"

#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "daemon/log.h"

static int real_stderr;

/* stderr is fd from here on. */
static void direct(int fd)
{
	assert_true(dup2(fd, 2) == 2);
	log_init();
}

static void undirect(void)
{
	assert_true(dup2(real_stderr, 2) == 2);
	log_set_level(ONCE_LOG_INFO);
	log_init();
}

static size_t drain(int fd, char *out, size_t size)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	size_t used = 0;

	while (used + 1 < size && poll(&poller, 1, 0) == 1) {
		ssize_t n = read(fd, out + used, size - 1 - used);
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	out[used] = '\0';
	return used;
}

static void test_plain_line(void **state)
{
	char text[4096];
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	direct(pipes[1]);
	errno = ENOENT;
	log_warning("event", "%s is %d", "x", 7);
	assert_int_equal(errno, ENOENT);
	log_debug("event", "not shown");
	undirect();
	(void)drain(pipes[0], text, sizeof(text));
	/* HH:MM:SS.mmm level text */
	assert_int_equal(text[2], ':');
	assert_int_equal(text[5], ':');
	assert_int_equal(text[8], '.');
	assert_string_equal(text + 12, " warning x is 7\n");
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

static void test_levels(void **state)
{
	char text[4096];
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	direct(pipes[1]);
	log_set_level(ONCE_LOG_ERR);
	log_warning("e", "no");
	log_event(ONCE_LOG_WARNING, "e", "no");
	log_err("e", "yes");
	log_set_level(ONCE_LOG_DEBUG);
	log_debug("e", "yes");
	undirect();
	(void)drain(pipes[0], text, sizeof(text));
	assert_null(strstr(text, "no"));
	assert_non_null(strstr(text, " error yes\n"));
	assert_non_null(strstr(text, " debug yes\n"));
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

static void test_foreign_bytes_cannot_forge_a_line(void **state)
{
	static const char foreign[] =
		"a\n12:00:00 error forged\r\x1b[2J\x7f\xff\xc2\x9b\xe2\x80\xa8 \xc3\xa4";
	char text[4096];
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	direct(pipes[1]);
	log_info("e", "%s", foreign);
	undirect();
	(void)drain(pipes[0], text, sizeof(text));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_null(strchr(text, '\x1b'));
	assert_non_null(
		strstr(text, "a\\x0a12:00:00 error forged\\x0d\\x1b[2J\\x7f\\xff\\xc2\\x9b"));
	assert_non_null(strstr(text, " \xc3\xa4\n"));
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

static void test_long_lines_are_cut(void **state)
{
	char text[8192], big[5000];
	int pipes[2];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(pipe(pipes), 0);
	direct(pipes[1]);
	log_info("e", "%s", big);
	memset(big, '\x01', sizeof(big) - 1);
	log_info("e", "%s", big);
	undirect();
	assert_true(drain(pipes[0], text, sizeof(text)) < 2 * (LOG_TEXT_MAX + 40));
	assert_non_null(strstr(text, "xxx...\n"));
	assert_non_null(strstr(text, "\\x01...\n"));
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

static void test_a_stopped_reader_costs_lines_and_no_time(void **state)
{
	uint64_t before = log_dropped();
	char *text = calloc(1, 1 << 20);
	struct timespec start, end;
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	direct(pipes[1]);
	(void)alarm(5); /* would end the test if a line blocked */
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < 10000; i++)
		log_info("e", "line %d", i);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	(void)alarm(0);
	assert_true(end.tv_sec - start.tv_sec < 3);
	assert_true(log_dropped() > before);
	(void)drain(pipes[0], text, 1 << 20);
	log_info("e", "after");
	(void)drain(pipes[0], text, 1 << 20);
	undirect();
	assert_non_null(strstr(text, "lines of this log were lost: its reader was too slow\n"));
	assert_non_null(strstr(text, " info after\n"));
	free(text);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

static void test_a_stopped_terminal_does_not_block(void **state)
{
	int master, terminal;
	char *text = calloc(1, 1 << 16);

	assert_int_equal(openpty(&master, &terminal, NULL, NULL, NULL), 0);
	direct(terminal);
	(void)alarm(5);
	for (int i = 0; i < 10000; i++)
		log_warning("e", "line %d of many", i);
	(void)alarm(0);
	(void)drain(master, text, 1 << 16);
	undirect();
	assert_non_null(strstr(text, "\033[33m"));
	assert_non_null(strstr(text, "line 0 of many\033[0m"));
	free(text);
	(void)close(master);
	(void)close(terminal);
}

static void test_a_reader_that_left_is_no_signal(void **state)
{
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	direct(pipes[1]);
	(void)close(pipes[0]);
	log_info("e", "nobody reads this");
	undirect();
	(void)close(pipes[1]);
}

/* What started us shares the open file; its flags are not ours to change. */
static void test_stderr_itself_stays_blocking(void **state)
{
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	direct(pipes[1]);
	assert_int_equal(fcntl(2, F_GETFL) & O_NONBLOCK, 0);
	undirect();
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

static void test_a_file_is_appended_to(void **state)
{
	char path[64] = "/tmp/onced-test-log-XXXXXX", text[4096] = "";
	int fd = mkstemp(path);

	assert_int_equal(write(fd, "before\n", 7), 7);
	direct(fd);
	log_info("e", "one");
	assert_int_equal(write(fd, "between\n", 8), 8);
	log_info("e", "two");
	undirect();
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "before\n"));
	assert_non_null(strstr(text, "one\nbetween\n"));
	assert_non_null(strstr(text, "two\n"));
	(void)close(fd);
	(void)unlink(path);
}

static void test_prefixes_under_a_service_manager(void **state)
{
	char text[4096];
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(setenv("INVOCATION_ID", "0123", 1), 0);
	direct(pipes[1]);
	log_err("e", "a\nb");
	assert_int_equal(unsetenv("INVOCATION_ID"), 0);
	undirect();
	(void)drain(pipes[0], text, sizeof(text));
	assert_string_equal(text, "<3>a\\x0ab\n");
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

/* ---- the journal ----------------------------------------------------------------------------- */

/* A journald of ours: a datagram socket, and a stream at stderr that JOURNAL_STREAM names. */
static int journal_start(int pair[2], char path[108])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct stat st;
	char stream[64];

	(void)snprintf(path, 108, "/tmp/onced-test-journal-%d", (int)getpid());
	(void)unlink(path);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(fstat(pair[0], &st), 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	assert_int_equal(setenv("ONCED_JOURNAL_SOCKET", path, 1), 0);
	direct(pair[0]);
	return fd;
}

static void journal_stop(int fd, int pair[2], const char *path)
{
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_int_equal(unsetenv("ONCED_JOURNAL_SOCKET"), 0);
	undirect();
	(void)close(fd);
	(void)close(pair[0]);
	(void)close(pair[1]);
	(void)unlink(path);
}

static void test_journal_fields(void **state)
{
	char path[108], text[4096] = "";
	int pair[2], fd = journal_start(pair, path);

	assert_int_equal(log_field("ONCED_NODE", "n1"), 0);
	assert_int_equal(log_field("ONCED_JOB", "j\nMESSAGE=forged"), 0);
	assert_int_equal(log_field("ONCED_TOKEN", "1"), 0);
	assert_int_equal(log_field("ONCED_TOKEN", "2"), 0);
	assert_int_equal(log_field("ONCED_GROUP", "g"), 0);
	assert_int_equal(log_field("ONCED_GROUP", NULL), 0);
	assert_int_equal(log_field("_PID", "1"), -EINVAL);
	assert_int_equal(log_field("A=B", "1"), -EINVAL);
	assert_int_equal(log_field("1A", "1"), -EINVAL);
	assert_int_equal(log_field("", "1"), -EINVAL);
	log_err("term-begin", "a\nPRIORITY=0");
	assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(text, "MESSAGE=a\\x0aPRIORITY=0\nPRIORITY=3\nSYSLOG_IDENTIFIER=onced\n"
				  "ONCED_EVENT=term-begin\nONCED_NODE=n1\n"
				  "ONCED_JOB=j\\x0aMESSAGE=forged\nONCED_TOKEN=2\n");
	assert_int_equal(drain(pair[1], text, sizeof(text)), 0);
	(void)log_field("ONCED_NODE", NULL);
	(void)log_field("ONCED_JOB", NULL);
	(void)log_field("ONCED_TOKEN", NULL);
	journal_stop(fd, pair, path);
}

static void test_a_stopped_journald_does_not_block(void **state)
{
	char path[108];
	int pair[2], fd = journal_start(pair, path);
	uint64_t before = log_dropped();

	(void)alarm(5);
	errno = ENOENT;
	for (int i = 0; i < 10000; i++)
		log_info("e", "line %d", i);
	assert_int_equal(errno, ENOENT);
	(void)alarm(0);
	assert_true(log_dropped() > before);
	journal_stop(fd, pair, path);
}

static void test_another_stream_is_not_the_journal(void **state)
{
	char path[108], text[4096];
	int pair[2], other[2], fd = journal_start(pair, path);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	direct(other[0]);
	log_info("e", "plain");
	assert_true(recv(fd, text, sizeof(text), MSG_DONTWAIT) < 0);
	(void)drain(other[1], text, sizeof(text));
	assert_non_null(strstr(text, " info plain\n"));
	journal_stop(fd, pair, path);
	(void)close(other[0]);
	(void)close(other[1]);
}

static void test_too_many_fields(void **state)
{
	char name[24];

	for (int i = 0; i < LOG_FIELDS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "F%d", i);
		assert_int_equal(log_field(name, "x"), 0);
	}
	assert_int_equal(log_field("ONE_MORE", "x"), -ENOSPC);
	assert_int_equal(log_field("F3", "y"), 0);
	for (int i = 0; i < LOG_FIELDS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "F%d", i);
		assert_int_equal(log_field(name, NULL), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_line),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_foreign_bytes_cannot_forge_a_line),
		cmocka_unit_test(test_long_lines_are_cut),
		cmocka_unit_test(test_a_stopped_reader_costs_lines_and_no_time),
		cmocka_unit_test(test_a_stopped_terminal_does_not_block),
		cmocka_unit_test(test_a_reader_that_left_is_no_signal),
		cmocka_unit_test(test_stderr_itself_stays_blocking),
		cmocka_unit_test(test_a_file_is_appended_to),
		cmocka_unit_test(test_prefixes_under_a_service_manager),
		cmocka_unit_test(test_journal_fields),
		cmocka_unit_test(test_a_stopped_journald_does_not_block),
		cmocka_unit_test(test_another_stream_is_not_the_journal),
		cmocka_unit_test(test_too_many_fields),
	};

	real_stderr = dup(2);
	(void)unsetenv("INVOCATION_ID");
	(void)unsetenv("JOURNAL_STREAM");
	(void)unsetenv("NO_COLOR");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
