/* SPDX-License-Identifier: Apache-2.0 */
/* byte_store.c - the verbs of stores by key, plain and a-twins, and their arguments. */
#include "actors/store/byte_store.h"

#include <string.h>

/* ---- calling --------------------------------------------------------------------------------- */

static gr_value *keys_args(gr_value *keys)
{
    return gr_map(GR_KV("keys", keys));
}

static gr_value *pairs_args(gr_value *pairs)
{
    return gr_map(GR_KV("pairs", pairs));
}

gr_value *gr_mget(gr_runtime *rt, gr_ref store, gr_value *keys, const gr_call_opts *opts,
                  gr_value **reterr)
{
    return gr_do(rt, store, "mget", keys_args(keys), opts, reterr);
}

gr_future *gr_amget(gr_runtime *rt, gr_ref store, gr_value *keys, const gr_call_opts *opts)
{
    return gr_acall(rt, store, "mget", keys_args(keys), opts);
}

gr_value *gr_mset(gr_runtime *rt, gr_ref store, gr_value *pairs, const gr_call_opts *opts,
                  gr_value **reterr)
{
    return gr_do(rt, store, "mset", pairs_args(pairs), opts, reterr);
}

gr_future *gr_amset(gr_runtime *rt, gr_ref store, gr_value *pairs, const gr_call_opts *opts)
{
    return gr_acall(rt, store, "mset", pairs_args(pairs), opts);
}

gr_value *gr_mdelete(gr_runtime *rt, gr_ref store, gr_value *keys, const gr_call_opts *opts,
                     gr_value **reterr)
{
    return gr_do(rt, store, "mdelete", keys_args(keys), opts, reterr);
}

gr_future *gr_amdelete(gr_runtime *rt, gr_ref store, gr_value *keys, const gr_call_opts *opts)
{
    return gr_acall(rt, store, "mdelete", keys_args(keys), opts);
}

gr_stream *gr_ayield_keys(gr_runtime *rt, gr_ref store, const char *prefix,
                          const gr_call_opts *opts)
{
    gr_value *args = gr_map_n(NULL, 0);

    if (prefix != NULL)
        args = gr_set(args, "prefix", gr_str(prefix));
    return gr_astream_call(rt, store, "yield_keys", args, NULL, opts);
}

gr_value *gr_yield_keys(gr_runtime *rt, gr_ref store, const char *prefix, const gr_call_opts *opts,
                        gr_value **reterr)
{
    gr_stream *s = gr_ayield_keys(rt, store, prefix, opts);
    gr_value *keys = gr_list_n(NULL, 0);
    gr_outcome o;

    while ((o = gr_next(s, -1)).code == GR_OK)
        keys = gr_append(keys, gr_value_ref(o.value));
    if (o.code != GR_EOS) {
        gr_value_unref(keys);
        keys = o.error != NULL ? gr_value_ref(o.error) : gr_error(o.code, "no keys came");
    }
    gr_stream_free(s);
    if (gr_error_code(keys) == GR_OK)
        return keys;
    if (reterr != NULL)
        *reterr = keys;
    else
        gr_value_unref(keys);
    return NULL;
}

gr_value *gri_store_one(gr_runtime *rt, gr_ref store, gr_value *key, gr_value **reterr)
{
    gr_value *list = gr_mget(rt, store, gr_list(key), NULL, reterr), *one;

    if (list == NULL)
        return NULL;
    one = gr_len(list) == 1 ? gr_value_ref(gr_at(list, 0)) : gr_nil();
    gr_value_unref(list);
    return one;
}

/* ---- checking -------------------------------------------------------------------------------- */

static gr_value *check_key(const gr_value *key, size_t index)
{
    size_t len = gr_len(key);

    if (gr_value_type(key) != GR_STR)
        return gr_error(GR_ETYPE, "key %zu is no text", index + 1);
    if (len == 0 || len > GR_STORE_KEY_MAX || strlen(gr_cstr(key, "")) != len)
        return gr_error(GR_EINVAL, "key %zu is empty, has a NUL byte, or is above %d bytes",
                        index + 1, GR_STORE_KEY_MAX);
    return NULL;
}

gr_value *gri_store_check_keys(const gr_value *args)
{
    const gr_value *keys = gr_get(args, "keys");
    gr_value *err = NULL;

    if (gr_value_type(keys) != GR_LIST)
        return gr_error(GR_ETYPE, "expected {\"keys\": [string …]}");
    for (size_t i = 0; i < gr_len(keys) && err == NULL; i++)
        err = check_key(gr_at(keys, i), i);
    return err;
}

gr_value *gri_store_check_pairs(const gr_value *args)
{
    const gr_value *pairs = gr_get(args, "pairs");
    gr_value *err = NULL;

    if (gr_value_type(pairs) != GR_LIST)
        return gr_error(GR_ETYPE, "expected {\"pairs\": [[string, value] …]}");
    for (size_t i = 0; i < gr_len(pairs) && err == NULL; i++) {
        const gr_value *pair = gr_at(pairs, i), *v = gr_at(pair, 1);

        if (gr_value_type(pair) != GR_LIST || gr_len(pair) != 2)
            return gr_error(GR_ETYPE, "pair %zu is not [string, value]", i + 1);
        if (gr_error_code(v) != GR_OK)
            return gr_value_ref(v);
        if (gr_is_nil(v))
            return gr_error(GR_EINVAL, "pair %zu: nil can't be told from nothing", i + 1);
        if (gr_value_type(v) == GR_OPAQUE)
            return gr_error(GR_ETYPE, "pair %zu: an opaque value can't be kept", i + 1);
        err = check_key(gr_at(pair, 0), i);
    }
    return err;
}
