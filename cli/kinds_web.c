/* SPDX-License-Identifier: Apache-2.0 */
/* kinds_web.c - the kinds that reach into the web. */
#include "cli/chain_build.h"
#include "cli/chain_kinds.h"

#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof((array)[0])
#define MS_MAX 86400000.0 /* a day: longer waits are mistakes */

static const struct gri_chain_key fetch_keys[] = {
    { "bytes_max", GRI_ARG_INT, false, 1, 1e9, "longest answer; default 1048576" },
    { "timeout_ms", GRI_ARG_INT, false, 1, MS_MAX, "from start to end; default 30000" },
    { "inner_too", GRI_ARG_BOOL, false, 0, 0,
      "also addresses that are not public, which a model should not reach; default false" },
};

static gr_ref build_fetch(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_fetch(b->in, GR_FETCH(.bytes_max = (size_t)gri_arg_int(args, "bytes_max", 0),
                                    .timeout_ms = gri_arg_int(args, "timeout_ms", 0),
                                    .inner_too = gri_arg_bool(args, "inner_too")));
}

const struct gri_chain_kind gri_chain_kinds_web[GRI_CHAIN_KINDS_WEB] = {
    { .name = "fetch",
      .help = "the text behind a URL that a user or a model names",
      KEYS(fetch_keys),
      .build = build_fetch },
};
