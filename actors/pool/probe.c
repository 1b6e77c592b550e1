/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - who asks providers that have left whether they are back.
 *
 * One actor a pool, told {"number", "wait_ms"} of each provider that goes out. It calls the verb "ping"
 * there; any answer, also that the actor has no such method, brings the provider back. Else it tells
 * itself to ask again, after a wait that doubles up to 5 s, less up to half of it by chance, so that
 * those who lost the same provider don't all come back at once.
 */
#include "actors/pool/providers.h"
#include "runtime/sched/world.h"

#include <greenroom/timer.h>

#define FIRST_MS 100
#define MOST_MS 5000
#define PING_MS 5000 /* how long an answer may take */

static gr_code ask_later(gr_runtime *rt, gr_ref prober, uint64_t number, int64_t wait_ms)
{
    int64_t ms = wait_ms - (int64_t)(gri_random(rt) % (uint64_t)(wait_ms / 2 + 1));

    return gr_send_after(
        rt, prober, ms,
        gr_map(GR_KV("number", gr_int((int64_t)number)), GR_KV("wait_ms", gr_int(wait_ms))), NULL);
}

bool gri_prober_ask(struct gri_pool *pool, uint64_t number)
{
    return ask_later(pool->rt, pool->prober, number, FIRST_MS) == GR_OK;
}

static gr_code prober_init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    *(struct gri_pool **)self = gr_as_opaque(args);
    return GR_OK;
}

static void prober_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct gri_pool *pool = *(struct gri_pool **)self;
    uint64_t number = (uint64_t)gr_as_int(gr_get(msg, "number"), 0);
    int64_t wait_ms = gr_as_int(gr_get(msg, "wait_ms"), FIRST_MS) * 2;
    gr_value *v, *err = NULL;
    enum gri_verdict verdict;
    gr_ref to = { 0, 0 };
    struct gri_pool_provider *p = gri_pool_out(pool, number, &to);

    if (p == NULL)
        return;
    v = gr_do(pool->rt, to, "ping", gr_nil(), GR_CALL(.timeout_ms = PING_MS), &err);
    verdict = gri_pool_verdict(pool, p, v != NULL ? v : err, gr_cancelled(c));
    if (verdict == GRI_ANSWERED || verdict == GRI_BUSY)
        gri_pool_judge(pool, p, verdict);
    else
        ask_later(pool->rt, gr_self(c), number, wait_ms < MOST_MS ? wait_ms : MOST_MS);
    gri_pool_done(pool, p);
    gr_value_unref(v);
    gr_value_unref(err);
}

/* Reentrant, since a provider that hangs must not hold up the question to another. */
static const gr_class prober_class =
    GR_CLASS(.name = "prober", .state_size = sizeof(struct gri_pool *), .reentrant = true,
             .init = prober_init, .receive = prober_receive);

gr_ref gri_prober_spawn(gr_scope *in, struct gri_pool *pool)
{
    atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
    return gr_spawn(in, &prober_class,
                    GR_SPAWN(.name = "prober", .args = gr_opaque(pool, gri_pool_unref),
                             .mailbox_max = GRI_POOL_PROVIDERS_MAX));
}
