/* The state file: what is read back, and everything that must read as nothing. */
#include "tests/unit/unit.h"

#include "daemon/state.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/onced-state-XXXXXX";
static char data[STATE_DATA_MAX];
static const struct state_owner us = {.own = 0xabc, .proven = 0x7};

static int setup(void **state)
{
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	return rmdir(directory); /* every test removes what it made */
}

static struct state here(void)
{
	struct state s;

	state_init(&s, directory, "node1-0123abcd", NULL);
	assert_int_equal(strlen(s.boot_id), 36);
	assert_int_equal(strncmp(s.path, directory, strlen(directory)), 0);
	return s;
}

static size_t load(const struct state *s)
{
	memset(data, 'x', sizeof(data));
	return state_load(s, &us, data);
}

/* Writes the file as an earlier process may have left it. */
static void leave(const struct state *s, const char *text, size_t size)
{
	int fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	assert_int_equal(close(fd), 0);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool exists_new(const struct state *s)
{
	char path[sizeof(s->path) + 8];

	(void)snprintf(path, sizeof(path), "%s.new", s->path);
	return exists(path);
}

static void round_trip(void **unused)
{
	struct state s = here();
	struct stat st;

	assert_int_equal(load(&s), 0);
	assert_int_equal(state_save(&s, &us, "1 7 8 9 1", 9), 0);
	assert_int_equal(load(&s), 9);
	assert_string_equal(data, "1 7 8 9 1");
	assert_int_equal(stat(s.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* replaced as a whole, by a shorter one */
	assert_int_equal(state_save(&s, &us, "ab and more", 2), 0);
	assert_int_equal(load(&s), 2);
	assert_string_equal(data, "ab");
	assert_false(exists_new(&s));
	/* forgotten; again is fine */
	assert_int_equal(state_save(&s, &us, NULL, 0), 0);
	assert_false(exists(s.path));
	assert_int_equal(load(&s), 0);
	assert_int_equal(state_save(&s, &us, NULL, 0), 0);
}

static void sizes(void **unused)
{
	struct state s = here();
	char big[STATE_DATA_MAX + 1];

	memset(big, 'b', sizeof(big));
	assert_int_equal(state_save(&s, &us, big, STATE_DATA_MAX - 1), 0);
	assert_int_equal(load(&s), STATE_DATA_MAX - 1);
	assert_memory_equal(data, big, STATE_DATA_MAX - 1);
	assert_int_equal(state_save(&s, &us, big, STATE_DATA_MAX), -E2BIG);
	assert_int_equal(load(&s), STATE_DATA_MAX - 1); /* the older one stands */
	assert_int_equal(state_save(&s, &us, NULL, 0), 0);
}

/* One line of text is what it keeps; anything else would come back as something else. */
static void other_than_a_line_is_refused(void **unused)
{
	struct state s = here();

	assert_int_equal(state_save(&s, &us, "a\nb", 3), -EINVAL);
	assert_int_equal(state_save(&s, &us, "a\0b", 3), -EINVAL);
	assert_false(exists(s.path));
}

static void what_is_not_ours_reads_as_nothing(void **unused)
{
	struct state s = here();
	char good[512], text[1024];
	int n = snprintf(good, sizeof(good), "onced-state 2 %s 0000000000000abc\n1 7 8 9 1\n", s.boot_id);

	leave(&s, good, (size_t)n);
	assert_int_equal(load(&s), 9);
	for (int cut = 0; cut < n; cut++) {
		leave(&s, good, (size_t)cut);
		assert_int_equal(load(&s), 0);
	}
	/* of another boot, another version, no incarnation */
	memcpy(text, good, sizeof(good));
	text[14] = text[14] == '0' ? '1' : '0';
	leave(&s, text, (size_t)n);
	assert_int_equal(load(&s), 0);
	memcpy(text, good, sizeof(good));
	text[12] = '1';
	leave(&s, text, (size_t)n);
	assert_int_equal(load(&s), 0);
	n = snprintf(text, sizeof(text), "onced-state 2 %s 0000000000000abc0\n1 7 8 9 1\n", s.boot_id);
	leave(&s, text, (size_t)n);
	assert_int_equal(load(&s), 0);
	/* longer than anything that was written */
	n = snprintf(text, sizeof(text), "onced-state 2 %s 0000000000000abc\n%0*d\n", s.boot_id,
		STATE_DATA_MAX, 1);
	leave(&s, text, (size_t)n);
	assert_int_equal(load(&s), 0);
	memset(text, 'x', sizeof(text));
	leave(&s, text, sizeof(text));
	assert_int_equal(load(&s), 0);
	memset(text, 0, sizeof(text));
	leave(&s, text, sizeof(text));
	assert_int_equal(load(&s), 0);
	assert_int_equal(unlink(s.path), 0);
}

/* Ours, and that of the incarnation that is proven dead; nobody else's, and none of an unknown one. */
static void an_older_incarnation_is_worth_nothing(void **unused)
{
	struct state s = here();
	struct state_owner next = {.own = 0xdef, .proven = us.own}, unproven = {.own = 0xdef};
	struct state_owner after = {.own = 0x123, .proven = next.own}, nobody = {0};

	assert_int_equal(state_save(&s, &us, "abc", 3), 0);
	assert_int_equal(state_load(&s, &us, data), 3); /* a later agent */
	assert_int_equal(state_load(&s, &next, data), 3);
	assert_int_equal(state_load(&s, &unproven, data), 0);
	assert_int_equal(state_load(&s, &after, data), 0); /* although it knows that next is dead */
	assert_int_equal(state_save(&s, &next, "abc", 3), 0);
	assert_int_equal(state_load(&s, &after, data), 3);
	assert_int_equal(state_load(&s, &us, data), 0);
	assert_int_equal(state_save(&s, &nobody, "abc", 3), 0);
	assert_int_equal(state_load(&s, &nobody, data), 0);
	assert_int_equal(unlink(s.path), 0);
}

static void links_are_not_followed(void **unused)
{
	struct state s = here();
	char target[300], new[sizeof(s.path) + 8];
	int fd;

	(void)snprintf(target, sizeof(target), "%s/elsewhere", directory);
	(void)snprintf(new, sizeof(new), "%s.new", s.path);
	assert_int_equal(state_save(&s, &us, "abc", 3), 0);
	assert_int_equal(rename(s.path, target), 0);
	assert_int_equal(symlink(target, s.path), 0);
	assert_int_equal(load(&s), 0);
	/* a save replaces the link, not what it points to */
	assert_int_equal(state_save(&s, &us, "other", 5), 0);
	assert_int_equal(load(&s), 5);
	assert_int_equal(unlink(s.path), 0);
	/* and writes through none */
	assert_int_equal(symlink(target, new), 0);
	assert_int_equal(state_save(&s, &us, "evil", 4), -ELOOP);
	fd = open(target, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, data, sizeof(data)) > 3);
	assert_null(memmem(data, sizeof(data), "evil", 4));
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(new), 0);
	assert_int_equal(unlink(target), 0);
}

static void a_pipe_does_not_stop_it(void **unused)
{
	struct state s = here();

	assert_int_equal(mkfifo(s.path, 0600), 0);
	(void)alarm(10); /* opening it would wait for ever */
	assert_int_equal(load(&s), 0);
	(void)alarm(0);
	assert_int_equal(unlink(s.path), 0);
}

static void no_directory_is_no_error_but_a_lost_one_is(void **unused)
{
	struct state s;

	state_init(&s, "", "x", NULL);
	assert_string_equal(s.path, "");
	assert_int_equal(state_save(&s, &us, "abc", 3), 0);
	assert_int_equal(load(&s), 0);
	state_init(&s, NULL, "x", NULL);
	assert_string_equal(s.path, "");
	state_init(&s, "/nonexistent/onced", "x", NULL);
	assert_int_equal(state_save(&s, &us, "abc", 3), -ENOENT);
	assert_int_equal(state_save(&s, &us, NULL, 0), 0);
	assert_int_equal(load(&s), 0);
}

/* Root writes where it likes, so the refusal is that of a file system that takes no files. */
static void a_directory_that_takes_no_files(void **unused)
{
	struct state s;
	int r;

	state_init(&s, "/proc", "x", NULL);
	r = state_save(&s, &us, "abc", 3);
	assert_true(r == -ENOENT || r == -EACCES || r == -EROFS || r == -EPERM);
	if (geteuid() != 0) {
		s = here();
		assert_int_equal(chmod(directory, 0500), 0);
		assert_int_equal(state_save(&s, &us, "abc", 3), -EACCES);
		assert_int_equal(chmod(directory, 0700), 0);
	}
}

/* A disk that is full: the old file stands, and nothing half-written is left. */
static void what_cannot_be_written_leaves_the_old(void **unused)
{
	struct state s = here();
	struct rlimit old, small;

	assert_int_equal(state_save(&s, &us, "old", 3), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 20;
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_true(state_save(&s, &us, "newer", 5) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(load(&s), 3);
	assert_string_equal(data, "old");
	assert_false(exists_new(&s));
	assert_int_equal(unlink(s.path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(sizes),
		cmocka_unit_test(other_than_a_line_is_refused),
		cmocka_unit_test(what_is_not_ours_reads_as_nothing),
		cmocka_unit_test(an_older_incarnation_is_worth_nothing),
		cmocka_unit_test(links_are_not_followed),
		cmocka_unit_test(a_pipe_does_not_stop_it),
		cmocka_unit_test(no_directory_is_no_error_but_a_lost_one_is),
		cmocka_unit_test(a_directory_that_takes_no_files),
		cmocka_unit_test(what_cannot_be_written_leaves_the_old),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
