/* Names of units and of their slices. See unit.h. */
#include "daemon/unit.h"

#include <stdio.h>
#include <string.h>

#define SUFFIX ".service"
#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_."

bool unit_name_valid(const char *name)
{
	size_t n = strlen(name), stem = n - strlen(SUFFIX);
	const char *at = strchr(name, '@');

	if (n <= strlen(SUFFIX) || n > UNIT_NAME_LIMIT || strcmp(name + stem, SUFFIX) != 0 ||
		strspn(name, PLAIN ":\\-@") != n || name[0] == '-' || name[0] == '.')
		return false;
	return !at || (at > name && at + 1 < name + stem && !strchr(at + 1, '@'));
}

void unit_slice(const char *name, char out[LINK_SLICE_MAX])
{
	int stem = (int)(strlen(name) - strlen(SUFFIX));

	(void)snprintf(out, LINK_SLICE_MAX, "onced-%.*s.slice", stem, name);
	for (char *at = out + strlen("onced-"); *at; at++)
		if (!strchr(PLAIN, *at))
			*at = '_';
}
