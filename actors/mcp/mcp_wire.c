/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_wire.c - the actor that sends and is answered later; its exit is the end of the client.
 *
 *   "send"   {"method", "params", "headers"?, "quiet"?, "timeout_ms"?}: a stream of {"progress": …} and, last,
 *            {"result": …}. "notification": nothing but an acknowledgement comes; "get": no message goes, and
 *            what the server has to say comes
 *   "close"  ends the program, or the session; answers when that is done
 *   "opened" answers when the server has answered the listener
 */
#include <greenroom/link.h>

#include "actors/mcp/mcp_session.h"

static gr_value *wire_send(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_mcp *s = gr_as_opaque(gr_args(c));

    (void)self;
    return s->set.argv != NULL ? gri_mcp_stdio_send(c, s, args) : gri_mcp_http_send(c, s, args);
}

/* close_program asks the program to end, and answers when it has. */
static gr_value *close_program(gr_ctx *c, struct gri_mcp *s)
{
    gr_promise *promise = gr_defer(c), *wait = NULL;

    gri_lock(&s->lock);
    if (s->program != NULL && s->ended == NULL && s->closing == NULL) {
        wait = s->closing = promise;
        gri_program_stop(s->program);
    }
    gri_unlock(&s->lock);
    if (wait == NULL)
        gr_resolve(promise, gr_nil());
    return NULL;
}

static gr_value *wire_close(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_mcp *s = gr_as_opaque(gr_args(c));

    (void)self;
    (void)args;
    return s->set.argv != NULL ? close_program(c, s) : gri_mcp_http_close(c, s);
}

void gri_mcp_opened(struct gri_mcp *s)
{
    gr_promise *promise;

    gri_lock(&s->lock);
    s->opened = true;
    promise = s->opening;
    s->opening = NULL;
    gri_unlock(&s->lock);
    gr_resolve(promise, gr_nil());
}

static gr_value *wire_opened(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_mcp *s = gr_as_opaque(gr_args(c));
    gr_promise *promise = gr_defer(c);
    bool wait;

    (void)self;
    (void)args;
    gri_lock(&s->lock);
    wait = !s->opened && s->opening == NULL && s->ended == NULL;
    if (wait)
        s->opening = promise;
    gri_unlock(&s->lock);
    if (!wait)
        gr_resolve(promise, gr_nil());
    return NULL;
}

static void wire_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct gri_mcp *s = gr_as_opaque(gr_args(c));

    (void)self;
    if (gr_get(msg, "resume") != NULL)
        gri_mcp_http_resume(s, gr_as_int(gr_get(msg, "resume"), 0),
                            gr_cstr(gr_get(msg, "last"), ""));
}

static gr_code wire_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_mcp *s = gr_as_opaque(args);
    gr_value *err = NULL;

    (void)self;
    gri_lock(&s->lock); /* who makes the client is about to write the same */
    s->wire = gr_self(c);
    gri_unlock(&s->lock);
    if (s->set.argv != NULL)
        err = gri_mcp_stdio_start(s);
    return err != NULL ? gr_fail(c, err) : GR_OK;
}

/* wire_stopped: nobody waits for it any more, however that came. */
static void wire_stopped(void *self, const gr_value *args)
{
    struct gri_mcp *s = gr_as_opaque(args);

    (void)self;
    gri_mcp_end(s, gr_error(GR_ECANCELED, "the client has been stopped"), false);
    gri_mcp_opened(s);
    gri_lock(&s->lock);
    if (s->program != NULL)
        gri_program_stop(s->program);
    for (struct gri_list *n = s->posts.next; n != &s->posts; n = n->next)
        gri_mcp_http_abort_locked(gri_mcp_post_at(n));
    gri_unlock(&s->lock);
}

static const gr_method wire_methods[] = {
    { "send", GR_ASYNC, wire_send, NULL },
    { "close", GR_ASYNC, wire_close, NULL },
    { "opened", GR_ASYNC, wire_opened, NULL },
};
const gr_class gri_mcp_wire_class =
    GR_CLASS(.name = "McpWire", .init = wire_init, .receive = wire_receive, .stopped = wire_stopped,
             GR_METHODS(wire_methods));

gr_code gri_mcp_post(struct gri_mcp *s, gr_value *message)
{
    gr_code rc = gr_error_code(message);

    if (rc == GR_OK)
        rc = s->set.argv != NULL ? gri_mcp_stdio_write(s, message) : gri_mcp_http_post(s, message);
    gr_value_unref(message);
    return rc;
}
