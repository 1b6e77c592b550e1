/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary_history.c - gr_summary_history: LangChain's ConversationSummaryBufferMemory as a history.
 *
 * What is kept elsewhere stays whole. Here is, for each session, a summary and how many of its messages
 * that stands for: {"summary", "count", "of"}, in a store by key if one is given, else in a map of this actor.
 * The class is reentrant, since a model takes its time; a session that is being summarised is marked, and a
 * second call for it leaves that alone. What the digest "of" its first and its last message does not fit
 * is not what was summarised: the session was cleared, or a window over it has moved on.
 */
#include <greenroom/codec.h>
#include <greenroom/history.h>
#include <greenroom/message.h>

#include <string.h>

#include "actors/compose/steps.h"
#include "actors/message/session.h"
#include "actors/message/tokens.h"
#include "actors/store/byte_store.h"
#include "actors/store/digest.h"
#include "runtime/base/log.h"

#define SESSIONS_MAX 65536
#define KEY "summary:"
#define INSTRUCTION                                                                                   \
    "You keep the memory of a conversation. Below are a summary of what came before, and what was "   \
    "said since then. Write one summary of both, in the conversation's language: who wants what, "    \
    "facts, names, numbers, decisions, open questions. Leave out greetings. Answer with the summary " \
    "alone."

struct summaries {
    gr_value *kept; /* counted; a map from names to {"summary", "count", "of"} */
    /* counted; a map of the names of those that are being summarised: true, or false once what is
     * summarised was cleared */
    gr_value *busy;
};

static gr_code summaries_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct summaries *s = self;

    (void)c;
    (void)args;
    s->kept = gr_map_n(NULL, 0);
    s->busy = gr_map_n(NULL, 0);
    return GR_OK;
}

static void summaries_stopped(void *self, const gr_value *args)
{
    struct summaries *s = self;

    (void)args;
    gr_value_unref(s->kept);
    gr_value_unref(s->busy);
}

/* put sets a key of one of the maps. Where memory runs out in the middle of it the map begins anew, since what it
 * knows can be had again, and one that is broken would stay so. */
static void put(gr_value **map, const char *name, gr_value *v)
{
    if (gr_error_code(v) != GR_OK) {
        gr_value_unref(v);
        return;
    }
    *map = gr_set(*map, name, v);
    if (gr_error_code(*map) == GR_OK)
        return;
    gr_value_unref(*map);
    *map = gr_map_n(NULL, 0);
}

/* drop takes a key out of one of them, likewise. */
static void drop(gr_value **map, const char *name)
{
    *map = gr_without(*map, name);
    if (gr_error_code(*map) == GR_OK)
        return;
    gr_value_unref(*map);
    *map = gr_map_n(NULL, 0);
}

static gr_ref ref_of(gr_ctx *c, const char *what)
{
    return gr_as_ref(gr_get(gr_args(c), what));
}

static void log_failure(const char *what, gr_value *err)
{
    if (err != NULL)
        gri_log(3, "a summary could not be %s: %s", what, gr_error_text(err));
    gr_value_unref(err);
}

/* ---- where summaries are --------------------------------------------------------------------- */

static gr_value *key_of(const char *name)
{
    return gr_strf(KEY "%s", name);
}

/* summary_of gives what is known of a session: {"summary", "count", "of"}, or nil. */
static gr_value *summary_of(gr_ctx *c, struct summaries *s, const char *name)
{
    gr_ref store = ref_of(c, "store");
    gr_value *v, *err = NULL;

    if (store.id == 0) {
        const gr_value *kept = gr_get(s->kept, name);

        return kept != NULL ? gr_value_ref(kept) : gr_nil();
    }
    v = gri_store_one(gr_runtime_of(c), store, key_of(name), &err);
    log_failure("found", err);
    return v != NULL ? v : gr_nil();
}

/* make_room drops the summary that was made first, once there are too many: it can be made again. */
static void make_room(struct summaries *s, const char *name)
{
    const char *first = NULL;

    if (gr_len(s->kept) < SESSIONS_MAX || gr_get(s->kept, name) != NULL)
        return;
    (void)gr_pair_at(s->kept, 0, &first);
    if (first != NULL) {
        gr_value *copy = gr_str(first); /* first is the map's */

        drop(&s->kept, gr_cstr(copy, ""));
        gr_value_unref(copy);
    }
}

/* keep_summary: nil for none. */
static void keep_summary(gr_ctx *c, struct summaries *s, const char *name, gr_value *summary)
{
    gr_ref store = ref_of(c, "store");
    gr_value *err = NULL;
    bool none = gr_is_nil(summary);

    if (store.id != 0 && none) {
        gr_value_unref(gr_mdelete(gr_runtime_of(c), store, gr_list(key_of(name)), NULL, &err));
    } else if (store.id != 0) {
        gr_value_unref(
            gr_mset(gr_runtime_of(c), store, gr_list(gr_list(key_of(name), summary)), NULL, &err));
    } else if (none) {
        drop(&s->kept, name);
    } else {
        make_room(s, name);
        put(&s->kept, name, summary);
    }
    log_failure("kept", err);
}

/* ---- summarising ----------------------------------------------------------------------------- */

/* digest_of names the first count messages, of which there is at least one; an error value. */
static gr_value *digest_of(const gr_value *messages, size_t count)
{
    gr_value *ends =
        gr_list(gr_value_ref(gr_at(messages, 0)), gr_value_ref(gr_at(messages, count - 1)));
    char hex[GRI_DIGEST_LEN + 1];
    bool done = gri_digest_value(ends, hex);

    gr_value_unref(ends);
    return done ? gr_str(hex) : gri_no_memory();
}

/* count_of: how many messages the summary stands for; 0 for one that is not this conversation's. */
static size_t count_of(const gr_value *known, const gr_value *messages)
{
    int64_t count = gr_as_int(gr_get(known, "count"), 0);
    gr_value *of;
    bool fits;

    if (count <= 0 || (uint64_t)count > gr_len(messages) ||
        gr_value_type(gr_get(known, "summary")) != GR_STR)
        return 0;
    of = digest_of(messages, (size_t)count);
    fits = gr_error_code(of) == GR_OK && gr_equal(of, gr_get(known, "of"));
    gr_value_unref(of);
    return fits ? (size_t)count : 0;
}

static gr_value *slice(const gr_value *list, size_t from, size_t to)
{
    gr_value *part = gr_list_n(NULL, 0);

    for (size_t i = from; i < to; i++)
        part = gr_append(part, gr_value_ref(gr_at(list, i)));
    return part;
}

/* end_of_old gives how many messages are to be summarised: the oldest go until the others are
 * tokens_max at most, and what is left begins with no answer of a tool. */
static size_t end_of_old(const gr_value *messages, size_t from, int64_t tokens_max)
{
    size_t count = gr_len(messages), to = from;
    int64_t tokens = 0;

    for (size_t i = from; i < count; i++)
        tokens += gri_tokens_about(gr_at(messages, i));
    while (to < count && tokens > tokens_max)
        tokens -= gri_tokens_about(gr_at(messages, to++));
    while (to > from && to < count &&
           strcmp(gr_cstr(gr_get(gr_at(messages, to), "type"), ""), "tool") == 0)
        to++;
    return to;
}

/* prompt_of puts together what the model is asked. */
static gr_value *prompt_of(gr_ctx *c, const gr_value *known, const gr_value *old)
{
    const char *before = gr_cstr(gr_get(known, "summary"), "");
    gr_value *said = gr_messages_text(old), *text;

    if (gr_error_code(said) != GR_OK)
        return said;
    text = gr_strf("Summary so far:\n%s\n\nSaid since then:\n%s",
                   before[0] != '\0' ? before : "(none)", gr_cstr(said, ""));
    gr_value_unref(said);
    return gr_list(gr_system(gr_cstr(gr_get(gr_args(c), "instruction"), INSTRUCTION)),
                   gr_message("human", text));
}

/* summarise asks the model for a summary of old, after the known one: a text, or an error. */
static gr_value *summarise(gr_ctx *c, const gr_value *known, const gr_value *old)
{
    gr_value *err = NULL, *answer, *text;

    answer = gr_invoke(gr_runtime_of(c), ref_of(c, "model"), prompt_of(c, known, old), NULL, &err);
    if (answer == NULL)
        return err;
    text = gr_message_text(answer);
    gr_value_unref(answer);
    if (gr_error_code(text) == GR_OK && gr_len(text) == 0) {
        gr_value_unref(text);
        text = gr_error(GR_EPROTO, "the model gave no summary");
    }
    return text;
}

/* shorten summarises what is too much of a session. */
static gr_value *shorten(gr_ctx *c, struct summaries *s, const char *name, const gr_value *ids)
{
    gr_value *err = NULL, *messages, *known, *text, *old;
    size_t from, to;

    messages = gr_do(gr_runtime_of(c), ref_of(c, "history"), "get_messages", gr_value_ref(ids),
                     NULL, &err);
    if (messages == NULL)
        return err;
    known = summary_of(c, s, name);
    from = count_of(known, messages);
    to = end_of_old(messages, from, gr_as_int(gr_get(gr_args(c), "tokens"), GRI_SUMMARY_TOKENS));
    if (to > from) {
        old = slice(messages, from, to);
        text = summarise(c, from > 0 ? known : NULL, old);
        gr_value_unref(old);
        if (gr_error_code(text) != GR_OK)
            err = text;
        else if (!gr_as_bool(gr_get(s->busy, name), false))
            gr_value_unref(text);
        else
            keep_summary(c, s, name,
                         gr_map(GR_KV("summary", text), GR_KV("count", gr_int((int64_t)to)),
                                GR_KV("of", digest_of(messages, to))));
    }
    gr_value_unref(known);
    gr_value_unref(messages);
    return err;
}

/* ---- verbs ----------------------------------------------------------------------------------- */

static gr_value *get_messages(gr_ctx *c, void *self, const gr_value *ids)
{
    gr_value *err = NULL, *messages, *known, *shown;
    char *name = gri_session_name(ids, &err);
    size_t count;

    if (name == NULL)
        return err;
    /* the summary first: one that is made meanwhile stands for no more than is shown beside it */
    known = summary_of(c, self, name);
    gr_free(name);
    messages = gr_do(gr_runtime_of(c), ref_of(c, "history"), "get_messages", gr_value_ref(ids),
                     NULL, &err);
    if (messages == NULL) {
        gr_value_unref(known);
        return err;
    }
    count = count_of(known, messages);
    shown = slice(messages, count, gr_len(messages));
    if (count > 0)
        shown =
            gr_add(gr_list(gr_message("system", gr_value_ref(gr_get(known, "summary")))), shown);
    gr_value_unref(known);
    gr_value_unref(messages);
    return shown;
}

static gr_value *add_messages(gr_ctx *c, void *self, const gr_value *args)
{
    struct summaries *s = self;
    const gr_value *ids = gr_get(args, "ids");
    gr_value *err = NULL, *done;
    char *name = gri_session_name(ids, &err);

    if (name == NULL)
        return err;
    done = gr_do(gr_runtime_of(c), ref_of(c, "history"), "add_messages", gr_value_ref(args), NULL,
                 &err);
    if (done != NULL && gr_get(s->busy, name) == NULL) {
        put(&s->busy, name, gr_bool(true));
        log_failure("made", shorten(c, s, name, ids)); /* the next call tries again */
        drop(&s->busy, name);
    }
    gr_free(name);
    return done != NULL ? done : err;
}

/* clear: first the messages, so that no summary of them is begun once theirs is gone. */
static gr_value *clear(gr_ctx *c, void *self, const gr_value *ids)
{
    struct summaries *s = self;
    gr_value *err = NULL, *done;
    char *name = gri_session_name(ids, &err);

    if (name == NULL)
        return err;
    done = gr_do(gr_runtime_of(c), ref_of(c, "history"), "clear", gr_value_ref(ids), NULL, &err);
    if (done != NULL && gr_get(s->busy, name) != NULL)
        put(&s->busy, name, gr_bool(false));
    if (done != NULL)
        keep_summary(c, s, name, gr_nil());
    gr_free(name);
    return done != NULL ? done : err;
}

static const gr_method summary_methods[] = {
    { "get_messages", GR_ASYNC, get_messages, NULL },
    { "add_messages", GR_ASYNC, add_messages, NULL },
    { "clear", GR_ASYNC, clear, NULL },
};
static const gr_class summary_class =
    GR_CLASS(.name = "SummaryHistory", .state_size = sizeof(struct summaries), .reentrant = true,
             .init = summaries_init, .stopped = summaries_stopped, GR_METHODS(summary_methods));

gr_ref gr_summary_history(gr_scope *in, gr_ref history, gr_ref model, const gr_summary_opts *opts)
{
    static const gr_summary_opts none = { .size = sizeof(none) };
    const gr_summary_opts *o = opts != NULL ? opts : &none;
    gr_value *args;

    if (gri_ref_broken(in, history))
        return history;
    if (gri_ref_broken(in, model))
        return model;
    args =
        gr_map(GR_KV("history", gr_ref_value(history)), GR_KV("model", gr_ref_value(model)),
               GR_KV("store", gr_ref_value(o->store)),
               GR_KV("tokens", gr_int(o->tokens != 0 ? (int64_t)o->tokens : GRI_SUMMARY_TOKENS)));
    if (o->instruction != NULL)
        args = gr_set(args, "instruction", gr_str(o->instruction));
    return gr_spawn(in, &summary_class, GR_SPAWN(.name = "summary history", .args = args));
}
