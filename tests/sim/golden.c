#include "golden.h"
#include "sim.h"
int golden_all(struct sim *s, const char *directory, bool update)
{
	return 1;
}
void script_step(struct sim *s, uint32_t step)
{
}
