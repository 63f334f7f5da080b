/* Reads the term of a job. onced gives it ONCED_KEY and ONCED_TOKEN, lock ETCD_LOCK_KEY and
 * ETCD_LOCK_REV. */
#include "tools/oncectl/term.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"

static const char *from_environment(const char *name, const char *other)
{
	const char *value = getenv(name);

	return value && *value ? value : getenv(other);
}

int ctl_read_term(struct ctl *ctl, struct ctl_term *ret)
{
	const char *token = ctl_flag(ctl, "--token");

	ret->key = from_environment("ONCED_KEY", "ETCD_LOCK_KEY");
	if (!token)
		token = from_environment("ONCED_TOKEN", "ETCD_LOCK_REV");
	else if (!ret->key || !*ret->key)
		ret->key = ctl->leader_key;
	if (!ret->key || !*ret->key || !token || !*token)
		return ctl_error(CTL_USAGE,
			"%s: expected ONCED_KEY and ONCED_TOKEN in the environment, as a job of "
			"onced "
			"has them, or --token",
			ctl->command->name);
	if (number_parse_i64(token, strlen(token), &ret->token) < 0 || ret->token <= 0)
		return ctl_error(CTL_USAGE, "%s: bad token \"%s\", expected a number above 0",
			ctl->command->name, token);
	return CTL_OK;
}

int ctl_fenced(const struct ctl_term *term)
{
	return ctl_error(
		CTL_FENCED, "fenced: the term with token %lld is over", (long long)term->token);
}
