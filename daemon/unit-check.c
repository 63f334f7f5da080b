/* What a unit must be like for a job to start it. See unit.h.
 *
 * Two things hold it when the daemon cannot: systemd, which stops it when the daemon's unit is gone
 * (BindsTo=), within the job's own grace; and its slice. Nobody but the job may start it. */
#include "daemon/unit-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Each: 0 fine, -EINVAL it has had its line, other negative errno likewise. */

static int expect_text(struct unit *u, bool service, const char *property, const char *wanted)
{
	char text[UNIT_TEXT_MAX];
	int r = unit_get_text(u, service, property, text);

	if (r < 0 || strcmp(text, wanted) == 0)
		return r;
	unit_say(u, "%s=%s, expected %s=%s", property, text, property, wanted);
	return -EINVAL;
}

static int expect_flag(struct unit *u, const char *property, int wanted)
{
	int flag = unit_get_flag(u, property);

	if (flag < 0 || flag == wanted)
		return flag < 0 ? flag : 0;
	unit_say(u, "%s=%s, expected %s=%s", property, flag ? "yes" : "no", property, wanted ? "yes" : "no");
	return -EINVAL;
}

static int check_loaded(struct unit *u)
{
	char state[UNIT_TEXT_MAX];
	int r = unit_get_text(u, false, "LoadState", state);

	if (r < 0 || strcmp(state, "loaded") == 0)
		return r;
	if (strcmp(state, "not-found") == 0)
		unit_say(u, "there is no such unit");
	else
		unit_say(u, "LoadState=%s, expected a unit that can be started", state);
	return -EINVAL;
}

static int check_idle(struct unit *u)
{
	bool idle;
	int r = unit_is_idle(u, &idle);

	if (r < 0 || idle)
		return r;
	unit_say(u, "is active, or in systemd's queue, and onced did not start it: systemctl stop %s", u->name);
	return -EINVAL;
}

static int check_kill_mode(struct unit *u)
{
	char mode[UNIT_TEXT_MAX];
	int r = unit_get_text(u, true, "KillMode", mode);

	if (r < 0 || strcmp(mode, "control-group") == 0 || strcmp(mode, "mixed") == 0)
		return r;
	unit_say(u, "KillMode=%s, expected control-group or mixed", mode);
	return -EINVAL;
}

/* Each of ExecStop= and SIGTERM may take that long. */
static int check_stop_time(struct unit *u)
{
	int stages = 1, commands = unit_count(u, true, "ExecStop", NULL), r;
	int64_t usec;

	r = unit_get_number(u, true, "TimeoutStopUSec", 't', &usec);
	if (r < 0 || commands < 0)
		return r < 0 ? r : commands;
	stages += commands;
	if (usec <= u->grace_usec / stages)
		return 0;
	unit_say(u, "TimeoutStopSec=%.3gs, expected at most %.3gs, which is StopGrace=%s", (double)usec / 1e6,
		(double)u->grace_usec / stages / 1e6, commands ? " over SIGTERM and each ExecStop=" : "");
	return -EINVAL;
}

static int check_stop_post(struct unit *u)
{
	int commands = unit_count(u, true, "ExecStopPost", NULL);

	if (commands <= 0)
		return commands;
	unit_say(u, "ExecStopPost= runs after the end, expected none");
	return -EINVAL;
}

static int check_bound(struct unit *u)
{
	int bound = unit_has(u, "BindsTo", u->own);

	if (bound != 0)
		return bound < 0 ? bound : 0;
	unit_say(u, "is not bound to the daemon, expected BindsTo=%s", u->own);
	return -EINVAL;
}

static int check_others(struct unit *u)
{
	char state[UNIT_TEXT_MAX], trigger[UNIT_TEXT_MAX] = "";
	int r = unit_get_text(u, false, "UnitFileState", state);
	int triggers = r < 0 ? r : unit_count(u, false, "TriggeredBy", trigger);

	if (triggers < 0)
		return triggers;
	if (strncmp(state, "enabled", 7) == 0) {
		unit_say(u, "is enabled, so that systemd starts it, expected it disabled");
		return -EINVAL;
	}
	if (triggers == 0)
		return 0;
	unit_say(u, "is started by %s, too, expected by nobody but onced", trigger);
	return -EINVAL;
}

int unit_check(struct unit *u)
{
	char slice[LINK_SLICE_MAX];
	int r = check_loaded(u);

	if (r == 0)
		r = check_idle(u);
	if (r < 0)
		return r;
	unit_slice(u->name, slice);
	/* All of them, for who has to write the unit. */
	r |= expect_text(u, true, "Restart", "no");
	r |= expect_text(u, true, "Slice", slice);
	r |= check_bound(u);
	r |= check_stop_time(u);
	r |= check_stop_post(u);
	r |= check_kill_mode(u);
	r |= expect_flag(u, "SendSIGKILL", 1);
	r |= expect_flag(u, "RemainAfterExit", 0);
	r |= check_others(u);
	return r < 0 ? -EINVAL : 0;
}
