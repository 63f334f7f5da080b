/* What a watch reports, on standard output, in etcdctl's formats. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/oncectl/kv/watch.h"

static const char *type_of(const struct once_event *event)
{
	return event->kind == ONCE_EVENT_DELETE ? "DELETE" : "PUT";
}

static struct once_response header_of(const struct once_watch_report *report)
{
	return (struct once_response){
		.cluster_id = report->cluster_id,
		.member_id = report->member_id,
		.revision = report->note == ONCE_WATCH_COMPACTED ? 0 : report->revision,
		.raft_term = report->raft_term,
	};
}

static void print_json(struct ctl *ctl, const struct once_watch_report *report)
{
	struct kv_json json = {.ctl = ctl};
	struct once_response header = header_of(report);
	bool compacted = report->note == ONCE_WATCH_COMPACTED;

	kv_json_open(&json, NULL, '{');
	kv_json_header(&json, "Header", &header);
	kv_json_open(&json, "Events", '[');
	for (size_t i = 0; i < report->n_events; i++) {
		const struct once_event *event = &report->events[i];

		kv_json_open(&json, NULL, '{');
		kv_json_number(&json, "type", event->kind == ONCE_EVENT_DELETE);
		kv_json_kv(&json, "kv", &event->kv);
		if (event->has_prev)
			kv_json_kv(&json, "prev_kv", &event->prev);
		kv_json_close(&json, '}');
	}
	printf("],\"CompactRevision\":%" PRId64 ",\"Canceled\":%s,\"Created\":false}\n",
		compacted ? report->revision : 0, compacted ? "true" : "false");
}

void kv_watch_print(struct ctl *ctl, const struct once_watch_report *report)
{
	struct once_response header = header_of(report);

	if (ctl->json) {
		print_json(ctl, report);
		return;
	}
	if (ctl->format == CTL_FIELDS)
		kv_fields_header(&header);
	for (size_t i = 0; i < report->n_events; i++) {
		const struct once_event *event = &report->events[i];

		if (ctl->format == CTL_FIELDS) {
			printf("\"Type\" : %s\n", type_of(event));
			if (event->has_prev)
				kv_fields_kv("Prev", &event->prev);
			kv_fields_kv("", &event->kv);
			continue;
		}
		puts(type_of(event));
		if (event->has_prev)
			kv_simple_kv(ctl, &event->prev);
		kv_simple_kv(ctl, &event->kv);
	}
}
