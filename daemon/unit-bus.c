/* What `onced unit` says to systemd. See unit-internal.h.
 *
 * Every call has sd-bus's own deadline. A bus that fails or is gone ends the program, and with it the run. */
#include "daemon/unit-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define MANAGER SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager"
#define UNIT SYSTEMD ".Unit"
#define SERVICE SYSTEMD ".Service"
#define CALL_USEC 10000000 /* systemd answers at once, or is reloading */

static int failed(const struct unit *u, const char *what, const sd_bus_error *error, int r)
{
	unit_say(u, "%s: %s", what, error && error->message ? error->message : strerror(-r));
	return r;
}

/* ---- properties ---- */

static sd_bus_message *get(struct unit *u, bool service, const char *property, const char *type)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	int r = sd_bus_get_property(
		u->bus, SYSTEMD, u->path, service ? SERVICE : UNIT, property, &error, &reply, type);

	if (r < 0)
		(void)failed(u, property, &error, r);
	sd_bus_error_free(&error);
	return r < 0 ? NULL : reply;
}

int unit_get_text(struct unit *u, bool service, const char *property, char out[UNIT_TEXT_MAX])
{
	sd_bus_message *reply = get(u, service, property, "s");
	const char *text = "";
	int r = reply ? sd_bus_message_read(reply, "s", &text) : -EIO;

	(void)snprintf(out, UNIT_TEXT_MAX, "%s", r < 0 ? "" : text);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 0;
}

int unit_get_number(struct unit *u, bool service, const char *property, char type, int64_t *ret)
{
	const char signature[] = {type, '\0'};
	sd_bus_message *reply = get(u, service, property, signature);
	union {
		int32_t i;
		uint64_t t;
	} value = {0};
	int r = reply ? sd_bus_message_read_basic(reply, type, &value) : -EIO;

	*ret = type == 'i' ? value.i : value.t > INT64_MAX ? INT64_MAX : (int64_t)value.t;
	sd_bus_message_unref(reply);
	return r < 0 ? r : 0;
}

int unit_get_flag(struct unit *u, const char *property)
{
	sd_bus_message *reply = get(u, true, property, "b");
	int flag = 0, r = reply ? sd_bus_message_read(reply, "b", &flag) : -EIO;

	sd_bus_message_unref(reply);
	return r < 0 ? r : flag != 0;
}

int unit_count(struct unit *u, bool service, const char *property, char first[UNIT_TEXT_MAX])
{
	const char *type = service ? "a(sasbttttuii)" : "as", *text;
	sd_bus_message *reply = get(u, service, property, type);
	int n = 0, r = reply ? sd_bus_message_enter_container(reply, 'a', type + 1) : -EIO;

	while (r >= 0 && !sd_bus_message_at_end(reply, 0)) {
		r = service ? sd_bus_message_skip(reply, type + 1) : sd_bus_message_read(reply, "s", &text);
		if (r >= 0 && !service && n == 0 && first)
			(void)snprintf(first, UNIT_TEXT_MAX, "%s", text);
		n++;
	}
	sd_bus_message_unref(reply);
	return r < 0 ? r : n;
}

int unit_has(struct unit *u, const char *property, const char *wanted)
{
	sd_bus_message *reply = get(u, false, property, "as");
	char **names = NULL;
	int r = reply ? sd_bus_message_read_strv(reply, &names) : -EIO, found = 0;

	for (char **name = names; r >= 0 && name && *name; name++) {
		found |= strcmp(*name, wanted) == 0;
		free(*name);
	}
	free(names);
	sd_bus_message_unref(reply);
	return r < 0 ? r : found;
}

static int is_queued(struct unit *u)
{
	sd_bus_message *reply = get(u, false, "Job", "(uo)");
	uint32_t id = 0;
	const char *path;
	int r = reply ? sd_bus_message_read(reply, "(uo)", &id, &path) : -EIO;

	sd_bus_message_unref(reply);
	return r < 0 ? r : id != 0;
}

/* In this order: a start that is over by now shows in the state that is asked for next. */
int unit_is_idle(struct unit *u, bool *ret)
{
	char state[UNIT_TEXT_MAX] = "";
	int queued = is_queued(u), r = queued < 0 ? queued : unit_get_text(u, false, "ActiveState", state);

	*ret = !queued && (strcmp(state, "inactive") == 0 || strcmp(state, "failed") == 0);
	return r;
}

/* ---- the connection ---- */

/* That of our start: what has become of it. */
static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct unit *u = userdata;
	const char *path, *name, *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(message, "uoss", &id, &path, &name, &result) >= 0 && u->job[0] &&
		strcmp(path, u->job) == 0) {
		(void)snprintf(u->started, sizeof(u->started), "%s", result);
		u->job[0] = '\0';
	}
	return 0;
}

/* It only has to wake us. */
static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	(void)message, (void)userdata, (void)error;
	return 0;
}

static int load(struct unit *u)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *path;
	int r = sd_bus_call_method(u->bus, MANAGER, "LoadUnit", &error, &reply, "s", u->name);

	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r >= 0 && !(u->path = strdup(path)))
		r = -ENOMEM;
	if (r < 0)
		(void)failed(u, "cannot be loaded", &error, r);
	sd_bus_error_free(&error);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 0;
}

int unit_connect(struct unit *u)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_open_system(&u->bus);

	if (r < 0)
		return failed(u, "no system bus", NULL, r);
	(void)sd_bus_set_method_call_timeout(u->bus, CALL_USEC);
	r = load(u);
	if (r < 0)
		return r;
	r = sd_bus_match_signal(u->bus, NULL, MANAGER, "JobRemoved", on_job_removed, u);
	if (r >= 0)
		r = sd_bus_match_signal(u->bus, NULL, SYSTEMD, u->path, "org.freedesktop.DBus.Properties",
			"PropertiesChanged", on_changed, u);
	if (r >= 0)
		r = sd_bus_call_method(u->bus, MANAGER, "Subscribe", &error, NULL, "");
	if (r < 0)
		(void)failed(u, "cannot be watched", &error, r);
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

void unit_disconnect(struct unit *u)
{
	u->bus = sd_bus_flush_close_unref(u->bus);
	free(u->path);
	u->path = NULL;
}

int unit_process(struct unit *u)
{
	int r;

	do
		r = sd_bus_process(u->bus, NULL);
	while (r > 0);
	return r < 0 ? failed(u, "the system bus", NULL, r) : 0;
}

/* ---- start and stop ---- */

static int queue(struct unit *u, const char *method, const char *mode, char job[UNIT_TEXT_MAX])
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *path = "";
	int r = sd_bus_call_method(u->bus, MANAGER, method, &error, &reply, "ss", u->name, mode);

	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r < 0)
		(void)failed(u, method, &error, r);
	else if (job)
		(void)snprintf(job, UNIT_TEXT_MAX, "%s", path);
	sd_bus_error_free(&error);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 0;
}

int unit_start(struct unit *u)
{
	/* However it failed the last time. Nothing to reset is no error. */
	(void)sd_bus_call_method(u->bus, MANAGER, "ResetFailedUnit", NULL, NULL, "s", u->name);
	return queue(u, "StartUnit", "fail", u->job);
}

int unit_stop(struct unit *u)
{
	return queue(u, "StopUnit", "replace", NULL);
}
