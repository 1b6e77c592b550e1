/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_byte_store.c - gr_memory_byte_store: a map, and a list of its entries in the order in which
 * they were first set, which says whose turn it is to go.
 */
#include <string.h>

#include "actors/compose/steps.h"
#include "actors/store/byte_store.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/list.h"
#include "runtime/base/map.h"
#include "runtime/sched/world.h"
#include "runtime/value/value_bytes.h"

#define ENTRY_BYTES 128 /* of the map and the list */

struct entry {
    struct gri_list node;
    gr_value *key, *value; /* counted */
    size_t bytes;
};

struct keeper {
    struct gri_map entries; /* of struct entry, owned */
    struct gri_list order;
    size_t bytes, keys_max, bytes_max;
    bool evicts;
};

static gr_code store_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct keeper *s = self;

    gri_map_init(&s->entries, gri_random(gr_runtime_of(c)));
    gri_list_init(&s->order);
    s->keys_max = (size_t)gr_as_int(gr_get(args, "keys_max"), (int64_t)GRI_STORE_KEYS_MAX);
    s->bytes_max = (size_t)gr_as_int(gr_get(args, "bytes_max"), (int64_t)GRI_STORE_BYTES_MAX);
    s->evicts = gr_as_bool(gr_get(args, "evicts"), false);
    return GR_OK;
}

static size_t weight(const gr_value *key, const gr_value *value)
{
    return gr_len(key) + gri_value_bytes(value) + ENTRY_BYTES;
}

static void drop(struct keeper *s, struct entry *e)
{
    (void)gri_map_dels(&s->entries, gr_cstr(e->key, ""));
    gri_list_remove(&e->node);
    s->bytes -= e->bytes;
    gr_value_unref(e->key);
    gr_value_unref(e->value);
    gri_free(e);
}

static void store_stopped(void *self, const gr_value *args)
{
    struct keeper *s = self;

    (void)args;
    while (s->order.next != NULL && !gri_list_empty(&s->order))
        drop(s, gri_container_of(s->order.next, struct entry, node));
    gri_map_fini(&s->entries);
}

static gr_value *mget(gr_ctx *c, void *self, const gr_value *args)
{
    struct keeper *s = self;
    const gr_value *keys = gr_get(args, "keys");
    gr_value *err = gri_store_check_keys(args), *list;

    (void)c;
    if (err != NULL)
        return err;
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(keys); i++) {
        const struct entry *e = gri_map_gets(&s->entries, gr_cstr(gr_at(keys, i), ""));

        list = gr_append(list, e != NULL ? gr_value_ref(e->value) : gr_nil());
    }
    return list;
}

/* put sets one key; false: out of memory. */
static bool put(struct keeper *s, const gr_value *key, const gr_value *value)
{
    struct entry *e = gri_map_gets(&s->entries, gr_cstr(key, ""));

    if (e != NULL) {
        s->bytes -= e->bytes;
        gr_value_unref(e->value);
    } else {
        e = gri_new0(struct entry);
        if (e == NULL || !gri_map_puts(&s->entries, gr_cstr(key, ""), e)) {
            gri_free(e);
            return false;
        }
        e->key = gr_value_ref(key);
        gri_list_push(&s->order, &e->node);
    }
    e->value = gr_value_ref(value);
    e->bytes = weight(key, value);
    s->bytes += e->bytes;
    return true;
}

/* room makes sure of a call's room before anything is changed: what is there of its keys counts once
 * more, unless it is replaced. NULL, or why there is none. */
static gr_value *room(struct keeper *s, const gr_value *pairs)
{
    size_t keys = 0, bytes = 0;

    for (size_t i = 0; i < gr_len(pairs); i++) {
        const gr_value *key = gr_at(gr_at(pairs, i), 0);
        const struct entry *e = gri_map_gets(&s->entries, gr_cstr(key, ""));
        size_t wanted = weight(key, gr_at(gr_at(pairs, i), 1));

        keys += e == NULL;
        bytes += e == NULL ? wanted : wanted > e->bytes ? wanted - e->bytes : 0;
    }
    if (keys > s->keys_max || bytes > s->bytes_max ||
        (!s->evicts && (s->entries.count + keys > s->keys_max || s->bytes + bytes > s->bytes_max)))
        return gr_error(GR_EFULL,
                        "a store of at most %zu keys and %zu bytes has no room for %zu more",
                        s->keys_max, s->bytes_max, gr_len(pairs));
    return NULL;
}

static gr_value *mset(gr_ctx *c, void *self, const gr_value *args)
{
    struct keeper *s = self;
    const gr_value *pairs = gr_get(args, "pairs");
    gr_value *err = gri_store_check_pairs(args);

    (void)c;
    if (err == NULL)
        err = room(s, pairs);
    for (size_t i = 0; i < gr_len(pairs) && err == NULL; i++)
        if (!put(s, gr_at(gr_at(pairs, i), 0), gr_at(gr_at(pairs, i), 1)))
            err = gri_no_memory();
    while (s->entries.count > s->keys_max || s->bytes > s->bytes_max)
        drop(s, gri_container_of(s->order.next, struct entry, node));
    return err != NULL ? err : gr_nil();
}

static gr_value *mdelete(gr_ctx *c, void *self, const gr_value *args)
{
    struct keeper *s = self;
    const gr_value *keys = gr_get(args, "keys");
    gr_value *err = gri_store_check_keys(args);

    (void)c;
    for (size_t i = 0; i < gr_len(keys) && err == NULL; i++) {
        struct entry *e = gri_map_gets(&s->entries, gr_cstr(gr_at(keys, i), ""));

        if (e != NULL)
            drop(s, e);
    }
    return err != NULL ? err : gr_nil();
}

/* snapshot gives the keys that begin with prefix, as they are now. */
static gr_value *snapshot(const struct keeper *s, const gr_value *prefix)
{
    gr_value *keys = gr_list_n(NULL, 0);

    for (const struct gri_list *at = s->order.next; at != &s->order; at = at->next) {
        const struct entry *e = gri_container_of(at, struct entry, node);

        if (strncmp(gr_cstr(e->key, ""), gr_cstr(prefix, ""), gr_len(prefix)) == 0)
            keys = gr_append(keys, gr_value_ref(e->key));
    }
    return keys;
}

static gr_code yield_keys(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_value *keys = snapshot(self, gr_get(args, "prefix"));
    gr_code rc = gr_error_code(keys);

    (void)in;
    if (rc != GR_OK)
        return gr_fail(c, keys);
    for (size_t i = 0; i < gr_len(keys) && rc == GR_OK; i++)
        rc = gr_emit(c, gr_value_ref(gr_at(keys, i)));
    gr_value_unref(keys);
    return rc;
}

static const gr_method store_methods[] = {
    { "mget", GR_ASYNC, mget, NULL },
    { "mset", GR_ASYNC, mset, NULL },
    { "mdelete", GR_ASYNC, mdelete, NULL },
    { "yield_keys", GR_ASYNC, NULL, yield_keys },
};
/* reentrant, so that a slow reader of keys holds up nobody */
static const gr_class store_class =
    GR_CLASS(.name = "InMemoryByteStore", .state_size = sizeof(struct keeper), .reentrant = true,
             .init = store_init, .stopped = store_stopped, GR_METHODS(store_methods));

gr_ref gr_memory_byte_store(gr_scope *in, const gr_memory_byte_store_opts *opts)
{
    gr_value *args = gr_map_n(NULL, 0);

    if (opts != NULL && opts->keys_max != 0)
        args = gr_set(args, "keys_max", gr_int((int64_t)opts->keys_max));
    if (opts != NULL && opts->bytes_max != 0)
        args = gr_set(args, "bytes_max", gr_int((int64_t)opts->bytes_max));
    if (opts != NULL && opts->evicts_oldest)
        args = gr_set(args, "evicts", gr_bool(true));
    return gr_spawn(in, &store_class, GR_SPAWN(.name = "memory store", .args = args));
}
