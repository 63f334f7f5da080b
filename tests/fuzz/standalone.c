/* Runs a fuzz target over files, or all files of a directory: the corpus as a normal test, with any
 * compiler. An input that once broke something stays in the corpus and cannot break it again. */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	struct stat st;
	size_t size;
	bool ok = false;

	if (!file || fstat(fileno(file), &st) < 0)
		goto out;
	size = (size_t)st.st_size;
	/* exactly the size, so that a sanitizer or valgrind sees a read behind the end */
	data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, file) != size)
		goto out;
	(void)LLVMFuzzerTestOneInput(data, size);
	ok = true;
out:
	if (!ok)
		fprintf(stderr, "cannot read %s\n", path);
	free(data);
	if (file)
		fclose(file);
	return ok;
}

static int run_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[4096];
	int n = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (!run_file(name)) {
			n = -1;
			break;
		}
		n++;
	}
	closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	struct stat st;

	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
			int n = run_directory(argv[i]);

			printf("%s: %d inputs\n", argv[i], n);
			if (n <= 0) /* an empty corpus tests nothing */
				return 1;
		} else if (!run_file(argv[i])) {
			return 1;
		}
	}
	return argc > 1 ? 0 : 1;
}
