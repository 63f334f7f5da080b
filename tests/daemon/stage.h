/* One node's jobs with everything around them made of paper: etcd, the guardian, the processes it would
 * start, the loop and the time of day. Nothing is executed and nothing takes time; a day is over in
 * milliseconds. What happened is told as text:
 *
 *	records   "10 ok, 20 skipped overlap, 30..50 skipped missed"	in seconds since the beginning
 *	launches  "10.00, 40.25/2"					/N: that attempt
 *	runs      "j@2026-11-22T18:30:10Z, ..."				ONCED_RUN of the same
 */
#ifndef TESTS_STAGE_H
#define TESTS_STAGE_H

#include "tests/unit/unit.h"

#include "daemon/jobs.h"
#include "etcd/internal.h"
#include "tests/fake/etcd.h"
#include "tests/fake/loop.h"

enum { STAGE_LIVE = 4, STAGE_TEXT = 8192, STAGE_EXIT_1 = 1 << 8 };
#define STAGE_BEGIN INT64_C(1795372200) /* 2026-11-22T18:30:00Z */
#define STAGE_MS ONCE_NSEC_PER_MSEC
#define STAGE_S ONCE_NSEC_PER_SEC

struct stage {
	struct fake_loop loop;
	struct fake_etcd *etcd;
	struct transport_fake *transport; /* the client's */
	struct once_client *client;
	int fds[2]; /* guardian's, agent's */
	struct link_page page;
	struct uplink uplink;
	struct config config;
	struct feed feed;
	struct jobs jobs;
	struct jobs_owner owner;
	bool all_stopped;
	unsigned alarms; /* of nodes that know a later etcd */
	/* what the test sets */
	bool held;	     /* nothing may be launched now */
	enum fake_fate fate; /* of every request from now on */
	int64_t takes_ns;    /* how long a command runs */
	int status;	     /* and how it ends, as of waitpid(2) */
	int status_first;    /* the same of first attempts, unless 0 */
	/* what runs */
	struct {
		uint64_t run; /* 0: free */
		int64_t end_ns;
		int status;
	} live[STAGE_LIVE];
	char launches[STAGE_TEXT], runs[STAGE_TEXT], records[STAGE_TEXT];
};

/* One job "j", @every 10s, that takes a second and ends well; nobody leads. */
struct config_job *stage_init(struct stage *s);
/* The same job once more. */
void stage_define(struct config_job *job);
/* One more such job of another name, before the start; what stage_init() returned is moved. */
struct config_job *stage_add(struct stage *s, const char *name);
/* The daemon starts, knowing nothing. */
void stage_start(struct stage *s);
/* It is gone at once, with all that it ran. */
void stage_crash(struct stage *s);
void stage_lead(struct stage *s);
/* The term ends in order. */
void stage_lose(struct stage *s);
void stage_run(struct stage *s, int64_t ns);
void stage_fini(struct stage *s);

/* The records of job "j". */
const char *stage_records(struct stage *s);
/* The time of day is another from now on. */
void stage_set_back(int64_t ns);

#endif
