/* The text of a configuration file or job, and quoted words. Whatever it holds, every line of what
 * is reported is one line of printable text; and what is accepted prints as something accepted. */
#include "daemon/config-internal.h"
#include "daemon/words.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_errors(const struct config_draft *draft, const char *text, size_t size)
{
	size_t lines = 0;

	for (size_t i = 0; i < size; i++) {
		require((unsigned char)text[i] >= ' ' || text[i] == '\n');
		require(text[i] != 0x7f);
		lines += text[i] == '\n';
	}
	require(lines == draft->n_errors);
}

/* 0 errors: *ret_printed is what --check prints of the file, or of the job alone. */
static size_t load(bool is_job, const char *text, size_t size, char **ret_printed)
{
	char *errors = NULL;
	size_t errors_size = 0, printed_size = 0;
	struct config_draft draft = {
		.for_fuzzing = true, .errors = open_memstream(&errors, &errors_size)};
	struct config_job_draft job = {.file = "f"};
	struct config_reader reader = {
		&draft, &config_main_table, &draft.config, draft.origins, "f"};
	static const char base[] = "[Etcd]\nEndpoints=https://a:1\n[Node]\nName=n\n";
	FILE *printed;

	(void)config_read_text(&reader, is_job ? base : text, is_job ? sizeof(base) - 1 : size);
	require(config_finish(&draft, NULL, "f") == 0);
	require(config_set_string(&draft.config.source, "f") == 0);
	if (is_job) {
		reader = (struct config_reader){&draft, &config_job_table, &job, job.origins, "f"};
		require(config_set_string(&job.job.name, "j") == 0);
		(void)config_read_text(&reader, text, size);
		require(config_add_job(&draft, &job) == 0);
	}
	(void)fclose(draft.errors);
	check_errors(&draft, errors, errors_size);
	free(errors);
	if (draft.n_errors == 0) {
		printed = open_memstream(ret_printed, &printed_size);
		require(config_print(&draft.config, printed) == 0);
		(void)fclose(printed);
	}
	config_free(&draft.config);
	return draft.n_errors;
}

static void fuzz_file(bool is_job, const char *text, size_t size)
{
	char *printed = NULL, *again = NULL;
	const char *own;

	if (load(is_job, text, size, &printed) > 0)
		return;
	own = is_job ? strstr(printed, "[Job]") : printed;
	require(own && load(is_job, own, strlen(own), &again) == 0);
	free(printed);
	free(again);
}

static void fuzz_words(const char *text)
{
	char **words = NULL, **again = NULL, *printed = NULL;
	size_t n = 0, n_again = 0, size = 0;
	const char *why = NULL;
	FILE *out;

	if (words_split(text, &words, &n, &why) < 0) {
		require(why != NULL);
		return;
	}
	out = open_memstream(&printed, &size);
	words_print(out, words);
	(void)fclose(out);
	require(words_split(printed, &again, &n_again, &why) == 0 && n == n_again);
	for (size_t i = 0; i < n; i++)
		require(strcmp(words[i], again[i]) == 0);
	words_free(words);
	words_free(again);
	free(printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = calloc(1, size); /* strndup() would look for a NUL behind the data */
	if (text)
		memcpy(text, data + 1, size - 1);
	if (text && data[0] == 'w')
		fuzz_words(text);
	else if (text)
		fuzz_file(data[0] == 'j', (const char *)data + 1, size - 1);
	free(text);
	return 0;
}
