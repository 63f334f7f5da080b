/* A client on the fake loop and transport, and what its calls said. */
#ifndef FAKE_RIG_H
#define FAKE_RIG_H

#include "etcd/internal.h"
#include "tests/fake/loop.h"
#include "tests/fake/transport.h"

struct rig {
	struct fake_loop loop;
	struct transport_fake *transport; /* borrowed: the client's */
	struct once_client *client;
	size_t n_done;
	int error; /* of the last */
	enum once_outcome outcome;
	char endpoint[128], message[256];
	struct once_instant sent;
	int64_t revision;
	bool free_in_done;
};

#define RIG_HEADER                                                                                 \
	"\"header\":{\"cluster_id\":\"1\",\"member_id\":\"2\",\"revision\":\"5\",\"raft_term\":"   \
	"\"3\"}"
#define RIG_PUT "/v3/kv/put"
#define RIG_PUT_OK "{" RIG_HEADER "}"
#define RIG_LOGIN "/v3/auth/authenticate"
#define RIG_TOKEN_OK "{" RIG_HEADER ",\"token\":\"T.1\"}"
#define RIG_BAD_TOKEN "{\"error\":\"x\",\"message\":\"etcdserver: invalid auth token\",\"code\":16}"

void rig_init(struct rig *rig, size_t n_endpoints, const char *user);
/* Frees the client if it is there, and checks that nothing was left behind. */
void rig_fini(struct rig *rig);
/* A put of k, in_ms 0: the default timeout. */
struct once_call *rig_put(struct rig *rig, int64_t timeout_ms);
void rig_done(void *userdata, const struct once_response *response);
/* Enough turns for everything that needs no time. */
void rig_settle(struct rig *rig);
/* What now waits for an answer; fails the test when nothing does. */
struct transport_exchange *rig_pending(struct rig *rig, const char *path);

#endif
