/* What a handshake that failed means, in words that say whose certificate was refused and what was expected.
 *
 * Happy path: none, this is only about failures. Ours to judge: the server's certificate; libcurl has
 * compared it with the authorities and the name. The server's to judge: ours. Under TLS 1.3 it does so
 * after the handshake, when the request may be under way; OpenSSL's text is all that tells then. A server that
 * closes so fast that its alert is lost leaves only the moment to tell: connected, and never an answer. */
#include "etcd/curl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_alert(const char *message)
{
	return strstr(message, "alert") &&
	       (strstr(message, "certificate") || strstr(message, "unknown ca") ||
		       strstr(message, "access denied"));
}

static bool is_old_tls(const char *message)
{
	return strstr(message, "alert protocol version") || strstr(message, "unsupported protocol");
}

/* Connected, and nothing ever came back. */
static bool may_be_refused(const struct transport_exchange *ex, CURLcode code)
{
	return ex->lane->gen->tls && !ex->lane->answered &&
	       (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_HTTP2 ||
		       code == CURLE_HTTP2_STREAM || code == CURLE_PARTIAL_FILE ||
		       code == CURLE_GOT_NOTHING);
}

static void __attribute__((format(printf, 2, 3)))
say(struct transport_exchange *ex, const char *format, ...)
{
	char text[sizeof(ex->message)];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	memcpy(ex->message, text, sizeof(text));
}

/* libcurl's words behind its label. */
static const char *reason(const struct transport_exchange *ex)
{
	static const char label[] = "SSL certificate problem: ";
	const char *message = ex->message;

	return strncmp(message, label, sizeof(label) - 1) == 0 ? message + sizeof(label) - 1
							       : message;
}

static void blame_server(struct transport_exchange *ex)
{
	const struct transport_gen *gen = ex->lane->gen;
	const char *ca = ex->pem->cacert_path;

	say(ex,
		"the server's certificate is not accepted: %s; expected one for %s, valid now, by "
		"%s",
		reason(ex), gen->host, ca ? ca : "the system's authorities");
}

static void blame_client(struct transport_exchange *ex, bool sure)
{
	const char *path = ex->pem->cert_path, *fault = ex->pem->cert_fault;
	const char *refused = sure ? "the server refused our certificate"
				   : "the server closed without an answer, as for a certificate "
				     "that it refuses";

	if (!path)
		say(ex, "%s: we have none, expected Cert= and Key= (--cert and --key)", refused);
	else if (fault)
		say(ex, "%s: %s %s", refused, path, fault);
	else
		say(ex, "%s: %s; expected one by an authority that the server trusts", refused,
			path);
}

void refusal_explain(struct transport_exchange *ex, CURLcode code)
{
	struct transport_result *result = &ex->result;

	if (is_alert(ex->message)) {
		result->sent = false;
		result->error = -EKEYREJECTED;
		blame_client(ex, true);
	} else if (may_be_refused(ex, code)) {
		blame_client(ex, false);
	} else if (code == CURLE_SSL_CONNECT_ERROR && strstr(ex->message, "wrong version number")) {
		result->error = -EKEYREJECTED;
		say(ex, "the server does not speak TLS on this port; expected it to, or http://");
	} else if (code == CURLE_SSL_CONNECT_ERROR && is_old_tls(ex->message)) {
		result->error = -EKEYREJECTED;
		say(ex, "the server's TLS is too old; expected TLS 1.2 or newer");
	} else if (code == CURLE_PEER_FAILED_VERIFICATION) {
		blame_server(ex);
	}
}
