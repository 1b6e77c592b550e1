/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_client.c - gr_mcp_client: the actor that users call.
 *
 * Four actors share one session (mcp_session.h): the wire sends and is answered later; the link agrees on a
 * version, one caller at a time; the listener hears what no request asked for; and this one, whose handlers
 * wait for them. It is linked to the wire: when the server ends, the wire exits with the reason, and so does
 * the client. When the client ends first its farewell closes the wire, and stops the others.
 */
#include <string.h>

#include <greenroom/link.h>
#include <greenroom/mcp.h>

#include "actors/compose/describe.h"
#include "actors/mcp/mcp_content.h"
#include "actors/mcp/mcp_list.h"
#include "actors/mcp/mcp_resource.h"
#include "runtime/base/alloc.h"

#define CLOSE_MORE_MS 1000 /* that the end of a program may take beyond its waits */
#define OPEN_MS 3000       /* that the listener's stream is waited for */

/* ---- the session's memory -------------------------------------------------------------------- */

struct gri_mcp *gri_mcp_ref(struct gri_mcp *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void gri_mcp_unref(void *arg)
{
    struct gri_mcp *s = arg;

    /* acq_rel: the last one sees what the others have written */
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    gri_mcp_settings_fini(&s->set);
    gri_program_unref(s->program);
    gri_map_fini(&s->pending);
    gri_ndjson_fini(&s->lines);
    gri_ndjson_fini(&s->err_lines);
    gr_value_unref(s->ended);
    gr_value_unref(s->server);
    gr_value_unref(s->tool_list);
    gr_value_unref(s->schemas);
    gr_value_unref(s->tool_refs);
    gri_free(s);
}

/* ---- verbs ----------------------------------------------------------------------------------- */

static struct gri_mcp *session_of(gr_ctx *c)
{
    return gr_as_opaque(gr_args(c));
}

static gr_value *list_tools(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_mcp_tools_listed(c, session_of(c));
}

static gr_value *tool(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_mcp *s = session_of(c);
    const char *name = gr_cstr(gr_get(args, "name"), "");
    gr_value *list = gri_mcp_tools_of(c, s, false), *told;
    const gr_value *found;

    (void)self;
    if (gr_error_code(list) != GR_OK)
        return list;
    found = gri_mcp_named(list, name);
    told = found != NULL ? gri_mcp_told(s, found)
                         : gr_error(GR_EINVAL, "%s has no tool %.100s", s->set.name, name);
    gr_value_unref(list);
    return told;
}

/* call_tool is the server's, but that tools (mcp_tool.c) have their arguments judged before: "judge". Its answer says
 * besides whether an error is to be raised, for the tools. */
static gr_value *call_tool(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_mcp *s = session_of(c);
    const char *name = gr_cstr(gr_get(args, "name"), NULL);
    const gr_value *arguments = gr_get(args, "arguments");
    gr_value *none, *v = NULL;

    (void)self;
    if (name == NULL || (!gr_is_nil(arguments) && gr_value_type(arguments) != GR_MAP))
        return gr_error(GR_ETYPE, "expected {\"name\": string, \"arguments\": map}");
    none = gr_map_n(NULL, 0);
    arguments = gr_is_nil(arguments) ? none : arguments;
    if (gr_as_bool(gr_get(args, "judge"), false))
        v = gri_mcp_judge(c, s, name, arguments);
    if (v == NULL)
        v = gri_mcp_call_tool(c, s, name, arguments);
    gr_value_unref(none);
    if (gr_error_code(v) == GR_OK && gr_get(v, "content") == NULL)
        v = gr_set(v, "content", gr_list_n(NULL, 0));
    return gr_error_code(v) == GR_OK && s->set.raise_errors
               ? gr_set(v, "raise_errors", gr_bool(true))
               : v;
}

static gr_value *list_prompts(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gri_mcp_list(c, session_of(c), "prompts/list", "prompts", NULL);
}

static gr_value *prompt(gr_ctx *c, void *self, const gr_value *args)
{
    const gr_value *name = gr_get(args, "name"), *arguments = gr_get(args, "arguments");
    gr_value *params = gr_map(GR_KV("name", gr_value_ref(name))), *v, *messages;

    (void)self;
    if (gr_value_type(name) != GR_STR) {
        gr_value_unref(params);
        return gr_error(GR_ETYPE, "expected {\"name\": string, \"arguments\": map}");
    }
    if (!gr_is_nil(arguments))
        params = gr_set(params, "arguments", gr_value_ref(arguments));
    v = gri_mcp_call(c, session_of(c),
                     &(struct gri_mcp_call){ .method = "prompts/get", .params = params });
    if (gr_error_code(v) != GR_OK)
        return v;
    messages = gri_mcp_messages(gr_get(v, "messages"));
    gr_value_unref(v);
    return messages;
}

static gr_value *server(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_mcp *s = session_of(c);
    gr_value *v;

    (void)self;
    (void)args;
    gri_lock(&s->lock);
    v = gr_value_ref(s->server);
    gri_unlock(&s->lock);
    return v;
}

static gr_value *request(gr_ctx *c, void *self, const gr_value *args)
{
    const char *method = gr_cstr(gr_get(args, "method"), NULL);
    const gr_value *params = gr_get(args, "params");

    (void)self;
    if (method == NULL || (!gr_is_nil(params) && gr_value_type(params) != GR_MAP))
        return gr_error(GR_ETYPE, "expected {\"method\": string, \"params\": map}");
    return gri_mcp_call(
        c, session_of(c),
        &(struct gri_mcp_call){ .method = method,
                                .params = gr_is_nil(params) ? NULL : gr_value_ref(params) });
}

/* ---- its life -------------------------------------------------------------------------------- */

/* start_listening has the listener begin, if there is something to listen to. An old server may ask there what it wants
 * to know for a request. */
static void start_listening(struct gri_mcp *s)
{
    bool modern;

    gri_lock(&s->lock);
    modern = s->modern;
    gri_unlock(&s->lock);
    if (!(modern ? s->set.listen : s->set.argv == NULL && (s->set.listen || gri_mcp_answers(s))))
        return;
    (void)gr_tell(s->rt, s->listener, gr_nil());
    if (!modern) /* what the server asks before that would be lost */
        gr_value_unref(
            gr_do(s->rt, s->wire, "opened", gr_nil(), GR_CALL(.timeout_ms = OPEN_MS), NULL));
}

/* meet waits for the others. NULL, or what is wrong. */
static gr_value *meet(struct gri_mcp *s)
{
    const gr_ref others[] = { s->wire, s->link, s->listener };
    gr_value *err = NULL;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        gr_value *v = gr_take(gr_started(s->rt, others[i]), &err);

        if (v == NULL)
            return err;
        gr_value_unref(v);
    }
    return NULL;
}

/* ended says why the server has ended; NULL: it has not. */
static gr_value *ended(struct gri_mcp *s)
{
    gr_value *why = NULL;

    gri_lock(&s->lock);
    if (s->ended != NULL)
        why = gr_value_ref(s->ended);
    gri_unlock(&s->lock);
    return why;
}

/* tie has the client exit with the wire. Not before it is up: an init that fails says why for good. */
static gr_value *tie(gr_ctx *c, struct gri_mcp *s)
{
    gr_code rc = gr_link(c, s->wire);

    return rc != GR_OK ? gr_error(rc, "%s: %s", s->set.name, gr_code_name(rc)) : ended(s);
}

/* part stops the others, which are of no use without the client: their program ends. */
static void part(struct gri_mcp *s)
{
    gr_stop(s->rt, s->listener);
    gr_stop(s->rt, s->link);
    gr_stop(s->rt, s->wire);
}

static gr_value *begin(gr_ctx *c, struct gri_mcp *s)
{
    gr_value *err = meet(s), *v;

    if (err != NULL)
        return err;
    v = gr_do(s->rt, s->link, "connect", gr_int(0), GR_CALL(.timeout_ms = s->set.connect_ms), &err);
    if (v == NULL)
        return err;
    gr_value_unref(v);
    start_listening(s);
    return tie(c, s);
}

static gr_code client_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct gri_mcp *s = gr_as_opaque(args);
    gr_value *err = begin(c, s), *why;

    (void)self;
    if (err == NULL)
        return GR_OK;
    why = ended(s); /* a better reason than that somebody is gone */
    if (why != NULL)
        gr_value_unref(err);
    part(s); /* an init that failed is not seen off before its scope ends */
    return gr_fail(c, why != NULL ? why : err);
}

static void client_terminate(gr_ctx *c, void *self, const gr_value *reason)
{
    struct gri_mcp *s = session_of(c);
    int64_t wait_ms = (int64_t)(s->set.end_ms + s->set.term_ms) + CLOSE_MORE_MS;

    (void)self;
    (void)reason;
    (void)gr_exit_to(s->rt, s->listener, gr_str("shutdown"));
    gr_value_unref(gr_do(s->rt, s->wire, "close", gr_nil(), GR_CALL(.timeout_ms = wait_ms), NULL));
}

static void client_stopped(void *self, const gr_value *args)
{
    struct gri_mcp *s = gr_as_opaque(args);

    (void)self;
    if (s != NULL)
        part(s);
}

static const gr_method client_methods[] = {
    { "tools", GR_ASYNC, gri_mcp_tool_refs, NULL },
    { "list_tools", GR_ASYNC, list_tools, NULL },
    { "tool", GR_ASYNC, tool, NULL },
    { "call_tool", GR_ASYNC, call_tool, NULL },
    { "list_resources", GR_ASYNC, gri_mcp_list_resources, NULL },
    { "list_resource_templates", GR_ASYNC, gri_mcp_list_templates, NULL },
    { "read_resource", GR_ASYNC, gri_mcp_read_resource, NULL },
    { "resources", GR_ASYNC, gri_mcp_read_blobs, NULL },
    { "load", GR_ASYNC, gri_mcp_read_documents, NULL },
    { "list_prompts", GR_ASYNC, list_prompts, NULL },
    { "prompt", GR_ASYNC, prompt, NULL },
    { "server", GR_ASYNC, server, NULL },
    { "request", GR_ASYNC, request, NULL },
};
static const gr_class client_class =
    GR_CLASS(.name = "McpClient", .init = client_init, .terminate = client_terminate,
             .stopped = client_stopped, GR_METHODS(client_methods));

/* session_new reads the options; *reterr: what is wrong. */
static struct gri_mcp *session_new(gr_scope *in, const gr_mcp_opts *o, gr_value **reterr)
{
    struct gri_mcp *s = gri_new0(struct gri_mcp);

    if (s == NULL) {
        gr_value_unref(o->env);
        gr_value_unref(o->roots);
        *reterr = gri_mcp_no_memory();
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->rt = gr_scope_runtime(in);
    s->in = in;
    gri_map_init(&s->pending, 0);
    gri_list_init(&s->posts);
    gri_list_init(&s->asked);
    *reterr = gri_mcp_settings_init(&s->set, o);
    if (*reterr == NULL)
        return s;
    gri_mcp_unref(s);
    return NULL;
}

static gr_value *args_of(struct gri_mcp *s)
{
    return gr_opaque(gri_mcp_ref(s), gri_mcp_unref);
}

/* own reads the options of a caller whose struct may be shorter, since it grew. */
static gr_mcp_opts own(const gr_mcp_opts *opts)
{
    gr_mcp_opts o = { .size = sizeof(o) };

    if (opts != NULL)
        memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
    return o;
}

gr_ref gr_mcp_client(gr_scope *in, const gr_mcp_opts *opts)
{
    const gr_mcp_opts o = own(opts);
    gr_value *err = NULL;
    struct gri_mcp *s;
    gr_ref client, wire;

    if (in == NULL) {
        gr_value_unref(o.env);
        gr_value_unref(o.roots);
        return (gr_ref){ .node = 0, .id = GR_EINVAL };
    }
    s = session_new(in, &o, &err);
    if (s == NULL)
        return gr_spawn(in, &client_class, GR_SPAWN(.args = err));
    wire = gr_spawn(in, &gri_mcp_wire_class,
                    GR_SPAWN(.name = s->set.name, .args = args_of(s), .mailbox_max = 65536));
    gri_lock(&s->lock); /* its program may have ended by now */
    s->wire = wire;
    gri_unlock(&s->lock);
    s->link = gr_spawn(in, &gri_mcp_link_class, GR_SPAWN(.name = s->set.name, .args = args_of(s)));
    s->listener =
        gr_spawn(in, &gri_mcp_listener_class, GR_SPAWN(.name = s->set.name, .args = args_of(s)));
    client = gr_spawn(
        in, &client_class,
        GR_SPAWN(.name = s->set.name, .args = args_of(s),
                 .terminate_ms = (int64_t)(s->set.end_ms + s->set.term_ms) + 2 * CLOSE_MORE_MS));
    gri_mcp_unref(s);
    return client;
}

/* ---- calling it ------------------------------------------------------------------------------ */

gr_future *gr_amcp_tools(gr_runtime *rt, gr_ref client, const gr_call_opts *opts)
{
    return gr_acall(rt, client, "tools", gr_nil(), opts);
}

gr_value *gr_mcp_tools(gr_runtime *rt, gr_ref client, const gr_call_opts *opts, gr_value **reterr)
{
    return gr_take(gr_amcp_tools(rt, client, opts), reterr);
}

gr_future *gr_amcp_prompt(gr_runtime *rt, gr_ref client, const char *name, gr_value *arguments,
                          const gr_call_opts *opts)
{
    gr_value *args = gr_map(GR_KV("name", gr_str(name)));

    return gr_acall(rt, client, "prompt",
                    arguments != NULL ? gr_set(args, "arguments", arguments) : args, opts);
}

gr_value *gr_mcp_prompt(gr_runtime *rt, gr_ref client, const char *name, gr_value *arguments,
                        const gr_call_opts *opts, gr_value **reterr)
{
    return gr_take(gr_amcp_prompt(rt, client, name, arguments, opts), reterr);
}

gr_future *gr_amcp_resources(gr_runtime *rt, gr_ref client, gr_value *uris,
                             const gr_call_opts *opts)
{
    return gr_acall(rt, client, "resources", uris != NULL ? gr_map(GR_KV("uris", uris)) : gr_nil(),
                    opts);
}

gr_value *gr_mcp_resources(gr_runtime *rt, gr_ref client, gr_value *uris, const gr_call_opts *opts,
                           gr_value **reterr)
{
    return gr_take(gr_amcp_resources(rt, client, uris, opts), reterr);
}
