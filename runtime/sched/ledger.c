/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/ledger.h"

#include "runtime/base/alloc.h"
#include "runtime/sched/sched.h"

static const int64_t batch_max[GRI_METERS] = {
    [GRI_METER_CALLS] = 64, [GRI_METER_BYTES] = (int64_t)64 * 1024
};

static int64_t batch_for(enum gri_meter_kind kind, int64_t max, unsigned workers)
{
    int64_t batch = max / (16 * (int64_t)(workers != 0 ? workers : 1));

    return batch < 1 ? 1 : batch > batch_max[kind] ? batch_max[kind] : batch;
}

struct gri_ledger *gri_ledger_new(unsigned workers, const size_t max[GRI_METERS])
{
    struct gri_ledger *l = gri_alloc_aligned(64, sizeof(*l) + workers * sizeof(l->tally[0]));

    if (l == NULL)
        return NULL;
    *l = (struct gri_ledger){ .tally_count = workers };
    for (unsigned i = 0; i < workers; i++)
        l->tally[i] = (struct gri_tally){ .count = { 0 } };
    for (int k = 0; k < GRI_METERS; k++) {
        l->meter[k].max = max[k] == 0 || max[k] > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)max[k];
        l->meter[k].batch = batch_for((enum gri_meter_kind)k, l->meter[k].max, workers);
    }
    atomic_init(&l->refs, 1);
    return l;
}

struct gri_ledger *gri_ledger_ref(struct gri_ledger *l)
{
    atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    return l;
}

void gri_ledger_unref(struct gri_ledger *l)
{
    if (l != NULL && atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) == 1)
        gri_free_aligned(l);
}

/* own_tally returns the calling worker's tally, if it is one of l's runtime; NULL: it shares. */
static struct gri_tally *own_tally(const struct gri_ledger *l)
{
    const struct gri_worker *w = gri_exec()->worker;

    return w != NULL && w->sched->ledger == l ? w->tally : NULL;
}

void gri_count(struct gri_ledger *l, enum gri_count what, uint64_t n)
{
    struct gri_tally *t = own_tally(l);

    if (t != NULL)
        gri_tally_count(t, what, n);
    else
        atomic_fetch_add_explicit(&l->others.count[what], n, memory_order_relaxed);
}

uint64_t gri_count_total(struct gri_ledger *l, enum gri_count what)
{
    uint64_t sum = atomic_load_explicit(&l->others.count[what], memory_order_relaxed);

    for (unsigned i = 0; i < l->tally_count; i++)
        sum += atomic_load_explicit(&l->tally[i].count[what], memory_order_relaxed);
    return sum;
}

static void add_to_total(struct gri_meter *m, int64_t amount)
{
    int64_t now = atomic_fetch_add_explicit(&m->total, amount, memory_order_relaxed) + amount;

    if (amount > 0)
        gri_raise(&m->high, now);
}

static void add_own(struct gri_tally *t, struct gri_meter *m, enum gri_meter_kind kind,
                    int64_t amount)
{
    int64_t share = atomic_load_explicit(&t->share[kind], memory_order_relaxed) + amount;

    if (share >= m->batch || share <= -m->batch) {
        add_to_total(m, share);
        share = 0;
    }
    atomic_store_explicit(&t->share[kind], share, memory_order_relaxed);
}

void gri_meter_add(struct gri_ledger *l, enum gri_meter_kind kind, int64_t amount)
{
    struct gri_tally *t = own_tally(l);

    if (t != NULL)
        add_own(t, &l->meter[kind], kind, amount);
    else
        add_to_total(&l->meter[kind], amount);
}

void gri_meter_begin(struct gri_ledger *l, enum gri_meter_kind kind, enum gri_count what)
{
    struct gri_tally *t = own_tally(l);

    if (t != NULL) {
        gri_tally_count(t, what, 1);
        add_own(t, &l->meter[kind], kind, 1);
    } else {
        atomic_fetch_add_explicit(&l->others.count[what], 1, memory_order_relaxed);
        add_to_total(&l->meter[kind], 1);
    }
}

int64_t gri_meter_now(struct gri_ledger *l, enum gri_meter_kind kind)
{
    int64_t sum = atomic_load_explicit(&l->meter[kind].total, memory_order_relaxed);

    for (unsigned i = 0; i < l->tally_count; i++)
        sum += atomic_load_explicit(&l->tally[i].share[kind], memory_order_relaxed);
    return sum > 0 ? sum : 0;
}

int64_t gri_meter_high(struct gri_ledger *l, enum gri_meter_kind kind)
{
    gri_raise(&l->meter[kind].high, gri_meter_now(l, kind));
    return atomic_load_explicit(&l->meter[kind].high, memory_order_relaxed);
}
