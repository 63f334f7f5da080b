/* Defaults that are computed, and the rules that bind several keys. A rule is checked only when the
 * values it needs were themselves good, so that one mistake gives one line. */
#include "daemon/config-internal.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "daemon/listen.h"
#include "daemon/secrets.h"

/* ---- node and value -------------------------------------------------------------------------- */

static int default_node(struct config_draft *draft, const char *file)
{
	struct config_origin nowhere = {.file = file, .flag = draft->config.run ? "--node" : NULL};
	char host[HOST_NAME_MAX + 1] = "", quote[CONFIG_QUOTE_MAX];

	(void)gethostname(host, sizeof(host) - 1);
	for (char *c = host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (!config_name_valid(host))
		config_report(draft, &nowhere, "Name",
			"not given, and the host name %s is no valid name, expected 1 to %d of a-z "
			"0-9 "
			". _ - beginning with a letter or digit",
			config_quote(quote, host), CONFIG_NAME_MAX);
	return config_set_string(&draft->config.node, host);
}

static int complete_node(struct config_draft *draft, const char *file)
{
	struct config *config = &draft->config;

	if (!config->node && !config_main_origin(draft, node)->bad && default_node(draft, file) < 0)
		return -ENOMEM;
	if (!config->value && config->node && config_set_string(&config->value, config->node) < 0)
		return -ENOMEM;
	if (!config->address && config_set_string(&config->address, "") < 0)
		return -ENOMEM;
	return config_set_string(&config->group, "default");
}

/* ---- timing ---------------------------------------------------------------------------------- */

static bool is_timing(const struct config_key *key)
{
	return key->offset >= offsetof(struct config, timing) &&
	       key->offset < offsetof(struct config, timing) + sizeof(struct once_timing);
}

/* What was said stays, the rest comes from the profile. */
static void complete_timing(struct config_draft *draft)
{
	struct once_timing said = draft->config.timing, *timing = &draft->config.timing;

	if (once_timing_profile(timing, draft->config.profile) < 0)
		return;
	for (size_t i = 0; i < config_main_table.n_keys; i++) {
		const struct config_key *key = &config_main_table.keys[i];
		size_t offset = key->offset - offsetof(struct config, timing);
		size_t size = key->type == &config_type_percent ? sizeof(int32_t) : sizeof(int64_t);

		if (is_timing(key) && draft->origins[i].set && !draft->origins[i].bad)
			memcpy((char *)timing + offset, (const char *)&said + offset, size);
	}
}

/* Told at the first timing that was given: without any the profiles are good. */
static void check_timing(struct config_draft *draft)
{
	const struct config_key *first = NULL;
	char message[CONFIG_WHY_MAX];

	for (size_t i = 0; i < config_main_table.n_keys; i++) {
		const struct config_key *key = &config_main_table.keys[i];
		bool counts = is_timing(key) || key->offset == offsetof(struct config, profile);

		if (counts && draft->origins[i].bad)
			return;
		if (is_timing(key) && draft->origins[i].set && !first)
			first = key;
	}
	if (first && once_timing_check(&draft->config.timing, message, sizeof(message)) < 0)
		config_report(draft, &draft->origins[first - config_main_table.keys], first->name,
			"%s (profile %s where not given)", message, draft->config.profile);
}

/* ---- endpoints ------------------------------------------------------------------------------- */

bool config_is_loopback(const char *url)
{
	const char *scheme = strstr(url, "://"), *host = scheme ? scheme + 3 : url;
	size_t n = strcspn(host, ":");

	return (n == 9 && strncasecmp(host, "localhost", 9) == 0) ||
	       (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n) ||
	       strncmp(host, "[::1]:", 6) == 0;
}

/* As etcdctl: TLS where its files are given, unless the endpoint itself says. */
static int complete_scheme(char **endpoint, bool tls)
{
	char *url;

	if (strstr(*endpoint, "://"))
		return 0;
	if (asprintf(&url, "%s://%s", tls ? "https" : "http", *endpoint) < 0)
		return -ENOMEM;
	free(*endpoint);
	*endpoint = url;
	return 0;
}

static int complete_endpoints(struct config_draft *draft, const char *file)
{
	struct config *config = &draft->config;
	struct config_origin *origin = config_main_origin(draft, endpoints),
			     nowhere = {.file = file};
	char quote[CONFIG_QUOTE_MAX];

	if (!config->endpoints && !origin->bad)
		config_report(draft, &nowhere, "Endpoints",
			"missing in section [Etcd], expected "
			"https://host:port");
	for (char **url = config->endpoints; url && *url; url++, config->n_endpoints++) {
		if (complete_scheme(url, config->cacert || config->cert) < 0)
			return -ENOMEM;
		if (strncmp(*url, "http://", 7) != 0 || config_is_loopback(*url))
			continue;
		config->plaintext = *url;
		if (!config->allow_plaintext)
			config_report(draft, origin, "Endpoints",
				"%s would be spoken to without encryption, expected https://, or "
				"%s",
				config_quote(quote, *url),
				config->run ? "--allow-plaintext" : "AllowPlaintext=yes");
	}
	return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void report_file(struct config_draft *draft, const struct config_origin *origin,
	const char *key, const char *path, const char *why)
{
	char quote[CONFIG_QUOTE_MAX];

	config_report(draft, origin, key, "%s: %s", config_quote(quote, path), why);
}

static void check_tls(struct config_draft *draft)
{
	const struct config *config = &draft->config;
	const struct config_origin *cacert = config_main_origin(draft, cacert),
				   *cert = config_main_origin(draft, cert),
				   *key = config_main_origin(draft, key_file);
	char why[SECRETS_WHY_MAX];

	if (cert->set && !key->set)
		config_report(draft, cert, "Cert", "has no key with it, expected %s",
			config->run ? "--key-file too" : "Key= too");
	if (key->set && !cert->set)
		config_report(draft, key, "Key", "has no certificate with it, expected %s",
			config->run ? "--cert too" : "Cert= too");
	if (draft->for_fuzzing)
		return;
	if (config->cacert && secrets_check_cert(config->cacert, why) < 0)
		report_file(draft, cacert, "CACert", config->cacert, why);
	if (config->cert && secrets_check_cert(config->cert, why) < 0)
		report_file(draft, cert, "Cert", config->cert, why);
	if (config->key_file && secrets_check_key(config->key_file, why) < 0)
		report_file(draft, key, "Key", config->key_file, why);
}

static void check_login(struct config_draft *draft)
{
	struct config *config = &draft->config;
	const struct config_origin *user = config_main_origin(draft, user),
				   *file = config_main_origin(draft, password_file);
	char why[SECRETS_WHY_MAX], *password = NULL;

	if (file->set && !user->set)
		config_report(draft, file, "PasswordFile", "has no user with it, expected %s",
			config->run ? "--user too" : "User= too");
	if (user->set && !user->bad && !file->set && !config->password)
		config_report(draft, user, "User", "has no password with it, expected %s",
			config->run ? "--password-file too" : "PasswordFile= too");
	if (!user->set) /* ETCDCTL_PASSWORD alone: etcdctl does not mind either */
		config->password = secrets_free(config->password);
	if (!config->password)
		config->password_from_environment = false;
	if (!config->password_file || draft->for_fuzzing)
		return;
	if (secrets_read_password(config->password_file, &password, why) < 0) {
		report_file(draft, file, "PasswordFile", config->password_file, why);
		return;
	}
	secrets_free(config->password);
	config->password = password;
	config->password_from_environment = false;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool is_below(const char *key, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(key, prefix, n) == 0 && (key[n] == '/' || key[n] == '\0');
}

/* The leader key of group g is KEY/g, the rest lives under the prefix: neither may reach into the
 * other. */
static void check_keys(struct config_draft *draft)
{
	const struct config_origin *key = config_main_origin(draft, key),
				   *prefix = config_main_origin(draft, prefix);
	const struct config *config = &draft->config;

	if (key->bad || prefix->bad)
		return;
	if (is_below(config->key, config->prefix) || is_below(config->prefix, config->key))
		config_report(draft, key->set ? key : prefix, key->set ? "Key" : "Prefix",
			"the leader key %s and the prefix %s overlap, expected neither inside the "
			"other",
			config->key, config->prefix);
}

/* ---- status page ----------------------------------------------------------------------------- */

/* It tells who leads and what runs: to other hosts only on purpose. */
static void check_http(struct config_draft *draft)
{
	const struct config_origin *origin = config_main_origin(draft, http_listen);
	struct listen_address address;
	char quote[CONFIG_QUOTE_MAX], why[256];

	if (!draft->config.http_listen || origin->bad || draft->config.http_remote ||
		listen_parse(&address, draft->config.http_listen, why, sizeof(why)) < 0 || address.local)
		return;
	config_report(draft, origin, "Listen",
		"%s can be reached from other hosts, expected 127.0.0.1, [::1], a unix socket, or %s",
		config_quote(quote, draft->config.http_listen),
		draft->config.run ? "--http-allow-remote" : "AllowRemote=yes");
}

int config_finish(struct config_draft *draft, const struct options *options, const char *file)
{
	draft->config.run = options;
	if (config_apply_fallbacks(&config_main_table, &draft->config, draft->origins) < 0)
		return -ENOMEM;
	if (options && config_run_defaults(draft, options) < 0)
		return -ENOMEM;
	if (complete_node(draft, file) < 0)
		return -ENOMEM;
	complete_timing(draft);
	check_timing(draft);
	if (complete_endpoints(draft, file) < 0)
		return -ENOMEM;
	check_tls(draft);
	check_login(draft);
	check_keys(draft);
	check_http(draft);
	return 0;
}
