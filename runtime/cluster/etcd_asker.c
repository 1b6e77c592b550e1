/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_asker.c - who waits for the keeper's answer, and may be cancelled meanwhile. */
#include "runtime/base/alloc.h"
#include "runtime/cluster/etcd_keeper.h"

/* on_cancel may come from any thread. The keeper may free the asker once the promise is out. */
static void on_cancel(void *arg)
{
    struct gri_asker *a = arg;
    struct gri_cluster *k = a->k;
    gr_promise *promise = atomic_exchange(&a->promise, NULL);

    if (promise == NULL)
        return;
    gr_resolve(promise, gr_error(GR_ECANCELED, "cancelled"));
    gr_tell(k->rt, k->keeper, gr_map(GR_KV("what", gr_str(GRI_KEEPER_CANCELLED))));
}

struct gri_asker *gri_asker_new(gr_ctx *c, struct gri_cluster *k)
{
    struct gri_asker *a = gri_new0(struct gri_asker);
    gr_promise *promise = a != NULL ? gr_defer(c) : NULL;

    if (promise == NULL) {
        gri_free(a);
        return NULL;
    }
    a->k = k;
    atomic_init(&a->promise, promise);
    gr_on_cancel(promise, on_cancel, NULL, a);
    return a;
}

bool gri_asker_answer(struct gri_asker *a, gr_value *v)
{
    gr_promise *promise = atomic_exchange(&a->promise, NULL);

    if (promise == NULL) {
        gr_value_unref(v);
        return false;
    }
    gr_resolve(promise, v);
    return true;
}

bool gri_asker_gone(const struct gri_asker *a)
{
    return atomic_load(&((struct gri_asker *)a)->promise) == NULL;
}

void gri_asker_free(struct gri_asker *a)
{
    if (a == NULL)
        return;
    gr_promise_free(atomic_exchange(&a->promise, NULL));
    gri_free(a);
}
