/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_history.c - gr_memory_history: LangChain's InMemoryChatMessageHistory, for all sessions.
 *
 * The state is one map from sessions, named by their ids as JSON, to lists of messages. Who reads
 * gets the list as it is at that moment; adding to it copies it only while a reader has it.
 */
#include <greenroom/codec.h>
#include <greenroom/history.h>
#include <greenroom/message.h>

#define SESSIONS_MAX 65536
#define MESSAGES_MAX 65536

struct histories {
    gr_value *sessions; /* counted; a map */
    size_t sessions_max, messages_max;
};

static gr_code histories_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct histories *h = self;

    h->sessions = gr_map_n(NULL, 0);
    h->sessions_max = (size_t)gr_as_int(gr_get(args, "sessions_max"), SESSIONS_MAX);
    h->messages_max = (size_t)gr_as_int(gr_get(args, "messages_max"), MESSAGES_MAX);
    return gr_error_code(h->sessions) == GR_OK ? GR_OK : gr_fail(c, gr_value_ref(h->sessions));
}

static void histories_stopped(void *self, const gr_value *args)
{
    struct histories *h = self;

    (void)args;
    gr_value_unref(h->sessions);
}

/* name_of gives the session's key, to be freed by gr_free; NULL, with *ret_err: it has no ids. */
static char *name_of(const gr_value *ids, gr_value **ret_err)
{
    char *name = NULL;

    if (gr_value_type(ids) != GR_MAP || gr_len(ids) == 0)
        *ret_err = gr_error(GR_EINVAL, "a session is named by a map of ids, not %s",
                            gr_type_name(gr_value_type(ids)));
    else if ((name = gr_json_print(ids, 0, NULL)) == NULL)
        *ret_err = gr_error(GR_ENOMEM, "out of memory for a session");
    return name;
}

static gr_value *get_messages(gr_ctx *c, void *self, const gr_value *ids)
{
    struct histories *h = self;
    gr_value *err = NULL;
    char *name = name_of(ids, &err);
    const gr_value *list;

    (void)c;
    if (name == NULL)
        return err;
    list = gr_get(h->sessions, name);
    gr_free(name);
    return list != NULL ? gr_value_ref(list) : gr_list_n(NULL, 0);
}

/* lost begins anew when memory has run out in the middle of a change, and tells so: who adds must not take for kept
 * what is gone. */
static gr_value *lost(struct histories *h)
{
    gr_value_unref(h->sessions);
    h->sessions = gr_map_n(NULL, 0);
    return gr_error(GR_ENOMEM, "out of memory: the histories are lost");
}

/* append adds messages, taken, to the session. NULL, or what is wrong. */
static gr_value *append(struct histories *h, const char *name, gr_value *messages)
{
    const gr_value *there = gr_get(h->sessions, name);
    gr_value *list;

    if (there == NULL && gr_len(h->sessions) >= h->sessions_max) {
        gr_value_unref(messages);
        return gr_error(GR_EFULL, "there are %zu sessions already", h->sessions_max);
    }
    if (gr_len(messages) > h->messages_max || gr_len(there) > h->messages_max - gr_len(messages)) {
        gr_value_unref(messages);
        return gr_error(GR_EFULL, "a session has at most %zu messages", h->messages_max);
    }
    if (there == NULL) {
        h->sessions = gr_set(h->sessions, name, messages);
    } else {
        list = gr_value_ref(there);
        h->sessions = gr_set(h->sessions, name, gr_nil()); /* so that the list is held alone */
        h->sessions = gr_set(h->sessions, name, gr_add(list, messages));
    }
    return gr_error_code(h->sessions) == GR_OK ? NULL : lost(h);
}

static gr_value *add_messages(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *messages = gr_messages_coerce(gr_value_ref(gr_get(args, "messages"))), *err = NULL;
    char *name;

    (void)c;
    if (gr_error_code(messages) != GR_OK)
        return messages;
    name = name_of(gr_get(args, "ids"), &err);
    if (name == NULL)
        gr_value_unref(messages);
    else
        err = append(self, name, messages);
    gr_free(name);
    return err != NULL ? err : gr_nil();
}

static gr_value *clear(gr_ctx *c, void *self, const gr_value *ids)
{
    struct histories *h = self;
    gr_value *err = NULL;
    char *name = name_of(ids, &err);

    (void)c;
    if (name == NULL)
        return err;
    h->sessions = gr_without(h->sessions, name);
    gr_free(name);
    return gr_nil();
}

static const gr_method history_methods[] = {
    { "get_messages", GR_CHEAP, get_messages, NULL },
    { "add_messages", GR_CHEAP, add_messages, NULL },
    { "clear", GR_CHEAP, clear, NULL },
};
static const gr_class history_class =
    GR_CLASS(.name = "InMemoryChatMessageHistory", .state_size = sizeof(struct histories),
             .init = histories_init, .stopped = histories_stopped, GR_METHODS(history_methods));

gr_ref gr_memory_history(gr_scope *in, const gr_memory_history_opts *opts)
{
    gr_value *args = gr_map_n(NULL, 0);

    if (opts != NULL && opts->sessions_max != 0)
        args = gr_set(args, "sessions_max", gr_int((int64_t)opts->sessions_max));
    if (opts != NULL && opts->messages_max != 0)
        args = gr_set(args, "messages_max", gr_int((int64_t)opts->messages_max));
    return gr_spawn(in, &history_class, GR_SPAWN(.args = args));
}
