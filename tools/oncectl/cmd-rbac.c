/* oncectl rbac: the rights that onced needs in an etcd with passwords, as etcdctl's commands.
 *
 * Asks etcd nothing and changes nothing: whoever administers etcd reads it, then runs it. */
#include "tools/oncectl/ctl.h"

#include <stdio.h>
#include <string.h>

struct right {
	const char *kind; /* as etcdctl spells it; NULL ends the list */
	bool leader;	  /* of the keys that leaders hold, else of what lies below the prefix */
	const char *end;  /* behind that; one that ends with a slash is all below it */
};

struct role {
	const char *name, *purpose;
	struct right rights[16];
};

/* A leader holds KEY, that of a group KEY/GROUP. */
static const struct role roles[] = {
	{"node", "onced itself, and jobs that use oncectl once, step, ids, fence and put --fenced",
		{{"readwrite", true, ""}, {"readwrite", true, "/"}, {"readwrite", false, "/"}}},
	{"operator", "every command of oncectl that steers",
		{{"read", true, ""}, {"read", true, "/"}, {"read", false, "/"},
			{"readwrite", false, "/pause"}, {"readwrite", false, "/job/"},
			{"readwrite", false, "/trigger/"}, {"readwrite", false, "/kill/"},
			{"readwrite", false, "/g/"}, {"readwrite", false, "/step/"},
			{"readwrite", false, "/flow/"}, {"readwrite", false, "/undo/"},
			{"readwrite", false, "/generation"}, {"readwrite", false, "/history/"},
			{"readwrite", false, "/raise"}}},
	{"viewer", "oncectl status, leaders, jobs, runs and why",
		{{"read", true, ""}, {"read", true, "/"}, {"read", false, "/"}}},
};

static const struct role *find(const char *name)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(name, roles[i].name) == 0)
			return &roles[i];
	}
	fprintf(stderr, "oncectl: --for %s: no such role; expected node, operator or viewer\n",
		name);
	return NULL;
}

static const char *key_of(struct ctl *ctl, const struct right *r)
{
	return ctl_printf(ctl, "%s%s", r->leader ? ctl->config.key : ctl->config.prefix, r->end);
}

static bool is_prefix(const struct right *r)
{
	return r->end[0] && r->end[strlen(r->end) - 1] == '/';
}

/* Keys, prefixes and names are printable, without quotes: as they are between those of the shell. */
static void print(struct ctl *ctl, const struct role *role, const char *name)
{
	printf("# %s\netcdctl role add %s\n", role->purpose, name);
	for (const struct right *r = role->rights; r->kind; r++)
		printf("etcdctl role grant-permission %s %s '%s'%s\n", name, r->kind,
			key_of(ctl, r), is_prefix(r) ? " --prefix" : "");
	printf("etcdctl user add %s\netcdctl user grant-role %s %s\n", name, name, name);
}

static void print_json(struct ctl *ctl, const struct role *role, const char *name)
{
	struct ctl_json json = {0};

	ctl_json_object(&json, NULL);
	ctl_json_text(&json, "role", name);
	ctl_json_text(&json, "purpose", role->purpose);
	ctl_json_array(&json, "rights");
	for (const struct right *r = role->rights; r->kind; r++) {
		ctl_json_object(&json, NULL);
		ctl_json_text(&json, "right", r->kind);
		ctl_json_text(&json, "key", key_of(ctl, r));
		ctl_json_bool(&json, "prefix", is_prefix(r));
		ctl_json_end_object(&json);
	}
	ctl_json_end_array(&json);
	ctl_json_end_object(&json);
}

static int run(struct ctl *ctl)
{
	const char *asked = ctl_flag(ctl, "--for"), *name = ctl_flag(ctl, "--name");
	const struct role *role = find(asked ? asked : "node");

	if (!role)
		return CTL_USAGE;
	if (!name)
		name = role == roles ? "onced" : ctl_printf(ctl, "onced-%s", role->name);
	if (ctl_check_name("role", name))
		return CTL_USAGE;
	(ctl->json ? print_json : print)(ctl, role, name);
	return CTL_OK;
}

static const struct ctl_flag flags[] = {
	{"--for", "ROLE", "node, operator or viewer [node]"},
	{"--name", "NAME",
		"of the role and the user in etcd [onced, onced-operator, onced-viewer]"},
	{NULL, NULL, NULL},
};

const struct ctl_command ctl_command_rbac = {
	.name = "rbac",
	.words = "",
	.timing = true,
	.summary = "print the rights in etcd that a role needs",
	.details = "As commands of etcdctl, for the keys and the prefix of --config or flags. To "
		   "be run\n"
		   "by etcd's root user; \"etcdctl auth enable\" puts them in force.\n",
	.flags = flags,
	.run = run,
};
