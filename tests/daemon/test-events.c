/* daemon/events.h: which files there are after a dump, after many, after one that failed, and after
 * a crash. */
#include "daemon/events.h"

#include "scratch.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

static int write_text(const void *userdata, int fd)
{
	const char *text = userdata;
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -EIO;
}

static int write_half(const void *userdata, int fd)
{
	(void)write_text("half", fd);
	return -ENOSPC;
}

static const char *content(const char *name)
{
	static char text[64];
	char path[256];
	int fd;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", scratch, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return "(none)";
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static unsigned mode_of(const char *name)
{
	char path[256];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", scratch, name);
	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_the_last_four_are_kept(void **state)
{
	static const char *const texts[] = {"1", "2", "3", "4", "5", "6"};

	events_init(scratch, "a-1");
	assert_non_null(strstr(events_path(), "/a-1.events"));
	for (size_t i = 0; i < 6; i++) {
		events_source(write_text, texts[i]);
		assert_int_equal(events_dump(), 0);
		assert_string_equal(content("a-1.events"), texts[i]);
		assert_string_equal(content("a-1.events.1"), i > 0 ? texts[i - 1] : "(none)");
	}
	assert_string_equal(content("a-1.events.2"), "4");
	assert_string_equal(content("a-1.events.3"), "3");
	assert_string_equal(content("a-1.events.4"), "(none)");
	assert_string_equal(content("a-1.events.new"), "(none)");
	(void)umask(0);
	assert_int_equal(events_dump(), 0);
	assert_int_equal(mode_of("a-1.events"), 0600);
}

static void test_a_failed_dump_changes_nothing(void **state)
{
	events_init(scratch, "b");
	events_source(write_text, "good");
	assert_int_equal(events_dump(), 0);
	events_source(write_half, NULL);
	assert_int_equal(events_dump(), -ENOSPC);
	assert_string_equal(content("b.events"), "good");
	assert_string_equal(content("b.events.1"), "(none)");
	assert_string_equal(content("b.events.new"), "(none)");
}

static void test_nothing_to_write_or_nowhere(void **state)
{
	events_init(scratch, "c");
	events_source(NULL, NULL);
	assert_int_equal(events_dump(), -ENODATA);
	events_init("", "c");
	assert_string_equal(events_path(), "");
	events_source(write_text, "x");
	assert_int_equal(events_dump(), -ENOENT);
	events_init("/nonexistent", "c");
	events_source(write_text, "x");
	assert_int_equal(events_dump(), -ENOENT);
}

static void test_what_lies_in_the_way_is_not_followed(void **state)
{
	char target[256], path[256];

	(void)snprintf(target, sizeof(target), "%s/victim", scratch);
	(void)snprintf(path, sizeof(path), "%s/d.events.new", scratch);
	scratch_write("victim", "mine", 4, 0600);
	assert_int_equal(symlink(target, path), 0);
	events_init(scratch, "d");
	events_source(write_text, "dump");
	assert_int_equal(events_dump(), 0);
	assert_string_equal(content("victim"), "mine");
	assert_string_equal(content("d.events"), "dump");
}

static void crash_here(int how)
{
	volatile char *volatile nowhere = (volatile char *)16;
	volatile char deep[4096];

	if (how == 0)
		*nowhere = 1;
	if (how == 1)
		abort();
	deep[0] = 1;
	if (how == 2) /* the stack is gone: the handler has its own */
		crash_here(2 + deep[0] - 1);
	(void)raise(how);
}

/* The signal that a child ends by which crashes so. */
static int crashed(int how, bool with_source)
{
	pid_t pid = fork();
	int status, fd;

	if (pid == 0) {
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
		(void)dup2(fd, STDERR_FILENO);
		events_init(scratch, "e");
		if (with_source)
			events_source(write_text, "crash");
		events_on_crash();
		crash_here(how);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void test_a_crash_leaves_a_dump_and_is_still_one(void **state)
{
	static const struct {
		int how, signo;
	} cases[] = {{0, SIGSEGV}, {1, SIGABRT}, {2, SIGSEGV}, {SIGBUS, SIGBUS}, {SIGSEGV, SIGSEGV},
		{SIGILL, SIGILL}, {SIGFPE, SIGFPE}};
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/e.events", scratch);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)unlink(path);
		assert_int_equal(crashed(cases[i].how, true), cases[i].signo);
		assert_string_equal(content("e.events"), "crash");
	}
	(void)unlink(path);
	assert_int_equal(crashed(0, false), SIGSEGV);
	assert_string_equal(content("e.events"), "(none)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_last_four_are_kept),
		cmocka_unit_test(test_a_failed_dump_changes_nothing),
		cmocka_unit_test(test_nothing_to_write_or_nowhere),
		cmocka_unit_test(test_what_lies_in_the_way_is_not_followed),
		cmocka_unit_test(test_a_crash_leaves_a_dump_and_is_still_one),
	};

	return cmocka_run_group_tests_name("events", tests, scratch_setup, scratch_teardown);
}
