/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_watcher.c - what etcd says of the cluster, brought into the directory.
 *
 * One handler that never ends by itself: read all keys; watch from the revision after; when the
 * watch breaks, watch again from the last revision that was seen. All is read anew when etcd has
 * compacted that revision away, when it is older than what was seen (its data were lost), and when a
 * look shows that the watch has missed something. While etcd is away the directory stays as it is,
 * and is stale.
 *
 * What is not in etcd any more is forgotten at once, but for one case: etcd was away, and has come back
 * without it. Then its data were lost, and those who were registered are about to do so again; they stay
 * for as long as that takes.
 *
 * A watch in which nothing happens looks like one whose etcd has gone without a word. So after each
 * silence as long as the lease lasts the number of keys is compared with what is known.
 */
#include <string.h>

#include <greenroom/runtime.h>

#include "runtime/cluster/etcd.h"
#include "runtime/cluster/member.h"
#include "runtime/sched/world.h"

#define LIST_MS 5000 /* reading all */
#define AGAIN_MS                                                                                   \
    6000 /* after a lease has been lost, how long until all is registered again, about */
#define NS_PER_MS UINT64_C(1000000)

struct watcher {
    struct gri_cluster *k; /* borrowed; outlives the actor */
    int64_t revision;      /* the last that was seen */
    int64_t keys;          /* how many there are; -1: not known */
    bool listed;           /* what was read is up to date as of the revision */
    unsigned failures;     /* in a row */
    unsigned reads;        /* of all, since the watch was last well */
    bool away;             /* etcd was, since the watch was last well */
    uint64_t recheck_ns;   /* when what is not in etcd is forgotten, after all; 0: it has been */
};

static void note_revision(struct watcher *w, int64_t revision)
{
    if (revision > w->revision)
        w->revision = revision;
    gri_lock(&w->k->lock);
    w->k->state.revision = w->revision;
    gri_unlock(&w->k->lock);
}

static void tell_keeper(struct watcher *w, const char *what, const char *name)
{
    gr_tell(w->k->rt, w->k->keeper,
            gr_map(GR_KV("what", gr_str(what)), GR_KV("name", gr_str(name))));
}

/* ---- one key --------------------------------------------------------------------------------- */

/* on_gone deals with a key that was deleted. */
static void on_gone(struct watcher *w, char *key)
{
    const char *name = "", *node = "";

    switch (gri_etcd_split(w->k->etcd, key, &name, &node)) {
    case GRI_ETCD_NAME:
        gri_directory_remove(&w->k->directory, name, node);
        if (strcmp(node, w->k->node) == 0)
            tell_keeper(w, GRI_KEEPER_MISSING, name);
        break;
    case GRI_ETCD_CLAIM: tell_keeper(w, GRI_KEEPER_FREE, name); break;
    default: break;
    }
}

/* provider_of makes a provider of a pair, if it is one. NULL: it is none, or unfit. */
static gr_value *provider_of(struct watcher *w, const gr_value *kv)
{
    struct gri_strbuf key = GRI_STRBUF_INIT;
    const char *name = "", *node = "";
    gr_value *p = NULL;

    if (gri_etcd_bytes(kv, "key", &key) && strlen(key.data) == key.len &&
        gri_etcd_split(w->k->etcd, key.data, &name, &node) == GRI_ETCD_NAME)
        p = gri_etcd_provider(name, node, kv);
    gri_strbuf_fini(&key);
    return p;
}

static void on_event(struct watcher *w, const gr_value *event)
{
    const gr_value *kv = gr_get(event, "kv");
    struct gri_strbuf key = GRI_STRBUF_INIT;
    bool gone = strcmp(gr_cstr(gr_get(event, "type"), "PUT"), "DELETE") == 0;
    gr_value *p;

    note_revision(w, gri_etcd_int(kv, "mod_revision"));
    if (gone) {
        w->keys--;
        if (gri_etcd_bytes(kv, "key", &key) && strlen(key.data) == key.len)
            on_gone(w, key.data);
        gri_strbuf_fini(&key);
        return;
    }
    if (gri_etcd_int(kv, "version") == 1)
        w->keys++;
    p = provider_of(w, kv);
    if (p != NULL)
        gri_directory_put(&w->k->directory, p);
}

/* ---- reading all ----------------------------------------------------------------------------- */

/* take_list brings the directory in line. spares: what is not in the list stays for now. */
static void take_list(struct watcher *w, const gr_value *answer, bool spares)
{
    const gr_value *kvs = gr_get(answer, "kvs");
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(kvs); i++) {
        gr_value *p = provider_of(w, gr_at(kvs, i));

        if (p == NULL)
            continue;
        list = gr_append(list, gr_value_ref(p));
        gri_directory_put(&w->k->directory, p);
    }
    if (gr_error_code(list) == GR_OK && !spares)
        gri_directory_keep(&w->k->directory, list);
    gr_value_unref(list);
}

static gr_value *list_all(gr_ctx *c, struct watcher *w)
{
    gr_value *v = gri_etcd_post(c, w->k, "/v3/kv/range", gri_etcd_range(w->k->etcd, ""), LIST_MS);

    if (gr_error_code(v) != GR_OK)
        return v;
    take_list(w, v, w->away);
    w->recheck_ns = 0;
    if (w->away)
        w->recheck_ns = gri_now(w->k->rt) + (uint64_t)(w->k->etcd->ttl_ms + AGAIN_MS) * NS_PER_MS;
    w->revision = 0; /* it may be less than what was seen, if etcd has lost its data */
    note_revision(w, gri_etcd_int(gr_get(v, "header"), "revision"));
    w->keys = gri_etcd_int(v, "count");
    w->listed = true;
    gr_value_unref(v);
    return NULL;
}

/* look asks whether the watch has missed something. Its answer may be ahead of the watch: then all is
 * read once too often. NULL, or why the watch is to end. */
static gr_value *look(gr_ctx *c, struct watcher *w)
{
    gr_value *v =
        gri_etcd_post(c, w->k, "/v3/kv/range",
                      gr_set(gri_etcd_range(w->k->etcd, ""), "count_only", gr_bool(true)), LIST_MS);

    if (gr_error_code(v) != GR_OK)
        return v;
    if (gri_etcd_int(v, "count") != w->keys ||
        gri_etcd_int(gr_get(v, "header"), "revision") < w->revision)
        w->listed = false;
    gr_value_unref(v);
    return w->listed ? NULL : gr_error(GR_EPENDING, "the watch has missed something");
}

/* ---- watching -------------------------------------------------------------------------------- */

/* on_watching: from here on the directory is what etcd says. */
static void on_watching(struct watcher *w)
{
    w->failures = w->reads = 0;
    w->away = false;
    gri_lock(&w->k->lock);
    w->k->state.synced = true;
    gri_unlock(&w->k->lock);
    gri_directory_set_stale(&w->k->directory, false);
    tell_keeper(w, GRI_KEEPER_SYNCED, "");
}

/* on_message takes one thing that etcd sent; NULL, or why the watch is over. */
static gr_value *on_message(struct watcher *w, const gr_value *msg)
{
    const gr_value *result = gr_get(msg, "result"), *events = gr_get(result, "events");
    int64_t revision = gri_etcd_int(gr_get(result, "header"), "revision");

    if (gr_get(msg, "error") != NULL)
        return gr_error(GR_EUNREACH, "etcd ends the watch: %.200s",
                        gr_cstr(gr_get(gr_get(msg, "error"), "message"), ""));
    if (gr_as_bool(gr_get(result, "canceled"), false)) {
        w->listed = false; /* mostly compacted: what happened meanwhile can't be told any more */
        return gr_error(gr_get(result, "compact_revision") != NULL ? GR_EPENDING : GR_EUNREACH,
                        "etcd ends the watch: %.200s",
                        gr_cstr(gr_get(result, "cancel_reason"), "compacted"));
    }
    if (gr_as_bool(gr_get(result, "created"), false)) {
        if (revision < w->revision) {
            w->listed = false;
            return gr_error(GR_EPENDING, "etcd has lost data");
        }
        on_watching(w);
        return NULL; /* its revision is etcd's, not the watch's: events before it may be to come */
    }
    /* the header's revision may be ahead of these, with more to come */
    for (size_t i = 0; i < gr_len(events); i++)
        on_event(w, gr_at(events, i));
    return NULL;
}

static gr_value *on_chunk(struct watcher *w, const gr_value *chunk)
{
    gr_value *err = NULL;

    for (size_t i = 0; i < gr_len(chunk) && err == NULL; i++)
        err = on_message(w, gr_at(chunk, i));
    return err;
}

/* patience_ms is how long to wait for a change. */
static int64_t patience_ms(const struct watcher *w)
{
    uint64_t now = gri_now(w->k->rt);
    int64_t ms = w->k->etcd->ttl_ms;

    if (w->recheck_ns == 0)
        return ms;
    if (w->recheck_ns <= now)
        return 0;
    return (int64_t)((w->recheck_ns - now) / NS_PER_MS) < ms
               ? (int64_t)((w->recheck_ns - now) / NS_PER_MS) + 1
               : ms;
}

static bool is_due(const struct watcher *w)
{
    return w->recheck_ns != 0 && gri_now(w->k->rt) >= w->recheck_ns;
}

/* recheck has all read again, to forget what has not come back. */
static gr_value *recheck(struct watcher *w)
{
    w->listed = false;
    return gr_error(GR_EPENDING, "all is read again");
}

/* broken says why a watch has ended, and turns to the next URL if that was etcd. */
static gr_value *broken(struct watcher *w, const gr_outcome *o)
{
    gr_value *err =
        o->error != NULL ? gr_value_ref(o->error) : gr_error(o->code, "the watch has ended");

    gri_etcd_away(w->k->etcd, err);
    return err;
}

/* follow watches until that is over; it returns why. */
static gr_value *follow(gr_ctx *c, struct watcher *w)
{
    gr_value *request =
        gr_map(GR_KV("create_request", gr_set(gri_etcd_range(w->k->etcd, ""), "start_revision",
                                              gr_strf("%lld", (long long)w->revision + 1))));
    gr_stream *s = gri_etcd_watch(c, w->k, request);
    gr_value *err = NULL;

    while (err == NULL) {
        gr_outcome o = gr_next(s, patience_ms(w));

        if (o.code == GR_OK)
            err = on_chunk(w, o.value);
        else if (o.code == GR_EPENDING && is_due(w))
            err = recheck(w);
        else if (o.code == GR_EPENDING)
            err = look(c, w);
        else
            err = broken(w, &o);
    }
    gr_stream_free(s);
    return err;
}

/* pause waits before the next attempt, but for the first reading anew; false: the actor is to end. */
static bool pause(gr_ctx *c, struct watcher *w, gr_value *err)
{
    bool away = gr_error_code(err) != GR_EPENDING, goes_on = !gr_cancelled(c);

    if (goes_on && away) {
        w->away = true;
        gri_directory_set_stale(&w->k->directory, true);
        gri_log_gated(&w->k->directory.gate, gri_now(w->k->rt), GRI_LOG_INFO,
                      "the providers may be old: %s", gr_error_text(err));
    }
    if (goes_on && (away || w->reads++ > 0))
        goes_on = gr_sleep(w->k->rt, gri_etcd_wait_ms(w->k->rt, w->failures++)) == GR_OK;
    gr_value_unref(err);
    return goes_on && !gr_cancelled(c);
}

static gr_value *watcher_run(gr_ctx *c, void *self, const gr_value *args)
{
    struct watcher *w = self;
    gr_value *err;

    (void)args;
    do {
        err = w->listed ? NULL : list_all(c, w);
        if (err == NULL)
            err = follow(c, w);
    } while (pause(c, w, err));
    return gr_nil();
}

static gr_code watcher_init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    *(struct watcher *)self = (struct watcher){ .k = gr_as_opaque(args), .keys = -1 };
    return GR_OK;
}

static const gr_method watcher_methods[] = { { "run", GR_ASYNC, watcher_run, NULL } };
const gr_class gri_etcd_watcher_class =
    GR_CLASS(.name = "etcd watcher", .state_size = sizeof(struct watcher), .init = watcher_init,
             GR_METHODS(watcher_methods));
