/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_ps.c - actors as values: what inspect.h tells, the names that they are published under, and
 * children that supervisors are about to start again, which are no actors for the moment.
 */
#include <stdlib.h>
#include <string.h>

#include <greenroom/supervisor.h>

#include "runtime/actor/inspect.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/net/admin.h"

#define PAGE_MAX 256u     /* actors in one answer */
#define ASKED_MAX 32u     /* supervisors that are asked for it */
#define ASK_MS 500        /* how long they have, together: one may be busy for long */
#define ID_DIGITS_MAX 19u /* of either half */

/* ---- ids ------------------------------------------------------------------------------------- */

static uint64_t slot_of(uint64_t id)
{
    return id & ((UINT64_C(1) << GRI_SLOT_BITS) - 1);
}

gr_value *gri_admin_id(gr_ref ref)
{
    return ref.id != 0 ? gr_strf("%llu.%llu", (unsigned long long)slot_of(ref.id),
                                 (unsigned long long)(ref.id >> GRI_SLOT_BITS))
                       : gr_nil();
}

/* read_half reads digits; false: there are none, or too many. */
static bool read_half(const char **at, uint64_t *ret)
{
    size_t digits = strspn(*at, "0123456789");

    if (digits == 0 || digits > ID_DIGITS_MAX)
        return false;
    *ret = strtoull(*at, NULL, 10);
    *at += digits;
    return true;
}

static uint64_t id_of(const char *text)
{
    uint64_t slot = 0, generation = 0;

    if (!read_half(&text, &slot) || *text++ != '.' || !read_half(&text, &generation) ||
        *text != '\0' || slot >> GRI_SLOT_BITS != 0 ||
        generation >= UINT64_C(1) << (64 - GRI_SLOT_BITS))
        return 0;
    return generation << GRI_SLOT_BITS | slot;
}

gr_ref gri_admin_find(struct gri_node *node, const char *text)
{
    gr_ref ref = gri_node_find(node, text);

    if (ref.id == 0)
        ref = gr_whereis(node->rt, text);
    if (ref.id == 0) {
        ref.id = id_of(text);
        ref.node = ref.id != 0 ? node->rt->node : 0;
    }
    return ref;
}

/* ---- one actor as a value -------------------------------------------------------------------- */

struct row {
    gr_actor_info info;
    char published[GRI_FRAME_NAME_MAX + 1]; /* "": it is not */
};

/* text_or_nil: a text that is no UTF-8 is none. */
static gr_value *text_or_nil(const char *text)
{
    gr_value *v = text[0] != '\0' ? gr_str(text) : gr_nil();

    if (gr_error_code(v) != GR_EINVAL)
        return v;
    gr_value_unref(v);
    return gr_nil();
}

static gr_value *number(uint64_t n)
{
    return gr_int(n <= INT64_MAX ? (int64_t)n : INT64_MAX);
}

static gr_value *value_of(const struct row *r)
{
    const gr_actor_info *i = &r->info;
    bool supervised = i->supervisor.id != 0;

    return gr_map(
        GR_KV("id", gri_admin_id(i->ref)), GR_KV("name", text_or_nil(i->name)),
        GR_KV("published", text_or_nil(r->published)), GR_KV("class", text_or_nil(i->class_name)),
        GR_KV("state", gr_str(gr_actor_state_name(i->state))), GR_KV("mailbox", number(i->mailbox)),
        GR_KV("handled", i->counts ? number(i->handled) : gr_nil()),
        GR_KV("calls", number(i->calls)), GR_KV("state_bytes", number(i->state_bytes)),
        GR_KV("supervisor", gri_admin_id(i->supervisor)),
        GR_KV("restarts", supervised ? gr_int(i->restarts) : gr_nil()),
        GR_KV("age_ms", i->age_ms >= 0 ? gr_int(i->age_ms) : gr_nil()));
}

/* ---- names that are published ---------------------------------------------------------------- */

/* find_row finds an actor among rows in the order of their slots. */
static struct row *find_row(struct row *rows, size_t count, uint64_t id)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (slot_of(rows[mid].info.ref.id) < slot_of(id))
            low = mid + 1;
        else
            high = mid;
    }
    return low < count && rows[low].info.ref.id == id ? &rows[low] : NULL;
}

/* note_published: of several names the first in the alphabet, so that each look tells the same. */
static void note_published(struct gri_node *node, struct row *rows, size_t count)
{
    const struct gri_map_slot *slot;
    size_t at = 0;

    gri_lock(&node->lock);
    while ((slot = gri_map_next(&node->names, &at)) != NULL) {
        const gr_ref *ref = slot->value;
        struct row *r = ref->node == node->rt->node ? find_row(rows, count, ref->id) : NULL;

        if (r != NULL && (r->published[0] == '\0' || strcmp(slot->name, r->published) < 0))
            memcpy(r->published, slot->name, strlen(slot->name) + 1);
    }
    gri_unlock(&node->lock);
}

/* ---- children that are to be started again --------------------------------------------------- */

struct asked {
    gr_ref supervisor;
    gr_future *answer; /* owned */
};

static bool supervises(const struct row *r)
{
    return strcmp(r->info.class_name, "supervisor") == 0 && r->info.state != GR_ACTOR_FAILED &&
           r->info.state != GR_ACTOR_STOPPING;
}

static size_t ask(gr_runtime *rt, const struct row *rows, size_t count, struct asked *all)
{
    size_t asks = 0;

    for (size_t i = 0; i < count && asks < ASKED_MAX; i++) {
        if (!supervises(&rows[i]))
            continue;
        all[asks].supervisor = rows[i].info.ref;
        all[asks].answer = gr_acall(rt, rows[i].info.ref, "absent_children", gr_nil(), NULL);
        asks += all[asks].answer != NULL;
    }
    return asks;
}

static gr_value *absent(const gr_value *child, gr_ref supervisor)
{
    return gr_map(GR_KV("id", gr_nil()), GR_KV("name", gr_value_ref(gr_get(child, "name"))),
                  GR_KV("published", gr_nil()), GR_KV("class", gr_nil()),
                  GR_KV("state", gr_value_ref(gr_get(child, "state"))), GR_KV("mailbox", gr_int(0)),
                  GR_KV("handled", gr_nil()), GR_KV("calls", gr_int(0)),
                  GR_KV("state_bytes", gr_int(0)), GR_KV("supervisor", gri_admin_id(supervisor)),
                  GR_KV("restarts", gr_value_ref(gr_get(child, "restarts"))),
                  GR_KV("age_ms", gr_nil()));
}

/* add_absent asks the supervisors among the rows; who does not answer in time is left out. */
static gr_value *add_absent(gr_runtime *rt, const struct row *rows, size_t count, gr_value *list)
{
    struct asked all[ASKED_MAX];
    size_t asks = ask(rt, rows, count, all);
    uint64_t until_ns = gr_now_ns(rt) + ASK_MS * UINT64_C(1000000);

    for (size_t i = 0; i < asks; i++) {
        uint64_t now_ns = gr_now_ns(rt);
        gr_outcome o = gr_await(all[i].answer,
                                now_ns < until_ns ? (int64_t)((until_ns - now_ns) / 1000000) : 0);

        for (size_t k = 0; o.code == GR_OK && k < gr_len(o.value); k++)
            list = gr_append(list, absent(gr_at(o.value, k), all[i].supervisor));
        gr_future_free(all[i].answer); /* which cancels it */
    }
    return list;
}

/* ---- ps -------------------------------------------------------------------------------------- */

struct page {
    struct row *rows;
    size_t count;
};

static bool take_row(void *arg, const gr_actor_info *info)
{
    struct page *p = arg;

    p->rows[p->count++].info = *info;
    return true;
}

gr_value *gri_admin_ps(gr_ctx *c, struct gri_node *node, uint64_t after, size_t max)
{
    gr_runtime *rt = gr_runtime_of(c);
    gr_value *list = gr_list_n(NULL, 0);
    struct page p = { .count = 0 };

    if (max == 0 || max > PAGE_MAX)
        max = PAGE_MAX;
    p.rows = gri_alloc0(max * sizeof(*p.rows));
    if (p.rows == NULL) {
        gr_value_unref(list);
        return gr_error(GR_ENOMEM, "out of memory");
    }
    gr_inspect_actors(rt, &after, max, take_row, &p);
    note_published(node, p.rows, p.count);
    for (size_t i = 0; i < p.count; i++)
        list = gr_append(list, value_of(&p.rows[i]));
    list = add_absent(rt, p.rows, p.count, list);
    gri_free(p.rows);
    return gr_map(GR_KV("actors", list), GR_KV("next", after != 0 ? number(after) : gr_nil()));
}

/* ---- info of one ----------------------------------------------------------------------------- */

gr_value *gri_admin_actor(struct gri_node *node, gr_ref who)
{
    struct row row = { .info = GR_ACTOR_INFO_INIT };
    gr_code rc = gr_inspect_actor(node->rt, who, &row.info);
    const gr_actor_info *i = &row.info;
    gr_value *v;

    if (rc == GR_EUNREACH)
        return gr_error(rc, "this name leads to another node, where it can be asked for");
    if (rc != GR_OK)
        return gr_error(rc, "the actor has ended");
    note_published(node, &row, 1);
    v = value_of(&row);
    v = gr_set(v, "mailbox_max", number(i->mailbox_max));
    v = gr_set(v, "links", number(i->links));
    v = gr_set(v, "monitors", number(i->monitors));
    v = gr_set(v, "ties", number(i->ties));
    v = gr_set(v, "names", gri_inspect_names(node->rt, who));
    return gr_set(v, "last_exit", text_or_nil(i->last_exit));
}
