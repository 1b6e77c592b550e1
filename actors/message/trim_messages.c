/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trim_messages.c - gr_trim_messages: as many messages as fit into so many tokens.
 *
 * Counting may be dear, so the place to cut is searched by halves, as in langchain-core: of n messages about log n
 * lists are counted. To keep the last ones the list is turned round, the first ones are kept, and
 * the list is turned back; what is left of a message's text or blocks is then its end.
 */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/messages.h>

#include <string.h>

#include "actors/compose/describe.h"
#include "actors/message/role.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

struct trim {
    int64_t max_tokens;
    bool first, allow_partial, include_system;
    gr_value *start_on, *end_on; /* counted; NULL: none */
    gr_count_tokens_fn *count;
    void *arg; /* the user's */
    gr_ref counter;
};

/* One trimming. */
struct job {
    const struct trim *t;
    gr_ctx *c;     /* NULL: not in an actor */
    gr_value *err; /* counted; why counting failed */
};

/* ---- counting -------------------------------------------------------------------------------- */

static int64_t ask_counter(struct job *j, const gr_value *messages)
{
    gr_value *err = NULL;
    gr_value *n = gr_do(gr_runtime_of(j->c), j->t->counter, "get_num_tokens_from_messages",
                        gr_value_ref(messages), NULL, &err);
    int64_t tokens = gr_as_int(n, -1);

    if (n != NULL && tokens < 0)
        err = gr_error(GR_ETYPE, "get_num_tokens_from_messages: expected a number of tokens");
    gr_value_unref(n);
    j->err = err;
    return tokens;
}

/* count gives a list's tokens; -1 when that failed, see j->err. */
static int64_t count(struct job *j, const gr_value *messages)
{
    int64_t n;

    if (j->err == NULL && gr_error_code(messages) != GR_OK)
        j->err = gr_value_ref(messages);
    if (j->err != NULL)
        return -1;
    if (j->t->count != NULL)
        n = j->t->count(j->t->arg, messages);
    else if (j->c != NULL && j->t->counter.id != 0)
        n = ask_counter(j, messages);
    else
        n = gr_count_tokens_approximately(messages);
    if (n < 0 && j->err == NULL)
        j->err = gr_error(GR_EINVAL, "the messages' tokens can't be counted");
    return n;
}

static bool fits(struct job *j, const gr_value *messages, int64_t most)
{
    int64_t n = count(j, messages);

    return n >= 0 && n <= most;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* part gives n elements of a list from one on; of an error that. */
static gr_value *part(const gr_value *list, size_t from, size_t n)
{
    gr_value *some = gr_error_code(list) == GR_OK ? gr_list_n(NULL, 0) : gr_value_ref(list);

    for (size_t i = from; i < from + n && gr_error_code(some) == GR_OK; i++)
        some = gr_append(some, gr_value_ref(gr_at(list, i)));
    return some;
}

static gr_value *turned(const gr_value *list)
{
    gr_value *back = gr_error_code(list) == GR_OK ? gr_list_n(NULL, 0) : gr_value_ref(list);

    for (size_t i = gr_len(list); i-- > 0 && gr_error_code(back) == GR_OK;)
        back = gr_append(back, gr_value_ref(gr_at(list, i)));
    return back;
}

static gr_value *with_content(const gr_value *message, gr_value *content)
{
    return gr_set(gr_value_ref(message), "content", content);
}

/* ---- a part of a message --------------------------------------------------------------------- */

/* first_blocks gives a message with its first n blocks; of those that were turned round, the last ones in their order. */
static gr_value *first_blocks(const struct job *j, const gr_value *message, const gr_value *blocks,
                              size_t n)
{
    gr_value *some = part(blocks, 0, n), *back;

    if (j->t->first)
        return with_content(message, some);
    back = turned(some);
    gr_value_unref(some);
    return with_content(message, back);
}

/* some_blocks gives a message with as many blocks as fit behind the others, all but one at most; NULL: none. */
static gr_value *some_blocks(struct job *j, const gr_value *others, const gr_value *message,
                             int64_t most)
{
    const gr_value *content = gr_get(message, "content");
    size_t low = 0, high = gr_len(content) > 0 ? gr_len(content) - 1 : 0;
    gr_value *blocks, *found;

    if (gr_value_type(content) != GR_LIST)
        return NULL;
    blocks = j->t->first ? gr_value_ref(content) : turned(content);
    while (low < high && j->err == NULL) {
        size_t middle = (low + high + 1) / 2;
        gr_value *whole = gr_append(gr_value_ref(others), first_blocks(j, message, blocks, middle));

        if (fits(j, whole, most))
            low = middle;
        else
            high = middle - 1;
        gr_value_unref(whole);
    }
    found = low > 0 && j->err == NULL ? first_blocks(j, message, blocks, low) : NULL;
    gr_value_unref(blocks);
    return found;
}

/* text_of gives a message's text, or that of its block at the end that is kept, if that is one of text; NULL: none. */
static const gr_value *text_of(const struct trim *t, const gr_value *message)
{
    const gr_value *content = gr_get(message, "content"), *block;

    if (gr_value_type(content) == GR_STR)
        return content;
    block = gr_len(content) > 0 ? gr_at(content, t->first ? 0 : gr_len(content) - 1) : NULL;
    if (gr_value_type(block) == GR_STR)
        return block;
    return strcmp(gr_cstr(gr_get(block, "type"), ""), "text") == 0 ? gr_get(block, "text") : NULL;
}

/* lines_of counts a text's lines, each with its end; a text that ends with a line's end has an empty one behind it. */
static size_t lines_of(const char *text)
{
    size_t n = 1;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

/* some_lines gives the first, or last, so many lines of a text. */
static gr_value *some_lines(const struct trim *t, const char *text, size_t lines, size_t n)
{
    const char *at = text;

    for (size_t skip = t->first ? n : lines - n; skip > 0; skip--) {
        const char *end = strchr(at, '\n');

        at = end == NULL ? at + strlen(at) : end + 1;
    }
    return t->first ? gr_strn(text, (size_t)(at - text)) : gr_str(at);
}

/* some_text gives a message with as many lines of its text as fit behind the others; NULL: none. */
static gr_value *some_text(struct job *j, const gr_value *others, const gr_value *message,
                           int64_t most)
{
    const char *text = gr_cstr(text_of(j->t, message), "");
    size_t lines = lines_of(text), low = 0, high = lines;

    if (text[0] == '\0')
        return NULL;
    while (low < high && j->err == NULL) {
        size_t middle = (low + high + 1) / 2;
        gr_value *whole = gr_append(gr_value_ref(others),
                                    with_content(message, some_lines(j->t, text, lines, middle)));

        if (fits(j, whole, most))
            low = middle;
        else
            high = middle - 1;
        gr_value_unref(whole);
    }
    return low > 0 && j->err == NULL ? with_content(message, some_lines(j->t, text, lines, low))
                                     : NULL;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* ends_on gives how many of the first n messages there are up to the last one of these types. */
static size_t ends_on(const gr_value *messages, size_t n, const gr_value *types)
{
    if (gr_is_nil(types) || gr_len(types) == 0)
        return n;
    while (n > 0 && !gri_role_in(gr_at(messages, n - 1), types))
        n--;
    return n;
}

/* how_many finds how many of the first messages fit. */
static size_t how_many(struct job *j, const gr_value *messages, int64_t most)
{
    size_t low = 0, high = gr_len(messages);

    if (fits(j, messages, most))
        return high;
    high = high > 0 ? high - 1 : 0;
    while (low < high && j->err == NULL) {
        size_t middle = (low + high + 1) / 2;
        gr_value *some = part(messages, 0, middle);

        if (fits(j, some, most))
            low = middle;
        else
            high = middle - 1;
        gr_value_unref(some);
    }
    return low;
}

/* keep_first keeps the first messages that fit, up to the last one of these types. */
static gr_value *keep_first(struct job *j, const gr_value *messages, int64_t most,
                            const gr_value *types)
{
    size_t whole = how_many(j, messages, most);
    gr_value *kept = part(messages, 0, whole), *piece = NULL, *cut;

    if (j->t->allow_partial && whole < gr_len(messages) && j->err == NULL) {
        piece = some_blocks(j, kept, gr_at(messages, whole), most);
        if (piece == NULL && j->err == NULL)
            piece = some_text(j, kept, gr_at(messages, whole), most);
    }
    if (piece != NULL)
        kept = gr_append(kept, piece);
    cut = part(kept, 0, ends_on(kept, gr_len(kept), types));
    gr_value_unref(kept);
    return cut;
}

static bool is_system(const gr_value *message)
{
    const struct gri_role *role = gri_role_of(message);

    return role != NULL && role->kind == GRI_SYSTEM;
}

/* room_beside gives how many tokens there are beside a list of messages. */
static int64_t room_beside(struct job *j, const gr_value *messages)
{
    int64_t n = count(j, messages);

    return n < j->t->max_tokens ? j->t->max_tokens - n : 0;
}

static gr_value *keep_last(struct job *j, const gr_value *messages)
{
    size_t end = ends_on(messages, gr_len(messages), j->t->end_on);
    bool system = j->t->include_system && end > 0 && is_system(gr_at(messages, 0));
    gr_value *head = part(messages, 0, system ? 1 : 0);
    gr_value *rest = part(messages, system ? 1 : 0, end - (system ? 1 : 0)), *back, *kept;

    back = turned(rest);
    kept = keep_first(j, back, system ? room_beside(j, head) : j->t->max_tokens, j->t->start_on);
    gr_value_unref(rest);
    gr_value_unref(back);
    rest = turned(kept);
    gr_value_unref(kept);
    return gr_add(head, rest);
}

static gr_value *trim(gr_ctx *c, const struct trim *t, const gr_value *input)
{
    struct job j = { .t = t, .c = c };
    gr_value *messages = gr_messages_coerce(gr_value_ref(input)), *kept;

    if (gr_error_code(messages) != GR_OK)
        return messages;
    kept = t->first ? keep_first(&j, messages, t->max_tokens, t->end_on) : keep_last(&j, messages);
    gr_value_unref(messages);
    if (j.err == NULL)
        return kept;
    gr_value_unref(kept);
    return j.err;
}

/* ---- options --------------------------------------------------------------------------------- */

static void trim_fini(struct trim *t)
{
    gr_value_unref(t->start_on);
    gr_value_unref(t->end_on);
}

static gr_value *check_types(const char *what, const gr_value *types)
{
    if (gr_is_nil(types) || gri_role_find(types) != NULL)
        return NULL;
    if (gr_error_code(types) != GR_OK)
        return gr_value_ref(types);
    for (size_t i = 0; i < gr_len(types); i++)
        if (gri_role_find(gr_at(types, i)) == NULL)
            return gr_error(GR_EINVAL, "%s: '%s' is no type of messages", what,
                            gr_cstr(gr_at(types, i), "?"));
    return gr_value_type(types) == GR_LIST
               ? NULL
               : gr_error(GR_EINVAL, "%s: expected a type of messages, or a list of such", what);
}

/* read_opts takes what is to be taken; NULL, or what is wrong. */
static gr_value *read_opts(const gr_trim_opts *opts, struct trim *t)
{
    const gr_trim_opts none = { .size = sizeof(none), .max_tokens = -1 };
    const gr_trim_opts *o = opts != NULL ? opts : &none;
    const char *strategy = o->strategy != NULL ? o->strategy : "last";
    gr_value *err;

    *t = (struct trim){ .max_tokens = o->max_tokens,
                        .first = strcmp(strategy, "first") == 0,
                        .allow_partial = o->allow_partial,
                        .include_system = o->include_system,
                        .start_on = o->start_on,
                        .end_on = o->end_on,
                        .count = o->count,
                        .arg = o->arg,
                        .counter = o->counter };
    if (o->max_tokens < 0)
        return gr_error(GR_EINVAL, "trim_messages: max_tokens is missing, or less than 0");
    if (!t->first && strcmp(strategy, "last") != 0)
        return gr_error(GR_EINVAL, "trim_messages: strategy '%.40s': expected last or first",
                        strategy);
    if (t->first && (gr_len(t->start_on) > 0 || t->include_system))
        return gr_error(GR_EINVAL,
                        "trim_messages: start_on and include_system are for the strategy last");
    err = check_types("start_on", t->start_on);
    return err != NULL ? err : check_types("end_on", t->end_on);
}

gr_value *gr_trim_messages(const gr_value *messages, const gr_trim_opts *opts)
{
    struct trim t;
    gr_value *v = read_opts(opts, &t);

    if (v == NULL && t.count == NULL && t.counter.id != 0)
        v = gr_error(GR_EINVAL, "trim_messages: an actor counts only in a runnable");
    if (v == NULL)
        v = trim(NULL, &t, messages);
    trim_fini(&t);
    return v;
}

/* ---- the runnable ---------------------------------------------------------------------------- */

static void drop_trim(void *p)
{
    trim_fini(p);
    gri_free(p);
}

static gr_value *trimmer_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    (void)self;
    return trim(c, gr_as_opaque(gr_args(c)), input);
}

static gr_value *trimmer_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("trim_messages", NULL, gri_schema_of_type("array"));
}

/* Who asks a counter waits. */
static const gr_method trimmer_methods[] = {
    { "invoke", GR_CHEAP, trimmer_invoke, NULL },
    { "describe", GR_CHEAP, trimmer_describe, NULL },
};
static const gr_method asking_methods[] = {
    { "invoke", GR_ASYNC, trimmer_invoke, NULL },
    { "describe", GR_CHEAP, trimmer_describe, NULL },
};
static const gr_class trimmer_class =
    GR_CLASS(.name = "trim_messages", GR_METHODS(trimmer_methods));
static const gr_class asking_class = GR_CLASS(.name = "trim_messages", GR_METHODS(asking_methods));

gr_ref gr_message_trimmer(gr_scope *in, const gr_trim_opts *opts)
{
    struct trim read, *t = gri_new0(struct trim);
    gr_value *args = read_opts(opts, &read);

    if (args == NULL && t == NULL)
        args = gr_error(GR_ENOMEM, "out of memory for a trimmer");
    if (args != NULL) {
        trim_fini(&read);
        gri_free(t);
        return gr_spawn(in, &trimmer_class, GR_SPAWN(.args = args));
    }
    *t = read;
    return gr_spawn(in, t->count == NULL && t->counter.id != 0 ? &asking_class : &trimmer_class,
                    GR_SPAWN(.args = gr_opaque(t, drop_trim)));
}
