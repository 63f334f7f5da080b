/* See versions.h. Each row: a defect, and in each line of releases the patch that ended it. */
#include "tools/oncectl/versions.h"

#include <string.h>

enum { NEVER = 1000, ALL = -1 };

static const struct {
	/* Patches from..to of 3.4, 3.5, 3.6 have it; to -1: none. */
	struct {
		int from, to;
	} in[3];
	bool refuse, one_member_only;
	const char *text;
} defects[] = {
	{{{0, ALL}, {0, 2}, {0, ALL}}, true, false,
		"members may come to hold different data after a crash (etcd#13766): upgrade "
		"first"},
	{{{0, 20}, {0, 4}, {0, ALL}}, false, true,
		"a cluster of one may lose an acknowledged write in a crash (etcd#14370)"},
	{{{0, 30}, {0, 12}, {0, ALL}}, false, false,
		"a deposed leader of etcd with a stalled disk goes on renewing and revoking leases "
		"(etcd#15247): safe here, with more failovers"},
	{{{0, 37}, {0, 22}, {0, 4}}, false, false,
		"a lease may be renewed after it was revoked (etcd#20590): safe here, with slower "
		"failovers"},
	{{{0, 41}, {13, 27}, {0, 8}}, false, false,
		"reads may be stale (etcd#20418): safe here, since only writes count"},
	{{{0, 41}, {0, 27}, {0, 8}}, false, false,
		"auth does not cover leases, alarms and compaction (GHSA-q8m4-xhhv-38mg), nor what "
		"users do by nested txns (GHSA-rfx7-8w68-q57q)"},
	{{{0, 43}, {0, 29}, {0, 10}}, false, false,
		"a user may read keys and attach leases beyond his rights by a txn "
		"(GHSA-x35m-3gp4-4fh5)"},
	{{{0, NEVER}, {0, 32}, {0, 13}}, false, false,
		"whoever shares this etcd may watch keys he must not read (GHSA-xg4h-6gfc-h4m8)"},
	{{{0, NEVER}, {0, ALL}, {0, ALL}}, false, false, "3.4 gets no more fixes since June 2026"},
};

/* Digits up to the stop character or the end. -1: none, or too many. */
static int number(const char **at)
{
	int value = 0, n = 0;

	for (; **at >= '0' && **at <= '9' && n <= 4; (*at)++, n++)
		value = value * 10 + (**at - '0');
	return n > 0 && n <= 4 ? value : -1;
}

static bool parse(const char *text, int *major, int *minor, int *patch)
{
	*major = number(&text);
	if (*major < 0 || *text++ != '.')
		return false;
	*minor = number(&text);
	if (*minor < 0 || *text++ != '.')
		return false;
	*patch = number(&text);
	return *patch >= 0 && (*text == '\0' || *text == '-' || *text == '+');
}

size_t version_risks(
	const char *version, size_t n_members, struct version_risk ret[VERSION_RISKS_MAX])
{
	int major, minor, patch;
	size_t n = 0;

	if (!parse(version, &major, &minor, &patch)) {
		ret[n++] = (struct version_risk){false, "the version cannot be read"};
		return n;
	}
	if (major < 3 || (major == 3 && minor < 4)) {
		ret[n++] = (struct version_risk){
			true, "older than 3.4, whose JSON gateway is the first that onced speaks"};
		return n;
	}
	if (strncmp(version, "3.6.0-rc.0", 10) == 0 || strncmp(version, "3.6.0-rc.1", 10) == 0)
		ret[n++] = (struct version_risk){
			true, "a release candidate whose watches fail over HTTP/2: upgrade first"};
	if (major > 3 || minor > 6)
		return n;
	for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]) && n < VERSION_RISKS_MAX; i++) {
		if (patch < defects[i].in[minor - 4].from || patch > defects[i].in[minor - 4].to ||
			(defects[i].one_member_only && n_members != 1))
			continue;
		ret[n++] = (struct version_risk){defects[i].refuse, defects[i].text};
	}
	return n;
}
