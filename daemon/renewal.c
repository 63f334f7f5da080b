/* Certificates, key and password that are replaced on disk while the daemon runs.
 *
 * Happy path: the files are looked at every few seconds. When one differs from what was read, and nothing has
 * changed since the look before (a certificate comes before its key, or behind it), all are read, checked as at
 * the start, and used from then on; leadership and jobs go on.
 *
 * Failures: what is wrong with the new ones is said once, until they change again. The old ones stay in use:
 * the client holds them in memory. */
#include "daemon/renewal.h"

#include "daemon/log.h"
#include "daemon/secrets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const int64_t LOOK_EVERY = 2 * ONCE_NSEC_PER_SEC;

static const char *path_of(const struct config *c, size_t i)
{
	const char *const paths[RENEWAL_FILES] = {
		c->cacert, c->cert, c->key_file, c->password_file};

	return paths[i];
}

static void look(const struct config *config, struct renewal_mark marks[RENEWAL_FILES])
{
	memset(marks, 0, RENEWAL_FILES * sizeof(*marks));
	for (size_t i = 0; i < RENEWAL_FILES; i++) {
		const char *path = path_of(config, i);
		struct stat st;

		if (!path || stat(path, &st) < 0)
			continue;
		marks[i].device = st.st_dev;
		marks[i].inode = st.st_ino;
		marks[i].size = st.st_size;
		marks[i].modified = st.st_mtim;
		marks[i].changed = st.st_ctim;
	}
}

static bool same_mark(const struct renewal_mark *a, const struct renewal_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec &&
	       a->modified.tv_nsec == b->modified.tv_nsec &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool same(const struct renewal_mark *a, const struct renewal_mark *b)
{
	for (size_t i = 0; i < RENEWAL_FILES; i++)
		if (!same_mark(&a[i], &b[i]))
			return false;
	return true;
}

/* The rules of the start; the path that breaks one, NULL: none does. */
static const char *find_fault(
	const struct config *c, char **ret_password, char why[SECRETS_WHY_MAX])
{
	if (c->cacert && secrets_check_cert(c->cacert, why) < 0)
		return c->cacert;
	if (c->cert && secrets_check_cert(c->cert, why) < 0)
		return c->cert;
	if (c->key_file && secrets_check_key(c->key_file, why) < 0)
		return c->key_file;
	if (c->password_file && secrets_read_password(c->password_file, ret_password, why) < 0)
		return c->password_file;
	return NULL;
}

static void renew(struct renewal *r)
{
	struct once_client_config config = config_connection(r->config);
	char why[SECRETS_WHY_MAX], *password = NULL;
	const char *fault = find_fault(r->config, &password, why), *message = "";
	int error = 0;

	if (password)
		config.password = password;
	if (!fault)
		error = once_client_reload(r->client, &config, &message);
	if (fault)
		log_err("renewal", "%s: %s: going on with the old certificates and password", fault,
			why);
	else if (error < 0)
		log_err("renewal", "%s: going on with the old certificates and password", message);
	else
		log_info("renewal",
			"certificates or password have changed on disk: using the new ones");
	secrets_free(password);
}

static void on_timer(void *userdata)
{
	struct renewal *r = userdata;
	struct renewal_mark now[RENEWAL_FILES];

	look(r->config, now);
	if (same(now, r->seen) && !same(now, r->used)) {
		memcpy(r->used, now, sizeof(now));
		renew(r);
	}
	memcpy(r->seen, now, sizeof(now));
	r->loop->ops->timer_set(r->timer, LOOK_EVERY);
}

int renewal_init(struct renewal *r, struct once_loop *loop, const struct config *config)
{
	r->config = config;
	r->loop = loop;
	r->timer = loop->ops->timer_new(loop, on_timer, r);
	if (!r->timer)
		return -ENOMEM;
	renewal_reading(r);
	return 0;
}

void renewal_start(struct renewal *r, struct once_client *client)
{
	r->client = client;
	r->loop->ops->timer_set(r->timer, LOOK_EVERY);
}

void renewal_reading(struct renewal *r)
{
	look(r->config, r->used);
	memcpy(r->seen, r->used, sizeof(r->seen));
}

void renewal_fini(struct renewal *r)
{
	if (r->timer)
		r->loop->ops->timer_free(r->timer);
	r->timer = NULL;
}
