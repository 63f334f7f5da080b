/* What of etcd is open to whom it should not be: plaintext, certificates, logins.
 *
 * Happy path: beside what the configuration shows, strangers ask each member that can be reached: a
 * client like ours, but without the user, wants a key and the list of leases; another, without the
 * certificate too, wants a key. They are to be refused; what they get anyway is a finding.
 *
 * A stranger that gets no answer that says something, in time, tells nothing, and nothing is said.
 * None of them writes. */
#include "tools/oncectl/doctor.h"

#include <errno.h>
#include <string.h>

#include "tools/oncectl/certificate.h"

enum { SOON_DAYS = 14 };

/* ---- what the configuration shows ------------------------------------------------------------ */

/* etcd refuses every request through its gateway when auth is on and the client's certificate has a
 * CommonName, which over gRPC would be the user. */
static void check_certificate(struct doctor *d, const struct config *c)
{
	struct certificate certificate;
	struct ctl *ctl = d->ctl;

	if (certificate_read(&certificate, c->cert) < 0)
		return; /* the client has told */
	if (certificate.common_name[0])
		doctor_find(d, WARN, "certificate",
			ctl_printf(ctl,
				"%s has the CommonName %s: with auth on, etcd's gateway will "
				"refuse every "
				"request; expected none, and User= with PasswordFile=",
				c->cert, ctl_text(ctl, once_str(certificate.common_name))));
	if (!certificate.for_clients)
		doctor_find(d, WARN, "certificate",
			ctl_printf(
				ctl, "%s is not for clients, by its extended key usage", c->cert));
	if (certificate.days_left < SOON_DAYS)
		doctor_find(d, certificate.days_left < 0 ? BAD : WARN, "certificate",
			ctl_printf(ctl, "%s ends in %d days", c->cert, certificate.days_left));
	else
		doctor_find(d, GOOD, "certificate",
			ctl_printf(ctl, "%s holds for %d days", c->cert, certificate.days_left));
}

static bool is_plain(const char *url)
{
	return strncmp(url, "http://", 7) == 0;
}

/* The first URL that leads to another host, of those we use, then of those the members advertise, to whoever asks. */
static const char *beyond(const struct doctor *d, bool plain_only)
{
	const struct config *c = &d->ctl->config;

	for (size_t i = 0; i < c->n_endpoints; i++)
		if ((!plain_only || is_plain(c->endpoints[i])) &&
			!config_is_loopback(c->endpoints[i]))
			return c->endpoints[i];
	for (size_t i = 0; i < d->members.n; i++) {
		const char *url = d->members.members[i].url;

		if (url && (is_plain(url) || (!plain_only && strncmp(url, "https://", 8) == 0)) &&
			!config_is_loopback(url))
			return ctl_text(d->ctl, once_str(url));
	}
	return NULL;
}

static void check_plaintext(struct doctor *d)
{
	const struct config *c = &d->ctl->config;
	const char *url = beyond(d, true);
	bool plain = false;

	for (size_t i = 0; i < c->n_endpoints; i++)
		plain = plain || is_plain(c->endpoints[i]);
	if (url)
		doctor_find(d, WARN, "TLS",
			ctl_printf(d->ctl,
				"%s is plaintext: everybody on the network may read%s and lead: "
				"give etcd a certificate and use https://",
				url, c->user ? " the password" : ""));
	else if (plain)
		doctor_find(d, GOOD, "TLS", "plaintext, on this host only");
}

void doctor_check_login(struct doctor *d)
{
	const struct config *c = &d->ctl->config;

	check_plaintext(d);
	if (d->no_user)
		doctor_find(d, BAD, "login",
			"this etcd wants a user: set User= and PasswordFile=; its JSON gateway "
			"takes no "
			"certificate's name for one");
	if (c->cert)
		check_certificate(d, c);
}

/* ---- strangers ------------------------------------------------------------------------------- */

enum wish { A_KEY, THE_LEASES };

struct stranger {
	struct ctl *ctl;
	struct once_client *client; /* NULL: could not be made */
	const struct once_response *answer;
	bool done;
};

static void on_answer(void *userdata, const struct once_response *response)
{
	struct stranger *s = userdata;

	s->answer = ctl_copy(&s->ctl->arena, response);
	s->done = true;
}

static void come(struct stranger *s, struct ctl *ctl, const char *url, bool with_certificate)
{
	struct once_client_config config = config_connection(&ctl->config);

	*s = (struct stranger){.ctl = ctl};
	config.endpoints = &url;
	config.n_endpoints = 1;
	config.user = config.password = NULL;
	if (!with_certificate)
		config.cert = config.key_file = NULL;
	config.connect_timeout_ns = config.request_timeout_ns = doctor_patience(ctl);
	if (once_client_new(&s->client, ctl->loop, &config, NULL, NULL, NULL) < 0)
		s->client = NULL;
}

/* NULL: no answer. */
static const struct once_response *ask(struct stranger *s, enum wish wish)
{
	struct once_call_options options = {ONCE_LANE_CONTROL, doctor_patience(s->ctl)};
	struct once_op op = {.kind = ONCE_OP_RANGE,
		.key = once_str(s->ctl->leader_key),
		.serializable = true,
		.count_only = true};
	struct once_call *call = NULL;
	int r;

	if (!s->client)
		return NULL;
	s->done = false;
	s->answer = NULL;
	r = wish == A_KEY ? once_kv(s->client, &call, &options, &op, on_answer, s)
			  : once_lease_list(s->client, &call, &options, on_answer, s);
	if (r < 0)
		return NULL;
	if (!ctl_wait(s->ctl, &s->done, options.timeout_ns + ONCE_NSEC_PER_SEC))
		(void)once_call_cancel(call);
	return s->answer;
}

/* ---- what they got --------------------------------------------------------------------------- */

enum known { UNKNOWN, NO, YES };

struct holes {
	enum known auth;
	/* names of the members that... */
	const char *any_certificate; /* ...let in who has none */
	const char *only_ours;	     /* ...do not */
	const char *leases;	     /* ...answer about leases without a login, though auth is on */
};

static void add(struct ctl *ctl, const char **names, const char *name)
{
	*names = *names ? ctl_printf(ctl, "%s %s", *names, name) : name;
}

/* Be it a refusal: of etcd's, not of TLS. */
static bool is_answer(const struct once_response *r)
{
	return r && (r->error == 0 || r->http_status != 0);
}

static void visit(struct doctor *d, const char *name, const char *url, struct holes *h)
{
	struct ctl *ctl = d->ctl;
	struct stranger s;
	const struct once_response *r;
	bool there;

	come(&s, ctl, url, true);
	r = ask(&s, A_KEY);
	there = is_answer(r);
	if (there && r->error == 0)
		h->auth = NO;
	if (there && strstr(r->message, "user name is empty")) {
		h->auth = YES;
		r = ask(&s, THE_LEASES);
		if (r && r->error == 0)
			add(ctl, &h->leases, name);
	}
	(void)once_client_free(s.client);
	if (!there || !ctl->config.cert || is_plain(url))
		return;
	come(&s, ctl, url, false);
	r = ask(&s, A_KEY);
	if (is_answer(r))
		add(ctl, &h->any_certificate, name);
	else if (r && r->error != -ETIMEDOUT)
		add(ctl, &h->only_ours, name);
	(void)once_client_free(s.client);
}

static void tell_auth(struct doctor *d, const struct holes *h)
{
	static const char how[] =
		"oncectl rbac prints the users that etcd needs before etcdctl auth enable";
	const struct config *c = &d->ctl->config;
	const char *url = beyond(d, false);

	if (h->auth == YES)
		doctor_find(d, GOOD, "auth", "auth is on: no key without a login");
	else if (h->auth == NO && c->user)
		doctor_find(d, WARN, "auth",
			ctl_printf(d->ctl,
				"auth is off: user %s and its password protect nothing; %s",
				c->user, how));
	else if (h->auth == NO && url)
		doctor_find(d, WARN, "auth",
			ctl_printf(d->ctl, "auth is off: whoever reaches %s%s may lead; %s", url,
				h->only_ours ? " with a certificate" : "", how));
	else if (h->auth == NO && !h->only_ours)
		doctor_find(d, WARN, "auth", "auth is off: every user of this host may lead");
}

static void tell(struct doctor *d, const struct holes *h)
{
	struct ctl *ctl = d->ctl;

	tell_auth(d, h);
	if (h->leases)
		doctor_find(d, WARN, "auth",
			ctl_printf(ctl,
				"%s: leases are listed, granted and renewed without a login "
				"(GHSA-q8m4-xhhv-38mg): upgrade to 3.4.42, 3.5.28, 3.6.9 or "
				"newer%s",
				h->leases,
				h->only_ours ? ""
					     : ", or let in who has a certificate only "
					       "(--client-cert-auth)"));
	if (h->any_certificate)
		doctor_find(d, WARN, "TLS",
			ctl_printf(ctl,
				"%s: who has no certificate is let in, too: start etcd with "
				"--client-cert-auth and --trusted-ca-file",
				h->any_certificate));
	if (h->only_ours)
		doctor_find(d, GOOD, "TLS",
			ctl_printf(ctl, "%s: who has no certificate is not let in", h->only_ours));
}

void doctor_check_holes(struct doctor *d)
{
	struct holes h = {0};
	bool any = false;

	for (size_t i = 0; i < d->members.n; i++) {
		const struct ctl_member *m = &d->members.members[i];

		if (!doctor_reached(m))
			continue;
		any = true;
		if (ctl_time_left(d->ctl) > d->ctl->timeout_ns / 2)
			visit(d, m->name ? m->name : "?", m->url, &h);
		else
			doctor_find(d, WARN, "auth",
				ctl_printf(d->ctl,
					"%s: there was no time to ask what is open: expected a "
					"longer "
					"--command-timeout",
					m->name ? m->name : "?"));
	}
	/* The members' own addresses may be none of this network's. */
	if (!any && d->ctl->endpoint[0])
		visit(d, d->ctl->endpoint, d->ctl->endpoint, &h);
	tell(d, &h);
}
