/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_patch.c - see the header.
 *
 * Maps are compared key by key and lists place by place, as the jsonpatch that langchain-core uses does: of a
 * map what is gone comes first, then what is new, then what differs; a list changes at its end. One path is
 * built up and cut back on the way.
 */
#include "actors/parse/json_patch.h"

#include "runtime/base/strbuf.h"

struct patch {
    struct gri_strbuf path;
    gr_value *ops; /* counted */
};

/* go_into adds a step, escaped as RFC 6901 has it; returns where the path was before. */
static size_t go_into(struct patch *p, const char *key)
{
    size_t was = p->path.len;

    gri_strbuf_addc(&p->path, '/');
    for (; *key != '\0'; key++) {
        if (*key == '~' || *key == '/')
            gri_strbuf_adds(&p->path, *key == '~' ? "~0" : "~1");
        else
            gri_strbuf_addc(&p->path, *key);
    }
    return was;
}

static size_t go_to(struct patch *p, size_t index)
{
    size_t was = p->path.len;

    gri_strbuf_addf(&p->path, "/%zu", index);
    return was;
}

static void go_back(struct patch *p, size_t was)
{
    if (!p->path.failed)
        p->path.len = was;
}

/* tell adds an operation at the path; value NULL: it has none. */
static void tell(struct patch *p, const char *what, const gr_value *value)
{
    gr_value *op = gr_map(GR_KV("op", gr_str(what)),
                          GR_KV("path", gr_strn(p->path.len > 0 ? p->path.data : "", p->path.len)));

    p->ops = gr_append(p->ops, value != NULL ? gr_set(op, "value", gr_value_ref(value)) : op);
}

static void compare(struct patch *p, const gr_value *before, const gr_value *after);

static void compare_maps(struct patch *p, const gr_value *before, const gr_value *after)
{
    const char *key = NULL;

    for (size_t i = 0; i < gr_len(before); i++) {
        gr_pair_at(before, i, &key);
        if (gr_get(after, key) == NULL) {
            size_t was = go_into(p, key);

            tell(p, "remove", NULL);
            go_back(p, was);
        }
    }
    for (int same = 0; same < 2; same++) {
        for (size_t i = 0; i < gr_len(after); i++) {
            const gr_value *v = gr_pair_at(after, i, &key), *old = gr_get(before, key);
            size_t was;

            if ((old != NULL) != (same == 1))
                continue;
            was = go_into(p, key);
            if (old == NULL)
                tell(p, "add", v);
            else
                compare(p, old, v);
            go_back(p, was);
        }
    }
}

static void compare_lists(struct patch *p, const gr_value *before, const gr_value *after)
{
    size_t old = gr_len(before), count = gr_len(after);

    for (size_t i = 0; i < (old > count ? old : count); i++) {
        size_t was = go_to(p, i < count ? i : count);

        if (i >= count)
            tell(p, "remove", NULL);
        else if (i >= old)
            tell(p, "add", gr_at(after, i));
        else
            compare(p, gr_at(before, i), gr_at(after, i));
        go_back(p, was);
    }
}

static void compare(struct patch *p, const gr_value *before, const gr_value *after)
{
    gr_type type = gr_value_type(before);

    if (type == gr_value_type(after) && type == GR_MAP)
        compare_maps(p, before, after);
    else if (type == gr_value_type(after) && type == GR_LIST)
        compare_lists(p, before, after);
    else if (!gr_equal(before, after))
        tell(p, "replace", after);
}

gr_value *gri_json_patch(const gr_value *before, const gr_value *after)
{
    struct patch p = { .path = GRI_STRBUF_INIT, .ops = gr_list_n(NULL, 0) };

    if (before == NULL)
        tell(&p, "replace", after);
    else
        compare(&p, before, after);
    if (p.path.failed) {
        gr_value_unref(p.ops);
        p.ops = gr_error(GR_ENOMEM, "out of memory for a patch");
    }
    gri_strbuf_fini(&p.path);
    return p.ops;
}
