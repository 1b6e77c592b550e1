/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/teller.h"

#include "runtime/async/stream.h"
#include "runtime/base/alloc.h"
#include "runtime/net/in_call.h"
#include "runtime/observe/handler_of.h"
#include "runtime/sched/sched.h"

/* A run's place in the map holds its number twice over, plus 1 if its input was told with its beginning. */
#define TOLD_INPUT ((uintptr_t)1)

struct gri_teller *gri_teller_new(gr_runtime *rt, const struct gri_watch *watch,
                                  struct gri_in_call *call)
{
    struct gri_teller *t = gri_new0(struct gri_teller);
    struct gri_watch owned = *watch;

    if (t != NULL)
        t->queue = gri_stream_new(gri_sched_of(rt), GRI_TELLER_EVENTS_MAX, GRI_TELLER_BYTES_MAX);
    if (t == NULL || t->queue == NULL) {
        gri_free(t);
        gri_origin_fini(&owned.origin);
        return NULL;
    }
    atomic_init(&t->refs, 1);
    t->watch = owned;
    t->rt = rt;
    t->call = call;
    gri_map_init(&t->numbers, 0);
    return t;
}

void gri_teller_unref(struct gri_teller *t)
{
    /* acq_rel: who frees it sees what the others did */
    if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    gri_stream_unref(t->queue);
    gri_stream_unref(t->queue);
    gri_run_tree_unref(t->tree);
    gri_map_fini(&t->numbers);
    gri_origin_fini(&t->watch.origin);
    gri_free(t);
}

/* ---- what is heard; the lock is held ------------------------------------------------------------ */

static uint64_t key_of(const struct gri_run *r)
{
    return (uint64_t)(uintptr_t)r;
}

/* number_of is that of the innermost run, from r outwards, that was told of; 0: none was. */
static uint64_t number_of(const struct gri_teller *t, const struct gri_run *r)
{
    uintptr_t place = 0;

    for (; r != NULL && place == 0; r = r->parent)
        place = (uintptr_t)gri_map_get(&t->numbers, key_of(r));
    return place / 2;
}

/* enter_locked gives a run that begins its number; false: too many are open, or memory has run out. */
static bool enter_locked(struct gri_teller *t, const struct gri_run *r)
{
    uintptr_t place = (uintptr_t)(t->last + 1) * 2 + (r->input != NULL ? TOLD_INPUT : 0);

    if (t->numbers.count >= GRI_FAR_RUNS_MAX ||
        !gri_map_put(&t->numbers, key_of(r), (void *)place)) /* NOLINT(performance-no-int-to-ptr) */
        return false;
    t->last++;
    return true;
}

/* wanted: of chunks only those of types that somebody listens to. Beginnings and ends always, since the copies
 * there live by them. */
static bool wanted(const struct gri_teller *t, const gr_event *e)
{
    if (e->kind == GR_RUN_STREAM)
        return (t->watch.chunk_types & (unsigned)e->run->type) != 0;
    return true;
}

/* packed_locked gives what is to be sent; NULL: nothing. */
static gr_value *packed_locked(struct gri_teller *t, const gr_event *e)
{
    struct gri_run *r = e->run->inner;
    bool ends = e->kind == GR_RUN_END || e->kind == GR_RUN_ERROR;
    uint64_t in = e->kind == GR_RUN_START ? number_of(t, r->parent) : 0;
    uintptr_t place;

    if (!wanted(t, e))
        return NULL;
    if (e->kind == GR_RUN_START && !enter_locked(t, r)) {
        gri_count(gri_sched_of(t->rt)->ledger, GRI_COUNT_EVENTS_LOST, 1);
        return NULL;
    }
    place = (uintptr_t)(ends ? gri_map_del(&t->numbers, key_of(r))
                             : gri_map_get(&t->numbers, key_of(r)));
    return place != 0 ? gri_event_pack(e, place / 2, in, (place & TOLD_INPUT) == 0) : NULL;
}

/* is_behind tells whether the queue holds more than a part of what is much. */
static bool is_behind(struct gri_teller *t, size_t part)
{
    size_t bytes = 0, count = gri_stream_waiting(t->queue, &bytes);

    return count >= GRI_TELLER_EVENTS_MUCH / part || bytes >= GRI_TELLER_BYTES_MUCH / part;
}

/* hold_locked shuts the call's tree while the queue is long. Others, that somebody here has put the handler into, go
 * on. */
static void hold_locked(struct gri_teller *t, const gr_event *e)
{
    struct gri_run_tree *tree = ((struct gri_run *)e->run->inner)->tree;

    if (t->tree == NULL)
        t->tree = gri_run_tree_ref(tree);
    if (!gri_gate_is_shut(&t->tree->gate) && is_behind(t, 1))
        gri_gate_shut(&t->tree->gate);
}

/* take_locked puts an event into the queue. Returns the call if it has to be given up, with a reference. */
static struct gri_in_call *take_locked(struct gri_teller *t, const gr_event *e)
{
    gr_value *v = packed_locked(t, e);
    gr_code rc = v != NULL ? gri_stream_put(t->queue, v) : GR_OK;

    if (rc == GR_EFULL)
        gr_value_unref(v);
    if (rc == GR_OK) {
        hold_locked(t, e);
        return NULL;
    }
    t->failed = rc;
    gri_in_call_ref(t->call);
    return t->call;
}

static void on_event(void *arg, const gr_event *e)
{
    struct gri_teller *t = arg;
    struct gri_in_call *lost = NULL;

    gri_lock(&t->lock);
    if (t->call != NULL && t->failed == GR_OK)
        lost = take_locked(t, e);
    gri_unlock(&t->lock);
    if (lost == NULL)
        return;
    gri_in_call_overrun(lost);
    gri_in_call_unref(lost);
}

/* ---- the call's side ------------------------------------------------------------------------- */

static void teller_drop(void *t)
{
    gri_teller_unref(t);
}

gr_value *gri_teller_handler(struct gri_teller *t)
{
    const unsigned always = GR_RUN_START | GR_RUN_END | GR_RUN_ERROR;
    gr_value *handler;

    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed); /* the caller has one */
    handler = gr_handler_value(
        GR_HANDLER(.name = "another process", .on_event = on_event, .drop = teller_drop, .arg = t,
                   .kinds = t->watch.kinds | always, .root_only = t->watch.first_only));
    gri_handler_from(handler, &t->watch.origin);
    if (t->watch.tokens)
        gri_handler_streams(handler);
    return handler;
}

/* let_go_on opens the tree, if it was shut: always, or only when little waits. */
static void let_go_on(struct gri_teller *t, bool always)
{
    struct gri_run_tree *tree = NULL;

    gri_lock(&t->lock);
    if (t->tree != NULL && gri_gate_is_shut(&t->tree->gate) && (always || !is_behind(t, 4)))
        tree = gri_run_tree_ref(t->tree);
    gri_unlock(&t->lock);
    if (tree != NULL)
        gri_gate_open(&tree->gate);
    gri_run_tree_unref(tree);
}

void gri_teller_taken(struct gri_teller *t)
{
    let_go_on(t, false);
}

gr_value *gri_teller_failed(struct gri_teller *t)
{
    gr_code rc;

    gri_lock(&t->lock);
    rc = t->failed;
    gri_unlock(&t->lock);
    if (rc == GR_EFULL)
        return gr_error(rc, "more than %u events of its runs wait to be sent to who observes it",
                        GRI_TELLER_EVENTS_MAX);
    return rc != GR_OK ? gr_error(rc, "an event of its runs could not be told") : NULL;
}

void gri_teller_leave(struct gri_teller *t)
{
    if (t == NULL)
        return;
    gri_lock(&t->lock);
    t->call = NULL;
    gri_unlock(&t->lock);
    let_go_on(t, true);
}
