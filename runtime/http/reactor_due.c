/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reactor_due.c - the exchanges in a binary heap by the time of their next timeout.
 *
 * Each read from a socket moves an idle timeout back, so that must be cheap: it only writes
 * heard_ns. The heap is corrected when the old time comes (see expire in reactor.c).
 */
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/http/reactor.h"

#define NS_PER_MS UINT64_C(1000000)

uint64_t gri_due_of(const struct exchange *x)
{
    uint64_t idle_due_ns = x->heard_ns + x->idle_ms * NS_PER_MS;

    if (x->connected && !x->paused && idle_due_ns < x->deadline_ns)
        return idle_due_ns;
    return x->deadline_ns;
}

static void place(struct reactor *r, size_t index, struct exchange *x)
{
    r->heap[index] = x;
    x->heap_index = index;
}

/* sift moves x from the free place `index` up or down to where it belongs. */
static void sift(struct reactor *r, size_t index, struct exchange *x)
{
    size_t child = 0;

    while (index > 0 && r->heap[(index - 1) / 2]->due_ns > x->due_ns) {
        place(r, index, r->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    while ((child = index * 2 + 1) < r->heap_count) {
        if (child + 1 < r->heap_count && r->heap[child + 1]->due_ns < r->heap[child]->due_ns)
            child++;
        if (r->heap[child]->due_ns >= x->due_ns)
            break;
        place(r, index, r->heap[child]);
        index = child;
    }
    place(r, index, x);
}

bool gri_due_add(struct reactor *r, struct exchange *x)
{
    size_t cap = r->heap_cap != 0 ? r->heap_cap * 2 : 64;
    struct exchange **heap = NULL;

    gri_assert(x->heap_index == GRI_DUE_NOWHERE);
    if (r->heap_count == r->heap_cap) {
        heap = gri_resize(r->heap, cap * sizeof(struct exchange *));
        if (heap == NULL)
            return false;
        r->heap = heap;
        r->heap_cap = cap;
    }
    x->due_ns = gri_due_of(x);
    r->heap_count++;
    /* the new place is filled before sift compares: x itself stands in it */
    place(r, r->heap_count - 1, x);
    sift(r, r->heap_count - 1, x);
    return true;
}

void gri_due_remove(struct reactor *r, struct exchange *x)
{
    size_t index = x->heap_index;
    struct exchange *last = NULL;

    if (index == GRI_DUE_NOWHERE)
        return;
    gri_assert(index < r->heap_count && r->heap[index] == x);
    x->heap_index = GRI_DUE_NOWHERE;
    last = r->heap[--r->heap_count];
    if (last != x)
        sift(r, index, last);
}

void gri_due_update(struct reactor *r, struct exchange *x)
{
    if (x->heap_index == GRI_DUE_NOWHERE)
        return;
    x->due_ns = gri_due_of(x);
    sift(r, x->heap_index, x);
}
