/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_claims.c - names that one node at a time holds.
 *
 * A claim is a key under the lease that is created only if it is not there: a compare-and-swap on its
 * create_revision, which is the fencing token once it is. Whoever finds it taken waits until the
 * watcher tells that the key is gone, and asks again with each renewal, should that be missed.
 */
#include "runtime/cluster/etcd_keeper.h"

#include <string.h>

#include <greenroom/codec.h>
#include <greenroom/link.h>

#include "runtime/base/alloc.h"

/* note writes down, for gr_claim_token, that a claim is held; token 0: that it is not. */
static bool note(struct gri_cluster *k, const char *name, uint64_t token)
{
    uint64_t *entry = token != 0 ? gri_new0(uint64_t) : NULL, *old;
    bool noted = token == 0;

    if (token != 0 && entry == NULL)
        return false;
    if (entry != NULL)
        *entry = token;
    gri_lock(&k->lock);
    old = gri_map_dels(&k->claims, name);
    if (entry != NULL)
        noted = gri_map_puts(&k->claims, name, entry);
    gri_unlock(&k->lock);
    gri_free(old);
    if (!noted)
        gri_free(entry);
    return noted;
}

static void claim_fini(struct gri_claim *claim)
{
    gri_asker_free(claim->asker);
    gri_free(claim->name);
}

static void forget(struct gri_keeper *s, size_t at)
{
    claim_fini(&s->claims[at]);
    s->claims[at] = s->claims[--s->claim_count];
}

/* ---- asking ---------------------------------------------------------------------------------- */

static gr_value *claim_key(const struct gri_keeper *s, const char *name)
{
    return gri_etcd_key(s->k->etcd, "claims/", name, "");
}

static gr_value *own_mark(const struct gri_keeper *s)
{
    gr_value *v =
        gr_map(GR_KV("node", gr_str(s->k->node)), GR_KV("incarnation", gr_str(s->k->incarnation)));
    size_t len = 0;
    char *text = gr_json_print(v, 0, &len);
    gr_value *out = text != NULL ? gr_bin(text, len) : gr_error(GR_ENOMEM, "out of memory");

    gr_value_unref(v);
    gr_free(text);
    return out;
}

/* transaction: if the key is not there, put it; in either case read it. */
static gr_value *transaction(const struct gri_keeper *s, const char *name)
{
    gr_value *compare =
        gr_map(GR_KV("target", gr_str("CREATE")), GR_KV("result", gr_str("EQUAL")),
               GR_KV("key", claim_key(s, name)), GR_KV("create_revision", gr_str("0")));
    gr_value *put = gr_map(GR_KV("key", claim_key(s, name)), GR_KV("value", own_mark(s)),
                           GR_KV("lease", gr_strf("%lld", (long long)s->lease)));
    gr_value *range = gr_map(GR_KV("request_range", gr_map(GR_KV("key", claim_key(s, name)))));

    return gr_map(GR_KV("compare", gr_list(compare)),
                  GR_KV("success", gr_list(gr_map(GR_KV("request_put", put)), gr_value_ref(range))),
                  GR_KV("failure", gr_list(range)));
}

/* token_of reads the token from a transaction's answer; 0: the claim is another's. One that is under
 * our own lease is ours: the answer that said so was lost. */
static uint64_t token_of(const struct gri_keeper *s, const gr_value *answer)
{
    const gr_value *responses = gr_get(answer, "responses");
    const gr_value *range = gr_get(
        gr_at(responses, gr_len(responses) > 0 ? gr_len(responses) - 1 : 0), "response_range");
    const gr_value *kv = gr_at(gr_get(range, "kvs"), 0);

    if (kv == NULL || (uint64_t)gri_etcd_int(kv, "lease") != s->lease)
        return 0;
    return (uint64_t)gri_etcd_int(kv, "create_revision");
}

/* give tells who waits that the claim is his. If he does so no more, the next sweep gives it up. */
static void give(struct gri_keeper *s, struct gri_claim *claim, uint64_t token)
{
    if (!note(s->k, claim->name, token))
        return; /* out of memory: it is ours, and is found to be once more */
    claim->token = token;
    claim->given = gri_asker_answer(claim->asker, gr_int((int64_t)token));
}

/* try_one: false, etcd is away. */
static bool try_one(gr_ctx *c, struct gri_keeper *s, struct gri_claim *claim)
{
    gr_value *v =
        gri_etcd_post(c, s->k, "/v3/kv/txn", transaction(s, claim->name), gri_keeper_wait_ms(s));
    bool well = gr_error_code(v) == GR_OK;
    uint64_t token = well ? token_of(s, v) : 0;

    if (!well)
        gri_keeper_lost(c, s, v);
    else if (token != 0)
        give(s, claim, token);
    gr_value_unref(v);
    return well;
}

bool gri_claims_try(gr_ctx *c, struct gri_keeper *s, const char *name)
{
    bool well = true;

    gri_claims_sweep(c, s);
    for (size_t i = 0; i < s->claim_count && well && s->lease != 0; i++)
        if (s->claims[i].token == 0 && (name == NULL || strcmp(s->claims[i].name, name) == 0))
            well = try_one(c, s, &s->claims[i]);
    return well && (s->lease != 0 || s->claim_count == 0);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* give_up deletes a claim's key if it is the one that was ours; when etcd is away the lease ends it. */
static void give_up(gr_ctx *c, struct gri_keeper *s, const struct gri_claim *claim)
{
    gr_value *compare = gr_map(GR_KV("target", gr_str("LEASE")), GR_KV("result", gr_str("EQUAL")),
                               GR_KV("key", claim_key(s, claim->name)),
                               GR_KV("lease", gr_strf("%lld", (long long)s->lease)));
    gr_value *gone =
        gr_map(GR_KV("request_delete_range", gr_map(GR_KV("key", claim_key(s, claim->name)))));

    gr_value_unref(
        gri_etcd_post(c, s->k, "/v3/kv/txn",
                      gr_map(GR_KV("compare", gr_list(compare)), GR_KV("success", gr_list(gone))),
                      gri_keeper_wait_ms(s)));
}

void gri_claims_lose(gr_ctx *c, struct gri_keeper *s)
{
    for (size_t i = s->claim_count; i-- > 0;) {
        struct gri_claim *claim = &s->claims[i];

        if (claim->token == 0 && !s->leaving)
            continue; /* still wanted */
        note(s->k, claim->name, 0);
        gr_demonitor(c, claim->monitor);
        if (claim->token != 0)
            gr_exit_to(
                s->k->rt, claim->holder,
                gr_error_with(gr_error(GR_ECANCELED, "the claim to '%s' was lost", claim->name),
                              "kind", gr_str("ClaimLost")));
        else
            gri_asker_answer(claim->asker, gr_error(GR_ECANCELED, "leaving the cluster"));
        forget(s, i);
    }
}

static void release(gr_ctx *c, struct gri_keeper *s, size_t at)
{
    struct gri_claim *claim = &s->claims[at];

    note(s->k, claim->name, 0);
    gr_demonitor(c, claim->monitor);
    if (s->lease != 0)
        give_up(c, s, claim);
    forget(s, at);
}

void gri_claims_release(gr_ctx *c, struct gri_keeper *s, const char *name, gr_ref holder)
{
    for (size_t i = s->claim_count; i-- > 0;) {
        const struct gri_claim *claim = &s->claims[i];
        bool meant = name != NULL
                         ? strcmp(claim->name, name) == 0
                         : claim->holder.id == holder.id && claim->holder.node == holder.node;

        if (meant)
            release(c, s, i);
    }
}

void gri_claims_sweep(gr_ctx *c, struct gri_keeper *s)
{
    for (size_t i = s->claim_count; i-- > 0;)
        if (!s->claims[i].given && gri_asker_gone(s->claims[i].asker))
            release(c, s, i);
}

void gri_claims_fini(struct gri_keeper *s)
{
    for (size_t i = 0; i < s->claim_count; i++)
        claim_fini(&s->claims[i]);
    gri_free(s->claims);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static bool grow(struct gri_keeper *s)
{
    size_t cap = s->claim_cap == 0 ? 8 : s->claim_cap * 2;
    struct gri_claim *claims;

    if (s->claim_count < s->claim_cap)
        return true;
    claims = gri_resize(s->claims, cap * sizeof(*claims));
    if (claims == NULL)
        return false;
    s->claims = claims;
    s->claim_cap = cap;
    return true;
}

static gr_value *unfit(const struct gri_keeper *s, const char *name)
{
    for (size_t i = 0; i < s->claim_count; i++)
        if (strcmp(s->claims[i].name, name) == 0)
            return gr_error(GR_EINVAL, "'%s' is claimed here already", name);
    if (s->claim_count >= GRI_CLAIMS_MAX)
        return gr_error(GR_EFULL, "at most %u claims", GRI_CLAIMS_MAX);
    return NULL;
}

gr_value *gri_claims_add(gr_ctx *c, struct gri_keeper *s, const gr_value *args)
{
    const char *name = gr_cstr(gr_get(args, "name"), "");
    struct gri_claim claim = { .holder = gr_as_ref(gr_get(args, "holder")) };
    gr_value *err = unfit(s, name), *dead;
    gr_code rc;

    if (err != NULL)
        return err;
    dead = gr_check(s->k->rt, claim.holder);
    if (dead != NULL)
        return dead;
    claim.name = gri_strdup(name);
    if (claim.name == NULL || !grow(s)) {
        gri_free(claim.name);
        return gr_error(GR_ENOMEM, "out of memory");
    }
    rc = gr_monitor(c, claim.holder, &claim.monitor);
    if (rc == GR_OK) {
        claim.asker = gri_asker_new(c, s->k);
        if (claim.asker == NULL) {
            gr_demonitor(c, claim.monitor);
            rc = GR_ENOMEM;
        }
    }
    if (rc != GR_OK) {
        gri_free(claim.name);
        return gr_error(rc, "the holder of '%s' can't be monitored", name);
    }
    s->claims[s->claim_count++] = claim;
    return NULL;
}
