/* One answer given to codec_decode() of etcd/codec.h, and what is in it; bodies are as etcd 3.4 and 3.5 sent
 * them (compact, and with blanks behind the commas). */
#ifndef UNIT_DECODE_H
#define UNIT_DECODE_H

#include "etcd/codec.h"
#include "tests/unit/unit.h"

#define H34                                                                                        \
	"\"header\":{\"cluster_id\":\"17163497475567447734\",\"member_id\":"                       \
	"\"447728115104063408\","                                                                  \
	"\"revision\":\"2\",\"raft_term\":\"3\"}"
#define H35                                                                                        \
	"\"header\":{\"cluster_id\":\"17163497475567447734\", "                                    \
	"\"member_id\":\"447728115104063408\", "                                                   \
	"\"revision\":\"2\", \"raft_term\":\"3\"}"

extern struct codec_request request;
extern struct codec_reply reply;
#define response (reply.response)

/* Of each test. */
int setup(void **state);
int teardown(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

void encode_op(enum once_op_kind kind);
/* The answer to the request, into the reply. */
int decode(int http_status, const char *body);

/* It is the one of H34 and H35. */
void check_header(void);
void check_text(struct once_bytes bytes, const char *text);
/* Not one field of a rejected answer may be used. */
void check_rejected(const char *body);

#endif
