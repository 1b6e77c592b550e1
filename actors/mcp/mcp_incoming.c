/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_incoming.c - what a server says by itself or as an answer, sorted.
 *
 * Runs on the threads that bring it, so nothing here waits. What makes no sense (a text that is no message,
 * an answer to what was never asked, a second answer) is told to the log, a line a second at most, and left:
 * a server is a guest that may be confused, and its other answers are still good.
 */
#include <string.h>

#include <greenroom/codec.h>

#include "actors/mcp/mcp_session.h"
#include "runtime/base/alloc.h"
#include "runtime/sched/world.h"

#define BATCH_MAX 256 /* messages in a list of such, which 2025-03-26 allows */

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

/* is_subscription: a number is that of the request that listens. */
static bool is_subscription(struct gri_mcp *s, const gr_value *id)
{
    bool is;

    gri_lock(&s->lock);
    is = gr_value_type(id) == GR_INT && gr_as_int(id, 0) == s->subscription;
    gri_unlock(&s->lock);
    return is;
}

/* on_acknowledged: the server says of which changes it will tell. */
static void on_acknowledged(struct gri_mcp *s, const gr_value *params)
{
    const gr_value *id = gr_get(gr_get(params, "_meta"), "io.modelcontextprotocol/subscriptionId");

    if (is_subscription(s, id))
        gri_mcp_hear(
            s, gr_as_bool(gr_get(gr_get(params, "notifications"), "toolsListChanged"), false));
}

/* on_cancelled: the server ends the subscription, and the listener begins another; or it wants no answer any more. */
static void on_cancelled(struct gri_mcp *s, const gr_value *params)
{
    const gr_value *id = gr_get(params, "requestId");

    if (is_subscription(s, id))
        gri_mcp_complete(s, gr_as_int(id, 0),
                         gr_error(GR_ECANCELED, "%s has ended the subscription", s->set.name));
    else if (id != NULL)
        gri_mcp_unask(s, id);
}

static void on_notification(struct gri_mcp *s, const struct gri_mcp_message *m)
{
    if (strcmp(m->method, "notifications/progress") == 0)
        gri_mcp_progress(s, gr_as_int(gr_get(m->body, "progressToken"), 0), m->body);
    else if (strcmp(m->method, "notifications/message") == 0)
        log_message(s, m->body);
    else if (strcmp(m->method, "notifications/tools/list_changed") == 0)
        gri_mcp_tools_changed(s);
    else if (strcmp(m->method, "notifications/subscriptions/acknowledged") == 0)
        on_acknowledged(s, m->body);
    else if (strcmp(m->method, "notifications/cancelled") == 0)
        on_cancelled(s, m->body);
    if (gri_mcp_is_ref(s->set.events))
        (void)gr_tell(s->rt, s->set.events,
                      gr_map(GR_KV("type", gr_str("mcp_notification")),
                             GR_KV("server", gr_str(s->set.name)),
                             GR_KV("method", gr_str(m->method)),
                             GR_KV("params", m->body != NULL ? gr_value_ref(m->body) : gr_nil())));
}

/* ---- answers ----------------------------------------------------------------------------------- */

static void on_response(struct gri_mcp *s, const struct gri_mcp_message *m, int64_t only)
{
    gr_value *err = m->kind == GRI_MCP_ERROR ? gri_mcp_error(m->body, 0) : NULL;
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
        gri_mcp_on_request(s, &m);
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

static gr_value *parse(struct gri_mcp *s, const char *text, size_t len)
{
    return gr_json_parse(text, len, GR_DECODE(.bytes_max = s->set.message_bytes_max));
}

/* is_shown: an error, or what goes to the log; or a list that may have one in it. */
static bool is_shown(const gr_value *json)
{
    return gr_value_type(json) != GR_MAP || gr_get(json, "error") != NULL ||
           strcmp(gr_cstr(gr_get(json, "method"), ""), "notifications/message") == 0;
}

/* mask hides what is secret in a text that is shown, and else the token alone: even a model has no business with
 * that, while the rest may be part of an answer by chance. True if there was something. */
static bool mask(const struct gri_mcp *s, char *text, size_t len, bool shown)
{
    char *token = (char *)(uintptr_t)s->set.key;

    if (shown)
        return gri_hidden_mask(&s->set.hidden, text, len);
    return token != NULL && strlen(token) >= GRI_HIDDEN_MIN &&
           gri_hidden_mask(&(struct gri_hidden){ .texts = &token, .count = 1 }, text, len);
}

/* parse_hidden parses a text in which secrets are hidden. */
static gr_value *parse_hidden(struct gri_mcp *s, const char *text, size_t len)
{
    gr_value *json = parse(s, text, len);
    char *copy;

    if (s->set.hidden.count == 0 || (s->set.key == NULL && !is_shown(json)))
        return json;
    copy = gri_strndup(text, len);
    if (copy == NULL) {
        gr_value_unref(json);
        return gri_mcp_no_memory();
    }
    if (mask(s, copy, len, is_shown(json))) {
        gr_value_unref(json);
        json = parse(s, copy, len);
    }
    gri_free(copy);
    return json;
}

void gri_mcp_take(struct gri_mcp *s, const char *text, size_t len, int64_t only)
{
    gr_value *json = parse_hidden(s, text, len);

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
