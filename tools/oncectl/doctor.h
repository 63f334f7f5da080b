/* What the parts of doctor share: findings, and where they come from. */
#ifndef ONCECTL_DOCTOR_H
#define ONCECTL_DOCTOR_H

#include "tools/oncectl/cluster.h"
#include "tools/oncectl/members.h"

/* BAD: onced cannot work so, exit code 1. */
enum level { GOOD, WARN, BAD };

enum { FINDINGS_MAX = 128 };

struct doctor {
	struct ctl *ctl;
	struct ctl_members members;
	struct ctl_cluster cluster;
	bool no_user; /* auth is on, and none was given */
	struct {
		enum level level;
		const char *what, *text;
	} findings[FINDINGS_MAX];
	size_t n;
};

/* How long one question may take: a part of --command-timeout, one second unless given. */
int64_t doctor_patience(const struct ctl *ctl);
/* It answered, even if only that it tells its status to root alone, as etcd 3.5.30 does under auth. */
bool doctor_reached(const struct ctl_member *m);

/* what and text live as long as the doctor. Dropped when there are too many, or text is NULL. */
void doctor_find(struct doctor *d, enum level level, const char *what, const char *text);

/* doctor-holes.c: who else is let in. After the members have been asked, and a key has been read. */
void doctor_check_login(struct doctor *d);
void doctor_check_holes(struct doctor *d);

#endif
