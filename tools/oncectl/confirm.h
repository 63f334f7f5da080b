/* What the parts of oncectl confirm share: cmd-confirm.c reads the flags, lists and verifies;
 * confirm.c confirms what comes on standard input. */
#ifndef ONCECTL_CONFIRM_H
#define ONCECTL_CONFIRM_H

#include <once/confirm.h>

#include "tools/oncectl/ctl.h"
#include "tools/oncectl/idset.h"

struct confirm {
	struct ctl *ctl;
	struct once_confirm_config config;
	bool unordered, resume;
	int64_t rate;	  /* ids a second at most; 0: no limit */
	struct idset ids; /* packed: with --resume, what is confirmed; else empty */
};

/* Calls fn with every id under the prefix. 0, or the exit code after its line. */
int confirm_read_all(struct confirm *confirm, once_packed_fn *fn, void *userdata);
/* Until the end of standard input. The exit code. */
int confirm_stream(struct confirm *confirm);

#endif
