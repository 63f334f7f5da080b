/* A job's Schedule= and TimeZone= together, as the run policy asks for them. */
#ifndef ONCED_CALENDAR_H
#define ONCED_CALENDAR_H

#include "core/policy.h"

#include <stddef.h>

struct calendar;

/* 0, or -EINVAL with one line in why: what is wrong and what was expected. */
int calendar_check(const char *schedule, char *why, size_t size);
int calendar_check_zone(const char *zone, char *why, size_t size);

/* Of texts that were checked; zone is ignored when the schedule names one. NULL: out of memory, or
 * the zone's file is gone. */
struct calendar *calendar_new(const char *schedule, const char *zone);
/* Returns NULL; NULL is fine. */
struct calendar *calendar_free(struct calendar *calendar);

/* Valid as long as the calendar. */
struct policy_schedule calendar_policy(const struct calendar *calendar);

#endif
