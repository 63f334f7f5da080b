/* Logging in: one at a time, whoever waits for the token.
 *
 * - Without a user nobody waits. A login costs the server 0.1 to 0.3 s of CPU, so the token is kept
 *   until the server refuses it; whoever was refused says which token that was, so that ten calls
 *   refused at once make one login.
 * - A server without authentication says so; then calls go without a token until one is refused.
 *
 * Failures: the waiters get the login's error. A wrong password is -EACCES. */
#include "etcd/internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *wipe(char *secret)
{
	if (secret) {
		explicit_bzero(secret, strlen(secret));
	}
	free(secret);
	return NULL;
}

int auth_init(struct auth *auth, const char *user, const char *password)
{
	if (user) {
		auth->user = strdup(user);
		auth->password = strdup(password ? password : "");
	}
	return user && (!auth->user || !auth->password) ? -ENOMEM : 0;
}

void auth_fini(struct auth *auth)
{
	auth->login = once_call_cancel(auth->login);
	free(auth->user);
	(void)wipe(auth->password);
	(void)wipe(auth->header);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void wake(struct auth *auth, int error, const char *message)
{
	struct list *i, *next;
	list_foreach_safe (i, next, &auth->waiters) {
		struct auth_waiter *waiter = list_entry(i, struct auth_waiter, in_auth);
		list_remove(i);
		waiter->fn(waiter, error, message);
	}
}

int auth_change(struct auth *auth, const char *user, const char *password)
{
	struct auth fresh = {0};
	if (same(auth->user, user) && (!user || same(auth->password, password ? password : ""))) {
		return 0;
	}
	int r = auth_init(&fresh, user, password);
	if (r < 0) {
		auth_fini(&fresh);
		return r;
	}
	free(auth->user);
	(void)wipe(auth->password);
	auth->header = wipe(auth->header);
	auth->user = fresh.user;
	auth->password = fresh.password;
	auth->off = false;
	/* Its token would be the former user's. */
	auth->login = once_call_cancel(auth->login);
	wake(auth, 0, "");
	return 0;
}

bool auth_ready(const struct auth *auth)
{
	return !auth->user || auth->header || auth->off;
}

static int take_token(struct auth *auth, const char *token)
{
	(void)wipe(auth->header);
	auth->header = NULL;
	if (asprintf(&auth->header, "Authorization: %s", token) < 0) {
		auth->header = NULL;
		return -ENOMEM;
	}
	auth->serial++;
	return 0;
}

static void on_login(void *userdata, const struct once_response *response)
{
	struct auth *auth = userdata;
	/* The codec keeps the token beside the response. */
	const struct codec_reply *reply =
		(const void *)((const char *)response - offsetof(struct codec_reply, response));
	int error = response->error;
	auth->login = NULL;
	if (!error) {
		error = reply->token ? take_token(auth, reply->token) : -EBADMSG;
	} else if (strstr(response->message, "authentication is not enabled")) {
		auth->off = true;
		error = 0;
	}
	wake(auth, error, error == response->error ? response->message : once_strerror(error));
}

int auth_wait(struct once_client *client, struct auth_waiter *waiter)
{
	struct auth *auth = &client->auth;
	if (!auth->login) {
		struct codec_request request;
		codec_request_init(&request, 0);
		int r = codec_encode_authenticate(&request, auth->user, auth->password);
		if (r < 0) {
			codec_request_fini(&request);
			return r;
		}
		r = call_start(client, &auth->login, NULL, &request, CALL_LOGIN | CALL_STALE,
			on_login, auth);
		if (r < 0) {
			return r;
		}
	}
	list_append(&auth->waiters, &waiter->in_auth);
	return 0;
}

void auth_refused(struct auth *auth, uint64_t serial)
{
	if (serial == auth->serial) {
		auth->header = wipe(auth->header);
		auth->off = false;
	}
}
