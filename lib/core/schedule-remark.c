/* What is special about an instant: the local clock jumps there, or shows its time twice. */
#include "core/schedule-inner.h"

/* Whether the clock shows local_s after at_s as well. */
static bool shown_again(const struct zone *zone, int64_t at_s, int64_t local_s)
{
	int64_t until_s = at_s + 2 * ZONE_OFFSET_MAX;
	struct zone_segment segment;

	zone_at(zone, at_s, &segment);
	while (segment.end_s < until_s) {
		int64_t again_s;

		zone_at(zone, segment.end_s, &segment);
		again_s = local_s - segment.type.offset_s;
		if (again_s >= segment.start_s && again_s < segment.end_s)
			return true;
	}
	return false;
}

void schedule_remark(const struct schedule *schedule, const struct zone *zone, int64_t at_s,
	struct schedule_remark *ret)
{
	struct zone_segment segment;
	int64_t local_s, before_s, skipped_s;

	zone_at(zone, at_s, &segment);
	local_s = at_s + segment.type.offset_s;
	before_s = schedule_shown(zone, at_s - 1);
	ret->kind = SCHEDULE_REMARK_NONE;
	ret->local_s = local_s;
	if (schedule->kind == SCHEDULE_EVERY)
		return;
	if (schedule->wildcard) {
		if (before_s >= local_s)
			ret->kind = SCHEDULE_REMARK_SECOND;
		else if (shown_again(zone, at_s, local_s))
			ret->kind = SCHEDULE_REMARK_FIRST;
		return;
	}
	if (schedule_local_next(schedule, before_s + 1, &skipped_s) && skipped_s < local_s) {
		ret->kind = SCHEDULE_REMARK_GAP;
		ret->local_s = skipped_s;
	} else if (shown_again(zone, at_s, local_s)) {
		ret->kind = SCHEDULE_REMARK_ONCE;
	}
}
