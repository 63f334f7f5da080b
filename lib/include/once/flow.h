/* Flows: steps that are done one after the other, each once, resuming after the last that is done.
 * Since 0.1.
 *
 * A step is a record of the ledger under ONCE_KEY_STEP. Beside them the flow remembers which list
 * of steps it was opened with: going on with another list would be neither the old flow nor the new
 * one.
 *
 *	once_flow_open(list's hash)	 -> DONE, or CHANGED
 *	once_ledger_list(steps of it)	 -> which are done
 *	for the others in order: once_ledger_begin(), run, once_ledger_end()
 *
 * A flow may be undone: what its steps did is taken back in reverse order, by commands that have
 * records of their own under ONCE_KEY_UNDO. That it is, is decided once and kept with the flow, so
 * that whoever comes later goes on with that and with no step.
 *
 *	once_flow_undo()		 -> DONE
 *	once_ledger_list(steps of it)	 -> which were done, of which records under ONCE_KEY_UNDO
 *	for these in reverse: once_ledger_begin(), run, once_ledger_end()
 */
#ifndef ONCE_FLOW_H
#define ONCE_FLOW_H

#include <once/control.h>
#include <once/ledger.h>

#ifdef __cplusplus
extern "C" {
#endif

/* result: once_ledger_result (CHANGED: opened before with the list of hash; UNDONE: with the same
 * list, and undone or being undone), or a negative errno. */
typedef void once_flow_fn(void *userdata, int result, const char *hash, const char *message);

/* Opens the flow, or finds it open with the same list. hash: once_hash() over names and commands in
 * order. term NULL: not guarded by leadership. -EINVAL: the name or the hash; -ENOMEM. */
int once_flow_open(struct once_records *records, struct once_task **ret_task, const char *flow,
	const char *hash, const struct once_term *term, once_flow_fn *fn, void *userdata);

/* From now on the flow is undone, for good. result DONE, also when it was before; CHANGED: it is not
 * open with the list of hash. undo: who wants it, when and why, for the record. -EINVAL also: texts
 * that are none, see <once/control.h>. */
struct once_undo {
	char by[ONCE_BY_MAX + 1];
	char reason[ONCE_REASON_MAX + 1];
	int64_t at_ms;
};
int once_flow_undo(struct once_records *records, struct once_task **ret_task, const char *flow,
	const char *hash, const struct once_undo *undo, const struct once_term *term,
	once_flow_fn *fn, void *userdata);

/* Reads the value of ONCE_KEY_FLOW: -EBADMSG, -EPROTONOSUPPORT, -ENOMEM. ret_undo->at_ms 0: it is not
 * undone. */
int once_flow_decode(
	char ret_hash[ONCE_HASH_SIZE], struct once_undo *ret_undo, struct once_bytes value);

/* Forgets the flow and all its steps, so that it can be run anew: an operator's decision. result
 * DONE, also when there was none; CHANGED: a step, or its undoing, is begun without an end, and force
 * is false. */
int once_flow_forget(struct once_records *records, struct once_task **ret_task, const char *flow,
	bool force, once_flow_fn *fn, void *userdata);

#ifdef __cplusplus
}
#endif

#endif
