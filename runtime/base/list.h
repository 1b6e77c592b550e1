/* SPDX-License-Identifier: Apache-2.0 */
/* list.h - an intrusive doubly linked ring; a node alone points to itself. Its head is a node too, or,
 * in half the space, a pointer to the first node: gri_ring. */
#ifndef GR_RUNTIME_BASE_LIST_H
#define GR_RUNTIME_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct gri_list {
    struct gri_list *next, *prev;
};

static inline void gri_list_init(struct gri_list *l)
{
    l->next = l->prev = l;
}

static inline bool gri_list_empty(const struct gri_list *l)
{
    return l->next == l;
}

/* gri_list_push adds n at the end of the list whose head is l. */
static inline void gri_list_push(struct gri_list *l, struct gri_list *n)
{
    n->prev = l->prev;
    n->next = l;
    l->prev->next = n;
    l->prev = n;
}

/* gri_list_remove takes n out; removing a node that is alone does nothing. */
static inline void gri_list_remove(struct gri_list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->next = n->prev = n;
}

/* gri_list_pop takes the first node; NULL when empty. */
static inline struct gri_list *gri_list_pop(struct gri_list *l)
{
    struct gri_list *n = l->next;

    if (n == l)
        return NULL;
    gri_list_remove(n);
    return n;
}

/* A ring's head is NULL when it is empty. */
static inline void gri_ring_push(struct gri_list **first, struct gri_list *n)
{
    gri_list_init(n);
    if (*first != NULL)
        gri_list_push(*first, n);
    else
        *first = n;
}

/* gri_ring_remove does nothing when n is alone, and not in this ring. */
static inline void gri_ring_remove(struct gri_list **first, struct gri_list *n)
{
    if (*first == n)
        *first = n->next != n ? n->next : NULL;
    gri_list_remove(n);
}

static inline struct gri_list *gri_ring_pop(struct gri_list **first)
{
    struct gri_list *n = *first;

    if (n != NULL)
        gri_ring_remove(first, n);
    return n;
}

#endif
