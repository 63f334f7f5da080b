/* base/zoneinfo.h */
#include "base/zoneinfo.h"
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

static void test_names(void **state)
{
	static const char *const good[] = {"UTC", "Europe/Berlin", "America/Argentina/Ushuaia",
		"Etc/GMT+5", "America/Port-au-Prince", "EST5EDT", "NZ-CHAT"};
	static const char *const bad[] = {"", "/", "/etc/passwd", "../Berlin", "Europe/../UTC",
		"Europe//Berlin", "Europe/", ".", "..", "Europe/Ber lin", "5EST", "Europe/_x",
		"Europe\\Berlin", "UTC\n", "Zone.tab", "\xc3\x9c",
		"Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	static char out[ZONEINFO_FILE_MAX];
	size_t size;

	for (size_t i = 0; i < LENGTH(good); i++)
		check_case(good[i], zoneinfo_name_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < LENGTH(bad); i++) {
		check_case(bad[i], !zoneinfo_name_valid(bad[i], strlen(bad[i])));
		check_case(bad[i], zoneinfo_read(NULL, bad[i], out, &size) == -EINVAL);
	}
	assert_false(zoneinfo_name_valid("A\0B", 3));
}

static void test_files(void **state)
{
	static char out[ZONEINFO_FILE_MAX];
	char directory[] = "/tmp/test-zoneinfo-XXXXXX", path[64];
	size_t size = 42;
	FILE *file;

	assert_non_null(mkdtemp(directory));
	assert_int_equal(zoneinfo_read(directory, "Zone", out, &size), -ENOENT);
	(void)snprintf(path, sizeof(path), "%s/Zone", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs("TZif2", file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(zoneinfo_read(directory, "Zone/Below", out, &size), -ENOENT);
	assert_int_equal(size, 42);
	assert_int_equal(zoneinfo_read(directory, "Zone", out, &size), 0);
	assert_int_equal(size, 5);
	assert_memory_equal(out, "TZif2", 5);
	assert_int_equal(truncate(path, ZONEINFO_FILE_MAX + 1), 0);
	assert_int_equal(zoneinfo_read(directory, "Zone", out, &size), -EFBIG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(zoneinfo_read(directory, "Zone", out, &size), -EFBIG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(zoneinfo_read(directory, "Zone", out, &size), -ENOENT);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("zoneinfo", tests, NULL, NULL);
}
