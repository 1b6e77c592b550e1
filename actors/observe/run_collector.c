/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_collector.c - finished trees of runs, kept to be taken: collect_runs, and LangChain's
 * RunCollectorCallbackHandler.
 *
 * A run whose parent the collector does not know is the root of a tree of its own: it watches that
 * alone. When a root ends its tree becomes a value, and all that was kept for it goes.
 */
#include "actors/observe/run_collector.h"

#include <string.h>

#include "actors/observe/run_record.h"
#include "runtime/base/alloc.h"
#include "runtime/base/lock.h"
#include "runtime/base/map.h"
#include "runtime/observe/handler_of.h"

struct tree {
    struct tree *next;
    gr_value *runs; /* counted */
};

struct collector {
    struct gri_lock lock; /* guards all below */
    struct gri_map live;  /* id -> struct gri_run_record, of its tree */
    size_t trees_max, tree_count;
    struct tree *first, **end; /* owned; finished ones, the oldest first */
};

/* free_live frees the trees whose roots have not ended. */
static void free_live(struct collector *c)
{
    struct gri_run_record *roots = NULL, *r;
    const struct gri_map_slot *slot;
    size_t at = 0;

    while ((slot = gri_map_next(&c->live, &at)) != NULL) {
        r = slot->value;
        if (r->parent == NULL) {
            r->next = roots;
            roots = r;
        }
    }
    while ((r = roots) != NULL) {
        roots = r->next;
        gri_record_free(r);
    }
}

static void collector_drop(void *arg)
{
    struct collector *c = arg;

    free_live(c);
    gri_map_fini(&c->live);
    while (c->first != NULL) {
        struct tree *t = c->first;

        c->first = t->next;
        gr_value_unref(t->runs);
        gri_free(t);
    }
    gri_free(c);
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* parent_of finds the record that a run belongs under. *ret_root: the record of the nearest run
 * above it that is there, whose tree can't have it if the parent is not. */
static struct gri_run_record *parent_of(const struct collector *c, const gr_run *run,
                                        struct gri_run_record **ret_above)
{
    struct gri_run_record *parent =
        run->parent_id != NULL ? gri_map_gets(&c->live, run->parent_id) : NULL;

    *ret_above = parent;
    for (size_t i = gr_len(run->parent_ids); i > 0 && *ret_above == NULL; i--)
        *ret_above = gri_map_gets(&c->live, gr_cstr(gr_at(run->parent_ids, i - 1), ""));
    return parent;
}

static void run_starts(struct collector *c, const gr_run *run)
{
    struct gri_run_record *above, *parent = parent_of(c, run, &above), *r;

    if (parent == NULL && above != NULL) {
        above->root->lost++;
        return;
    }
    r = gri_record_new(run, parent);
    if (r == NULL)
        return;
    if (gri_map_puts(&c->live, r->id, r))
        return;
    if (parent == NULL)
        gri_record_free(r); /* else it is its tree's, without an end */
}

static void forget(void *arg, struct gri_run_record *r)
{
    struct collector *c = arg;

    if (gri_map_gets(&c->live, r->id) == r)
        gri_map_dels(&c->live, r->id);
}

static void drop_oldest(struct collector *c, struct tree **ret_dropped)
{
    struct tree *t = c->first;

    c->first = t->next;
    if (c->first == NULL)
        c->end = &c->first;
    c->tree_count--;
    *ret_dropped = t;
}

/* keep_tree returns the tree that had to go for it; NULL: none. */
static struct tree *keep_tree(struct collector *c, gr_value *runs)
{
    struct tree *t = gri_new0(struct tree), *dropped = NULL;

    if (t == NULL) {
        gr_value_unref(runs);
        return NULL;
    }
    t->runs = runs;
    *c->end = t;
    c->end = &t->next;
    c->tree_count++;
    if (c->tree_count > c->trees_max)
        drop_oldest(c, &dropped);
    return dropped;
}

/* What goes, to be freed without the lock: a value's drop may bring about the next event. */
struct gone {
    struct gri_run_record *root;
    struct tree *tree;
};

static void run_ends(struct collector *c, const gr_event *event, struct gone *gone)
{
    struct gri_run_record *r = gri_map_dels(&c->live, event->run->id);

    if (r == NULL)
        return;
    gri_record_end(r, event);
    if (r->parent != NULL)
        return;
    gri_record_each(r, forget, c);
    gone->tree = keep_tree(c, gri_record_value(r));
    gone->root = r;
}

static void collector_event(void *arg, const gr_event *event)
{
    struct collector *c = arg;
    struct gone gone = { NULL, NULL };

    gri_lock(&c->lock);
    if (event->kind == GR_RUN_START)
        run_starts(c, event->run);
    else
        run_ends(c, event, &gone);
    gri_unlock(&c->lock);
    gri_record_free(gone.root);
    if (gone.tree != NULL)
        gr_value_unref(gone.tree->runs);
    gri_free(gone.tree);
}

/* ---- the calls ------------------------------------------------------------------------------- */

gr_value *gr_run_collector(size_t trees_max)
{
    struct collector *c = gri_new0(struct collector);

    if (c == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    gri_map_init(&c->live, (uintptr_t)c);
    c->trees_max = trees_max != 0 ? trees_max : GRI_TREES_MAX;
    c->end = &c->first;
    return gr_handler_value(GR_HANDLER(.name = "run collector", .on_event = collector_event,
                                       .drop = collector_drop, .arg = c,
                                       .kinds = GR_RUN_START | GR_RUN_END | GR_RUN_ERROR));
}

static struct collector *collector_of(const gr_value *v)
{
    const gr_handler *h = gri_handler_of(v);

    return h != NULL && h->on_event == collector_event ? h->arg : NULL;
}

gr_value *gr_run_collector_take(const gr_value *collector)
{
    struct collector *c = collector_of(collector);
    struct tree *t, *next;
    gr_value *list = gr_list_n(NULL, 0);

    if (c == NULL) {
        gr_value_unref(list);
        return gr_error(GR_ETYPE, "no run collector");
    }
    gri_lock(&c->lock);
    t = c->first;
    c->first = NULL;
    c->end = &c->first;
    c->tree_count = 0;
    gri_unlock(&c->lock);
    for (; t != NULL; t = next) {
        next = t->next;
        list = gr_append(list, t->runs);
        gri_free(t);
    }
    return list;
}

size_t gri_run_collector_live(const gr_value *collector)
{
    struct collector *c = collector_of(collector);
    size_t count;

    gri_lock(&c->lock);
    count = c->live.count;
    gri_unlock(&c->lock);
    return count;
}
