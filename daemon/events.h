/* The files that event rings are dumped to: RUNTIME_DIR/INSTANCE.events and three older ones,
 * INSTANCE.events.1 to .3. What is in them is the caller's: a function that writes it to a
 * descriptor.
 *
 * events_dump() works in a signal handler, and events_on_crash() makes it: a process that dies of a
 * signal of its own making writes its events first. One per process. */
#ifndef ONCED_EVENTS_H
#define ONCED_EVENTS_H

/* 0 or negative errno. In a signal handler it may use nothing that is not async-signal-safe. */
typedef int events_write_fn(const void *userdata, int fd);

/* Every later dump goes there; runtime_dir "": nowhere. */
void events_init(const char *runtime_dir, const char *instance);

/* From now on write() has what to dump; NULL: not any more. */
void events_source(events_write_fn *write, const void *userdata);

/* Replaces the newest file as a whole, keeping the three before. Async-signal-safe. 0; -ENODATA: no
 * source, or it has nothing; -ENOENT: no directory; -errno. */
int events_dump(void);

/* The newest file's name. */
const char *events_path(void);

/* SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT: dump, say where, die of it. On a stack of its own. */
void events_on_crash(void);

#endif
