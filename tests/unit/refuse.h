/* Every allocation of a step refused in turn: the first, the second, and so on until the step no longer
 * gets as far as the one that would be refused.
 *
 * The program is linked with refuse_link_args (meson.build): what its own objects allocate is counted and
 * refused, what shared libraries allocate is not, unless a library is given these functions (cJSON's
 * hooks). A step may take part of itself out with refuse_pause(): what it builds before, what it looks at
 * afterwards. */
#ifndef UNIT_REFUSE_H
#define UNIT_REFUSE_H

#include <stdbool.h>
#include <stddef.h>

struct refuse_step {
	const char *name;
	/* 0, or a negative errno. It has freed everything when it returns. */
	int (*run)(void);
	long at_least; /* allocations, so that the wrapping is known to work */
	/* A refusal may be survived, or come back as another error: the step says what is right.
	 * Else it is always -ENOMEM. */
	bool any;
	/* From this allocation on only one of seven: where one beat is like the other. 0: never. */
	long then_some;
};

/* Fails the test with the step's name and the number of the allocation. */
void refuse_each(const struct refuse_step *steps, size_t n);
/* Within a step; it begins not paused. */
void refuse_pause(bool pause);
/* For cJSON's hooks. */
void *refuse_malloc(size_t size);
void refuse_free(void *data);

#endif
