/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_incoming.c - what a server says by itself or as an answer, sorted.
 *
 * Runs on the threads that bring it, so nothing here waits. What makes no sense (a text that is no message,
 * an answer to what was never asked, a second answer) is told to the log, a line a second at most, and left:
 * a server is a guest that may be confused, and its other answers are still good.
 */
#include <string.h>

#include <greenroom/call.h>
#include <greenroom/codec.h>

#include "actors/mcp/mcp_session.h"
#include "runtime/base/alloc.h"
#include "runtime/sched/world.h"

#define BATCH_MAX 256 /* messages in a list of such, which 2025-03-26 allows */

/* ---- asking handlers of the user's ------------------------------------------------------------- */

static bool is_ref(gr_ref r)
{
    return r.node != 0 || r.id != 0;
}

bool gri_mcp_answers(const struct gri_mcp *s)
{
    return s->set.roots != NULL || is_ref(s->set.sampling) || is_ref(s->set.elicitation);
}

gr_value *gri_mcp_capabilities(const struct gri_mcp *s)
{
    gr_value *all = gr_map_n(NULL, 0);

    if (s->set.roots != NULL)
        all = gr_set(all, "roots", gr_map_n(NULL, 0));
    if (is_ref(s->set.sampling))
        all = gr_set(all, "sampling", gr_map_n(NULL, 0));
    if (is_ref(s->set.elicitation))
        all = gr_set(all, "elicitation", gr_map_n(NULL, 0));
    return all;
}

gr_future *gri_mcp_ask(struct gri_mcp *s, const char *method, const gr_value *params)
{
    gr_ref to = { .node = 0, .id = 0 };

    if (strcmp(method, "sampling/createMessage") == 0)
        to = s->set.sampling;
    else if (strcmp(method, "elicitation/create") == 0)
        to = s->set.elicitation;
    if (!is_ref(to))
        return NULL;
    return gr_ainvoke(s->rt, to, params != NULL ? gr_value_ref(params) : gr_map_n(NULL, 0), NULL);
}

/* ---- requests of the server (the era with handshakes) ------------------------------------------ */

/* An answer that is being made. */
struct asked {
    struct gri_mcp *s; /* a reference */
    gr_value *id;      /* counted */
};

static void drop_asked(void *arg)
{
    struct asked *a = arg;

    gri_lock(&a->s->lock);
    a->s->asks--;
    gri_unlock(&a->s->lock);
    gr_value_unref(a->id);
    gri_mcp_unref(a->s);
    gri_free(a);
}

static void on_answer(void *arg, gr_future *f)
{
    struct asked *a = arg;
    gr_outcome o = gr_await(f, 0);

    (void)gri_mcp_post(a->s, o.code == GR_OK
                                 ? gri_mcp_answer_of(a->id, gr_value_ref(o.value))
                                 : gri_mcp_refusal_of(a->id, GRI_MCP_INTERNAL,
                                                      o.error != NULL ? gr_error_text(o.error)
                                                                      : gr_code_name(o.code)));
    gr_future_free(f);
}

/* ask has a handler of the user's answer; false: there is none, or no room. */
static bool ask(struct gri_mcp *s, const struct gri_mcp_message *m)
{
    struct asked *a = gri_new0(struct asked);
    bool room;
    gr_future *f;

    if (a == NULL)
        return false;
    gri_lock(&s->lock);
    room = s->asks < GRI_MCP_ASKS_MAX;
    s->asks++;
    gri_unlock(&s->lock);
    *a = (struct asked){ .s = gri_mcp_ref(s), .id = gr_value_ref(m->id) };
    f = room ? gri_mcp_ask(s, m->method, m->body) : NULL;
    if (f == NULL) {
        drop_asked(a);
        return false;
    }
    (void)gr_on_done(f, on_answer, drop_asked,
                     a); /* if it can't, the server waits in vain, but not for us */
    return true;
}

static void refuse(struct gri_mcp *s, const struct gri_mcp_message *m)
{
    gr_value *why = gr_strf("this client does not answer %.100s", m->method);

    (void)gri_mcp_post(s, gri_mcp_refusal_of(m->id, GRI_MCP_NO_METHOD, gr_cstr(why, "")));
    gr_value_unref(why);
}

static void on_request(struct gri_mcp *s, const struct gri_mcp_message *m)
{
    bool modern;

    gri_lock(&s->lock);
    modern = s->modern;
    gri_unlock(&s->lock);
    if (modern) { /* there it asks by results */
        gri_log_gated(&s->gate, gri_now(s->rt), GRI_LOG_WARN,
                      "mcp %s: it sent a request, which " GRI_MCP_MODERN " does not allow",
                      s->set.name);
    } else if (strcmp(m->method, "ping") == 0) {
        (void)gri_mcp_post(s, gri_mcp_answer_of(m->id, gr_map_n(NULL, 0)));
    } else if (strcmp(m->method, "roots/list") == 0 && s->set.roots != NULL) {
        (void)gri_mcp_post(
            s, gri_mcp_answer_of(m->id, gr_map(GR_KV("roots", gr_value_ref(s->set.roots)))));
    } else if (!ask(s, m)) {
        refuse(s, m);
    }
}

/* ---- notifications ----------------------------------------------------------------------------- */

static int level_of(const char *level)
{
    static const char *const warnings[] = { "warning", "error", "critical", "alert", "emergency" };

    for (size_t i = 0; i < sizeof(warnings) / sizeof(warnings[0]); i++)
        if (strcmp(level, warnings[i]) == 0)
            return GRI_LOG_WARN; /* an error of the server's is none of ours */
    return strcmp(level, "debug") == 0 ? GRI_LOG_DEBUG : GRI_LOG_INFO;
}

static void log_message(struct gri_mcp *s, const gr_value *params)
{
    const gr_value *data = gr_get(params, "data");
    char *json = gr_value_type(data) == GR_STR ? NULL : gr_json_print(data, 0, NULL);

    gri_log_gated(&s->gate, gri_now(s->rt), level_of(gr_cstr(gr_get(params, "level"), "")),
                  "mcp %s: %.40s: %.400s", s->set.name, gr_cstr(gr_get(params, "level"), "?"),
                  json != NULL ? json : gr_cstr(data, ""));
    gr_free(json);
}

static void on_notification(struct gri_mcp *s, const struct gri_mcp_message *m)
{
    if (strcmp(m->method, "notifications/progress") == 0)
        gri_mcp_progress(s, gr_as_int(gr_get(m->body, "progressToken"), 0), m->body);
    else if (strcmp(m->method, "notifications/message") == 0)
        log_message(s, m->body);
    if (strcmp(m->method, "notifications/tools/list_changed") == 0) {
        gri_lock(&s->lock);
        s->fresh_until_ns = 0;
        s->changes++;
        gri_unlock(&s->lock);
    }
    if (is_ref(s->set.events))
        (void)gr_tell(s->rt, s->set.events,
                      gr_map(GR_KV("type", gr_str("mcp_notification")),
                             GR_KV("server", gr_str(s->set.name)),
                             GR_KV("method", gr_str(m->method)),
                             GR_KV("params", m->body != NULL ? gr_value_ref(m->body) : gr_nil())));
}

/* ---- answers ----------------------------------------------------------------------------------- */

/* error_of makes the error value of an answer, without the key and the like, which it may repeat. */
static gr_value *error_of(const struct gri_mcp *s, const struct gri_mcp_message *m)
{
    gr_value *body = gri_hidden_value(&s->set.hidden, gr_value_ref(m->body));
    gr_value *err = gr_error_code(body) != GR_OK ? gr_value_ref(body) : gri_mcp_error(body, 0);

    gr_value_unref(body);
    return err;
}

static void on_response(struct gri_mcp *s, const struct gri_mcp_message *m, int64_t only)
{
    gr_value *err = m->kind == GRI_MCP_ERROR ? error_of(s, m) : NULL;
    int64_t id = gr_value_type(m->id) == GR_INT ? gr_as_int(m->id, 0) : 0;

    if (m->id == NULL && only != 0) /* an error about what could not be read: it was this one */
        id = only;
    if (id <= 0 || (only != 0 && id != only)) {
        gri_log_gated(&s->gate, gri_now(s->rt), GRI_LOG_WARN,
                      "mcp %s: an answer to what was not asked: %.200s", s->set.name,
                      err != NULL ? gr_error_text(err) : "a result");
        gr_value_unref(err);
        return;
    }
    gri_mcp_complete(s, id, err != NULL ? err : gr_value_ref(m->body));
}

/* ---- sorting ----------------------------------------------------------------------------------- */

static void take_one(struct gri_mcp *s, const gr_value *json, int64_t only)
{
    struct gri_mcp_message m;
    gr_value *err = gri_mcp_read(json, &m);

    if (err != NULL) {
        gri_log_gated(&s->gate, gri_now(s->rt), GRI_LOG_WARN, "mcp %s: %s", s->set.name,
                      gr_error_text(err));
        gr_value_unref(err);
    } else if (m.kind == GRI_MCP_REQUEST) {
        on_request(s, &m);
    } else if (m.kind == GRI_MCP_NOTIFICATION) {
        on_notification(s, &m);
    } else {
        on_response(s, &m, only);
    }
}

/* lose deals with a message that there was no memory for: nobody would know which request waits for it. */
static void lose(struct gri_mcp *s, const gr_value *err, int64_t only)
{
    if (only != 0)
        gri_mcp_complete(s, only, gr_value_ref(err));
    else
        gri_mcp_end(s, gr_value_ref(err), true);
}

void gri_mcp_take(struct gri_mcp *s, const char *text, size_t len, int64_t only)
{
    gr_value *json = gr_json_parse(text, len, GR_DECODE(.bytes_max = s->set.message_bytes_max));

    if (gr_error_code(json) == GR_ENOMEM)
        lose(s, json, only);
    else if (gr_error_code(json) != GR_OK)
        gri_log_gated(&s->gate, gri_now(s->rt), GRI_LOG_WARN, "mcp %s: it sent no JSON: %s",
                      s->set.name, gr_error_text(json));
    else if (gr_value_type(json) != GR_LIST)
        take_one(s, json, only);
    for (size_t i = 0; gr_value_type(json) == GR_LIST && i < gr_len(json) && i < BATCH_MAX; i++)
        take_one(s, gr_at(json, i), only);
    gr_value_unref(json);
}
