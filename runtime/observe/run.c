/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/observe/run.h"

#include <string.h>

#include <greenroom/call.h>

#include "runtime/base/alloc.h"
#include "runtime/sched/ledger.h"
#include "runtime/sched/sched.h"
#include "runtime/sched/world.h"

/* Events that handlers may bring about while one is told. */
#define WAITING_MAX 65536
/* How many pairs of tags are compared. Who has more, a peer by its config, may see one twice: it is not to be the work
 * of hours. */
#define PAIRS_MAX (1024u * 1024)

struct gri_told_event {
    struct gri_told_event *next;
    gr_event_kind kind;
    int64_t at_us;
    struct gri_run *run;           /* counted */
    gr_value *data, *error, *name; /* counted; NULL: it has none */
};

/* ---- trees ----------------------------------------------------------------------------------- */

void gri_run_trees_init(struct gri_run_trees *all)
{
    gri_list_init(&all->list);
}

struct gri_run_tree *gri_run_tree_new(gr_runtime *rt, struct gri_run_trees *trees)
{
    struct gri_run_tree *t = gri_new0(struct gri_run_tree);

    if (t == NULL)
        return NULL;
    atomic_init(&t->refs, 1);
    t->rt = rt;
    t->trees = trees;
    t->waiting_end = &t->waiting;
    gri_gate_init(&t->gate);
    gri_list_init(&t->open);
    gri_list_init(&t->place);
    gri_lock(&trees->lock);
    gri_list_push(&trees->list, &t->place);
    gri_unlock(&trees->lock);
    return t;
}

struct gri_run_tree *gri_run_tree_ref(struct gri_run_tree *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void gri_run_tree_unref(struct gri_run_tree *t)
{
    if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (t->trees != NULL) {
        gri_lock(&t->trees->lock);
        gri_list_remove(&t->place);
        gri_unlock(&t->trees->lock);
    }
    gri_free(t);
}

/* keep takes a reference to a tree that may be going. */
static bool keep(struct gri_run_tree *t)
{
    uint32_t refs = atomic_load(&t->refs);

    while (refs != 0)
        if (atomic_compare_exchange_weak(&t->refs, &refs, refs + 1))
            return true;
    return false;
}

void gri_run_enter(struct gri_run_tree *t)
{
    struct gri_exec *e = gri_exec();

    /* relaxed: only this execution ever stores itself */
    if (atomic_load_explicit(&t->holder, memory_order_relaxed) == e) {
        t->entered++;
        return;
    }
    gri_lock(&t->turn);
    atomic_store_explicit(&t->holder, e, memory_order_relaxed);
    t->entered = 1;
}

void gri_run_leave(struct gri_run_tree *t)
{
    if (--t->entered > 0)
        return;
    atomic_store_explicit(&t->holder, NULL, memory_order_relaxed);
    gri_unlock(&t->turn);
}

/* ---- telling --------------------------------------------------------------------------------- */

/* wants tells whether a handler is to hear of an event; those that are no run's own have no type. */
static bool wants(const gr_handler *h, const gr_event *e)
{
    bool typed = e->kind != GR_RUN_CUSTOM && e->kind != GR_RUN_RETRY;

    return (h->kinds & (unsigned)e->kind) != 0 &&
           (!typed || (h->types & (unsigned)e->run->type) != 0);
}

/* is_first: the run is the outermost that the hearer knows of. */
static bool is_first(const struct gri_run *r, const struct gri_hearer *one)
{
    return r->parent == NULL || !gri_handlers_have(r->parent->handlers, one);
}

/* tell_actor sends it the event as a value, which is made for the first one. */
static void tell_actor(struct gri_run_tree *t, gr_ref actor, const gr_event *e, gr_value **value)
{
    if (*value == NULL)
        *value = gr_event_value(e);
    if (gr_tell(t->rt, actor, gr_value_ref(*value)) != GR_OK)
        gri_count(gri_sched_of(t->rt)->ledger, GRI_COUNT_EVENTS_LOST, 1);
}

static void tell_all(struct gri_run *r, const struct gri_handlers *to,
                     const struct gri_handlers *but, const gr_event *e, gr_value **value)
{
    for (size_t i = 0; to != NULL && i < to->count; i++) {
        const struct gri_hearer *one = &to->at[i];
        const gr_handler *h = one->handler != NULL ? &one->handler->given : NULL;

        if (gri_handlers_have(but, one))
            continue;
        if (h == NULL)
            tell_actor(r->tree, one->actor, e, value);
        else if (wants(h, e) && (!h->root_only || is_first(r, one)))
            h->on_event(h->arg, e);
    }
}

/* seen_of gives the run as handlers see it. An event of one's own has langchain-core's tags: those that the
 * run passes on, without that of its place. */
static gr_run seen_of(const struct gri_told_event *w)
{
    gr_run seen = w->run->seen;

    if (w->kind == GR_RUN_CUSTOM)
        seen.tags = w->run->passed_tags;
    return seen;
}

/* tell calls the handlers, which may not wait: the turn is held. */
static void tell(struct gri_run_tree *t, const struct gri_told_event *w)
{
    struct gri_exec *exec = gri_exec();
    gr_run seen = seen_of(w);
    gr_value *value = NULL;
    gr_event e = { .kind = w->kind,
                   .run = &seen,
                   .data = w->data,
                   .error = w->error,
                   .name = w->name != NULL ? gr_cstr(w->name, "") : NULL,
                   .at_us = w->at_us,
                   .number = ++t->number };

    exec->cheap++;
    tell_all(w->run, w->run->handlers, NULL, &e, &value);
    tell_all(w->run, w->run->local, w->run->handlers, &e, &value);
    exec->cheap--;
    gr_value_unref(value);
}

/* put_off keeps an event until the one under way has been told. */
static void put_off(struct gri_run_tree *t, const struct gri_told_event *e)
{
    struct gri_told_event *w =
        t->waiting_count < WAITING_MAX ? gri_new0(struct gri_told_event) : NULL;

    if (w == NULL) {
        gri_count(gri_sched_of(t->rt)->ledger, GRI_COUNT_EVENTS_LOST, 1);
        return;
    }
    *w = (struct gri_told_event){ .kind = e->kind,
                                  .at_us = e->at_us,
                                  .run = gri_run_ref(e->run),
                                  .data = gr_value_ref(e->data),
                                  .error = gr_value_ref(e->error),
                                  .name = gr_value_ref(e->name) };
    *t->waiting_end = w;
    t->waiting_end = &w->next;
    t->waiting_count++;
}

static struct gri_told_event *next_waiting(struct gri_run_tree *t)
{
    struct gri_told_event *w = t->waiting;

    if (w == NULL)
        return NULL;
    t->waiting = w->next;
    if (t->waiting == NULL)
        t->waiting_end = &t->waiting;
    t->waiting_count--;
    return w;
}

/* say has an event told, at once or after the one under way. All borrowed; the turn is held. */
static void say(struct gri_run *r, gr_event_kind kind, const gr_value *data, const gr_value *error,
                gr_value *name)
{
    struct gri_run_tree *t = r->tree;
    struct gri_told_event e = { .kind = kind,
                                .at_us = (int64_t)gri_wall_us(t->rt),
                                .run = r,
                                .data = (gr_value *)(uintptr_t)data,
                                .error = (gr_value *)(uintptr_t)error,
                                .name = name },
                          *w;

    if (kind == GR_RUN_START)
        r->seen.start_us = e.at_us;
    if (t->telling) {
        put_off(t, &e);
        return;
    }
    t->telling = true;
    tell(t, &e);
    while ((w = next_waiting(t)) != NULL) {
        tell(t, w);
        gri_run_unref(w->run);
        gr_value_unref(w->data);
        gr_value_unref(w->error);
        gr_value_unref(w->name);
        gri_free(w);
    }
    t->telling = false;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* moved_to_end gives list with each of the texts of tags at its end. */
static gr_value *moved_to_end(gr_value *list GR_TAKES, const gr_value *tags)
{
    size_t compared = gr_len(list) * gr_len(tags) <= PAIRS_MAX ? gr_len(tags) : 0;
    gr_value *out = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(list); i++) {
        bool again = false;

        for (size_t k = 0; k < compared && !again; k++)
            again = gr_equal(gr_at(list, i), gr_at(tags, k));
        if (!again)
            out = gr_append(out, gr_value_ref(gr_at(list, i)));
    }
    for (size_t k = 0; k < gr_len(tags); k++)
        out = gr_append(out, gr_value_ref(gr_at(tags, k)));
    gr_value_unref(list);
    return out;
}

/* with_tag gives tags with that of a place before them, unless it is among them; both borrowed. */
static gr_value *with_tag(const gr_value *tag, const gr_value *tags)
{
    gr_value *out;

    for (size_t i = 0; tag != NULL && i < gr_len(tags); i++)
        if (gr_equal(gr_at(tags, i), tag))
            tag = NULL;
    if (tag == NULL)
        return gr_value_ref(tags);
    out = gr_list(gr_value_ref(tag));
    for (size_t i = 0; i < gr_len(tags); i++)
        out = gr_append(out, gr_value_ref(gr_at(tags, i)));
    return out;
}

/* give_tags: mostly its config's are those of the run that it is in, as it is the same config. */
static void give_tags(struct gri_run *r, const struct gri_run_spec *spec)
{
    const gr_value *outer = r->parent != NULL ? r->parent->passed_tags : NULL;
    const gr_value *own = gr_value_type(spec->tags) == GR_LIST ? spec->tags : NULL;

    if (gr_len(own) == 0 && outer != NULL) {
        r->passed_tags = gr_value_ref(outer);
        r->tags = gr_value_ref(outer);
        if (spec->tag != NULL)
            r->tags = gr_append(r->tags, gr_value_ref(spec->tag));
    } else if (gr_len(outer) == 0 || outer == own) {
        r->passed_tags = gr_len(own) != 0 ? gr_value_ref(own) : gr_list_n(NULL, 0);
        r->tags = with_tag(spec->tag, r->passed_tags);
    } else {
        r->passed_tags = moved_to_end(gr_value_ref(outer), own);
        r->tags = gr_value_ref(outer);
        if (spec->tag != NULL)
            r->tags = gr_append(r->tags, gr_value_ref(spec->tag));
        r->tags = moved_to_end(r->tags, own);
    }
}

static void give_metadata(struct gri_run *r, const struct gri_run_spec *spec)
{
    const gr_value *outer = r->parent != NULL ? r->parent->metadata : NULL, *own = spec->metadata;

    if (gr_value_type(own) != GR_MAP || own == outer)
        r->metadata = outer != NULL ? gr_value_ref(outer) : gr_map_n(NULL, 0);
    else if (gr_len(outer) == 0)
        r->metadata = gr_value_ref(own);
    else
        r->metadata = gr_merge(gr_value_ref(outer), gr_value_ref(own));
}

static void give_name(struct gri_run *r, const struct gri_run_spec *spec)
{
    gr_runtime *rt = spec->tree->rt;

    if (gr_value_type(spec->run_name) == GR_STR)
        r->name = gr_value_ref(spec->run_name);
    if (gr_value_type(spec->run_id) == GR_STR)
        r->id = gr_value_ref(spec->run_id);
    else
        gri_uuid7(r->uuid, gri_wall_us(rt) / 1000, gri_random(rt), gri_random(rt));
    r->seen.name = r->name != NULL ? gr_cstr(r->name, "") : r->called;
    r->seen.id = r->id != NULL ? gr_cstr(r->id, "") : r->uuid;
}

/* ids_within makes the list that all runs within one share, and keeps it unless memory ran out: then the next
 * one tries again. */
static gr_value *ids_within(struct gri_run *in)
{
    gr_value *id, *ids;

    if (in->ids_within != NULL)
        return gr_value_ref(in->ids_within);
    id = in->id != NULL ? gr_value_ref(in->id) : gr_str(in->uuid);
    ids = in->parent != NULL ? gr_append(gr_value_ref(in->parent_ids), id) : gr_list(id);
    if (gr_error_code(ids) == GR_OK)
        in->ids_within = gr_value_ref(ids);
    return ids;
}

void gri_run_give_parents(struct gri_run *r)
{
    struct gri_run *in = r->parent;

    if (in == NULL) {
        r->parent_ids = gr_list_n(NULL, 0);
        return;
    }
    gri_run_enter(r->tree);
    r->parent_ids = ids_within(in);
    gri_run_leave(r->tree);
    r->seen.parent_id = in->seen.id;
}

/* give_handlers: those of all within are mostly the parent's. */
static bool give_handlers(struct gri_run *r, const struct gri_run_spec *spec)
{
    const gr_value *list = spec->callbacks;

    if (r->parent != NULL && r->parent->handlers != NULL && r->parent->handlers->list == list)
        r->handlers = gri_handlers_ref(r->parent->handlers);
    else if (gr_len(list) != 0 && (r->handlers = gri_handlers_of(list)) == NULL)
        return false;
    return gr_len(spec->local) == 0 || (r->local = gri_handlers_of(spec->local)) != NULL;
}

struct gri_run *gri_run_new(const struct gri_run_spec *spec)
{
    size_t size = strlen(spec->name) + 1;
    struct gri_run *r = gri_alloc0(sizeof(struct gri_run) + size);

    if (r == NULL)
        return NULL;
    memcpy(r->called, spec->name, size);
    atomic_init(&r->refs, 1);
    r->nested = spec->nested;
    r->loose = spec->loose;
    r->tree = gri_run_tree_ref(spec->tree);
    r->parent = spec->parent != NULL ? gri_run_ref(spec->parent) : NULL;
    gri_list_init(&r->open);
    if (!give_handlers(r, spec)) {
        gri_run_unref(r);
        return NULL;
    }
    r->seen = (gr_run){ .type = spec->type, .streams = spec->streams, .inner = r };
    give_name(r, spec);
    give_tags(r, spec);
    give_metadata(r, spec);
    gri_run_give_parents(r);
    r->seen.parent_ids = r->parent_ids;
    r->seen.tags = r->tags;
    r->seen.metadata = r->metadata;
    return r;
}

struct gri_run *gri_run_ref(struct gri_run *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void gri_run_unref(struct gri_run *r)
{
    /* up along the parents, since a chain of them may be long */
    while (r != NULL && atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1) {
        gr_value *values[] = { r->name,        r->id,         r->parent_ids,  r->tags,  r->metadata,
                               r->passed_tags, r->ids_within, r->chunk_event, r->input, r->sum };
        struct gri_run *parent = r->parent;

        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
            gr_value_unref(values[i]);
        gri_handlers_unref(r->handlers);
        gri_handlers_unref(r->local);
        gri_run_tree_unref(r->tree);
        gri_free(r);
        r = parent;
    }
}

/* ---- what happens to a run; the turn is held --------------------------------------------------- */

/* begin: false, it is over, or what it would be in is. */
static bool begin(struct gri_run *r, const gr_value *input)
{
    struct gri_run *in = r->parent;

    if (r->state != GRI_RUN_UNBORN)
        return r->state == GRI_RUN_OPEN;
    if (r->tree->rt == NULL || (in != NULL && !begin(in, NULL) && !r->loose)) {
        r->state = GRI_RUN_OVER;
        return false;
    }
    r->state = GRI_RUN_OPEN;
    if (input != NULL)
        r->input = gr_value_ref(input);
    r->seen.input = input;
    gri_list_push(&r->tree->open, &r->open);
    if (in != NULL)
        in->within++;
    say(r, GR_RUN_START, NULL, NULL, NULL);
    return true;
}

/* close_run makes an open run one that is over, and tells of it. */
static void close_run(struct gri_run *r, const gr_value *v)
{
    bool failed = v != NULL && gr_error_code(v) != GR_OK;
    gr_value *nothing = gr_nil();

    r->state = GRI_RUN_OVER;
    gri_list_remove(&r->open);
    if (r->parent != NULL)
        r->parent->within--;
    r->seen.input = r->input;
    if (failed)
        say(r, GR_RUN_ERROR, r->sum, v, NULL);
    else
        say(r, GR_RUN_END, v != NULL ? v : r->sum != NULL ? r->sum : nothing, NULL, NULL);
    if (r->nested && r->parent != NULL && r->sum != NULL) { /* it was the parent's answer, too */
        r->parent->sum = gr_add(r->parent->sum, r->sum);
        r->sum = NULL;
    }
    gr_value_unref(nothing);
}

static bool is_within(const struct gri_run *r, const struct gri_run *outer)
{
    while (r != NULL && r != outer && !r->loose)
        r = r->parent;
    return r == outer;
}

/* youngest_within finds the open run that began last within r; NULL: none but what is loose. */
static struct gri_run *youngest_within(struct gri_run *r)
{
    for (struct gri_list *n = r->tree->open.prev; n != &r->tree->open; n = n->prev) {
        struct gri_run *in = gri_container_of(n, struct gri_run, open);

        if (in != r && is_within(in, r))
            return in;
    }
    return NULL;
}

/* close_within ends what is open within r, the youngest first. It looks anew each time, since the
 * handlers that are told may end others. */
static void close_within(struct gri_run *r)
{
    gr_value *err = gr_error(GR_ECANCELED, "the run that it was in has ended");
    struct gri_run *in;

    while (r->within > 0 && (in = youngest_within(r)) != NULL)
        close_run(in, err);
    gr_value_unref(err);
}

static void end(struct gri_run *r, const gr_value *v)
{
    gr_code code = v != NULL ? gr_error_code(v) : GR_OK;
    bool silent = code == GR_ECANCELED || code == GR_ETIMEDOUT || (code != GR_OK && r->in_failed);

    if (r->state == GRI_RUN_UNBORN && silent)
        r->state = GRI_RUN_OVER;
    if (!begin(r, NULL))
        return;
    if (r->within > 0)
        close_within(r);
    if (r->state == GRI_RUN_OPEN) /* else a handler has ended it meanwhile */
        close_run(r, v);
}

/* outer is the run that r is nested in; NULL: none, or it is out of reach. */
static struct gri_run *outer(const struct gri_run *r)
{
    return r->nested ? r->parent : NULL;
}

/* ---- from outside ---------------------------------------------------------------------------- */

void gri_run_begin(struct gri_run *r, const gr_value *input)
{
    gri_run_enter(r->tree);
    begin(r, input);
    gri_run_leave(r->tree);
}

void gri_run_read(struct gri_run *r, const gr_value *chunk, bool failed)
{
    gri_run_enter(r->tree);
    if (failed && r->state == GRI_RUN_UNBORN)
        r->in_failed = true;
    else if (begin(r, NULL) && chunk != NULL)
        r->input = gr_add(r->input, gr_value_ref(chunk));
    gri_run_leave(r->tree);
}

void gri_run_chunk(struct gri_run *innermost, const struct gri_run *base, const gr_value *chunk)
{
    struct gri_run_tree *t = innermost->tree;

    gri_run_enter(t);
    for (struct gri_run *r = innermost; r != NULL; r = r != base ? outer(r) : NULL) {
        if (!begin(r, NULL))
            continue;
        if (r == innermost && r != base)
            r->sum = gr_add(r->sum, gr_value_ref(chunk));
        say(r, GR_RUN_STREAM, chunk, NULL, NULL);
    }
    gri_run_leave(t);
}

void gri_run_end(struct gri_run *innermost, const struct gri_run *base, const gr_value *v)
{
    struct gri_run_tree *t = innermost->tree;

    gri_run_enter(t);
    for (struct gri_run *r = innermost; r != NULL && r != base; r = outer(r))
        end(r, v);
    gri_run_leave(t);
}

void gri_run_loosen(struct gri_run *innermost, const struct gri_run *base)
{
    struct gri_run_tree *t = innermost->tree;

    gri_run_enter(t);
    for (struct gri_run *r = innermost; r != NULL && r != base; r = outer(r))
        if (!r->nested)
            r->loose = true;
    gri_run_leave(t);
}

void gri_run_tell(struct gri_run *r, gr_event_kind kind, const char *name, const gr_value *v)
{
    gr_value *text = name != NULL ? gr_str(name) : NULL;

    gri_run_enter(r->tree);
    if (begin(r, NULL))
        say(r, kind, kind == GR_RUN_CUSTOM ? v : NULL, kind == GR_RUN_CUSTOM ? NULL : v, text);
    gri_run_leave(r->tree);
    gr_value_unref(text);
}

/* ---- the end of all -------------------------------------------------------------------------- */

static void tree_end(struct gri_run_tree *t)
{
    gr_value *err = gr_error(GR_ECANCELED, "the runtime has ended");

    gri_run_enter(t);
    while (!gri_list_empty(&t->open))
        close_run(gri_container_of(t->open.prev, struct gri_run, open), err);
    t->rt = NULL;
    gri_run_leave(t);
    gr_value_unref(err);
}

void gri_run_trees_end(struct gri_run_trees *all)
{
    gri_lock(&all->lock);
    while (!gri_list_empty(&all->list)) {
        struct gri_run_tree *t = gri_container_of(all->list.next, struct gri_run_tree, place);
        bool kept = keep(t);

        if (kept) {
            gri_list_remove(&t->place);
            t->trees = NULL;
        }
        gri_unlock(&all->lock);
        if (kept) {
            tree_end(t);
            gri_run_tree_unref(t);
        } else {
            gri_cpu_relax(); /* it is going just now, and takes itself out */
        }
        gri_lock(&all->lock);
    }
    gri_unlock(&all->lock);
}
