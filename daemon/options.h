/* The command line of onced and of onced run, and the ETCDCTL_* environment of the latter.
 *
 * Parsing only sorts out what was said: every value goes with its origin ("--ttl",
 * "ETCDCTL_CACERT") through the same typed table as the configuration file's keys, in
 * config_load(). */
#ifndef ONCED_OPTIONS_H
#define ONCED_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum {
	EXIT_USAGE = 2,	       /* a flag or its value is wrong */
	EXIT_TERM_LOST = 75,   /* onced run --once: the term was lost for good */
	EXIT_CONFIG_FILE = 78, /* a configuration file is wrong */
	OPTIONS_SETTINGS_MAX = 64,
};

/* One value given by a flag or by the environment. Strings are borrowed of argv and environ. */
struct options_setting {
	const char *origin;  /* "--ttl", "ETCDCTL_CACERT" */
	const char *section; /* where the same thing stands in the file: "Election" */
	const char *key;     /* "LeaseTTL" */
	const char *value;
};

struct options {
	bool done;	  /* --help or --version was printed: exit 0 */
	bool check;	  /* -n, --check: print the effective configuration, start nothing */
	bool dump_keys;	  /* --dump-keys: print the table of keys, for the tests of the man pages */
	int verbose;	  /* -v: so many levels more than configured; -d: 3; --quiet: below 0 */
	const char *file; /* -c; the default otherwise. Not for run */
	/* onced run */
	bool run;
	bool once;   /* --once: end with the first term */
	char **argv; /* the command, borrowed of main's argv; ends with NULL */
	int argc;    /* 0: none, only with check */
	struct options_setting settings[OPTIONS_SETTINGS_MAX]; /* lowest priority first */
	size_t n_settings;
};

/* For other programs with the same flags: one more setting (a repeated origin replaces the earlier
 * one), and those of ETCDCTL_ENDPOINTS and so on. */
void options_set(struct options *options, const char *origin, const char *section, const char *key,
	const char *value);
void options_set_from_environment(struct options *options);

/* 0, or the exit code (EXIT_USAGE) after one line on stderr. Does not touch argv. */
int options_parse(int argc, char **argv, struct options *ret);

#endif
