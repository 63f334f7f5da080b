/* See ask.h. */
#include "tools/oncectl/ask.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/utf8.h"

void ctl_by(char out[ONCE_BY_MAX + 1])
{
	char host[HOST_NAME_MAX + 1] = "", text[512];
	const struct passwd *user = getpwuid(geteuid());
	int n;

	(void)gethostname(host, sizeof(host) - 1);
	if (user)
		n = snprintf(text, sizeof(text), "%s@%s", user->pw_name, host);
	else
		n = snprintf(text, sizeof(text), "%u@%s", (unsigned)geteuid(), host);
	(void)escape_line(out, ONCE_BY_MAX + 1, text,
		n < 0			   ? 0
		: (size_t)n < sizeof(text) ? (size_t)n
					   : sizeof(text) - 1);
}

int ctl_reason(struct ctl *ctl, char out[ONCE_REASON_MAX + 1])
{
	const char *reason = ctl_flag(ctl, "--reason");
	size_t n = reason ? strlen(reason) : 0;

	out[0] = '\0';
	if (n == 0)
		return CTL_OK;
	if (n > ONCE_REASON_MAX || !utf8_valid(reason, n))
		return ctl_error(
			CTL_USAGE, "--reason: expected UTF-8 of at most %d bytes", ONCE_REASON_MAX);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)reason[i] < ' ' || reason[i] == 0x7f)
			return ctl_error(
				CTL_USAGE, "--reason: holds control characters, expected one line");
	memcpy(out, reason, n + 1);
	return CTL_OK;
}

const char *ctl_record_key(
	struct ctl *ctl, enum once_key_kind kind, const char *name, const char *sub, int64_t at_ms)
{
	char key[ONCE_KEY_SIZE];

	if (once_key_make(key, ctl->config.prefix, kind, name, sub, at_ms) < 0) {
		(void)ctl_error(CTL_USAGE, "no such key can be: prefix %s, expected %s",
			ctl->config.prefix, ONCE_PREFIX_RULE);
		return NULL;
	}
	return arena_copy(&ctl->arena, key, strlen(key));
}

int ctl_put(struct ctl *ctl, const char *key, const char *value, const char *guard, int64_t token,
	int64_t *ret_revision)
{
	struct once_compare holds = {
		.target = ONCE_COMPARE_CREATE, .key = once_str(guard), .number = token};
	struct once_op put = {.kind = ONCE_OP_PUT, .key = once_str(key), .value = once_str(value)};
	struct once_txn txn = {
		.compares = &holds, .n_compares = guard ? 1 : 0, .success = &put, .n_success = 1};
	const struct once_response *response = ctl_txn(ctl, &txn);

	if (!response)
		return CTL_UNREACHABLE;
	if (ret_revision)
		*ret_revision = response->revision;
	return response->op.succeeded ? CTL_OK : CTL_FENCED;
}

int ctl_put_once(struct ctl *ctl, const char *key, const char *value, int64_t *ret_revision)
{
	struct once_op put = {.kind = ONCE_OP_PUT, .key = once_str(key), .value = once_str(value)};
	struct once_txn txn = {.success = &put, .n_success = 1};
	const struct once_response *response = ctl_txn_once(ctl, &txn);

	if (response)
		*ret_revision = response->revision;
	return response ? CTL_OK : CTL_UNREACHABLE;
}

int ctl_delete(struct ctl *ctl, const char *key, bool *ret_deleted)
{
	struct once_op op = {.kind = ONCE_OP_DELETE, .key = once_str(key)};
	const struct once_response *response = ctl_op(ctl, &op);

	if (!response)
		return CTL_UNREACHABLE;
	*ret_deleted = response->op.count > 0;
	return CTL_OK;
}
