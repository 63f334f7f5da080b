/* See options.h. Parsed by one loop over tables, not by getopt_long(): every mistake gets one line
 * of one form, abbreviations are not guessed, and a command's own flags are never touched. */
#include "daemon/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "daemon/config.h"

#ifndef ONCED_VERSION
#define ONCED_VERSION "unknown"
#endif

/* Flags of onced run that stand for a key of the configuration file. */
static const struct flag {
	const char *name;
	const char *argument; /* NULL: yes without one */
	const char *section, *key;
	const char *help;
} flags[] = {
	{"--endpoints", "URL,...", "Etcd", "Endpoints", "members of the cluster [127.0.0.1:2379]"},
	{"--cacert", "FILE", "Etcd", "CACert", "authorities to trust"},
	{"--cert", "FILE", "Etcd", "Cert", "client certificate"},
	{"--key-file", "FILE", "Etcd", "Key", "key of the client certificate"},
	{"--user", "NAME", "Etcd", "User", "etcd user"},
	{"--password-file", "FILE", "Etcd", "PasswordFile", "its password"},
	{"--allow-plaintext", NULL, "Etcd", "AllowPlaintext", "allow http:// to other hosts"},
	{"--key", "KEY", "Election", "Key", "leader key [/leader]"},
	{"--value", "TEXT", "Election", "Value", "what it holds [the node's name]"},
	{"--prefix", "KEY", "Election", "Prefix",
		"where the other keys live [/onced, or /onced/run + KEY]"},
	{"--node", "NAME", "Node", "Name", "this node [the host name]"},
	{"--profile", "NAME", "Election", "Profile", "timings: normal, fast or wan [normal]"},
	{"--ttl", "SECONDS", "Election", "LeaseTTL", "TTL of the lease"},
	{"--fence-after", "TIME", "Election", "FenceAfter",
		"the command is dead by then without proof"},
	{"--beat-interval", "TIME", "Election", "BeatInterval", "between two proofs"},
	{"--request-timeout", "TIME", "Election", "RequestTimeout", "for an answer of etcd"},
	{"--stop-grace", "TIME", "Election", "StopGrace", "between SIGTERM and SIGKILL"},
	{"--kill-budget", "TIME", "Election", "KillBudget", "for SIGKILL to take effect"},
	{"--clock-drift", "PERCENT", "Election", "ClockDrift", "between two nodes' clocks"},
	{"--runtime-dir", "DIR", "Daemon", "RuntimeDirectory", "for lock and state"},
	{"--state-dir", "DIR", "Daemon", "StateDirectory", "for what was seen of etcd [the same]"},
	{"--isolate", NULL, "Daemon", "Isolate", "PID namespace for the command"},
	{"--http", "ADDRESS:PORT", "Http", "Listen", "status page and metrics; or a unix socket"},
	{"--http-allow-remote", NULL, "Http", "AllowRemote", "let other hosts read it"},
};

/* etcdctl's own, lowest priority. Its KEY is the certificate's. */
static const struct {
	const char *name, *section, *key;
} variables[] = {
	{"ETCDCTL_ENDPOINTS", "Etcd", "Endpoints"},
	{"ETCDCTL_CACERT", "Etcd", "CACert"},
	{"ETCDCTL_CERT", "Etcd", "Cert"},
	{"ETCDCTL_KEY", "Etcd", "Key"},
	{"ETCDCTL_USER", "Etcd", "User"},
	{"ETCDCTL_PASSWORD", "Etcd", "Password"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
_Static_assert(
	COUNT(variables) + 1 + COUNT(flags) <= OPTIONS_SETTINGS_MAX, "settings[] is too small");

struct parser {
	int argc, at;
	char **argv;
	struct options *options;
};

static int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int usage_error(const char *format, ...)
{
	char why[512], line[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	(void)escape_line(line, sizeof(line), why, strlen(why));
	fprintf(stderr, "onced: %s\n", line);
	return EXIT_USAGE;
}

/* ---- help ------------------------------------------------------------------------------------ */

static void print_run_help(void)
{
	printf("usage: onced run [OPTION...] -- COMMAND [ARGUMENT...]\n"
	       "Runs COMMAND on the one node that holds the leader key, and nowhere else.\n\n"
	       "Also understood: ETCDCTL_ENDPOINTS, _CACERT, _CERT, _KEY, _USER, _PASSWORD.\n\n");
	for (size_t i = 0; i < COUNT(flags); i++) {
		char left[40];

		(void)snprintf(left, sizeof(left), "%s%s%s", flags[i].name,
			flags[i].argument ? " " : "", flags[i].argument ? flags[i].argument : "");
		printf("  %-26s %s\n", left, flags[i].help);
	}
	printf("  %-26s %s\n  %-26s %s\n  %-26s %s\n  %-26s %s\n", "--once",
		"end with the first term (exit code 75 when it was lost)", "-n, --check",
		"print the configuration and the timing, start nothing", "-v, -d",
		"log more, log everything", "-q, --quiet", "log warnings and errors only");
}

static void print_help(void)
{
	printf("usage: onced [-c FILE] [-n] [-v] [-d] [-q]\n"
	       "       onced run [OPTION...] -- COMMAND [ARGUMENT...]\n"
	       "Runs jobs on the one node of a cluster that holds a key in etcd.\n\n"
	       "  -c, --config FILE  configuration [" CONFIG_FILE_DEFAULT
	       "]; jobs.d/*.job beside it\n"
	       "  -n, --check        check it, print what is in effect, start nothing\n"
	       "  -v, --verbose      log one level more\n"
	       "  -d, --debug        log everything\n"
	       "  -q, --quiet        log one level less; with --check, print errors only\n"
	       "      --version      print the version\n"
	       "      --help         print this; onced run --help for that one's\n");
}

/* ---- one flag -------------------------------------------------------------------------------- */

static bool is_flag(const char *word, const char *name, const char **ret_attached)
{
	size_t n = strlen(name);

	if (strncmp(word, name, n) != 0 || (word[n] != '\0' && word[n] != '='))
		return false;
	*ret_attached = word[n] == '=' ? word + n + 1 : NULL;
	return true;
}

/* The argument of the flag at `at`, attached or the next word. NULL: there is none. */
static const char *take_argument(struct parser *p, const char *attached)
{
	if (attached)
		return attached;
	return p->at + 1 < p->argc ? p->argv[++p->at] : NULL;
}

/* A repeated flag replaces its earlier value, so the array cannot overflow. */
void options_set(struct options *options, const char *origin, const char *section, const char *key,
	const char *value)
{
	size_t i = 0;

	while (i < options->n_settings && strcmp(options->settings[i].origin, origin) != 0)
		i++;
	if (i == options->n_settings)
		options->n_settings++;
	options->settings[i] = (struct options_setting){origin, section, key, value};
}

/* 1: not one of these; 0; or the exit code. */
static int parse_setting(struct parser *p)
{
	const char *attached, *value;

	for (size_t i = 0; i < COUNT(flags); i++) {
		if (!is_flag(p->argv[p->at], flags[i].name, &attached))
			continue;
		value = flags[i].argument ? take_argument(p, attached)
					  : (attached ? attached : "yes");
		if (!value)
			return usage_error(
				"%s: expected an argument, %s", flags[i].name, flags[i].argument);
		options_set(p->options, flags[i].name, flags[i].section, flags[i].key, value);
		return 0;
	}
	return 1;
}

static int parse_file(struct parser *p, const char *attached)
{
	const char *file = take_argument(p, attached);

	if (!file || !*file)
		return usage_error("-c: expected an argument, FILE");
	p->options->file = file;
	return 0;
}

/* Words that take no argument. 1: not one of these. */
static int parse_switch(struct options *options, const char *word)
{
	static const struct {
		const char *name;
		int verbose;
	} switches[] = {{"-v", 1}, {"--verbose", 1}, {"-d", 3}, {"--debug", 3}, {"-q", -1},
		{"--quiet", -1}};

	for (size_t i = 0; i < COUNT(switches); i++) {
		if (strcmp(word, switches[i].name) == 0) {
			options->verbose += switches[i].verbose;
			return 0;
		}
	}
	if (strcmp(word, "-n") == 0 || strcmp(word, "--check") == 0)
		options->check = true;
	else if (strcmp(word, "--once") == 0 && options->run)
		options->once = true;
	else if (strcmp(word, "--dump-keys") == 0 && !options->run)
		options->dump_keys = true;
	else
		return 1;
	return 0;
}

/* What people type who know etcdctl, and what cannot be had. Never shows the value. */
static int unknown(const struct options *options, const char *word)
{
	const char *attached, *key = options->run ? "onced run --help" : "onced --help";
	int name = (int)strcspn(word, "=");

	if (options->run && is_flag(word, "--password", &attached))
		return usage_error("--password: everybody can read a command line, expected "
				   "--password-file FILE");
	if (options->run && (is_flag(word, "--insecure-skip-tls-verify", &attached) ||
				    is_flag(word, "--insecure-transport", &attached)))
		return usage_error(
			"%.*s: there is no such option, expected --cacert FILE", name, word);
	if (word[0] != '-')
		return usage_error("%s: unexpected word; see %s", word, key);
	return usage_error("%.*s: unknown option; see %s", name, word, key);
}

/* ---- the line -------------------------------------------------------------------------------- */

static int parse_word(struct parser *p)
{
	const char *word = p->argv[p->at], *attached;
	struct options *options = p->options;
	int r;

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		options->run ? print_run_help() : print_help();
		options->done = true;
		return 0;
	}
	if (strcmp(word, "--version") == 0) {
		printf("onced %s\n", ONCED_VERSION);
		options->done = true;
		return 0;
	}
	r = parse_switch(options, word);
	if (r == 1 && options->run)
		r = parse_setting(p);
	if (r == 1 && !options->run &&
		(is_flag(word, "-c", &attached) || is_flag(word, "--config", &attached)))
		r = parse_file(p, attached);
	return r == 1 ? unknown(options, word) : r;
}

void options_set_from_environment(struct options *options)
{
	for (size_t i = 0; i < COUNT(variables); i++) {
		const char *value = getenv(variables[i].name);

		if (value && *value)
			options_set(options, variables[i].name, variables[i].section,
				variables[i].key, value);
	}
}

static bool starts_command(const struct parser *p)
{
	return p->options->run && p->argv[p->at][0] != '-';
}

int options_parse(int argc, char **argv, struct options *ret)
{
	struct parser p = {.argc = argc, .at = 1, .argv = argv, .options = ret};
	int r = 0;

	*ret = (struct options){.file = CONFIG_FILE_DEFAULT};
	if (argc > 1 && strcmp(argv[1], "run") == 0) {
		ret->run = true;
		p.at++;
		options_set(ret, "--endpoints (default)", "Etcd", "Endpoints", "127.0.0.1:2379");
		options_set_from_environment(ret);
	}
	for (; r == 0 && !ret->done && p.at < argc; p.at++) {
		if (strcmp(argv[p.at], "--") == 0 && ret->run) {
			p.at++;
			break;
		}
		if (starts_command(&p))
			break;
		r = parse_word(&p);
	}
	if (r != 0 || ret->done || !ret->run)
		return r;
	ret->argv = argv + p.at;
	ret->argc = argc - p.at;
	if (ret->argc == 0 && !ret->check)
		return usage_error("run: expected a command: onced run [OPTION...] -- COMMAND "
				   "[ARGUMENT...]");
	if (ret->argc > 0 && !*ret->argv[0])
		return usage_error("run: the command is empty");
	return 0;
}
