/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_asked.c - what a server asks of us, and who answers. Nothing in here waits. */
#include <string.h>

#include <greenroom/call.h>

#include "actors/mcp/mcp_session.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/sched/world.h"

/* ---- asking handlers of the user's ------------------------------------------------------------- */

bool gri_mcp_is_ref(gr_ref r)
{
    return r.node != 0 || r.id != 0;
}

bool gri_mcp_answers(const struct gri_mcp *s)
{
    return s->set.roots != NULL || gri_mcp_is_ref(s->set.sampling) ||
           gri_mcp_is_ref(s->set.elicitation);
}

gr_value *gri_mcp_capabilities(const struct gri_mcp *s)
{
    gr_value *all = gr_map_n(NULL, 0);

    if (s->set.roots != NULL)
        all = gr_set(all, "roots", gr_map_n(NULL, 0));
    if (gri_mcp_is_ref(s->set.sampling))
        all = gr_set(all, "sampling", gr_map_n(NULL, 0));
    if (gri_mcp_is_ref(s->set.elicitation))
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
    if (!gri_mcp_is_ref(to))
        return NULL;
    return gr_ainvoke(s->rt, to, params != NULL ? gr_value_ref(params) : gr_map_n(NULL, 0), NULL);
}

/* ---- requests of the server (the era with handshakes) ------------------------------------------ */

/* An answer that is being made. */
struct asked {
    struct gri_mcp *s; /* a reference */
    gr_value *id;      /* counted */
    /* guarded by s->lock */
    struct gri_list at_session;
    gr_call call; /* the handler's; {0, 0}: not yet */
    bool over;    /* nobody wants it any more */
};

static struct asked *asked_at(struct gri_list *node)
{
    return gri_container_of(node, struct asked, at_session);
}

static void drop_asked(void *arg)
{
    struct asked *a = arg;

    gri_lock(&a->s->lock);
    gri_list_remove(&a->at_session);
    a->s->asks--;
    gri_unlock(&a->s->lock);
    gr_value_unref(a->id);
    gri_mcp_unref(a->s);
    gri_free(a);
}

/* is_over tells so; the call that makes the answer is noted, if it is given. */
static bool is_over(struct asked *a, const gr_call *call)
{
    bool over;

    gri_lock(&a->s->lock);
    over = a->over;
    if (call != NULL)
        a->call = *call;
    gri_unlock(&a->s->lock);
    return over;
}

static void on_answer(void *arg, gr_future *f)
{
    struct asked *a = arg;
    gr_outcome o = gr_await(f, 0);

    if (!is_over(a, NULL))
        (void)gri_mcp_post(a->s, o.code == GR_OK
                                     ? gri_mcp_answer_of(a->id, gr_value_ref(o.value))
                                     : gri_mcp_refusal_of(a->id, GRI_MCP_INTERNAL,
                                                          o.error != NULL ? gr_error_text(o.error)
                                                                          : gr_code_name(o.code)));
    gr_future_free(f);
}

/* pick takes an answer that nobody wants: that to the request of the id, NULL: any. {0, 0} with *ret_found false: there is
 * none. */
static gr_call pick(struct gri_mcp *s, const gr_value *id, bool *ret_found)
{
    gr_call call = { .node = 0, .id = 0 };

    *ret_found = false;
    gri_lock(&s->lock);
    for (struct gri_list *n = s->asked.next; n != &s->asked && !*ret_found; n = n->next) {
        struct asked *a = asked_at(n);

        if (a->over || (id != NULL && !gr_equal(a->id, id)))
            continue;
        a->over = *ret_found = true;
        call = a->call;
    }
    gri_unlock(&s->lock);
    return call;
}

void gri_mcp_unask(struct gri_mcp *s, const gr_value *id)
{
    bool found = true;

    while (found) {
        gr_call call = pick(s, id, &found);

        if (call.node != 0 || call.id != 0)
            gr_cancel(s->rt, call);
    }
}

/* ask has a handler of the user's answer; false: there is none, or no room. */
static bool ask(struct gri_mcp *s, const struct gri_mcp_message *m)
{
    struct asked *a = gri_new0(struct asked);
    bool room;
    gr_future *f;
    gr_call call;

    if (a == NULL)
        return false;
    *a = (struct asked){ .s = gri_mcp_ref(s), .id = gr_value_ref(m->id) };
    gri_lock(&s->lock);
    room = s->asks < GRI_MCP_ASKS_MAX && s->ended == NULL;
    s->asks++;
    gri_list_push(&s->asked, &a->at_session);
    gri_unlock(&s->lock);
    f = room ? gri_mcp_ask(s, m->method, m->body) : NULL;
    if (f == NULL) {
        drop_asked(a);
        return false;
    }
    call = gr_future_call(f);
    if (is_over(a, &call))
        gr_cancel(s->rt, call);
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

void gri_mcp_on_request(struct gri_mcp *s, const struct gri_mcp_message *m)
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
