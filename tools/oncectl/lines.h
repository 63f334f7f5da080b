/* Standard output in whole lines: whatever ends this process, nobody reads half an id as one. */
#ifndef ONCECTL_LINES_H
#define ONCECTL_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct lines {
	char *text; /* owned */
	size_t size, cap;
	bool failed; /* it could not be written, or a signal came meanwhile; the rest is dropped */
};

/* 0 or -ENOMEM. */
int lines_init(struct lines *lines);
void lines_fini(struct lines *lines);
/* The text without its line end. */
void lines_add(struct lines *lines, const char *text, size_t size);
void lines_flush(struct lines *lines);

#endif
