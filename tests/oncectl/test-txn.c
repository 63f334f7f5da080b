/* oncectl txn until etcd would be asked: what it says to somebody who types, what it refuses, and every
 * allocation of reading it refused. tests/fuzz/fuzz-txn.c has the language. */
#include "../unit/refuse.h"
#include "../unit/unit.h"
#include "tools/oncectl/kv/kv.h"

extern const struct ctl_command ctl_command_txn;

#define PLAIN                                                                                      \
	"mod(\"key\") > \"0\"\nvalue(\"a\") = \"b c\"\n\nput key 'a value'\n\nget key "            \
	"--prefix\ndel a b\n\n"

/* Standard input, output and errors become these for one run. */
static struct {
	char out[1024], err[1024];
} told;

static int with_streams(const char *input, int (*run)(struct ctl *ctl, FILE *from), struct ctl *ctl)
{
	FILE *kept_out = stdout, *kept_err = stderr, *kept_in = stdin;
	int code;

	memset(&told, 0, sizeof(told));
	refuse_pause(true);
	stdin = *input ? fmemopen((void *)input, strlen(input), "r") : fopen("/dev/null", "r");
	stdout = fmemopen(told.out, sizeof(told.out), "w");
	stderr = fmemopen(told.err, sizeof(told.err), "w");
	refuse_pause(false);
	code = run(ctl, stdin);
	refuse_pause(true);
	(void)fclose(stdin);
	(void)fclose(stdout);
	(void)fclose(stderr);
	refuse_pause(false);
	stdin = kept_in;
	stdout = kept_out;
	stderr = kept_err;
	return code;
}

static int command(struct ctl *ctl, FILE *from)
{
	(void)from;
	return ctl_command_txn.run(ctl);
}

static int language(struct ctl *ctl, FILE *from)
{
	struct once_txn txn = {0};

	return kv_read_txn(ctl, from, &txn);
}

static void begin(struct ctl *ctl)
{
	*ctl = (struct ctl){.command = &ctl_command_txn};
	arena_init(&ctl->arena);
	arena_init(&ctl->line);
}

static void end(struct ctl *ctl)
{
	arena_fini(&ctl->arena);
	arena_fini(&ctl->line);
}

static void words_are_refused(void **state)
{
	struct ctl ctl;

	begin(&ctl);
	ctl.n_words = 1;
	assert_int_equal(with_streams(PLAIN, command, &ctl), CTL_BAD_ARGS);
	assert_non_null(strstr(told.err, "txn command does not accept argument"));
	assert_string_equal(told.out, "");
	end(&ctl);
}

static void an_end_in_the_middle_sends_nothing(void **state)
{
	static const char *const inputs[] = {"", "mod(\"a\") = \"1\"", "mod(\"a\") = \"1\"\n", "\n",
		"\nput a b\n", "\n\n", "\n\nput a b\n", "\n\nput a b"};
	struct ctl ctl;

	for (size_t i = 0; i < LENGTH(inputs); i++) {
		begin(&ctl); /* with no client: a request would crash */
		check_case(inputs[i], with_streams(inputs[i], command, &ctl) == CTL_BAD_INPUT);
		check_case(inputs[i], strstr(told.err, "EOF") && !told.out[0]);
		end(&ctl);
	}
}

static void each_part_is_asked_for(void **state)
{
	struct ctl ctl;

	begin(&ctl);
	ctl.given[0].flag = &ctl_command_txn.flags[0];
	ctl.given[0].value = "yes";
	ctl.n_given = 1;
	assert_int_equal(with_streams(PLAIN, language, &ctl), CTL_OK);
	assert_string_equal(told.out, "compares:\nsuccess requests (get, put, del):\nfailure "
				      "requests (get, put, del):\n");
	assert_string_equal(told.err, "");
	end(&ctl);
}

static int step_language(void)
{
	struct ctl ctl;
	int code;

	begin(&ctl);
	code = with_streams(PLAIN, language, &ctl);
	end(&ctl);
	if (code == CTL_OK)
		return 0;
	assert_true(told.err[0]); /* it says so */
	return -ENOMEM;
}

static void no_memory_is_said(void **state)
{
	static const struct refuse_step step = {"txn", step_language, 3, false, 0};

	refuse_each(&step, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_refused),
		cmocka_unit_test(an_end_in_the_middle_sends_nothing),
		cmocka_unit_test(each_part_is_asked_for),
		cmocka_unit_test(no_memory_is_said),
	};

	return cmocka_run_group_tests_name("oncectl-txn", tests, NULL, NULL);
}
