/* The URLs that a client is configured with, in a normal form; a mistake is found at start and
 * named. */
#include "etcd/internal.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static __thread char message_text[256];

void client_say(const char **ret_message, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	(void)vsnprintf(message_text, sizeof(message_text), format, ap);
	va_end(ap);
	*ret_message = message_text;
}

/* The parts of a URL, borrowed. */
struct parts {
	bool has_scheme, tls;
	const char *host;
	int host_size;
	const char *port;
	int port_size;
};

static bool skip(const char **text, const char *prefix)
{
	size_t len = strlen(prefix);
	if (strncasecmp(*text, prefix, len)) {
		return false;
	}
	*text += len;
	return true;
}

static bool valid_host(const struct parts *parts)
{
	char host[256];
	unsigned char address[16];
	int n = parts->host_size;
	if (n <= 0 || n >= (int)sizeof(host)) {
		return false;
	}
	if (parts->host[0] == '[') {
		(void)snprintf(host, sizeof(host), "%.*s", n - 2, parts->host + 1);
		return inet_pton(AF_INET6, host, address) == 1;
	}
	for (int i = 0; i < n; i++) {
		unsigned char c = (unsigned char)parts->host[i];
		if (!isalnum(c) && c != '-' && c != '.' && c != '_') {
			return false;
		}
	}
	return true;
}

static bool valid_port(const struct parts *parts)
{
	int port = 0;
	for (int i = 0; i < parts->port_size; i++) {
		if (i == 5 || !isdigit((unsigned char)parts->port[i])) {
			return false;
		}
		port = port * 10 + (parts->port[i] - '0');
	}
	return port > 0 && port <= 65535;
}

static bool split_url(struct parts *ret, const char *text)
{
	struct parts parts = {.tls = true};
	if (!skip(&text, "https://")) {
		parts.tls = false;
		parts.has_scheme = skip(&text, "http://");
	} else {
		parts.has_scheme = true;
	}
	parts.host = text;
	const char *end = *text == '[' ? strchr(text, ']') : NULL;
	text = end ? end + 1 : text + strcspn(text, ":/?#@");
	parts.host_size = (int)(text - parts.host);
	if (*text != ':') {
		return false;
	}
	parts.port = text + 1;
	parts.port_size = (int)strspn(parts.port, "0123456789");
	text = parts.port + parts.port_size;
	if (*text && strcmp(text, "/")) {
		return false;
	}
	*ret = parts;
	return valid_host(&parts) && valid_port(&parts);
}

static bool is_loopback(const struct parts *parts)
{
	char host[256];
	(void)snprintf(host, sizeof(host), "%.*s", parts->host_size, parts->host);
	struct in_addr v4;
	return !strcasecmp(host, "localhost") || !strcmp(host, "[::1]") ||
	       (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

int endpoint_parse(
	char **ret_url, const char *text, bool tls, bool allow_plaintext, const char **ret_message)
{
	struct parts parts;
	if (!text || !split_url(&parts, text)) {
		client_say(ret_message,
			"%s: not an endpoint; expected https://host:port, http://host:port or "
			"host:port",
			text ? text : "(null)");
		return -EINVAL;
	}
	tls = parts.has_scheme ? parts.tls : tls;
	if (!tls && !allow_plaintext && !is_loopback(&parts)) {
		client_say(ret_message, "%s: plaintext to another host is not allowed", text);
		return -EPERM;
	}
	char *url;
	if (asprintf(&url, "%s://%.*s:%.*s", tls ? "https" : "http", parts.host_size, parts.host,
		    parts.port_size, parts.port) < 0) {
		return -ENOMEM;
	}
	for (char *c = url; *c; c++) {
		*c = (char)tolower((unsigned char)*c);
	}
	*ret_url = url;
	return 0;
}

bool endpoint_same(const char *url, const char *b)
{
	struct parts parts;
	size_t len = strlen(url);
	return split_url(&parts, b) && parts.has_scheme && !strncasecmp(url, b, len) &&
	       (!b[len] || !strcmp(b + len, "/"));
}
