/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/async/spread.h"

#include "runtime/base/alloc.h"
#include "runtime/sched/sched.h"

struct gri_spread *gri_spread_new(uint32_t workers)
{
    uint32_t count = workers < GRI_PARTS_MAX ? workers : GRI_PARTS_MAX;
    struct gri_spread *p = gri_alloc_aligned(64, sizeof(*p) + count * sizeof(p->part[0]));

    if (p == NULL)
        return NULL;
    *p = (struct gri_spread){ .part_count = count };
    for (uint32_t i = 0; i < count; i++) {
        p->part[i] = (struct gri_part){ .open = false };
        gri_list_init(&p->part[i].members[0]);
        gri_list_init(&p->part[i].members[1]);
    }
    return p;
}

void gri_spread_free(struct gri_spread *p)
{
    gri_free_aligned(p);
}

void gri_spread_open(struct gri_spread *p)
{
    atomic_store_explicit(&p->epoch, 0, memory_order_relaxed);
    for (uint32_t i = 0; i < p->part_count; i++) {
        gri_lock(&p->part[i].lock);
        p->part[i].open = true;
        gri_unlock(&p->part[i].lock);
    }
}

/* number_for returns what a member that is added to that part has as `at`; 0: numbers are used up. */
static uint32_t number_for(struct gri_spread *p, uint32_t part)
{
    uint32_t epoch = atomic_load_explicit(&p->epoch, memory_order_relaxed), next;

    do {
        if ((epoch & ((1u << GRI_PART_BITS) - 1)) == part)
            return epoch;
        if (gri_spread_used_up(p))
            return 0;
        next = ((epoch >> GRI_PART_BITS) + 1) << GRI_PART_BITS | part;
    } while (!atomic_compare_exchange_weak_explicit(&p->epoch, &epoch, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return next;
}

/* Not to be inlined where few scopes need it. */
__attribute__((noinline)) bool gri_spread_add(struct gri_spread *p, struct gr_scope *s,
                                              struct gri_member *m)
{
    uint32_t index = gri_worker_of(gri_sched_of(s->rt)) % p->part_count, at = 0;
    struct gri_part *part = &p->part[index];

    gri_lock(&part->lock);
    if (part->open)
        at = number_for(p, index + 1);
    if (at != 0) {
        m->scope = s;
        m->told = 0;
        atomic_store_explicit(&m->at, at, memory_order_relaxed);
        gri_list_push(&part->members[m->ops->actor], &m->node);
        if (m->ops->actor)
            part->actors++;
        else
            part->calls++;
    }
    gri_unlock(&part->lock);
    return at != 0;
}

/* ---- gathering ------------------------------------------------------------------------------- */

static uint32_t first_number(const struct gri_part *part, bool actors)
{
    const struct gri_list *list = &part->members[actors];

    if (gri_list_empty(list))
        return UINT32_MAX;
    return atomic_load_explicit(&gri_container_of(list->next, struct gri_member, node)->at,
                                memory_order_relaxed);
}

/* oldest_first finds the part whose first member is the oldest; NULL: all are empty. */
static struct gri_part *oldest_first(struct gri_spread *p, bool actors)
{
    struct gri_part *found = NULL;
    uint32_t least = UINT32_MAX;

    for (uint32_t i = 0; i < p->part_count; i++) {
        uint32_t number = first_number(&p->part[i], actors);

        if (number < least) {
            least = number;
            found = &p->part[i];
        }
    }
    return found;
}

static void merge(struct gri_spread *p, struct gr_scope *s, bool actors)
{
    struct gri_part *part;

    while ((part = oldest_first(p, actors)) != NULL) {
        struct gri_list *n = part->members[actors].next;

        gri_list_remove(n);
        /* relaxed: who reads it before the part's lock looks again once it has it */
        atomic_store_explicit(&gri_container_of(n, struct gri_member, node)->at, 0,
                              memory_order_relaxed);
        gri_list_push(&s->members[actors], n);
    }
}

void gri_spread_gather(struct gri_spread *p, struct gr_scope *s)
{
    for (uint32_t i = 0; i < p->part_count; i++)
        gri_lock(&p->part[i].lock);
    merge(p, s, false);
    merge(p, s, true);
    for (uint32_t i = 0; i < p->part_count; i++) {
        struct gri_part *part = &p->part[i];

        s->calls += part->calls;
        s->actors += part->actors;
        part->calls = part->actors = 0;
        part->open = false;
    }
    for (uint32_t i = p->part_count; i-- > 0;)
        gri_unlock(&p->part[i].lock);
}
