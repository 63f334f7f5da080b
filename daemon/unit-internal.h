/* Between the parts of `onced unit`: unit.c, its life; unit-bus.c, what it says to systemd; unit-check.c, what
 * a unit must be like. */
#ifndef ONCED_UNIT_INTERNAL_H
#define ONCED_UNIT_INTERNAL_H

#include "daemon/unit.h"

#include <stddef.h>
#include <systemd/sd-bus.h>

enum { UNIT_TEXT_MAX = 256 };

struct unit {
	const char *name;
	int64_t grace_usec; /* what the job has between SIGTERM and SIGKILL */
	char own[UNIT_TEXT_MAX]; /* the unit that the daemon is */
	sd_bus *bus;
	char *path; /* of the unit's object; owned */
	char job[UNIT_TEXT_MAX]; /* the object of its start, as long as that is not over */
	char started[32];	 /* what the start came to; empty: not over */
};

/* One line on standard error, after the unit's name. */
void unit_say(const struct unit *u, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- unit-bus.c; negative errno has had its line ---- */

int unit_connect(struct unit *u);
void unit_disconnect(struct unit *u);
/* A property of the unit, or, with service, of its being a service; text is cut to fit. */
int unit_get_text(struct unit *u, bool service, const char *property, char out[UNIT_TEXT_MAX]);
int unit_get_flag(struct unit *u, const char *property);
int unit_get_number(struct unit *u, bool service, const char *property, char type, int64_t *ret);
/* How many a list of names or of commands has; one of them as text, or, with wanted, whether it is among them. */
int unit_count(struct unit *u, bool service, const char *property, char first[UNIT_TEXT_MAX]);
int unit_has(struct unit *u, const char *property, const char *wanted);
/* Whether nothing of it runs and systemd has nothing to do with it. */
int unit_is_idle(struct unit *u, bool *ret);
int unit_start(struct unit *u);
int unit_stop(struct unit *u);
/* Handles what came: signals of the bus. */
int unit_process(struct unit *u);

/* ---- unit-check.c ---- */

/* 0: it may be started; -EINVAL: it has had its lines. */
int unit_check(struct unit *u);

#endif
