/* See goflags.h. One pass over the words: a flag is found in the program's table or in that of the
 * connection, its value is what stands behind "=" or the next word. */
#include "tools/common/goflags.h"

#include <stdio.h>
#include <string.h>

#include "daemon/options.h"

#ifndef ONCED_VERSION
#define ONCED_VERSION "unknown"
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name, *argument, *key, *help;
} connection[] = {
	{"endpoints", "URL,...", "Endpoints", "members of the cluster [127.0.0.1:2379]"},
	{"cacert", "FILE", "CACert", "authorities to trust"},
	{"cert", "FILE", "Cert", "client certificate"},
	{"key", "FILE", "Key", "key of the client certificate"},
	{"user", "NAME", "User", "etcd user"},
	{"password-file", "FILE", "PasswordFile", "its password"},
	{"allow-plaintext", NULL, "AllowPlaintext", "allow http:// to other hosts"},
};

struct parser {
	const struct goprogram *program;
	struct ctl *ctl;
	struct options options;
	int argc, at;
	char **argv;
	const char *attached; /* behind "="; NULL: no "=" */
	bool done;
};

static void print_flag(const char *name, const char *argument, const char *help)
{
	char left[64];

	(void)snprintf(
		left, sizeof(left), "-%s%s%s", name, argument ? " " : "", argument ? argument : "");
	printf("  %-26s %s\n", left, help);
}

static void print_help(const struct goprogram *program)
{
	printf("usage: %s [FLAG...]\n%s\n\n", program->name, program->summary);
	for (const struct goflag *f = program->flags; f->name; f++)
		print_flag(f->name, f->argument, f->help);
	printf("\nconnection:\n");
	for (size_t i = 0; i < COUNT(connection); i++)
		print_flag(connection[i].name, connection[i].argument, connection[i].help);
	print_flag("version", NULL, "print the version");
	print_flag("h, -help", NULL, "print this");
	printf("\nAlso understood: ETCDCTL_ENDPOINTS, _CACERT, _CERT, _KEY, _USER, _PASSWORD.\n"
	       "A flag and its value are two words, or one with = between them.\n");
}

static bool is_flag(struct parser *p, const char *name)
{
	const char *word = p->argv[p->at] + 1;
	size_t n = strlen(name);

	word += *word == '-';
	if (strncmp(word, name, n) != 0 || (word[n] != '\0' && word[n] != '='))
		return false;
	p->attached = word[n] == '=' ? word + n + 1 : NULL;
	return true;
}

static int take(struct parser *p, const char *name, const char *argument, const char **ret)
{
	*ret = p->attached;
	if (!*ret && p->at + 1 < p->argc)
		*ret = p->argv[++p->at];
	return *ret ? 0 : ctl_error(CTL_USAGE, "-%s: expected an argument, %s", name, argument);
}

static int read_bool(const char *name, const char *text, int64_t *ret)
{
	static const char *const words[] = {"false", "true", "0", "1", "no", "yes"};

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(text, words[i]) == 0) {
			*ret = i % 2;
			return 0;
		}
	return ctl_error(CTL_USAGE, "-%s: bad value \"%s\", expected true or false", name, text);
}

static int set_flag(struct parser *p, const struct goflag *f)
{
	char what[40];
	const char *value;
	int code;

	if (f->kind == GOFLAG_BOOL)
		return read_bool(f->name, p->attached ? p->attached : "true", f->to);
	code = take(p, f->name, f->argument, &value);
	if (code != 0)
		return code;
	(void)snprintf(what, sizeof(what), "-%s", f->name);
	switch (f->kind) {
	case GOFLAG_TEXT:
		*(const char **)f->to = value;
		return 0;
	case GOFLAG_NUMBER:
		return ctl_parse_number(what, value, f->min, f->max, f->to);
	case GOFLAG_DURATION:
		return ctl_parse_duration(what, value, f->min, f->max, f->to);
	case GOFLAG_BOOL:
		break;
	}
	return 0;
}

/* 1: not one of these. */
static int parse_own(struct parser *p)
{
	for (const struct goflag *f = p->program->flags; f->name; f++)
		if (is_flag(p, f->name))
			return set_flag(p, f);
	return 1;
}

static int parse_connection(struct parser *p)
{
	for (size_t i = 0; i < COUNT(connection); i++) {
		const char *value = "yes";
		int64_t yes = 1;
		int code = 0;

		if (!is_flag(p, connection[i].name))
			continue;
		if (connection[i].argument)
			code = take(p, connection[i].name, connection[i].argument, &value);
		else if (p->attached)
			code = read_bool(connection[i].name, p->attached, &yes);
		if (code == 0)
			options_set(&p->options, connection[i].name, "Etcd", connection[i].key,
				yes ? value : "no");
		return code;
	}
	return 1;
}

static int parse_other(struct parser *p)
{
	if (is_flag(p, "h") || is_flag(p, "help"))
		print_help(p->program);
	else if (is_flag(p, "version"))
		printf("%s %s\n", p->program->name, ONCED_VERSION);
	else if (is_flag(p, "password"))
		return ctl_error(CTL_USAGE,
			"-password: everybody can read a command line, expected "
			"-password-file FILE");
	else
		return ctl_error(CTL_USAGE, "%.*s: unknown flag; see %s -h",
			(int)strcspn(p->argv[p->at], "="), p->argv[p->at], p->program->name);
	p->done = true;
	return 0;
}

static int parse_word(struct parser *p)
{
	const char *word = p->argv[p->at];
	int code;

	if (word[0] != '-' || word[1] == '\0')
		return ctl_error(
			CTL_USAGE, "unexpected word \"%s\"; see %s -h", word, p->program->name);
	code = parse_own(p);
	code = code == 1 ? parse_connection(p) : code;
	return code == 1 ? parse_other(p) : code;
}

int goflags_parse(
	const struct goprogram *program, struct ctl *ctl, int argc, char **argv, bool *ret_done)
{
	struct parser p = {.program = program, .ctl = ctl, .argc = argc, .at = 1, .argv = argv};
	int code = 0;

	ctl_program = program->name;
	ctl->timeout_ns = 5 * ONCE_NSEC_PER_SEC;
	ctl->prefer_leader = true;
	options_set(&p.options, "-endpoints", "Etcd", "Endpoints", "127.0.0.1:2379");
	options_set_from_environment(&p.options);
	for (; p.at < argc && code == 0 && !p.done; p.at++)
		code = parse_word(&p);
	*ret_done = p.done;
	if (code != 0 || p.done)
		return code;
	p.options.run = true;
	return config_load_client(&p.options, program->name, &ctl->config, stderr);
}
