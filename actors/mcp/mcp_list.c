/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_list.c - lists of many pages, and what an answer may weigh that is made of many.
 *
 * A server decides how many pages there are and how much each has, so all of it is counted: pages, items and bytes.
 */
#include "actors/mcp/mcp_list.h"

#include "runtime/sched/world.h"

#define VALUE_BYTES 48 /* about what a value takes besides its text */
#define NS_PER_MS UINT64_C(1000000)

/* ---- bytes ----------------------------------------------------------------------------------- */

/* take_off takes from *left what v weighs; false: it is more. All of v is looked at, since a server that is not trusted
 * would hide its weight where a sample does not look. Values have a bounded depth. */
static bool take_off(size_t *left, const gr_value *v)
{
    gr_type type = gr_value_type(v);
    size_t own = VALUE_BYTES, count = gr_len(v);
    const char *key = "";

    if (type == GR_STR || type == GR_BIN)
        own += count;
    if (own > *left)
        return false;
    *left -= own;
    for (size_t i = 0; type == GR_LIST && i < count; i++)
        if (!take_off(left, gr_at(v, i)))
            return false;
    for (size_t i = 0; type == GR_MAP && i < count; i++) {
        const gr_value *part = gr_pair_at(v, i, &key);

        own = VALUE_BYTES + strlen(key);
        if (own > *left)
            return false;
        *left -= own;
        if (!take_off(left, part))
            return false;
    }
    return true;
}

gr_value *gri_mcp_weigh(const struct gri_mcp *s, size_t *left, const gr_value *v, const char *what)
{
    if (take_off(left, v))
        return NULL;
    return gr_error(GR_EFULL, "%s: the %s take more than %zu bytes (list_bytes_max)", s->set.name,
                    what, s->set.list_bytes_max);
}

/* ---- pages ----------------------------------------------------------------------------------- */

struct list {
    const char *method, *key;
    gr_value *items; /* owned */
    size_t bytes_left;
    unsigned pages;
    uint64_t fresh_until_ns;
};

/* add_page adds what a page has; NULL, or what is wrong. */
static gr_value *add_page(struct gri_mcp *s, struct list *l, const gr_value *page)
{
    const gr_value *items = gr_get(page, l->key);
    gr_value *err;

    if (gr_value_type(items) != GR_LIST)
        return gr_error(GR_EPROTO, "%s: an answer without a list \"%s\"", s->set.name, l->key);
    if (gr_len(items) > s->set.list_max - gr_len(l->items))
        return gr_error(GR_EFULL, "%s has more than %zu %s (list_max)", s->set.name,
                        s->set.list_max, l->key);
    err = gri_mcp_weigh(s, &l->bytes_left, items, l->key);
    for (size_t i = 0; err == NULL && i < gr_len(items); i++)
        l->items = gr_append(l->items, gr_value_ref(gr_at(items, i)));
    return err == NULL && gr_error_code(l->items) != GR_OK ? gr_value_ref(l->items) : err;
}

/* next_of gives the cursor of the next page; NULL: there is none. An empty one is a cursor like any other, but older servers
 * mean by it that there is none. */
static gr_value *next_of(struct gri_mcp *s, const gr_value *page)
{
    const gr_value *cursor = gr_get(page, "nextCursor");
    bool modern;

    gri_lock(&s->lock);
    modern = s->modern;
    gri_unlock(&s->lock);
    if (gr_value_type(cursor) != GR_STR || (gr_len(cursor) == 0 && !modern))
        return NULL;
    return gr_value_ref(cursor);
}

/* note_fresh: a list is as fresh as the page that is first to go stale. */
static void note_fresh(struct gri_mcp *s, struct list *l, const gr_value *page)
{
    int64_t ttl_ms = gr_as_int(gr_get(page, "ttlMs"), 0);
    uint64_t until_ns = 0;

    if (ttl_ms > GRI_MCP_TTL_MAX_MS)
        ttl_ms = GRI_MCP_TTL_MAX_MS;
    if (ttl_ms > 0)
        until_ns = gri_now(s->rt) + (uint64_t)ttl_ms * NS_PER_MS;
    if (l->pages == 1 || until_ns < l->fresh_until_ns)
        l->fresh_until_ns = until_ns;
}

/* read_page asks for one page, takes cursor, and gives the next one; NULL with *reterr NULL: it was the last. */
static gr_value *read_page(gr_ctx *c, struct gri_mcp *s, struct list *l, gr_value *cursor,
                           gr_value **reterr)
{
    gr_value *params = cursor != NULL ? gr_map(GR_KV("cursor", cursor)) : gr_map_n(NULL, 0);
    gr_value *page =
        gri_mcp_call(c, s, &(struct gri_mcp_call){ .method = l->method, .params = params });
    gr_value *next = NULL;

    l->pages++;
    note_fresh(s, l, page);
    *reterr = gr_error_code(page) != GR_OK ? gr_value_ref(page) : add_page(s, l, page);
    if (*reterr == NULL)
        next = next_of(s, page);
    gr_value_unref(page);
    if (next == NULL || l->pages < s->set.pages_max)
        return next;
    gr_value_unref(next);
    *reterr = gr_error(GR_EFULL, "%s has more than %u pages of %s (pages_max)", s->set.name,
                       s->set.pages_max, l->key);
    return NULL;
}

gr_value *gri_mcp_list(gr_ctx *c, struct gri_mcp *s, const char *method, const char *key,
                       uint64_t *ret_fresh_until_ns)
{
    struct list l = { .method = method,
                      .key = key,
                      .items = gr_list_n(NULL, 0),
                      .bytes_left = s->set.list_bytes_max };
    gr_value *cursor = NULL, *err = NULL;

    do
        cursor = read_page(c, s, &l, cursor, &err);
    while (cursor != NULL);
    if (ret_fresh_until_ns != NULL)
        *ret_fresh_until_ns = l.fresh_until_ns;
    if (err == NULL)
        return l.items;
    gr_value_unref(l.items);
    return err;
}
