/* Items of once, steps and migrate. See flow-items.h.
 *
 * Files of a migration are done in the order of their names' bytes. Names whose numbers have
 * different lengths are refused: 10 would come before 9. */
#include "daemon/flow-items.h"

#include "daemon/words.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct flow_item *add(struct flow_items *items, const char *name)
{
	struct flow_item *grown = reallocarray(items->items, items->n + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	items->items = grown;
	grown += items->n++;
	memset(grown, 0, sizeof(*grown));
	(void)snprintf(grown->name, sizeof(grown->name), "%s", name);
	return grown;
}

static int hash_words(char out[ONCE_HASH_SIZE], const char *name, char *const *argv, size_t argc)
{
	struct once_bytes *parts = calloc(argc + 1, sizeof(*parts));
	int r;

	if (!parts)
		return -ENOMEM;
	parts[0] = once_str(name);
	for (size_t i = 0; i < argc; i++)
		parts[i + 1] = once_str(argv[i]);
	r = name ? once_hash(out, parts, argc + 1) : once_hash(out, parts + 1, argc);
	free(parts);
	return r;
}

/* ---- once, steps ----------------------------------------------------------------------------- */

static int load_once(
	struct flow_items *items, const struct config *config, const struct config_job *job)
{
	struct flow_item *item = add(items, job->id);

	if (!item)
		return -ENOMEM;
	item->argv = job->argv;
	item->argc = job->argc;
	if (once_key_make(item->key, config->prefix, ONCE_KEY_ONCE, job->id, NULL, 0) < 0)
		return -EINVAL;
	return hash_words(item->hash, NULL, item->argv, item->argc);
}

static int load_steps(
	struct flow_items *items, const struct config *config, const struct config_job *job)
{
	struct once_bytes *parts = calloc(job->n_steps, sizeof(*parts));
	int r = parts ? 0 : -ENOMEM;

	for (size_t i = 0; i < job->n_steps && r == 0; i++) {
		struct flow_item *item = add(items, job->steps[i].name);

		r = item ? once_key_make(
				   item->key, config->prefix, ONCE_KEY_STEP, job->id, item->name, 0)
			 : -ENOMEM;
		if (r < 0)
			break;
		item->argv = job->steps[i].argv;
		item->argc = job->steps[i].argc;
		r = hash_words(item->hash, item->name, item->argv, item->argc);
	}
	for (size_t i = 0; i < items->n && r == 0; i++)
		parts[i] = once_str(items->items[i].hash);
	if (r == 0)
		r = once_hash(items->list_hash, parts, items->n);
	free(parts);
	return r;
}

int flow_items_load_undo(struct flow_items *undo, const struct flow_items *steps,
	const struct config *config, const struct config_job *job)
{
	for (size_t i = steps->n; i-- > 0;) {
		const struct config_step *step = &job->steps[i];
		struct flow_item *item;
		int r;

		if (!flow_item_done(&steps->items[i]) || !step->undo)
			continue;
		item = add(undo, step->name);
		if (!item)
			return -ENOMEM;
		item->argv = step->undo;
		item->argc = step->n_undo;
		r = once_key_make(item->key, config->prefix, ONCE_KEY_UNDO, job->id, item->name, 0);
		if (r == 0)
			r = hash_words(item->hash, item->name, item->argv, item->argc);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- migrate --------------------------------------------------------------------------------- */

static int hash_file(char out[ONCE_HASH_SIZE], const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;
	ssize_t n = 1;
	size_t size = 0;
	char *data;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FLOW_FILE_MAX) {
		(void)close(fd);
		return -EFBIG;
	}
	data = malloc((size_t)st.st_size + 1);
	while (data && size <= (size_t)st.st_size && n > 0) {
		n = read(fd, data + size, (size_t)st.st_size + 1 - size);
		size += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		r = -errno;
	(void)close(fd);
	if (r == 0)
		r = data ? once_sha256(out, (struct once_bytes){data, size}) : -ENOMEM;
	free(data);
	return r;
}

static int expand_word(char **ret, const char *word, const struct flow_item *item)
{
	size_t size = 0;
	FILE *out = open_memstream(ret, &size);

	if (!out)
		return -ENOMEM;
	for (; *word; word++) {
		if (word[0] != '%') {
			(void)fputc(*word, out);
			continue;
		}
		word++;
		if (*word == 'f')
			(void)fputs(item->path, out);
		else if (*word == 'n')
			(void)fputs(item->name, out);
		else if (*word == 's')
			(void)fputs(item->hash, out);
		else
			(void)fputc('%', out);
	}
	return fclose(out) == 0 ? 0 : -ENOMEM;
}

static int expand(struct flow_item *item, const struct config_job *job)
{
	item->argv = calloc(job->n_runner + 1, sizeof(*item->argv));
	item->owns_argv = true;
	if (!item->argv)
		return -ENOMEM;
	for (; item->argc < job->n_runner; item->argc++)
		if (expand_word(&item->argv[item->argc], job->runner[item->argc], item) < 0)
			return -ENOMEM;
	return 0;
}

static int add_file(struct flow_items *items, const struct config *config,
	const struct config_job *job, const char *name, char *why, size_t size)
{
	struct flow_item *item;
	int r;

	if (!once_id_valid(name)) {
		(void)snprintf(
			why, size, "%s: bad name of a file, expected %s", job->files, ONCE_ID_RULE);
		return -EINVAL;
	}
	item = add(items, name);
	if (!item || asprintf(&item->path, "%s/%s", job->files, name) < 0)
		return -ENOMEM;
	r = hash_file(item->hash, item->path);
	if (r < 0) {
		(void)snprintf(why, size, "%s: %s", item->path,
			r == -EFBIG ? "no regular file of at most 64 MiB" : strerror(-r));
		return -EINVAL;
	}
	if (once_key_make(item->key, config->prefix, ONCE_KEY_STEP, job->id, name, 0) < 0)
		return -EINVAL;
	return expand(item, job);
}

static int is_file(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && entry->d_name[n - 1] != '~';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static size_t digits(const char *name)
{
	size_t first = 0, n = 0;

	while (isalpha((unsigned char)name[first])) /* V1__x.sql */
		first++;
	while (isdigit((unsigned char)name[first + n]))
		n++;
	return n;
}

static int check_order(const struct flow_items *items, char *why, size_t size)
{
	for (size_t i = 1; i < items->n; i++) {
		const char *a = items->items[i - 1].name, *b = items->items[i].name;

		if (digits(a) == 0 || digits(b) == 0 || digits(a) == digits(b))
			continue;
		(void)snprintf(why, size,
			"%.100s would come before %.100s, expected numbers of one length: "
			"0009, 0010",
			a, b);
		return -EINVAL;
	}
	return 0;
}

static int load_files(struct flow_items *items, const struct config *config,
	const struct config_job *job, char *why, size_t size)
{
	struct dirent **entries = NULL;
	int n = scandir(job->files, &entries, is_file, by_bytes), r = 0;

	if (n < 0 || n > FLOW_FILES_MAX) {
		(void)snprintf(why, size, "%s: %s", job->files,
			n < 0 ? strerror(errno) : "too many files");
		r = -EINVAL;
	}
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = add_file(items, config, job, entries[i]->d_name, why, size);
		free(entries[i]);
	}
	free(entries);
	if (r == 0)
		r = check_order(items, why, size);
	if (r == 0 && job->baseline && !flow_items_find(items, job->baseline)) {
		(void)snprintf(
			why, size, "there is no file %s, which Baseline= names", job->baseline);
		r = -EINVAL;
	}
	return r;
}

/* ---------------------------------------------------------------------------------------------- */

int flow_items_load(struct flow_items *items, const struct config *config,
	const struct config_job *job, char *why, size_t size)
{
	int r;

	flow_items_free(items);
	(void)snprintf(why, size, "out of memory");
	if (job->type == CONFIG_JOB_ONCE)
		r = load_once(items, config, job);
	else if (job->type == CONFIG_JOB_STEPS)
		r = load_steps(items, config, job);
	else
		r = load_files(items, config, job, why, size);
	if (r < 0)
		flow_items_free(items);
	return r;
}

/* ---- what the ledger says of them ------------------------------------------------------------ */

void flow_items_forget(struct flow_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		items->items[i].run = once_run_free(items->items[i].run);
	for (size_t i = 0; i < items->n_gone; i++)
		items->gone[i].run = once_run_free(items->gone[i].run);
	free(items->gone);
	items->gone = NULL;
	items->n_gone = 0;
}

static struct flow_item *add_gone(struct flow_items *items, const char *name)
{
	struct flow_item *grown = reallocarray(items->gone, items->n_gone + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	items->gone = grown;
	grown += items->n_gone++;
	*grown = (struct flow_item){0};
	(void)snprintf(grown->name, sizeof(grown->name), "%s", name);
	return grown;
}

int flow_items_take(struct flow_items *items, const char *name, const struct once_run *run,
	int64_t mod_revision)
{
	struct flow_item *item = flow_items_find(items, name);
	struct once_run *copy = malloc(sizeof(*copy));

	if (copy && !item)
		item = add_gone(items, name);
	if (!copy || !item) {
		free(copy);
		return -ENOMEM;
	}
	*copy = *run;
	copy->tail = copy->result = (struct once_bytes){0};
	once_run_free(item->run);
	item->run = copy;
	item->mod_revision = mod_revision;
	return 0;
}

/* An id that is done once ever must not change once it was begun. */
static bool is_changed(const struct flow_item *item, const struct config_job *job)
{
	if (job->type != CONFIG_JOB_ONCE)
		return flow_item_changed(item);
	return item->run && item->run->hash[0] && strcmp(item->run->hash, item->hash) != 0;
}

static bool is_gone(
	const struct flow_item *item, const struct config_job *job, char *why, size_t size)
{
	if (flow_item_removed(item))
		return false;
	if (job->type == CONFIG_JOB_MIGRATE)
		(void)snprintf(why, size,
			"%.128s has a record (%s) and is no file in %.256s any more, expected it "
			"to be there; if it is gone for good: oncectl migrate force %.64s %.128s "
			"--removed",
			item->name, once_run_state_name(item->run->state), job->files, job->name,
			item->name);
	else
		(void)snprintf(why, size,
			"a step that has a record is not in the list any more: %.128s, expected "
			"the list as it was, or another Id=",
			item->name);
	return true;
}

bool flow_items_refused(
	const struct flow_items *items, const struct config_job *job, char *why, size_t size)
{
	const struct flow_item *open = NULL;

	for (size_t i = 0; i < items->n_gone; i++)
		if (is_gone(&items->gone[i], job, why, size))
			return true;
	for (size_t i = 0; i < items->n; i++) {
		const struct flow_item *item = &items->items[i];

		if (is_changed(item, job)) {
			(void)snprintf(why, size,
				"%.128s was %s with other content (sha256 %.16s..., now "
				"%.16s...), expected what was done to stay as it is",
				item->name, flow_item_done(item) ? "done" : "begun",
				item->run->hash, item->hash);
			return true;
		}
		if (!flow_item_done(item) && !open)
			open = item;
		if (!open || !flow_item_done(item))
			continue;
		(void)snprintf(why, size,
			"%.128s comes before %.128s, which is done already, expected it after all "
			"that is",
			open->name, item->name);
		return true;
	}
	return false;
}

/* ---------------------------------------------------------------------------------------------- */

void flow_items_free(struct flow_items *items)
{
	flow_items_forget(items);
	for (size_t i = 0; i < items->n; i++) {
		struct flow_item *item = &items->items[i];

		if (item->owns_argv)
			words_free(item->argv);
		free(item->path);
	}
	free(items->items);
	memset(items, 0, sizeof(*items));
}

struct flow_item *flow_items_find(const struct flow_items *items, const char *name)
{
	for (size_t i = 0; i < items->n; i++)
		if (strcmp(items->items[i].name, name) == 0)
			return &items->items[i];
	return NULL;
}

struct flow_item *flow_items_next(const struct flow_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		if (!flow_item_done(&items->items[i]))
			return &items->items[i];
	return NULL;
}

char *flow_items_progress(const struct flow_items *items, char *out, size_t size)
{
	size_t done = 0, at;

	for (size_t i = 0; i < items->n; i++)
		done += flow_item_done(&items->items[i]);
	at = (size_t)snprintf(out, size, "%zu of %zu are done%s", done, items->n, done ? ":" : "");
	for (size_t i = 0; i < items->n && at < size; i++)
		if (flow_item_done(&items->items[i]))
			at += (size_t)snprintf(out + at, size - at, " %s", items->items[i].name);
	if (at >= size)
		memcpy(out + size - 4, "...", 4);
	return out;
}
