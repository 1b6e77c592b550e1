/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_call.c - asking the server and waiting: time-outs, words of progress, sessions that were lost, input that
 * the server wants.
 */
#include <string.h>

#include <greenroom/callbacks.h>
#include <greenroom/runtime.h>

#include "actors/mcp/mcp_session.h"

#define SESSIONS_MAX 2 /* that one call may lose */
#define AGAIN_MS                                                                                   \
    100 /* before a request is made again that wants nothing but that, doubled each time */
#define META "io.modelcontextprotocol/"

/* ---- one request ----------------------------------------------------------------------------- */

/* with_meta adds what each request carries in the era without handshakes. */
static gr_value *with_meta(struct gri_mcp *s, gr_value *params)
{
    gr_value *meta =
        gr_get(params, "_meta") != NULL ? gr_value_ref(gr_get(params, "_meta")) : gr_map_n(NULL, 0);
    char version[sizeof(s->version)];
    bool modern;

    gri_lock(&s->lock);
    modern = s->modern;
    memcpy(version, s->version, sizeof(version));
    gri_unlock(&s->lock);
    if (modern) {
        meta = gr_set(meta, META "protocolVersion", gr_str(version));
        meta = gr_set(meta, META "clientInfo", gr_value_ref(s->set.client_info));
        meta = gr_set(meta, META "clientCapabilities", gri_mcp_capabilities(s));
        if (s->set.log_level != NULL)
            meta = gr_set(meta, META "logLevel", gr_str(s->set.log_level));
    }
    return gr_set(params, "_meta", meta);
}

static gr_value *wire_args(struct gri_mcp *s, const struct gri_mcp_call *call, int64_t timeout_ms)
{
    gr_value *params =
        with_meta(s, call->params != NULL ? gr_value_ref(call->params) : gr_map_n(NULL, 0));
    gr_value *args =
        gr_map(GR_KV("method", gr_str(call->method)), GR_KV("params", params),
               GR_KV("quiet", gr_bool(call->quiet)), GR_KV("timeout_ms", gr_int(timeout_ms)));

    if (call->notification)
        args = gr_set(args, "notification", gr_bool(true));
    if (call->listens)
        args = gr_set(args, "get", gr_bool(true));
    return call->headers != NULL ? gr_set(args, "headers", gr_value_ref(call->headers)) : args;
}

/* check_result: a result says whether it is whole, in the era without handshakes. */
static gr_value *check_result(const gr_value *result)
{
    const char *type = gr_cstr(gr_get(result, "resultType"), "complete");

    if (strcmp(type, "complete") == 0 || strcmp(type, "input_required") == 0)
        return gr_value_ref(result);
    return gr_error(GR_EPROTO, "a result of an unknown type, %.100s", type);
}

/* on_outcome handles what came of the wire's stream; NULL: go on. */
static gr_value *on_outcome(gr_ctx *c, struct gri_mcp *s, const struct gri_mcp_call *call,
                            const gr_outcome *o, int64_t timeout_ms)
{
    if (o->code == GR_OK && gr_get(o->value, "result") != NULL)
        return check_result(gr_get(o->value, "result"));
    if (o->code == GR_OK) {
        (void)gr_dispatch_event(c, "mcp_progress", gr_value_ref(gr_get(o->value, "progress")));
        return NULL;
    }
    if (o->code == GR_EPENDING)
        return gr_error(GR_ETIMEDOUT, "%s: no answer to %s in %lld ms", s->set.name, call->method,
                        (long long)timeout_ms);
    if (o->code == GR_EOS)
        return gr_error(GR_EPROTO, "%s: no answer to %s", s->set.name, call->method);
    return o->error != NULL ? gr_value_ref(o->error)
                            : gr_error(o->code, "%s: %s", call->method, gr_code_name(o->code));
}

static gr_value *call_once(gr_ctx *c, struct gri_mcp *s, const struct gri_mcp_call *call)
{
    int64_t timeout_ms = call->timeout_ms != 0 ? call->timeout_ms : s->set.timeout_ms;
    int64_t total_ms = call->listens || timeout_ms < 0 ? 0 : s->set.total_ms;
    gr_stream *stream = gr_astream_call(s->rt, s->wire, "send", wire_args(s, call, timeout_ms),
                                        NULL, GR_CALL(.timeout_ms = total_ms));
    gr_value *v = NULL;

    while (v == NULL) {
        gr_outcome o = gr_next(stream, timeout_ms > 0 ? timeout_ms : -1);

        v = on_outcome(c, s, call, &o, timeout_ms);
    }
    gr_stream_free(stream);
    return v;
}

gr_value *gri_mcp_call_once(gr_ctx *c, struct gri_mcp *s, const struct gri_mcp_call *call)
{
    gr_value *v = call_once(c, s, call);

    gr_value_unref(call->params);
    return v;
}

/* ---- sessions -------------------------------------------------------------------------------- */

static unsigned generation_of(struct gri_mcp *s)
{
    unsigned generation;

    gri_lock(&s->lock);
    generation = s->generation;
    gri_unlock(&s->lock);
    return generation;
}

/* call_in_session makes the call, and a new session if the server has lost ours. */
static gr_value *call_in_session(gr_ctx *c, struct gri_mcp *s, const struct gri_mcp_call *call)
{
    for (unsigned tries = 0;; tries++) {
        unsigned generation = generation_of(s);
        gr_value *v = call_once(c, s, call), *made, *err = NULL;

        if (gr_error_code(v) == GR_OK || tries == SESSIONS_MAX ||
            strcmp(gr_cstr(gr_get(v, "kind"), ""), "McpSessionLost") != 0)
            return v;
        gr_value_unref(v);
        made = gr_do(s->rt, s->link, "connect", gr_int(generation), NULL, &err);
        if (made == NULL)
            return err;
        gr_value_unref(made);
    }
}

/* ---- input that the server wants (MRTR) ---------------------------------------------------------- */

/* response_to gives what one of its requests is answered with; an error value: nobody does. */
static gr_value *response_to(struct gri_mcp *s, const gr_value *request)
{
    const char *method = gr_cstr(gr_get(request, "method"), "");
    gr_value *err = NULL, *v;
    gr_future *f;

    if (strcmp(method, "roots/list") == 0 && s->set.roots != NULL)
        return gr_map(GR_KV("roots", gr_value_ref(s->set.roots)));
    f = gri_mcp_ask(s, method, gr_get(request, "params"));
    if (f == NULL)
        return gr_error(GR_EREMOTE, "%s wants an answer to %.100s, which this client does not give",
                        s->set.name, method);
    v = gr_take(f, &err);
    return v != NULL ? v : err;
}

/* responses_to answers them all. An error tells what was wanted, so that somebody else may ask for it. */
static gr_value *responses_to(struct gri_mcp *s, const gr_value *result)
{
    const gr_value *requests = gr_get(result, "inputRequests");
    gr_value *all = gr_map_n(NULL, 0);

    if (gr_len(requests) > GRI_MCP_ASKS_MAX) {
        gr_value_unref(all);
        return gr_error(GR_EFULL, "%s wants %zu answers at once", s->set.name, gr_len(requests));
    }
    for (size_t i = 0; gr_value_type(requests) == GR_MAP && i < gr_len(requests); i++) {
        const char *key = "";
        const gr_value *request = gr_pair_at(requests, i, &key);
        gr_value *v = response_to(s, request);

        if (gr_error_code(v) != GR_OK) {
            gr_value_unref(all);
            v = gr_error_with(v, "kind", gr_str("McpInputRequired"));
            return gr_error_with(v, "detail", gr_value_ref(result));
        }
        all = gr_set(all, key, v);
    }
    return all;
}

/* again_params are the params of the next attempt. */
static gr_value *again_params(const struct gri_mcp_call *call, const gr_value *result,
                              gr_value *responses)
{
    gr_value *params = call->params != NULL ? gr_value_ref(call->params) : gr_map_n(NULL, 0);

    if (gr_get(result, "inputRequests") != NULL)
        params = gr_set(params, "inputResponses", gr_value_ref(responses));
    if (gr_get(result, "requestState") != NULL)
        params = gr_set(params, "requestState", gr_value_ref(gr_get(result, "requestState")));
    gr_value_unref(responses);
    return params;
}

static bool wants_input(const gr_value *v)
{
    return strcmp(gr_cstr(gr_get(v, "resultType"), ""), "input_required") == 0;
}

gr_value *gri_mcp_call(gr_ctx *c, struct gri_mcp *s, const struct gri_mcp_call *call)
{
    gr_value *v = call_in_session(c, s, call);

    for (unsigned round = 0; gr_error_code(v) == GR_OK && wants_input(v); round++) {
        struct gri_mcp_call next = *call;
        gr_value *responses;

        if (round == s->set.rounds_max) {
            gr_value_unref(v);
            v = gr_error(GR_EFULL, "%s asks for input again and again", s->set.name);
            break;
        }
        responses = responses_to(s, v);
        if (gr_error_code(responses) != GR_OK) {
            gr_value_unref(v);
            v = responses;
            break;
        }
        if (gr_get(v, "inputRequests") == NULL)
            (void)gr_sleep(s->rt, AGAIN_MS << (round < 6 ? round : 6));
        next.params = again_params(call, v, responses);
        gr_value_unref(v);
        v = call_in_session(c, s, &next);
        gr_value_unref(next.params);
    }
    gr_value_unref(call->params);
    return v;
}
