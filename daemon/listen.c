/* Where the status page is served. See listen.h.
 *
 * Failures: a unix socket left by a daemon that was killed refuses connections and is replaced; one that
 * takes them is somebody's, and stays. */
#include "daemon/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/number.h"

enum { BACKLOG = 64 };

static int refuse(char *why, size_t size, const char *what)
{
	(void)snprintf(why, size,
		"%s, expected ADDRESS:PORT such as 127.0.0.1:7780 or [::1]:7780, or the absolute "
		"path of a "
		"unix socket",
		what);
	return -EINVAL;
}

static int parse_path(struct listen_address *ret, const char *text, char *why, size_t size)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret->storage;

	if (strlen(text) >= sizeof(un->sun_path))
		return refuse(why, size, "a path of more than 107 bytes");
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, text, strlen(text) + 1);
	ret->size = sizeof(*un);
	ret->local = true;
	return 0;
}

static bool parse_host(struct listen_address *ret, const char *host, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ret->storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ret->storage;
	size_t n = strlen(host);
	char inner[INET6_ADDRSTRLEN];

	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		ret->size = sizeof(*in);
		ret->local = ntohl(in->sin_addr.s_addr) >> 24 == 127;
		return true;
	}
	if (n < 4 || host[0] != '[' || host[n - 1] != ']' || n - 2 >= sizeof(inner))
		return false;
	memcpy(inner, host + 1, n - 2);
	inner[n - 2] = '\0';
	if (inet_pton(AF_INET6, inner, &in6->sin6_addr) != 1)
		return false;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	ret->size = sizeof(*in6);
	ret->local = IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	return true;
}

int listen_parse(struct listen_address *ret, const char *text, char *why, size_t size)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	int64_t port;

	memset(ret, 0, sizeof(*ret));
	if (text[0] == '/')
		return parse_path(ret, text, why, size);
	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return refuse(why, size, "no address with a port");
	if (number_parse_i64(colon + 1, strlen(colon + 1), &port) < 0 || port < 0 || port > 65535)
		return refuse(why, size, "no port between 0 and 65535");
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (!parse_host(ret, host, (uint16_t)port))
		return refuse(why, size, "no address of this host (names are not looked up)");
	return 0;
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* Nobody listens on it any more. */
static bool is_left_over(const struct listen_address *address)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
	struct stat st;
	bool left;
	int fd;

	if (lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	left = connect(fd, (const struct sockaddr *)un, address->size) < 0 && errno == ECONNREFUSED;
	(void)close(fd);
	return left;
}

static int bind_unix(int fd, const struct listen_address *address)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
	mode_t mask;
	int r;

	if (is_left_over(address))
		(void)unlink(un->sun_path);
	mask = umask(0117); /* the owner and the group may connect */
	r = bind(fd, (const struct sockaddr *)un, address->size);
	(void)umask(mask);
	return r;
}

static int port_of(int fd)
{
	struct sockaddr_storage storage = {0};
	socklen_t size = sizeof(storage);

	if (getsockname(fd, (struct sockaddr *)&storage, &size) < 0)
		return 0;
	if (storage.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&storage)->sin_port);
	return storage.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&storage)->sin6_port)
					     : 0;
}

int listen_open(const struct listen_address *address, int *ret_port)
{
	const struct sockaddr *name = (const struct sockaddr *)&address->storage;
	int fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, r;

	if (fd < 0)
		return -errno;
	if (name->sa_family == AF_UNIX) {
		r = bind_unix(fd, address);
	} else {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		r = bind(fd, name, address->size);
	}
	if (r < 0 || listen(fd, BACKLOG) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	*ret_port = port_of(fd);
	return fd;
}
