/* What the files of the zone parser share. */
#ifndef CORE_ZONE_INNER_H
#define CORE_ZONE_INNER_H

#include "core/zone.h"

/* The TZ string of a file's footer ("CET-1CEST,M3.5.0,M10.5.0/3"), not empty. NULL, or what is
 * wrong. */
const char *zone_parse_footer(struct zone *zone, const char *text, size_t size);

/* Letters, digits, '+' and '-', as many as fit. */
bool zone_set_abbreviation(struct zone_type *type, const char *text, size_t size);

#endif
