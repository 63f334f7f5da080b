/* How a command ended, in the words of Go, and so of etcdctl. */
#include <ctype.h>
#include <string.h>

#include "tools/oncectl/kv/kv.h"

/* The C library's words begin with a capital, Go's do not. */
static const char *lower(struct ctl *ctl, const char *text)
{
	char *copy = arena_copy(&ctl->arena, text, strlen(text));

	if (copy)
		*copy = (char)tolower((unsigned char)*copy);
	return copy;
}

static const char *or_unknown(const char *text)
{
	return text ? text : "out of memory";
}

const char *kv_exit_text(struct ctl *ctl, int exit_code, int signo)
{
	if (signo == 0)
		return or_unknown(ctl_printf(ctl, "exit status %d", exit_code));
	return or_unknown(ctl_printf(ctl, "signal: %s", or_unknown(lower(ctl, strsignal(signo)))));
}

const char *kv_exec_text(struct ctl *ctl, const char *name, const char *error)
{
	if (!strchr(name, '/'))
		return or_unknown(
			ctl_printf(ctl, "exec: \"%s\": executable file not found in $PATH", name));
	return or_unknown(ctl_printf(ctl, "fork/exec %s: %s", name, or_unknown(lower(ctl, error))));
}
