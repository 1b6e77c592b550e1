/* SPDX-License-Identifier: Apache-2.0 */
/* regex_parser.c - gr_regex_parser: the groups of the first match, by name. */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>

#include <string.h>

#include "actors/compose/describe.h"
#include "actors/parse/parsing.h"
#include "actors/text/regex.h"

static void drop_regex(void *p)
{
    gri_regex_free(p);
}

/* groups gives what the groups matched, by the keys; one that took no part is "". */
static gr_value *groups(const gr_value *keys, const char *text, const struct gri_regex_span *at)
{
    gr_value *out = gr_map_n(NULL, 0);

    for (size_t i = 0; i < gr_len(keys); i++) {
        bool part = at[i + 1].start != SIZE_MAX;

        out = gr_set(out, gr_cstr(gr_at(keys, i), ""),
                     part ? gr_strn(text + at[i + 1].start, at[i + 1].len) : gr_str(""));
    }
    return out;
}

/* otherwise gives the whole text under the key that is for that, or the error. */
static gr_value *otherwise(const gr_value *args, const gr_value *text)
{
    const gr_value *keys = gr_get(args, "keys"), *key = gr_get(args, "default");
    gr_value *out;

    if (gr_is_nil(key))
        return gri_parse_error(text, "the regular expression does not match the answer");
    out = gr_map_n(NULL, 0);
    for (size_t i = 0; i < gr_len(keys); i++)
        out = gr_set(out, gr_cstr(gr_at(keys, i), ""),
                     gr_equal(gr_at(keys, i), key) ? gr_value_ref(text) : gr_str(""));
    return out;
}

static gr_value *regex_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const gr_value *args = gr_args(c), *keys = gr_get(args, "keys");
    struct gri_regex_span at[GRI_REGEX_GROUPS_MAX];
    gr_value *text = gr_message_text(input), *v = NULL;
    gr_code rc;

    (void)self;
    if (gr_error_code(text) != GR_OK)
        return text;
    rc = gri_regex_find(gr_as_opaque(gr_get(args, "regex")), gr_cstr(text, ""), gr_len(text), 0, at,
                        gr_len(keys) + 1, &v);
    if (rc == GR_OK)
        v = groups(keys, gr_cstr(text, ""), at);
    else if (rc == GR_EOS)
        v = otherwise(args, text);
    gr_value_unref(text);
    return v;
}

static gr_value *regex_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_describe_leaf("RegexParser", NULL, gri_schema_of_texts(gr_get(gr_args(c), "keys")));
}

static const gr_method regex_methods[] = {
    { "invoke", GR_CHEAP, regex_invoke, NULL },
    { "describe", GR_CHEAP, regex_describe, NULL },
};
static const gr_class regex_class =
    GR_CLASS(.name = "RegexParser", .run_type = GR_TYPE_PARSER, GR_METHODS(regex_methods));

/* check_keys: NULL, or what is wrong. */
static gr_value *check_keys(const gr_value *keys, const char *otherwise_key)
{
    bool found = otherwise_key == NULL;

    if (gr_error_code(keys) != GR_OK)
        return keys != NULL ? gr_value_ref(keys) : gr_error(GR_EINVAL, "regex_parser: no keys");
    if (gr_value_type(keys) != GR_LIST || gr_len(keys) == 0 || gr_len(keys) >= GRI_REGEX_GROUPS_MAX)
        return gr_error(GR_EINVAL, "regex_parser: output_keys is a list of 1 to %u texts",
                        GRI_REGEX_GROUPS_MAX - 1);
    for (size_t i = 0; i < gr_len(keys); i++) {
        if (gr_value_type(gr_at(keys, i)) != GR_STR)
            return gr_error(GR_EINVAL, "regex_parser: key %zu is no text", i + 1);
        found = found || strcmp(gr_cstr(gr_at(keys, i), ""), otherwise_key) == 0;
    }
    return found ? NULL
                 : gr_error(GR_EINVAL, "regex_parser: default_output_key '%.60s' is no output key",
                            otherwise_key);
}

gr_ref gr_regex_parser(gr_scope *in, const char *regex, gr_value *output_keys,
                       const char *default_output_key)
{
    struct gri_regex *re = NULL;
    gr_value *args = check_keys(output_keys, default_output_key);

    if (args == NULL && regex == NULL)
        args = gr_error(GR_EINVAL, "regex_parser: no regular expression");
    if (args == NULL)
        (void)gri_regex_new(regex, strlen(regex), 0, &re, &args);
    if (args == NULL && gri_regex_groups(re) <= gr_len(output_keys)) {
        args = gr_error(GR_EINVAL, "regex_parser: %zu groups for %zu keys",
                        gri_regex_groups(re) - 1, gr_len(output_keys));
        gri_regex_free(re);
    }
    if (args != NULL)
        gr_value_unref(output_keys);
    else
        args = gr_map(
            GR_KV("regex", gr_opaque(re, drop_regex)), GR_KV("keys", output_keys),
            GR_KV("default", default_output_key != NULL ? gr_str(default_output_key) : gr_nil()));
    return gr_spawn(in, &regex_class, GR_SPAWN(.args = args));
}
