/* Flags as etcdctl and onced have them, anywhere before "--"; a command's own flags beside them.
 * One loop, no abbreviations: every mistake gets one line of one form. */
#include "tools/oncectl/options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "daemon/options.h"
#include "tools/oncectl/commands.h"

#ifndef ONCED_VERSION
#define ONCED_VERSION "unknown"
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- commands -------------------------------------------------------------------------------- */

#define DECLARE(name) extern const struct ctl_command ctl_command_##name;
CTL_COMMANDS(DECLARE)
#define ADDRESS(name) &ctl_command_##name,
static const struct ctl_command *const commands[] = {CTL_COMMANDS(ADDRESS)};

const struct ctl_command *ctl_command_at(size_t i)
{
	return i < COUNT(commands) ? commands[i] : NULL;
}

/* Whether name is of two words, the first of which is this. */
static bool in_family(const char *name, const char *word)
{
	size_t n = strlen(word);

	return strncmp(name, word, n) == 0 && name[n] == ' ';
}

const struct ctl_command *ctl_find_command(const char *name, const char *second)
{
	for (size_t i = 0; i < COUNT(commands); i++) {
		const char *known = commands[i]->name;

		if (strcmp(known, name) == 0)
			return commands[i];
		if (second && in_family(known, name) &&
			strcmp(known + strlen(name) + 1, second) == 0)
			return commands[i];
	}
	return NULL;
}

static bool is_family(const char *word)
{
	for (size_t i = 0; i < COUNT(commands); i++)
		if (in_family(commands[i]->name, word))
			return true;
	return false;
}

/* ---- the flags of every command -------------------------------------------------------------- */

/* Those that stand for a key of the configuration file. */
static const struct global {
	const char *name, *argument, *section, *key, *help;
} globals[] = {
	{"--endpoints", "URL,...", "Etcd", "Endpoints", "members of the cluster [127.0.0.1:2379]"},
	{"--cacert", "FILE", "Etcd", "CACert", "authorities to trust"},
	{"--cert", "FILE", "Etcd", "Cert", "client certificate"},
	{"--key", "FILE", "Etcd", "Key", "key of the client certificate"},
	{"--key-file", "FILE", "Etcd", "Key", NULL}, /* as onced run has it */
	{"--user", "NAME", "Etcd", "User", "etcd user"},
	{"--password-file", "FILE", "Etcd", "PasswordFile", "its password"},
	{"--allow-plaintext", NULL, "Etcd", "AllowPlaintext", "allow http:// to other hosts"},
	{"--leader", "KEY", "Election", "Key", "leader key [/leader]"},
	{"--prefix", "KEY", "Election", "Prefix",
		"where onced's other keys live [/onced, or /onced/run + leader key]"},
};

static const struct {
	const char *name, *argument, *help;
} others[] = {
	{"--group", "NAME", "group of jobs with a leader of its own [default]"},
	{"-c, --config", "FILE",
		"take these from an onced.conf [" CONFIG_FILE_DEFAULT ", when there is one"},
	{"", NULL, " and no endpoint is named]"},
	{"--command-timeout", "TIME", "for all requests of the command [5s]"},
	{"-w, --write-out", "FORMAT",
		"simple or json; as in etcdctl also fields or table [simple]"},
	{"--hex", NULL, "bytes and ids in hexadecimal, where etcdctl has it"},
	{"--json", NULL, "the same as -w json"},
	{"--version", NULL, "print the version"},
	{"-h, --help", NULL, "print this, or the command's"},
};

/* ---- help ------------------------------------------------------------------------------------ */

static void print_flag(const char *name, const char *argument, const char *help)
{
	char left[64];

	(void)snprintf(
		left, sizeof(left), "%s%s%s", name, argument ? " " : "", argument ? argument : "");
	printf("  %-26s %s\n", left, help);
}

void ctl_print_help(void)
{
	printf("usage: oncectl [FLAG...] COMMAND [FLAG...] [WORD...]\n"
	       "Shows and steers the nodes and jobs of onced, by way of etcd.\n\ncommands:\n");
	for (size_t i = 0; i < COUNT(commands); i++)
		print_flag(commands[i]->name, *commands[i]->words ? commands[i]->words : NULL,
			commands[i]->summary);
	printf("\nflags:\n");
	for (size_t i = 0; i < COUNT(globals); i++)
		if (globals[i].help)
			print_flag(globals[i].name, globals[i].argument, globals[i].help);
	for (size_t i = 0; i < COUNT(others); i++)
		print_flag(others[i].name, others[i].argument, others[i].help);
	printf("\nAlso understood: ETCDCTL_ENDPOINTS, _CACERT, _CERT, _KEY, _USER, _PASSWORD.\n"
	       "oncectl help COMMAND says more about one; the exit codes are in oncectl(1).\n");
}

void ctl_print_command_help(const struct ctl_command *command)
{
	printf("usage: oncectl [FLAG...] %s%s%s%s\n%s\n", command->name,
		command->flags ? " [FLAG...]" : "", *command->words ? " " : "", command->words,
		command->summary);
	if (command->details)
		printf("\n%s", command->details);
	if (command->flags)
		printf("\nflags, beside those of oncectl help:\n");
	for (const struct ctl_flag *flag = command->flags; flag && flag->name; flag++)
		print_flag(flag->name, flag->argument, flag->help);
}

/* ---- one flag -------------------------------------------------------------------------------- */

struct parser {
	struct ctl *ctl;
	int argc, at;
	char **argv;
	struct options options;
	const char *attached; /* what stands behind "=" of the present word */
	const char *family;   /* the first word of a command of two */
	const char *format;   /* of -w */
	bool help;
};

static bool as_etcdctl(const struct parser *p)
{
	return p->ctl->command && p->ctl->command->etcdctl;
}

static bool is_flag(struct parser *p, const char *name)
{
	const char *word = p->argv[p->at];
	size_t n = strlen(name);

	if (strncmp(word, name, n) != 0 || (word[n] != '\0' && word[n] != '='))
		return false;
	p->attached = word[n] == '=' ? word + n + 1 : NULL;
	return true;
}

/* etcdctl's --prefix=false. */
static int take_bool(struct parser *p, const char *name, const char **ret)
{
	static const char *const words[] = {
		"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (strcmp(p->attached, words[i]) != 0)
			continue;
		*ret = i < COUNT(words) / 2 ? "yes" : NULL;
		return 0;
	}
	return ctl_error(CTL_USAGE, "%s: expected true or false", name);
}

/* 0; or the exit code. *ret: attached or the next word; of a flag without argument: "yes", or NULL
 * for "=false". */
static int take(struct parser *p, const char *name, const char *argument, const char **ret)
{
	if (!argument) {
		*ret = "yes";
		if (p->attached && as_etcdctl(p))
			return take_bool(p, name, ret);
		return p->attached ? ctl_error(CTL_USAGE, "%s: takes no argument", name) : 0;
	}
	*ret = p->attached;
	if (!*ret && p->at + 1 < p->argc)
		*ret = p->argv[++p->at];
	if (!*ret || (!**ret && !as_etcdctl(p)))
		return ctl_error(CTL_USAGE, "%s: expected an argument, %s", name, argument);
	return 0;
}

/* Each: 1: not one of these; 0; or the exit code. */
static int parse_global(struct parser *p)
{
	const char *value;

	for (size_t i = 0; i < COUNT(globals); i++) {
		if (!is_flag(p, globals[i].name))
			continue;
		int code = take(p, globals[i].name, globals[i].argument, &value);
		if (code == 0)
			options_set(&p->options, globals[i].name, globals[i].section,
				globals[i].key, value);
		return code;
	}
	return 1;
}

/* Which formats there are depends on the command, which may come later. */
static int check_format(struct parser *p)
{
	static const char *const names[] = {"simple", "json", "fields", "table"};
	struct ctl *ctl = p->ctl;
	size_t i = 0;

	while (p->format && i < COUNT(names) && strcmp(p->format, names[i]) != 0)
		i++;
	ctl->format = (enum ctl_format)i;
	ctl->json = i == CTL_JSON;
	if (i < (as_etcdctl(p) && ctl->command->table ? CTL_TABLE + 1
			: as_etcdctl(p)		      ? CTL_FIELDS + 1
						      : CTL_JSON + 1))
		return 0;
	if (as_etcdctl(p))
		return ctl_error(CTL_BAD_FEATURE,
			"--write-out: unknown format \"%s\", expected simple, json%s", p->format,
			ctl->command->table ? ", fields or table" : " or fields");
	return ctl_error(CTL_USAGE, "--write-out: unknown format \"%s\", expected simple or json",
		p->format);
}

static int parse_timeout(struct parser *p)
{
	const char *value;
	int code = take(p, "--command-timeout", "TIME", &value);

	if (code != 0)
		return code;
	return ctl_parse_duration("--command-timeout", value, 10 * ONCE_NSEC_PER_MSEC,
		3600 * ONCE_NSEC_PER_SEC, &p->ctl->timeout_ns);
}

static int parse_other(struct parser *p)
{
	struct ctl *ctl = p->ctl;
	int code;

	if (is_flag(p, "-w") || is_flag(p, "--write-out"))
		return take(p, "--write-out", "FORMAT", &p->format);
	if (is_flag(p, "--command-timeout"))
		return parse_timeout(p);
	if (is_flag(p, "-c") || is_flag(p, "--config"))
		return take(p, "--config", "FILE", &ctl->config_file);
	if (is_flag(p, "--group")) {
		code = take(p, "--group", "NAME", &ctl->group);
		return code ? code : ctl_check_name("group", ctl->group);
	}
	if (strcmp(p->argv[p->at], "--json") == 0)
		p->format = "json";
	else if (strcmp(p->argv[p->at], "--hex") == 0)
		ctl->hex = true;
	else if (strcmp(p->argv[p->at], "--help") == 0 || strcmp(p->argv[p->at], "-h") == 0)
		p->help = true;
	else
		return 1;
	return 0;
}

static int parse_own(struct parser *p)
{
	struct ctl *ctl = p->ctl;
	const struct ctl_flag *flag = ctl->command ? ctl->command->flags : NULL;
	const char *value;
	size_t i = 0;

	for (; flag && flag->name; flag++) {
		if (!is_flag(p, flag->name))
			continue;
		int code = take(p, flag->name, flag->argument, &value);
		if (code != 0)
			return code;
		while (i < ctl->n_given && ctl->given[i].flag != flag)
			i++;
		if (i == CTL_FLAGS_MAX)
			return ctl_error(CTL_USAGE, "%s: too many flags", flag->name);
		ctl->n_given += i == ctl->n_given;
		ctl->given[i].flag = flag;
		ctl->given[i].value = value;
		return 0;
	}
	return 1;
}

const char *ctl_flag(const struct ctl *ctl, const char *name)
{
	for (size_t i = 0; i < ctl->n_given; i++)
		if (strcmp(ctl->given[i].flag->name, name) == 0)
			return ctl->given[i].value;
	return NULL;
}

/* Never shows a value: it may be a secret. */
static int unknown(struct parser *p)
{
	const char *word = p->argv[p->at];
	int name = (int)strcspn(word, "=");

	if (is_flag(p, "--password"))
		return ctl_error(CTL_USAGE, "--password: everybody can read a command line, "
					    "expected --password-file FILE");
	if (is_flag(p, "--insecure-skip-tls-verify") || is_flag(p, "--insecure-transport"))
		return ctl_error(CTL_USAGE, "%.*s: there is no such option, expected --cacert FILE",
			name, word);
	return ctl_error(CTL_USAGE, "%.*s: unknown option; see oncectl help%s%s", name, word,
		p->ctl->command ? " " : "", p->ctl->command ? p->ctl->command->name : "");
}

/* ---- the line -------------------------------------------------------------------------------- */

static int take_word(struct parser *p)
{
	struct ctl *ctl = p->ctl;
	char *word = p->argv[p->at];

	if (ctl->command) {
		ctl->words[ctl->n_words++] = word;
		return 0;
	}
	if (!p->family && is_family(word)) {
		p->family = word;
		return 0;
	}
	ctl->command = p->family ? ctl_find_command(p->family, word) : ctl_find_command(word, NULL);
	if (!ctl->command)
		return ctl_error(CTL_USAGE, "%s%s%s: there is no such command; see oncectl help",
			p->family ? p->family : "", p->family ? " " : "", word);
	return 0;
}

static int parse_word(struct parser *p)
{
	int r;

	/* "-5min" is a time, "-" standard input. */
	if (p->argv[p->at][0] != '-' || p->argv[p->at][1] == '\0' ||
		strchr("0123456789", p->argv[p->at][1]))
		return take_word(p);
	r = parse_own(p);
	if (r == 1)
		r = parse_global(p);
	if (r == 1)
		r = parse_other(p);
	return r == 1 ? unknown(p) : r;
}

static int parse_line(struct parser *p)
{
	struct ctl *ctl = p->ctl;
	bool dashes = false;
	int code = 0;

	for (; code == 0 && p->at < p->argc; p->at++) {
		if (strcmp(p->argv[p->at], "--") == 0) {
			p->at++;
			dashes = true;
			break;
		}
		code = parse_word(p);
	}
	if (code != 0 || !dashes)
		return code;
	if (ctl->command && ctl->command->takes_command)
		ctl->command_argv = p->argv + p->at;
	else
		for (; code == 0 && p->at < p->argc; p->at++)
			code = take_word(p);
	return code;
}

static int check_words(struct ctl *ctl)
{
	const struct ctl_command *c = ctl->command;

	if (c->etcdctl)
		return 0; /* they see for themselves */
	for (int i = 0; i < ctl->n_words; i++)
		if (!*ctl->words[i])
			return ctl_error(
				CTL_USAGE, "%s: a word of the command line is empty", c->name);
	if (ctl->n_words >= c->min_words && (c->max_words < 0 || ctl->n_words <= c->max_words))
		return 0;
	if (!*c->words)
		return ctl_error(CTL_USAGE, "%s: unexpected word \"%s\"", c->name, ctl->words[0]);
	return ctl_error(CTL_USAGE, "%s: %s, expected oncectl %s %s", c->name,
		ctl->n_words < c->min_words ? "something is missing" : "too many words", c->name,
		c->words);
}

/* ---- the configuration ----------------------------------------------------------------------- */

static bool names_endpoints(const struct options *options)
{
	for (size_t i = 0; i < options->n_settings; i++)
		if (strcmp(options->settings[i].key, "Endpoints") == 0)
			return true;
	return false;
}

static const char *join(struct arena *arena, const char *key, const char *group)
{
	size_t size = strlen(key) + strlen(group) + 2;
	char *text = arena_alloc(arena, size);

	if (text)
		(void)snprintf(text, size, "%s/%s", key, group);
	return text;
}

/* The flags of a command that is about timing, as keys of the file. */
static void take_timing(struct parser *p)
{
	static const char *const keys[][2] = {{"--profile", "Profile"}, {"--ttl", "LeaseTTL"},
		{"--fence-after", "FenceAfter"}, {"--beat-interval", "BeatInterval"},
		{"--request-timeout", "RequestTimeout"}, {"--stop-grace", "StopGrace"},
		{"--kill-budget", "KillBudget"}, {"--clock-drift", "ClockDrift"}};

	for (size_t i = 0; i < COUNT(keys); i++) {
		const char *value = ctl_flag(p->ctl, keys[i][0]);

		if (value)
			options_set(&p->options, keys[i][0], "Election", keys[i][1], value);
	}
}

static int load_config(struct parser *p)
{
	struct ctl *ctl = p->ctl;
	int code;

	if (!as_etcdctl(p))
		take_timing(p);

	if (!ctl->config_file && !names_endpoints(&p->options) &&
		access(CONFIG_FILE_DEFAULT, R_OK) == 0)
		ctl->config_file = CONFIG_FILE_DEFAULT;
	if (!ctl->config_file && !names_endpoints(&p->options))
		options_set(&p->options, "--endpoints", "Etcd", "Endpoints", "127.0.0.1:2379");
	for (size_t i = 0; i < p->options.n_settings; i++)
		if (strcmp(p->options.settings[i].key, "Endpoints") == 0)
			ctl->endpoints_said = p->options.settings[i].value;
	p->options.run = true;
	p->options.file = ctl->config_file;
	code = config_load_client(&p->options, "oncectl", &ctl->config, stderr);
	if (code != 0)
		return code;
	ctl->leader_key = ctl->config.key;
	if (strcmp(ctl->group, "default") != 0)
		ctl->leader_key = join(&ctl->line, ctl->config.key, ctl->group);
	return ctl->leader_key ? 0 : ctl_out_of_memory();
}

int ctl_options_parse(struct ctl *ctl, int argc, char **argv, bool *ret_done)
{
	struct parser p = {.ctl = ctl, .argc = argc, .at = 1, .argv = argv};
	int code;

	ctl->timeout_ns = 5 * ONCE_NSEC_PER_SEC;
	ctl->group = "default";
	ctl->words = arena_array(&ctl->line, (size_t)argc + 1, sizeof(*ctl->words));
	if (!ctl->words)
		return ctl_out_of_memory();
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("oncectl %s\n", ONCED_VERSION);
		*ret_done = true;
		return 0;
	}
	options_set_from_environment(&p.options);
	code = parse_line(&p);
	if (code == 0 && !ctl->command && !p.help)
		return ctl_error(CTL_USAGE, "%s%sexpected a command; see oncectl help",
			p.family ? p.family : "", p.family ? ": " : "");
	if (code == CTL_USAGE && as_etcdctl(&p))
		code = CTL_FAILED; /* 2 is a bad connection there */
	if (code != 0)
		return code;
	if (p.help) {
		ctl->command ? ctl_print_command_help(ctl->command) : ctl_print_help();
		*ret_done = true;
		return 0;
	}
	code = check_format(&p);
	if (code == 0)
		code = check_words(ctl);
	if (code == 0 && !ctl->command->offline)
		code = load_config(&p);
	return code;
}
