/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cluster/directory.h"

#include <string.h>

#include <greenroom/actor.h>
#include <greenroom/value.h>

#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"
#include "runtime/sched/world.h"

static const char *text(const gr_value *provider, const char *key)
{
    return gr_cstr(gr_get(provider, key), "");
}

void gri_directory_init(struct gri_directory *d, gr_runtime *rt)
{
    d->rt = rt;
    gri_map_init(&d->names, gri_random(rt));
}

void gri_directory_fini(struct gri_directory *d)
{
    const struct gri_map_slot *slot;
    size_t at = 0;

    while ((slot = gri_map_next(&d->names, &at)) != NULL)
        gr_value_unref(slot->value);
    gri_map_fini(&d->names);
    for (size_t i = 0; i < d->subscriber_count; i++)
        gri_free(d->subscribers[i].name);
}

gr_value *gri_provider(const char *name, const char *id, const char *url, const char *node,
                       const char *incarnation, int64_t weight)
{
    if (weight < 1)
        weight = 1;
    if (weight > GRI_WEIGHT_MAX)
        weight = GRI_WEIGHT_MAX;
    return gr_map(GR_KV("name", gr_str(name)), GR_KV("id", gr_str(id)), GR_KV("url", gr_str(url)),
                  GR_KV("node", gr_str(node)), GR_KV("incarnation", gr_str(incarnation)),
                  GR_KV("weight", gr_int(weight)));
}

/* ---- telling --------------------------------------------------------------------------------- */

/* who_hears copies the refs of those that hear of a name; NULL: of all of them, and of no name. */
static size_t who_hears(struct gri_directory *d, const char *name, gr_ref to[GRI_SUBSCRIBERS_MAX])
{
    size_t count = 0;

    gri_lock(&d->lock);
    for (size_t i = 0; i < d->subscriber_count; i++) {
        const struct gri_subscriber *s = &d->subscribers[i];

        if (name == NULL || s->name == NULL || strcmp(s->name, name) == 0)
            to[count++] = s->to;
    }
    gri_unlock(&d->lock);
    return count;
}

static void drop_subscriber(struct gri_directory *d, gr_ref to)
{
    gri_lock(&d->lock);
    for (size_t i = d->subscriber_count; i-- > 0;) {
        if (d->subscribers[i].to.id != to.id || d->subscribers[i].to.node != to.node)
            continue;
        gri_free(d->subscribers[i].name);
        d->subscribers[i] = d->subscribers[--d->subscriber_count];
    }
    gri_unlock(&d->lock);
}

/* tell_all tells an event. Takes it. */
static void tell_all(struct gri_directory *d, const char *name, gr_value *event)
{
    gr_ref to[GRI_SUBSCRIBERS_MAX];
    size_t count = who_hears(d, name, to);

    for (size_t i = 0; i < count; i++)
        if (gr_tell(d->rt, to[i], gr_value_ref(event)) == GR_EDEAD)
            drop_subscriber(d, to[i]);
    gr_value_unref(event);
}

static void tell(struct gri_directory *d, const char *what, const gr_value *provider)
{
    tell_all(d, text(provider, "name"),
             gr_map(GR_KV("event", gr_str(what)),
                    GR_KV("name", gr_value_ref(gr_get(provider, "name"))),
                    GR_KV("url", gr_value_ref(gr_get(provider, "url"))),
                    GR_KV("node", gr_value_ref(gr_get(provider, "node")))));
}

gr_code gri_directory_subscribe(struct gri_directory *d, const char *name, gr_ref to)
{
    gr_value *dead = gr_check(d->rt, to);
    char *copy = name != NULL ? gri_strdup(name) : NULL;
    gr_code rc = dead != NULL ? GR_EDEAD : name != NULL && copy == NULL ? GR_ENOMEM : GR_OK;

    gr_value_unref(dead);
    gri_lock(&d->lock);
    if (rc == GR_OK && d->subscriber_count == GRI_SUBSCRIBERS_MAX)
        rc = GR_EFULL;
    if (rc == GR_OK) {
        d->subscribers[d->subscriber_count++] = (struct gri_subscriber){ .to = to, .name = copy };
        copy = NULL;
    }
    gri_unlock(&d->lock);
    gri_free(copy);
    return rc;
}

/* ---- changing -------------------------------------------------------------------------------- */

/* index_of finds a provider in its name's list; gr_len(list): it is not there. */
static size_t index_of(const gr_value *list, const char *id)
{
    size_t i = 0;

    while (i < gr_len(list) && strcmp(text(gr_at(list, i), "id"), id) != 0)
        i++;
    return i;
}

/* with_place returns the list with `provider` in place of its index-th; NULL takes that out. */
static gr_value *with_place(const gr_value *list, size_t index, const gr_value *provider)
{
    gr_value *out = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(list); i++) {
        const gr_value *at = i == index ? provider : gr_at(list, i);

        if (at != NULL)
            out = gr_append(out, gr_value_ref(at));
    }
    return index < gr_len(list) || provider == NULL ? out : gr_append(out, gr_value_ref(provider));
}

/* store_locked puts another list in a name's place; the old one is *ret_old, counted. An empty list
 * takes the name away. */
static gr_code store_locked(struct gri_directory *d, const char *name, gr_value *list,
                            gr_value **ret_old)
{
    gr_code rc = gr_error_code(list);

    if (rc == GR_OK && gr_len(list) == 0) {
        *ret_old = gri_map_dels(&d->names, name);
        gr_value_unref(list);
        return GR_OK;
    }
    if (rc == GR_OK) {
        *ret_old = gri_map_gets(&d->names, name);
        if (!gri_map_puts(&d->names, name, list)) {
            *ret_old = NULL;
            rc = GR_ENOMEM;
        }
    }
    if (rc != GR_OK)
        gr_value_unref(list);
    return rc;
}

/* put_locked says what has come of it: "joined", "changed", or NULL for nothing new. */
static gr_code put_locked(struct gri_directory *d, const gr_value *provider, const char **ret_what,
                          gr_value **ret_old)
{
    const char *name = text(provider, "name");
    const gr_value *list = gri_map_gets(&d->names, name);
    size_t at = index_of(list, text(provider, "id"));
    bool fresh = at == gr_len(list);
    gr_code rc;

    *ret_what = NULL;
    if (!fresh && gr_equal(gr_at(list, at), provider))
        return GR_OK;
    if (fresh && (d->count >= GRI_PROVIDERS_MAX || gr_len(list) >= GRI_NAME_PROVIDERS_MAX))
        return GR_EFULL;
    rc = store_locked(d, name, with_place(list, at, provider), ret_old);
    if (rc != GR_OK)
        return rc;
    d->count += fresh;
    *ret_what = fresh ? "joined" : "changed";
    return GR_OK;
}

gr_code gri_directory_put(struct gri_directory *d, gr_value *provider)
{
    gr_value *old = NULL;
    const char *what = NULL;
    gr_code rc = gr_error_code(provider);

    if (rc == GR_OK) {
        gri_lock(&d->lock);
        rc = put_locked(d, provider, &what, &old);
        gri_unlock(&d->lock);
    }
    if (rc == GR_EFULL)
        gri_log_gated(&d->gate, gri_now(d->rt), GRI_LOG_WARN,
                      "a provider of '%s' is left out: at most %u of a name, %u in all",
                      text(provider, "name"), GRI_NAME_PROVIDERS_MAX, GRI_PROVIDERS_MAX);
    if (what != NULL)
        tell(d, what, provider);
    gr_value_unref(old);
    gr_value_unref(provider);
    return rc;
}

bool gri_directory_remove(struct gri_directory *d, const char *name, const char *id)
{
    gr_value *old = NULL, *gone = NULL;
    const gr_value *list;
    size_t at;

    gri_lock(&d->lock);
    list = gri_map_gets(&d->names, name);
    at = index_of(list, id);
    if (at < gr_len(list)) {
        gone = gr_value_ref(gr_at(list, at));
        if (store_locked(d, name, with_place(list, at, NULL), &old) == GR_OK) {
            d->count--;
        } else { /* no memory to forget it: it stays, and calls find out */
            gr_value_unref(gone);
            gone = NULL;
        }
    }
    gri_unlock(&d->lock);
    if (gone != NULL)
        tell(d, "left", gone);
    gr_value_unref(old);
    gr_value_unref(gone);
    return gone != NULL;
}

/* mark writes down who is in a list: "name/id". false: out of memory. */
static bool mark(struct gri_map *seen, const gr_value *list)
{
    struct gri_strbuf key = GRI_STRBUF_INIT;
    bool done = true;

    for (size_t i = 0; i < gr_len(list) && done; i++) {
        gri_strbuf_clear(&key);
        gri_strbuf_addf(&key, "%s/%s", text(gr_at(list, i), "name"), text(gr_at(list, i), "id"));
        done = !key.failed && gri_map_puts(seen, key.data, seen);
    }
    gri_strbuf_fini(&key);
    return done;
}

static bool is_marked(const struct gri_map *seen, const gr_value *provider)
{
    struct gri_strbuf key = GRI_STRBUF_INIT;
    bool there;

    gri_strbuf_addf(&key, "%s/%s", text(provider, "name"), text(provider, "id"));
    there = key.failed || gri_map_gets(seen, key.data) != NULL;
    gri_strbuf_fini(&key);
    return there;
}

/* not_marked lists the providers that were not marked: those that are from etcd, or all. */
static gr_value *not_marked(struct gri_directory *d, const struct gri_map *seen, bool all)
{
    gr_value *out = gr_list_n(NULL, 0);
    const struct gri_map_slot *slot;
    size_t at = 0;

    gri_lock(&d->lock);
    while ((slot = gri_map_next(&d->names, &at)) != NULL)
        for (size_t i = 0; i < gr_len(slot->value); i++) {
            const gr_value *p = gr_at(slot->value, i);

            if ((all || text(p, "node")[0] != '\0') && !is_marked(seen, p))
                out = gr_append(out, gr_value_ref(p));
        }
    gri_unlock(&d->lock);
    return out;
}

static void keep(struct gri_directory *d, const gr_value *list, bool all)
{
    struct gri_map seen;
    gr_value *gone = NULL;

    gri_map_init(&seen, gri_random(d->rt));
    if (mark(&seen, list))
        gone = not_marked(d, &seen, all);
    for (size_t i = 0; i < gr_len(gone); i++)
        gri_directory_remove(d, text(gr_at(gone, i), "name"), text(gr_at(gone, i), "id"));
    gr_value_unref(gone);
    gri_map_fini(&seen);
}

void gri_directory_keep(struct gri_directory *d, const gr_value *list)
{
    keep(d, list, false);
}

void gri_directory_clear(struct gri_directory *d)
{
    keep(d, NULL, true);
    gri_directory_set_stale(d, false);
}

void gri_directory_set_stale(struct gri_directory *d, bool stale)
{
    bool was;

    gri_lock(&d->lock);
    was = d->stale;
    d->stale = stale;
    gri_unlock(&d->lock);
    if (was != stale)
        tell_all(d, NULL, gr_map(GR_KV("event", gr_str(stale ? "stale" : "fresh"))));
}

gr_value *gri_directory_of(struct gri_directory *d, const char *name)
{
    gr_value *list;

    gri_lock(&d->lock);
    list = gr_value_ref(gri_map_gets(&d->names, name));
    gri_unlock(&d->lock);
    return list;
}
