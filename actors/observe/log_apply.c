/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_apply.c - gr_log_apply: RFC 6902 patches, as far as astream_log writes them: add, replace and
 * remove.
 *
 * Values don't change, but one that nobody else holds is changed in place. So on the way down each
 * part is lifted out of its container, which then holds a nil in its stead: a log that grows by small
 * patches costs time in proportion to them.
 */
#include <greenroom/callbacks.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"

struct change {
    const char *op; /* add, replace or remove */
    const char *path;
    const gr_value *value; /* borrowed */
    gr_value *error;       /* counted; why it can't be done, NULL: it could */
};

/* refuse gives up: what it returns stands for node, and is thrown away with all around it. */
static gr_value *refuse(gr_value *node, struct change *c)
{
    gr_value_unref(node);
    c->error = gr_error(GR_EINVAL, "the log has no place for %s \"%s\"", c->op, c->path);
    return gr_nil();
}

/* token copies a part of a path, up to the next slash, without its escapes; NULL: out of memory. */
static char *token(const char *at, size_t *ret_len)
{
    size_t len = strcspn(at, "/"), to = 0;
    char *text = gri_strndup(at, len);

    *ret_len = len;
    for (size_t i = 0; text != NULL && i < len; i++) {
        bool escape = text[i] == '~' && i + 1 < len;

        if (escape && text[i + 1] == '0')
            text[to++] = '~', i++;
        else if (escape && text[i + 1] == '1')
            text[to++] = '/', i++;
        else
            text[to++] = text[i];
    }
    if (text != NULL)
        text[to] = '\0';
    return text;
}

/* index_of reads a list's index; -1: it is none. "-" is the place after the last. */
static int64_t index_of(const gr_value *list, const char *key)
{
    char *end = NULL;
    unsigned long index;

    if (strcmp(key, "-") == 0)
        return (int64_t)gr_len(list);
    if (key[0] < '0' || key[0] > '9')
        return -1;
    index = strtoul(key, &end, 10);
    return *end == '\0' && index <= gr_len(list) ? (int64_t)index : -1;
}

/* with_item gives the list with v (NULL: nothing) in place of `instead` of its items from index on. */
static gr_value *with_item(gr_value *list, size_t index, size_t instead, gr_value *v)
{
    gr_value *copy = gr_list_n(NULL, 0);

    for (size_t i = 0; i < index; i++)
        copy = gr_append(copy, gr_value_ref(gr_at(list, i)));
    if (v != NULL)
        copy = gr_append(copy, v);
    for (size_t i = index + instead; i < gr_len(list); i++)
        copy = gr_append(copy, gr_value_ref(gr_at(list, i)));
    gr_value_unref(list);
    return copy;
}

static gr_value *apply_at(gr_value *node GR_TAKES, const char *path, struct change *c);

static gr_value *in_list(gr_value *list, const char *key, const char *rest, struct change *c)
{
    int64_t at = index_of(list, key);
    size_t len = gr_len(list), index = (size_t)at;
    bool there = at >= 0 && index < len;
    gr_value *v;

    if (*rest != '\0') {
        if (!there)
            return refuse(list, c);
        v = apply_at(gr_value_ref(gr_at(list, index)), rest, c);
        return with_item(list, index, 1, v);
    }
    if (at < 0 || (!there && strcmp(c->op, "add") != 0))
        return refuse(list, c);
    if (strcmp(c->op, "remove") == 0)
        return with_item(list, index, 1, NULL);
    if (!there)
        return gr_append(list, gr_value_ref(c->value));
    return with_item(list, index, strcmp(c->op, "replace") == 0 ? 1 : 0, gr_value_ref(c->value));
}

static gr_value *in_map(gr_value *map, const char *key, const char *rest, struct change *c)
{
    gr_value *part = gr_value_ref(gr_get(map, key));

    if (part == NULL && (*rest != '\0' || strcmp(c->op, "add") != 0))
        return refuse(map, c);
    if (*rest != '\0') {
        map = gr_set(map, key, gr_nil());
        return gr_set(map, key, apply_at(part, rest, c));
    }
    gr_value_unref(part);
    if (strcmp(c->op, "remove") == 0)
        return gr_without(map, key);
    return gr_set(map, key, gr_value_ref(c->value));
}

/* apply_at changes what lies under path, "" or "/…", in node. */
static gr_value *apply_at(gr_value *node, const char *path, struct change *c)
{
    size_t len;
    char *key;

    if (*path == '\0') {
        gr_value_unref(node);
        return strcmp(c->op, "remove") == 0 ? gr_nil() : gr_value_ref(c->value);
    }
    if (*path != '/' || (gr_value_type(node) != GR_LIST && gr_value_type(node) != GR_MAP))
        return refuse(node, c);
    key = token(path + 1, &len);
    if (key == NULL) {
        gr_value_unref(node);
        c->error = gr_error(GR_ENOMEM, "out of memory");
        return gr_nil();
    }
    node = gr_value_type(node) == GR_LIST ? in_list(node, key, path + 1 + len, c)
                                          : in_map(node, key, path + 1 + len, c);
    gri_free(key);
    return node;
}

static bool is_change(const struct change *c)
{
    if (c->op == NULL || c->path == NULL)
        return false;
    if (strcmp(c->op, "remove") == 0)
        return true;
    return (strcmp(c->op, "add") == 0 || strcmp(c->op, "replace") == 0) && c->value != NULL;
}

gr_value *gr_log_apply(gr_value *state, const gr_value *patch)
{
    if (state == NULL)
        state = gr_nil();
    if (gr_value_type(patch) != GR_LIST) {
        gr_value_unref(state);
        return gr_error(GR_ETYPE, "a patch is a list");
    }
    for (size_t i = 0; i < gr_len(patch) && gr_error_code(state) == GR_OK; i++) {
        const gr_value *item = gr_at(patch, i);
        struct change c = { gr_cstr(gr_get(item, "op"), NULL), gr_cstr(gr_get(item, "path"), NULL),
                            gr_get(item, "value"), NULL };

        if (is_change(&c))
            state = apply_at(state, c.path, &c);
        else
            c.error = gr_error(GR_EINVAL, "a patch is made of add, replace and remove");
        if (c.error != NULL) {
            gr_value_unref(state);
            state = c.error;
        }
    }
    return state;
}
