/* A doubly linked list through a member of its elements; the list owns nothing. A node that is in
 * no list points to itself, so removing it twice is fine. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *list)
{
	list->prev = list;
	list->next = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_insert_between(struct list *node, struct list *prev, struct list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

/* As the last element. */
static inline void list_append(struct list *list, struct list *node)
{
	list_insert_between(node, list->prev, list);
}

/* As the first element. */
static inline void list_prepend(struct list *list, struct list *node)
{
	list_insert_between(node, list, list->next);
}

/* Leaves node in no list. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline size_t list_length(const struct list *list)
{
	size_t n = 0;

	for (const struct list *i = list->next; i != list; i = i->next)
		n++;
	return n;
}

/* Moves all of from's elements behind list's own. */
static inline void list_splice(struct list *list, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = list->prev;
	list->prev->next = from->next;
	from->prev->next = list;
	list->prev = from->prev;
	list_init(from);
}

#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
#define list_first(list, type, member) list_entry((list)->next, type, member)

/* i is a struct list *. The safe form allows that i is removed or freed, and nothing else. */
#define list_foreach(i, list) for ((i) = (list)->next; (i) != (list); (i) = (i)->next)
#define list_foreach_safe(i, n, list)                                                              \
	for ((i) = (list)->next, (n) = (i)->next; (i) != (list); (i) = (n), (n) = (i)->next)

#endif
