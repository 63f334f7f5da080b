/* Known defects by version of etcd. */
#include "../unit/unit.h"

#include "tools/oncectl/versions.h"

static void known(void **state)
{
	static const struct {
		const char *version;
		size_t members, risks;
		bool refuse;
		const char *one; /* in one of the texts */
	} cases[] = {
		{"3.3.27", 3, 1, true, "older than 3.4"},
		{"2.3.8", 3, 1, true, "older than 3.4"},
		{"3.4.20", 1, 8, false, "#14370"},
		{"3.4.20", 3, 7, false, "#15247"},
		{"3.4.41", 3, 5, false, "GHSA-q8m4"},
		{"3.4.42", 3, 3, false, "no more fixes"},
		{"3.4.44", 3, 2, false, "no more fixes"},
		{"3.5.2", 1, 7, true, "#13766"},
		{"3.5.2", 3, 6, true, "#13766"},
		{"3.5.3", 3, 5, false, "#15247"},
		{"3.5.4", 1, 6, false, "#14370"},
		{"3.5.16", 3, 5, false, "#20418"},
		{"3.5.27", 3, 4, false, "GHSA-q8m4"},
		{"3.5.28", 3, 2, false, "GHSA-x35m"},
		{"3.5.30", 3, 1, false, "GHSA-xg4h"},
		{"3.5.33", 3, 0, false, NULL},
		{"3.6.0-rc.1", 3, 6, true, "release candidate"},
		{"3.6.8", 3, 4, false, "#20418"},
		{"3.6.10", 3, 2, false, "GHSA-x35m"},
		{"3.6.14", 3, 0, false, NULL},
		{"3.6.14+git", 1, 0, false, NULL},
		{"3.7.1", 3, 0, false, NULL},
		{"4.0.0", 3, 0, false, NULL},
		{"", 3, 1, false, "cannot be read"},
		{"3.5", 3, 1, false, "cannot be read"},
		{"3.5.x", 3, 1, false, "cannot be read"},
		{"3.5.99999999999", 3, 1, false, "cannot be read"},
		{"v3.5.1", 3, 1, false, "cannot be read"},
		{"3.5.1 evil", 3, 1, false, "cannot be read"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct version_risk risks[VERSION_RISKS_MAX];
		size_t n = version_risks(cases[i].version, cases[i].members, risks);
		bool refuse = false, one = !cases[i].one;

		for (size_t k = 0; k < n; k++) {
			refuse = refuse || risks[k].refuse;
			one = one || strstr(risks[k].text, cases[i].one);
		}
		if (n != cases[i].risks || refuse != cases[i].refuse || !one)
			fail_msg("%s: %zu risks, refuse %d, text found %d", cases[i].version, n,
				refuse, one);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
