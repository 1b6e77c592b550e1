/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/pool/providers.h"

#include <string.h>

#include <greenroom/node.h>

#include "runtime/actor/call.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/cluster/cluster.h"

/* ---- one provider ---------------------------------------------------------------------------- */

static void provider_free(struct gri_pool_provider *p)
{
    if (p == NULL)
        return;
    gr_value_unref(p->incarnation);
    gri_free(p->url);
    gri_free(p);
}

/* provider_drop ends one that is off the table. Without the lock: an actor ends. */
static void provider_drop(struct gri_pool *pool, struct gri_pool_provider *p)
{
    if (p != NULL && p->url[0] != '\0')
        gr_stop(pool->rt, p->proxy);
    provider_free(p);
}

/* dials makes a provider's proxy; false: it could not be made, now. */
static bool dials(struct gri_pool *pool, struct gri_pool_provider *p)
{
    gr_value *err;
    bool well;

    if (p->url[0] == '\0')
        return true;
    p->proxy = gr_remote(pool->scope, p->url, pool->name);
    err = gr_check(pool->rt, p->proxy);
    well = err == NULL;
    gr_value_unref(err);
    if (!well)
        gr_stop(pool->rt, p->proxy);
    return well;
}

/* add_locked adds a provider; NULL when out of memory or of actors, or there are too many. */
static struct gri_pool_provider *add_locked(struct gri_pool *pool, const char *url)
{
    struct gri_pool_provider **all = NULL;
    struct gri_pool_provider *p = NULL;

    if (pool->count < GRI_POOL_PROVIDERS_MAX)
        all = gri_resize(pool->at, (pool->count + 1) * sizeof(*all));
    if (all == NULL)
        return NULL;
    pool->at = all;
    p = gri_new0(struct gri_pool_provider);
    if (p != NULL)
        p->url = gri_strdup(url);
    if (p == NULL || p->url == NULL || !dials(pool, p)) {
        provider_free(p);
        return NULL;
    }
    p->number = ++pool->numbers;
    p->weight = 1;
    p->listed = true;
    pool->at[pool->count++] = p;
    return p;
}

/* ---- following the cluster ------------------------------------------------------------------- */

static struct gri_pool_provider *find_locked(struct gri_pool *pool, const char *url)
{
    for (size_t i = 1; i < pool->count; i++)
        if (strcmp(pool->at[i]->url, url) == 0)
            return pool->at[i];
    return NULL;
}

/* list_locked puts a provider on the table, or finds it there. A new incarnation is not out. false: it
 * is not there. */
static bool list_locked(struct gri_pool *pool, const char *url, int64_t weight,
                        const gr_value *incarnation)
{
    struct gri_pool_provider *p = find_locked(pool, url);

    if (p == NULL)
        p = add_locked(pool, url);
    if (p == NULL)
        return false;
    p->listed = true;
    p->weight = weight;
    if (incarnation != NULL && !gr_equal(p->incarnation, incarnation)) {
        if (p->incarnation != NULL)
            p->out = false;
        gr_value_unref(p->incarnation);
        p->incarnation = gr_value_ref(incarnation);
    }
    return true;
}

/* sweep_locked takes those that are listed no more off the table; idle ones into `gone`, whose
 * number it returns. The others go with their last call. */
static size_t sweep_locked(struct gri_pool *pool, struct gri_pool_provider **gone)
{
    size_t kept = 1, count = 0;

    for (size_t i = 1; i < pool->count; i++) {
        struct gri_pool_provider *p = pool->at[i];

        if (p->listed)
            pool->at[kept++] = p;
        else if (p->outstanding == 0)
            gone[count++] = p;
    }
    pool->count = kept;
    return count;
}

/* mark_locked puts all on the table that are to be there; false: not all could be, this time. */
static bool mark_locked(struct gri_pool *pool, const gr_value *list)
{
    bool whole = true;

    for (size_t i = 1; i < pool->count; i++)
        pool->at[i]->listed = false;
    for (size_t i = 0; i < gr_len(pool->own); i++)
        whole &= list_locked(pool, gr_cstr(gr_at(pool->own, i), ""), 1, NULL);
    for (size_t i = 0; i < gr_len(list); i++) {
        const gr_value *p = gr_at(list, i);

        if (!gri_is_here(pool->rt, p))
            whole &= list_locked(pool, gr_cstr(gr_get(p, "url"), ""),
                                 gr_as_int(gr_get(p, "weight"), 1), gr_get(p, "incarnation"));
    }
    return whole;
}

/* follow brings the table up to date with the cluster's list. */
static void follow(struct gri_pool *pool)
{
    gr_value *list = gri_providers_of(pool->rt, pool->name);
    struct gri_pool_provider **gone = NULL;
    size_t count = 0;

    gri_lock(&pool->lock);
    if (!pool->looked || list != pool->seen) {
        gr_value *old = pool->seen;

        gone = gri_alloc(pool->count * sizeof(struct gri_pool_provider *));
        if (gone != NULL) {
            pool->looked = mark_locked(pool, list);
            count = sweep_locked(pool, gone);
            pool->seen = list;
            list = old;
        } /* else: once more at the next call */
    }
    gri_unlock(&pool->lock);
    gr_value_unref(list);
    for (size_t i = 0; i < count; i++)
        provider_drop(pool, gone[i]);
    gri_free(gone);
}

/* ---- choosing -------------------------------------------------------------------------------- */

static bool is_tried(const struct gri_pool_provider *p, struct gri_pool_provider *const *tried,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tried[i] == p)
            return true;
    return false;
}

/* is_candidate: of those that are out only when there is no other. */
static bool is_candidate(const struct gri_pool_provider *p, struct gri_pool_provider *const *tried,
                         size_t count, bool out)
{
    return p->listed && p->out == out && !is_tried(p, tried, count);
}

/* busier compares calls under way by weight. */
static bool busier(const struct gri_pool_provider *a, const struct gri_pool_provider *b)
{
    return (uint64_t)a->outstanding * (uint64_t)b->weight >
           (uint64_t)b->outstanding * (uint64_t)a->weight;
}

/* least_locked finds one that has the fewest calls under way; NULL: no candidates. */
static const struct gri_pool_provider *least_locked(const struct gri_pool *pool,
                                                    struct gri_pool_provider *const *tried,
                                                    size_t count, bool out)
{
    const struct gri_pool_provider *least = NULL;

    for (size_t i = 0; i < pool->count; i++)
        if (is_candidate(pool->at[i], tried, count, out) &&
            (least == NULL || busier(least, pool->at[i])))
            least = pool->at[i];
    return least;
}

static struct gri_pool_provider *turn_locked(struct gri_pool *pool,
                                             struct gri_pool_provider *const *tried, size_t count,
                                             bool out)
{
    const struct gri_pool_provider *least =
        pool->routing == GR_FEWEST_OUTSTANDING ? least_locked(pool, tried, count, out) : NULL;
    struct gri_pool_provider *best = NULL;
    int64_t all = 0;

    for (size_t i = 0; i < pool->count; i++) {
        struct gri_pool_provider *p = pool->at[i];

        if (!is_candidate(p, tried, count, out) || (least != NULL && busier(p, least)))
            continue;
        p->gain += p->weight;
        all += p->weight;
        if (best == NULL || p->gain > best->gain)
            best = p;
        if (i == 0 && pool->routing == GR_LOCAL_FIRST)
            break;
    }
    if (best != NULL)
        best->gain -= all;
    return best;
}

/* see_here looks whether this runtime is a provider. */
static void see_here(struct gri_pool *pool)
{
    gr_ref here = gri_provider_here(pool->rt, pool->name);

    gri_lock(&pool->lock);
    if (pool->at[0]->proxy.id != here.id)
        pool->at[0]->out = false;
    pool->at[0]->proxy = here;
    pool->at[0]->listed = here.id != 0;
    gri_unlock(&pool->lock);
}

struct gri_pool_provider *gri_pool_choose(struct gri_pool *pool,
                                          struct gri_pool_provider *const *tried, size_t count,
                                          gr_ref *ret_to, bool *ret_known)
{
    struct gri_pool_provider *p = NULL;

    follow(pool);
    see_here(pool);
    gri_lock(&pool->lock);
    if (count < GRI_TRIES_MAX)
        p = turn_locked(pool, tried, count, false);
    if (p == NULL && count < GRI_TRIES_MAX)
        p = turn_locked(pool, tried, count, true);
    if (p != NULL) {
        p->outstanding++;
        *ret_to = p->proxy;
    }
    *ret_known = pool->count > 1 || pool->at[0]->listed;
    gri_unlock(&pool->lock);
    return p;
}

/* ---- judging --------------------------------------------------------------------------------- */

/* is_own_word tells whether an error comes from the node at the other end and not from an actor
 * there: then it has no place but the proxy's own, "url/name". */
static bool is_own_word(const struct gri_pool *pool, const struct gri_pool_provider *p,
                        const char *where)
{
    size_t url = strlen(p->url);

    return strncmp(where, p->url, url) == 0 && where[url] == '/' &&
           strcmp(where + url + 1, pool->name) == 0;
}

static enum gri_verdict verdict_there(const gr_value *err)
{
    const char *kind = gr_cstr(gr_get(err, "kind"), "");
    bool refused = strcmp(kind, "NotServed") == 0;

    switch (gr_error_code(err)) {
    case GR_EUNREACH: /* it drains; or has drained, and this call took too long */
        if (refused)
            return GRI_NOT_BEGUN;
        return strcmp(kind, "NodeEnded") == 0 ? GRI_LOST : GRI_ANSWERED;
    case GR_EDEAD: return refused ? GRI_NOT_BEGUN : GRI_LOST;
    case GR_ECANCELED: return GRI_LOST; /* not by us: its runtime ends */
    default: return refused ? GRI_BUSY : GRI_ANSWERED;
    }
}

enum gri_verdict gri_pool_verdict(const struct gri_pool *pool, const struct gri_pool_provider *p,
                                  const gr_value *v, bool cancelled)
{
    const char *where = gr_cstr(gr_get(v, "where"), NULL);
    gr_code code = gr_error_code(v);

    if (code == GR_OK)
        return GRI_ANSWERED;
    if (cancelled)
        return GRI_OURS;
    if (where != NULL)
        return is_own_word(pool, p, where) ? verdict_there(v) : GRI_ANSWERED;
    if (code == GR_EUNREACH && strcmp(gr_cstr(gr_get(v, "kind"), ""), "NotSent") == 0)
        return GRI_NOT_BEGUN;
    if (code == GR_EUNREACH || code == GR_EDEAD || code == GR_EPROTO)
        return GRI_LOST;
    return GRI_OURS;
}

void gri_pool_judge(struct gri_pool *pool, struct gri_pool_provider *p, enum gri_verdict verdict)
{
    bool ask = false;
    uint64_t number;

    gri_lock(&pool->lock);
    number = p->number;
    if (verdict == GRI_ANSWERED || verdict == GRI_BUSY) {
        p->out = false;
    } else if (verdict != GRI_OURS && p->listed && !p->out) {
        p->out = true;
        ask = p->url[0] != '\0'; /* here is looked at with each call anyway */
    }
    gri_unlock(&pool->lock);
    if (!ask || gri_prober_ask(pool, number))
        return;
    gri_lock(&pool->lock);
    p->out = false; /* nobody would ask it, so calls have to */
    gri_unlock(&pool->lock);
}

void gri_pool_done(struct gri_pool *pool, struct gri_pool_provider *p)
{
    bool last;

    gri_lock(&pool->lock);
    gri_assert(p->outstanding > 0);
    last = --p->outstanding == 0 && !p->listed && p->url[0] != '\0';
    gri_unlock(&pool->lock);
    if (last)
        provider_drop(pool, p);
}

struct gri_pool_provider *gri_pool_out(struct gri_pool *pool, uint64_t number, gr_ref *ret_to)
{
    struct gri_pool_provider *p = NULL;

    follow(pool);
    gri_lock(&pool->lock);
    for (size_t i = 1; i < pool->count && p == NULL; i++)
        if (pool->at[i]->number == number && pool->at[i]->out)
            p = pool->at[i];
    if (p != NULL) {
        p->outstanding++;
        *ret_to = p->proxy;
    }
    gri_unlock(&pool->lock);
    return p;
}

gr_value *gri_pool_list(struct gri_pool *pool)
{
    gr_value *list = gr_list_n(NULL, 0);

    follow(pool);
    see_here(pool);
    gri_lock(&pool->lock);
    for (size_t i = 0; i < pool->count; i++) {
        const struct gri_pool_provider *p = pool->at[i];

        if (p->listed)
            list = gr_append(list, gr_map(GR_KV("url", gr_str(p->url)),
                                          GR_KV("weight", gr_int(p->weight)),
                                          GR_KV("outstanding", gr_int(p->outstanding)),
                                          GR_KV("out", gr_bool(p->out))));
    }
    gri_unlock(&pool->lock);
    return list;
}

/* ---- making ---------------------------------------------------------------------------------- */

void gri_pool_unref(void *arg)
{
    struct gri_pool *pool = arg;

    if (pool == NULL || atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < pool->count; i++)
        provider_free(pool->at[i]);
    gri_free(pool->at);
    gr_value_unref(pool->seen);
    gr_value_unref(pool->own);
    gri_free(pool->name);
    gri_free(pool);
}

/* own_urls copies a pool's own URLs; an error if one is wrong. */
static gr_value *own_urls(const char *name, const gr_pool_opts *o)
{
    gr_value *urls = gr_list_n(NULL, 0), *err = NULL;

    if (o->url_count > 1024)
        err = gr_error(GR_EINVAL, "a pool has at most 1024 URLs of its own");
    for (size_t i = 0; i < o->url_count && err == NULL; i++) {
        err = gri_provider_wrong(name, o->urls[i]);
        if (err == NULL)
            urls = gr_append(urls, gr_str(o->urls[i]));
    }
    if (err == NULL)
        return urls;
    gr_value_unref(urls);
    return err;
}

struct gri_pool *gri_pool_new(gr_scope *in, const char *name, const gr_pool_opts *opts,
                              gr_value **ret_err)
{
    gr_value *own = own_urls(name, opts);
    struct gri_pool *pool = NULL;

    if (gr_error_code(own) != GR_OK) {
        *ret_err = own;
        return NULL;
    }
    pool = gri_new0(struct gri_pool);
    if (pool == NULL) {
        gr_value_unref(own);
        return NULL;
    }
    atomic_init(&pool->refs, 1);
    pool->rt = in->rt;
    pool->scope = in;
    pool->routing = opts->routing;
    pool->idempotent = opts->idempotent;
    pool->own = own;
    pool->name = gri_strdup(name);
    if (pool->name == NULL || add_locked(pool, "") == NULL) {
        gri_pool_unref(pool);
        return NULL;
    }
    return pool;
}
