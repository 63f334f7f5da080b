/* Reads the term of a job. onced gives it ONCED_KEY and ONCED_TOKEN, lock ETCD_LOCK_KEY and
 * ETCD_LOCK_REV.
 *
 * A token is the key's create_revision. ETCD_LOCK_REV is that only for who did not have to wait for
 * the lock; else it is a later revision. The key was there then and holds the lease in its name, so
 * one that was created by then is the same. */
#include "tools/oncectl/term.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"

static const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

int ctl_read_term(struct ctl *ctl, struct ctl_term *ret)
{
	const char *token = ctl_flag(ctl, "--token"), *said = from_environment("ONCED_TOKEN");

	ret->key = from_environment("ONCED_KEY");
	ret->upper_bound = !token && !said;
	if (!ret->key)
		ret->key = from_environment("ETCD_LOCK_KEY");
	if (!ret->key && token)
		ret->key = ctl->leader_key;
	if (!token)
		token = said ? said : from_environment("ETCD_LOCK_REV");
	if (!ret->key || !token)
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

void ctl_term_compares(const struct ctl_term *term, struct once_compare out[CTL_TERM_COMPARES])
{
	struct once_compare created = {.target = ONCE_COMPARE_CREATE,
		.result = term->upper_bound ? ONCE_GREATER : ONCE_EQUAL,
		.key = once_str(term->key),
		.number = term->upper_bound ? 0 : term->token};

	out[0] = out[1] = created;
	out[1].result = ONCE_LESS;
	out[1].number = term->token < INT64_MAX ? term->token + 1 : term->token;
}

int ctl_fenced(const struct ctl_term *term)
{
	return ctl_error(
		CTL_FENCED, "fenced: the term with token %lld is over", (long long)term->token);
}
