/* Prints a report. */
#ifndef REPORTER_REPORT_H
#define REPORTER_REPORT_H

#include "tools/etcd-reporter/stats.h"

/* count: what etcd says. On standard output, for people or as one JSON object. */
void report_print(
	const struct stats *stats, const char *prefix, int64_t revision, int64_t count, bool json);

#endif
