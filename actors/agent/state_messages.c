/* SPDX-License-Identifier: Apache-2.0 */
/* state_messages.c - gr_add_messages: a list of messages, by their ids. */
#include <greenroom/agent.h>
#include <greenroom/message.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/map.h"

#define REMOVE_ALL "__remove_all__"

/* The sum so far. Places of what was removed are NULL. */
struct sum {
    gr_value **at; /* owned array of counted values */
    size_t count;
    struct gri_map by_id; /* index + 1, as a pointer */
    bool failed;          /* out of memory */
};

static const char *id_of(const gr_value *m)
{
    return gr_cstr(gr_get(m, "id"), "");
}

static size_t find(const struct sum *s, const char *id)
{
    return (size_t)(uintptr_t)gri_map_gets(&s->by_id, id);
}

static void clear(struct sum *s)
{
    for (size_t i = 0; i < s->count; i++) {
        gr_value_unref(s->at[i]);
        s->at[i] = NULL;
    }
}

/* put adds a message, or puts it in the place of that with its id. Takes m. */
static void put(struct sum *s, gr_value *m)
{
    const char *id = id_of(m);
    size_t place = *id != '\0' ? find(s, id) : 0;

    if (place != 0 && s->at[place - 1] != NULL) {
        gr_value_unref(s->at[place - 1]);
        s->at[place - 1] = m;
        return;
    }
    s->at[s->count++] = m;
    if (*id != '\0' && !gri_map_puts(&s->by_id, id, (void *)(uintptr_t)s->count))
        s->failed = true;
}

/* take_out removes the message of an id; false: there is none. */
static bool take_out(struct sum *s, const char *id)
{
    size_t place = find(s, id);

    if (strcmp(id, REMOVE_ALL) == 0) {
        clear(s);
        return true;
    }
    if (place == 0 || s->at[place - 1] == NULL)
        return false;
    gr_value_unref(s->at[place - 1]);
    s->at[place - 1] = NULL;
    return true;
}

static bool is_remove(const gr_value *v)
{
    return strcmp(gr_cstr(gr_get(v, "type"), ""), "remove") == 0;
}

/* coerced gives the list of what is added: messages, and what removes some. */
static gr_value *coerced(gr_value *right)
{
    gr_value *list = gr_list_n(NULL, 0);
    bool removes = is_remove(right);

    for (size_t i = 0; gr_value_type(right) == GR_LIST && i < gr_len(right); i++)
        removes = removes || is_remove(gr_at(right, i));
    if (!removes) {
        gr_value_unref(list);
        return gr_messages_coerce(right);
    }
    if (gr_value_type(right) != GR_LIST)
        return gr_append(list, right);
    for (size_t i = 0; i < gr_len(right); i++) {
        gr_value *m = gr_value_ref(gr_at(right, i));

        list = gr_append(list, is_remove(m) ? m : gr_message_coerce(m));
    }
    gr_value_unref(right);
    return list;
}

/* add_all adds the second list to the first; NULL, or what is wrong. */
static gr_value *add_all(struct sum *s, const gr_value *left, const gr_value *right)
{
    for (size_t i = 0; i < gr_len(left); i++)
        put(s, gr_value_ref(gr_at(left, i)));
    for (size_t i = 0; i < gr_len(right); i++) {
        const gr_value *m = gr_at(right, i);

        if (!is_remove(m))
            put(s, gr_value_ref(m));
        else if (!take_out(s, id_of(m)))
            return gr_error(GR_EINVAL, "there is no message '%s' to remove", id_of(m));
    }
    return s->failed ? gr_error(GR_ENOMEM, "out of memory for messages") : NULL;
}

/* listed gives what is left, as a list. */
static gr_value *listed(struct sum *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->count; i++)
        if (s->at[i] != NULL)
            s->at[kept++] = s->at[i];
    s->count = 0;
    return gr_list_n(s->at, kept);
}

/* sum_of adds two lists of messages; an error value on failure. */
static gr_value *sum_of(const gr_value *left, const gr_value *right)
{
    struct sum s = { .at = gri_alloc_array(gr_len(left) + gr_len(right) + 1, sizeof(gr_value *)) };
    gr_value *out;

    if (s.at == NULL)
        return gr_error(GR_ENOMEM, "out of memory for messages");
    gri_map_init(&s.by_id, (uint64_t)(uintptr_t)s.at);
    out = add_all(&s, left, right);
    if (out == NULL)
        out = listed(&s);
    else
        clear(&s);
    gri_map_fini(&s.by_id);
    gri_free(s.at);
    return out;
}

gr_value *gr_add_messages(gr_value *left, gr_value *right)
{
    gr_value *out;

    right = coerced(right);
    if (gr_error_code(right) != GR_OK) {
        gr_value_unref(left);
        return right;
    }
    if (gr_error_code(left) != GR_OK) {
        gr_value_unref(right);
        return left != NULL ? left : gr_error(GR_EINVAL, "no value");
    }
    out = sum_of(left, right);
    gr_value_unref(left);
    gr_value_unref(right);
    return out;
}
