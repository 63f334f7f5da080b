/* Looks at a JSON document without building anything: is it one, and what is its price? PURE. */
#ifndef REPORTER_JSON_H
#define REPORTER_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* True: text is one whole JSON object or array (RFC 8259), nested at most 64 deep. *ret_price is the
 * number of the member "price" of the outermost object, the last if it is there twice; *ret_has: there
 * is one. */
bool json_scan(const char *text, size_t size, bool *ret_has, double *ret_price);

#endif
