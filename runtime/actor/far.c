/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/far.h"

#include "runtime/actor/observed.h"
#include "runtime/base/alloc.h"
#include "runtime/observe/handler_of.h"
#include "runtime/sched/world.h"

/* ---- making ---------------------------------------------------------------------------------- */

/* want adds up what handlers are there for. An actor hears of everything. */
static void want(struct gri_far *far, const struct gri_handlers *h)
{
    for (size_t i = 0; h != NULL && i < h->count; i++) {
        const gr_handler *one = h->at[i].handler != NULL ? &h->at[i].handler->given : NULL;
        unsigned kinds = one != NULL ? one->kinds : GR_RUN_ALL;

        far->kinds |= kinds;
        if ((kinds & GR_RUN_STREAM) != 0)
            far->chunk_types |= one != NULL ? one->types : GR_TYPE_ALL;
    }
}

/* read_lists: false, out of memory. */
static bool read_lists(struct gri_far *far, const gr_value *callbacks, const gr_value *local)
{
    if (callbacks != NULL && (far->handlers = gri_handlers_of(callbacks)) == NULL)
        return false;
    if (local != NULL && (far->local = gri_handlers_of(local)) == NULL)
        return false;
    want(far, far->handlers);
    want(far, far->local);
    far->tokens = gri_wants_streams(callbacks);
    return true;
}

static struct gri_far *make(struct gri_call *call, const gr_value *callbacks)
{
    struct gri_observed *o = gri_observed_of(call);
    struct gri_far *far = gri_new0(struct gri_far);
    struct gri_run *r = atomic_load_explicit(&o->run, memory_order_relaxed);
    struct gri_run *in = r != NULL ? r : o->parent;

    if (far == NULL)
        return NULL;
    atomic_init(&far->refs, 1);
    far->tree = gri_run_tree_ref(o->tree);
    far->parent = in != NULL ? gri_run_ref(in) : NULL;
    /* their process chooses which ones stay open, and so may not know where they lie */
    gri_map_init(&far->runs, gri_random(call->rt));
    gri_run_enter(o->tree);
    far->loose = o->loose && r == NULL;
    gri_run_leave(o->tree);
    if (!read_lists(far, callbacks, o->local)) {
        gri_far_unref(far);
        return NULL;
    }
    far->tag = o->tag; /* both are used up, as by a run here */
    o->tag = NULL;
    gr_value_unref(o->local);
    o->local = NULL;
    return far;
}

struct gri_far *gri_far_new(struct gri_call *call, gr_code *ret_rc)
{
    struct gri_observed *o = gri_call_heard(call) ? gri_observed_of(call) : NULL;
    const gr_value *callbacks = o != NULL ? gr_get(call->config, "callbacks") : NULL;
    struct gri_far *far;
    gr_value *err;

    *ret_rc = GR_OK;
    if (gr_value_type(callbacks) != GR_LIST || gr_len(callbacks) == 0)
        callbacks = NULL;
    if (o == NULL || (callbacks == NULL && o->local == NULL))
        return NULL;
    far = make(call, callbacks);
    if (far == NULL) {
        *ret_rc = GR_ENOMEM;
        return NULL;
    }
    if (far->kinds == 0) { /* what is in the list is no handler */
        gri_far_unref(far);
        return NULL;
    }
    /* seq_cst: of "set far, look for a cancellation" and "cancel, look for far" the later one sees the
     * other; see publish in observed.c */
    atomic_store(&o->far, gri_far_ref(far));
    if ((atomic_load(&call->life) & GRI_CANCELLING) != 0) {
        err = gr_error(GR_ECANCELED, "'%s' was cancelled", gri_call_verb(call));
        gri_far_end(far, err);
        gr_value_unref(err);
    }
    return far;
}

struct gri_far *gri_far_ref(struct gri_far *far)
{
    atomic_fetch_add_explicit(&far->refs, 1, memory_order_relaxed);
    return far;
}

static void forget_all(struct gri_far *far)
{
    const struct gri_map_slot *slot;
    size_t at = 0;

    while ((slot = gri_map_next(&far->runs, &at)) != NULL)
        gri_run_unref(slot->value);
    gri_map_fini(&far->runs);
    gri_map_init(&far->runs, far->runs.seed);
}

void gri_far_unref(struct gri_far *far)
{
    if (far == NULL || atomic_fetch_sub_explicit(&far->refs, 1, memory_order_acq_rel) != 1)
        return;
    forget_all(far);
    gri_handlers_unref(far->handlers);
    gri_handlers_unref(far->local);
    gr_value_unref(far->tag);
    gri_run_unref(far->parent);
    gri_run_tree_unref(far->tree);
    gri_free(far);
}

/* ---- what is told; the turn is held ------------------------------------------------------------ */

/* parent_of: false, there is no such run. */
static bool parent_of(struct gri_far *far, uint64_t number, struct gri_run **ret_parent)
{
    *ret_parent = number == 0 ? far->parent : gri_map_get(&far->runs, number);
    return number == 0 || *ret_parent != NULL;
}

static bool has_room(const struct gri_far *far, size_t size)
{
    return size <= GRI_FAR_BYTES_MAX && far->bytes <= GRI_FAR_BYTES_MAX - size;
}

/* let_go_of what was kept for a run; its chunks are those of the run that it answers for, too. */
static void let_go_of(struct gri_far *far, struct gri_run *r)
{
    far->bytes -= r->told;
    if (r->nested && r->parent != NULL && r->parent->copy_of == far)
        r->parent->summed += r->summed;
    else
        far->bytes -= r->summed;
    r->told = r->summed = 0;
}

static gr_code begin(struct gri_far *far, uint64_t number, uint64_t parent,
                     const struct gri_run_told *told, const gr_value *input)
{
    struct gri_run *in, *r;

    if (number != far->last + 1 || far->runs.count >= GRI_FAR_RUNS_MAX ||
        !parent_of(far, parent, &in))
        return GR_EPROTO;
    if (!has_room(far, told->size))
        return GR_EFULL;
    far->last = number;
    r = gri_run_copy(far->tree, in, told, far->handlers, parent == 0 ? far->local : NULL);
    if (r == NULL || !gri_map_put(&far->runs, number, r)) {
        gri_run_unref(r);
        return GR_ENOMEM;
    }
    r->copy_of = far;
    r->shares = parent == 0 || (told->nested && in->shares);
    r->loose = parent == 0 ? far->loose : told->loose;
    r->told = (uint32_t)told->size;
    far->bytes += told->size;
    gri_run_begin(gri_run_ref(r),
                  input); /* a handler may cancel the call, and so have it forgotten */
    gri_run_unref(r);
    return GR_OK;
}

static gr_code close_run(struct gri_far *far, uint64_t number, const gr_value *v,
                         const gr_value *sum, const gr_value *input)
{
    struct gri_run *r = gri_map_del(&far->runs, number);

    if (r == NULL)
        return GR_EPROTO;
    let_go_of(far, r);
    if (r->input == NULL)
        r->input = gr_value_ref(input);
    gr_value_unref(r->sum);
    r->sum = gr_value_ref(sum);
    gri_run_end(r, NULL, v);
    gri_run_unref(r);
    return GR_OK;
}

/* youngest finds the copy that began last of those that are open; NULL: none is. */
static struct gri_run *youngest(struct gri_far *far)
{
    for (struct gri_list *n = far->tree->open.prev; n != &far->tree->open; n = n->prev) {
        struct gri_run *r = gri_container_of(n, struct gri_run, open);

        if (r->copy_of == far)
            return r;
    }
    return NULL;
}

/* ---- from outside ------------------------------------------------------------------------------ */

gr_code gri_far_begin(struct gri_far *far, uint64_t number, uint64_t parent,
                      const struct gri_run_told *told, const gr_value *input)
{
    gr_code rc = GR_OK;

    gri_run_enter(far->tree);
    if (!far->over)
        rc = begin(far, number, parent, told, input);
    gri_run_leave(far->tree);
    return rc;
}

gr_code gri_far_chunk(struct gri_far *far, uint64_t number, const gr_value *chunk, size_t size)
{
    struct gri_run *r;
    gr_code rc = GR_OK;

    gri_run_enter(far->tree);
    r = gri_map_get(&far->runs, number);
    if (r != NULL && !has_room(far, size)) {
        rc = GR_EFULL;
        r = NULL;
    } else if (r != NULL) {
        r->summed += (uint32_t)size;
        far->bytes += size;
        gri_run_chunk(gri_run_ref(r), NULL, chunk);
    } else if (!far->over) {
        rc = GR_EPROTO;
    }
    gri_run_leave(far->tree);
    gri_run_unref(r);
    return rc;
}

gr_code gri_far_close(struct gri_far *far, uint64_t number, const gr_value *v, const gr_value *sum,
                      const gr_value *input)
{
    gr_code rc = GR_OK;

    gri_run_enter(far->tree);
    if (!far->over)
        rc = close_run(far, number, v, sum, input);
    gri_run_leave(far->tree);
    return rc;
}

gr_code gri_far_tell(struct gri_far *far, uint64_t number, gr_event_kind kind, const char *name,
                     const gr_value *v)
{
    struct gri_run *r;
    gr_code rc = GR_OK;

    gri_run_enter(far->tree);
    r = gri_map_get(&far->runs, number);
    if (r != NULL)
        gri_run_tell(gri_run_ref(r), kind, name, v);
    else if (!far->over)
        rc = GR_EPROTO;
    gri_run_leave(far->tree);
    gri_run_unref(r);
    return rc;
}

/* What is within another run there ends because of that, as it would here. A handler may end others, so it looks anew
 * each time. */
void gri_far_end(struct gri_far *far, const gr_value *err)
{
    gr_value *within = gr_error(GR_ECANCELED, "the run that it was in has ended");
    struct gri_run *r;

    if (err == NULL || gr_error_code(err) == GR_OK)
        err = within;
    gri_run_enter(far->tree);
    far->over = true;
    while (far->runs.count > 0 && (r = youngest(far)) != NULL)
        gri_run_end(r, NULL, r->shares ? err : within);
    forget_all(far);
    gri_run_leave(far->tree);
    gr_value_unref(within);
}

void gri_far_loosen(struct gri_far *far)
{
    gri_run_enter(far->tree);
    far->loose = true;
    for (struct gri_list *n = far->tree->open.next; n != &far->tree->open; n = n->next) {
        struct gri_run *r = gri_container_of(n, struct gri_run, open);

        r->loose = r->loose || (r->copy_of == far && r->shares);
    }
    gri_run_leave(far->tree);
}
