/* A job that is a unit of systemd: Unit=NAME.service.
 *
 * Its command is this program again, "onced unit NAME.service", a run like any other: it has systemd start
 * the unit, waits for its end, has it stopped on SIGTERM, and ends as the unit did. That is all it is
 * trusted with. The end of the unit is proven by the guardian, by the slice that the unit must be in
 * (slice.h): whatever becomes of this process, of the bus or of systemd's queue, nothing of the unit lives
 * when its run counts as over, and nothing of it can be started.
 *
 * The unit has to fit that; what does not is said in one line each and not started (unit-check.c). */
#ifndef ONCED_UNIT_H
#define ONCED_UNIT_H

#include "daemon/link.h"

#include <stdbool.h>

enum { UNIT_NAME_LIMIT = 100 };

/* What launch.c tells it beside the job's own variables, and the unit is not told. */
#define UNIT_VARIABLE "ONCED_UNIT_"
#define UNIT_VARIABLE_DIRECTORY "ONCED_UNIT_DIRECTORY" /* where the unit's variables are written */
#define UNIT_VARIABLE_GRACE "ONCED_UNIT_GRACE_USEC"

/* NAME.service of letters, digits and : _ . \ - @, with an instance if it is a template. */
bool unit_name_valid(const char *name);
/* The slice that it must be in: onced-NAME.slice, each character but letters, digits, _ and . being a _. */
void unit_slice(const char *name, char out[LINK_SLICE_MAX]);

/* The program; arguments from "unit" on. Its exit code. */
int unit_main(int argc, char **argv);

#endif
