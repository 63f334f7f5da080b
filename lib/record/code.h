/* What the codecs of records share: fields that are checked alike in writing and reading. */
#ifndef RECORD_CODE_H
#define RECORD_CODE_H

#include "etcd/codec-object.h"
#include <once/names.h>

enum { CODE_VERSION = 1 }; /* member "v" of every record */

/* Text for people: UTF-8 without controls, size bytes with its NUL. */
bool code_text_valid(const char *text, size_t size);
/* [a-z][a-z-]{0,31} or empty */
bool code_word_valid(const char *word, size_t size);
/* Lower case hex or empty. */
bool code_hex_valid(const char *text, size_t size);
/* 0 or a moment. */
bool code_utc_valid(int64_t ms);

/* Members; writing them when they are not empty, reading them into their bounds. */
void code_put_utc(struct buf *out, const char *name, int64_t ms);
int64_t code_utc(struct object *object, const char *name);
void code_text(struct object *object, const char *name, char *out, size_t size);
void code_word(struct object *object, const char *name, char *out, size_t size);
void code_hex(struct object *object, const char *name, char *out, size_t size);

/* Begins a record, with its version. */
void code_begin(struct buf *out);
/* Reads one: -EBADMSG; -EPROTONOSUPPORT: a later version; -ENOMEM. */
int code_read(struct object **ret, struct once_bytes value, size_t max);

#endif
