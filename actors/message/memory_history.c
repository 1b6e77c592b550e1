/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_history.c - gr_memory_history: LangChain's InMemoryChatMessageHistory, for all sessions.
 *
 * Who reads gets the list of a session as it is at that moment; adding to it copies it only while a reader has
 * it.
 */
#include <greenroom/codec.h>
#include <greenroom/history.h>
#include <greenroom/message.h>

#include <string.h>

#include "actors/compose/steps.h"
#include "actors/message/session.h"
#include "runtime/base/alloc.h"
#include "runtime/base/list.h"
#include "runtime/base/map.h"
#include "runtime/sched/world.h"
#include "runtime/value/value_bytes.h"

#define SESSIONS_MAX 65536
#define MESSAGES_MAX 65536
#define BYTES_MAX ((size_t)256 << 20)
#define SESSION_BYTES 128 /* of the map and the list */

struct session {
    struct gri_list node;
    char *name;         /* owned */
    gr_value *messages; /* counted */
    size_t bytes;       /* about */
};

struct histories {
    struct gri_map by_name; /* of struct session, owned */
    struct gri_list all;
    size_t bytes, sessions_max, messages_max, bytes_max;
};

static gr_code histories_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct histories *h = self;

    gri_map_init(&h->by_name, gri_random(gr_runtime_of(c)));
    gri_list_init(&h->all);
    h->sessions_max = (size_t)gr_as_int(gr_get(args, "sessions_max"), SESSIONS_MAX);
    h->messages_max = (size_t)gr_as_int(gr_get(args, "messages_max"), MESSAGES_MAX);
    h->bytes_max = (size_t)gr_as_int(gr_get(args, "bytes_max"), (int64_t)BYTES_MAX);
    return GR_OK;
}

static void session_free(struct session *s)
{
    if (s == NULL)
        return;
    gr_value_unref(s->messages);
    gri_free(s->name);
    gri_free(s);
}

static void forget(struct histories *h, struct session *s)
{
    (void)gri_map_dels(&h->by_name, s->name);
    gri_list_remove(&s->node);
    h->bytes -= s->bytes;
    session_free(s);
}

static void histories_stopped(void *self, const gr_value *args)
{
    struct histories *h = self;

    (void)args;
    while (h->all.next != NULL && !gri_list_empty(&h->all))
        forget(h, gri_container_of(h->all.next, struct session, node));
    gri_map_fini(&h->by_name);
}

static gr_value *get_messages(gr_ctx *c, void *self, const gr_value *ids)
{
    struct histories *h = self;
    gr_value *err = NULL;
    char *name = gri_session_name(ids, &err);
    const struct session *s;

    (void)c;
    if (name == NULL)
        return err;
    s = gri_map_gets(&h->by_name, name);
    gr_free(name);
    return s != NULL ? gr_value_ref(s->messages) : gr_list_n(NULL, 0);
}

/* begin makes a session of its first messages, which are taken; false: out of memory. */
static bool begin(struct histories *h, const char *name, gr_value *messages, size_t bytes)
{
    struct session *s = gri_new0(struct session);

    if (s != NULL)
        s->name = gri_strdup(name);
    if (s == NULL || s->name == NULL || !gri_map_puts(&h->by_name, name, s)) {
        session_free(s);
        gr_value_unref(messages);
        return false;
    }
    s->messages = messages;
    s->bytes = bytes;
    gri_list_push(&h->all, &s->node);
    h->bytes += bytes;
    return true;
}

/* no_room says why so much more is too much; NULL: it is not. */
static gr_value *no_room(const struct histories *h, const struct session *there, size_t count,
                         size_t bytes)
{
    if (there == NULL && h->by_name.count >= h->sessions_max)
        return gr_error(GR_EFULL, "there are %zu sessions already", h->sessions_max);
    if (count > h->messages_max ||
        (there != NULL && gr_len(there->messages) > h->messages_max - count))
        return gr_error(GR_EFULL, "a session has at most %zu messages", h->messages_max);
    if (bytes > h->bytes_max || h->bytes > h->bytes_max - bytes)
        return gr_error(GR_EFULL, "all sessions together have at most %zu bytes", h->bytes_max);
    return NULL;
}

/* append adds messages, taken, to the session. NULL, or what is wrong. */
static gr_value *append(struct histories *h, const char *name, gr_value *messages)
{
    struct session *there = gri_map_gets(&h->by_name, name);
    size_t bytes =
        gri_value_bytes(messages) + (there == NULL ? strlen(name) + SESSION_BYTES : (size_t)0);
    gr_value *err = no_room(h, there, gr_len(messages), bytes);

    if (err != NULL) {
        gr_value_unref(messages);
        return err;
    }
    if (there == NULL)
        return begin(h, name, messages, bytes) ? NULL : gri_no_memory();
    there->messages = gr_add(there->messages, messages);
    there->bytes += bytes;
    h->bytes += bytes;
    if (gr_error_code(there->messages) == GR_OK)
        return NULL;
    /* Memory has run out in the middle of the change. Who adds must not take for kept what is gone. */
    forget(h, there);
    return gr_error(GR_ENOMEM, "out of memory: the session is lost");
}

static gr_value *add_messages(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *messages = gr_messages_coerce(gr_value_ref(gr_get(args, "messages"))), *err = NULL;
    char *name;

    (void)c;
    if (gr_error_code(messages) != GR_OK)
        return messages;
    name = gri_session_name(gr_get(args, "ids"), &err);
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
    char *name = gri_session_name(ids, &err);
    struct session *s;

    (void)c;
    if (name == NULL)
        return err;
    s = gri_map_gets(&h->by_name, name);
    gr_free(name);
    if (s != NULL)
        forget(h, s);
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
    if (opts != NULL && opts->bytes_max != 0)
        args = gr_set(args, "bytes_max", gr_int((int64_t)opts->bytes_max));
    return gr_spawn(in, &history_class, GR_SPAWN(.args = args));
}
