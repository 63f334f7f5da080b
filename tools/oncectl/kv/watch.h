/* Watches as etcdctl's: one on the command line, or many that are typed.
 *
 *	watch.c		words and flags -> watch; its reports
 *	watch-print.c	a report on standard output
 *	watch-run.c	a command for an event
 *	interactive.c	lines on standard input -> watches */
#ifndef ONCECTL_KV_WATCH_H
#define ONCECTL_KV_WATCH_H

#include "tools/oncectl/kv/kv.h"

struct kv_watcher {
	struct ctl *ctl;
	struct once_watch *watch; /* NULL: it has ended */
	struct once_bytes key;	  /* what it begins with; owned by the command line's arena */
	char **command;		  /* NULL: none */
	bool started;		  /* the server has confirmed it */
	bool ended;
	int code; /* when ended: CTL_INTERRUPTED by the server, or what its command's failure is */
	bool *changed; /* set when started or ended does; may be NULL */
	struct kv_watcher *next;
};

/* What etcdctl takes from the environment; never NULL. */
struct kv_watch_environment {
	const char *key, *range_end;
};
/* 0, or the exit code after its line. */
int kv_watch_environment(struct kv_watch_environment *ret);

/* Watches what words and flags of line name, a copy of w->ctl but for them. NULL; or why not. */
const char *kv_watch_start(
	struct kv_watcher *w, struct ctl *line, const struct kv_watch_environment *environment);

void kv_watch_print(struct ctl *ctl, const struct once_watch_report *report);
/* How far it is. */
void kv_watch_progress(struct kv_watcher *w, const struct once_watch_report *report);
/* Runs it and waits for its end: the next event's comes after. 0, or 1 after its line. */
int kv_watch_run(struct ctl *ctl, char **command, const struct once_watch_report *report,
	const struct once_event *event);

/* interactive.c: until the end of input. The exit code. */
int kv_watch_interactive(struct ctl *ctl, const struct kv_watch_environment *environment);

#endif
