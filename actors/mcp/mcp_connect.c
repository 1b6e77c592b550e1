/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_connect.c - the actor that agrees with the server on how to speak, and the one that listens to it.
 *
 * It does one thing at a time: callers who have all lost the same session ask it at once, and the first gets
 * a new one for them. Which era a server is of is found as "Versioning and Compatibility" of 2026-07-28 says:
 * server/discover first; a result, or an error that only the modern era has, tells a modern server; anything
 * else, and silence on stdio, is an older one, which gets its handshake.
 */
#include <string.h>

#include <greenroom/runtime.h>

#include "actors/mcp/mcp_session.h"
#include "runtime/http/backoff.h"
#include "runtime/sched/world.h"

struct link {
    struct gri_mcp *s; /* borrowed from the arguments */
};

/* ---- what is agreed on ------------------------------------------------------------------------ */

/* speak sets how the next requests are made. */
static void speak(struct gri_mcp *s, const char *version, bool modern)
{
    size_t len = strlen(version);

    gri_lock(&s->lock);
    s->modern = modern;
    s->session_id[0] = '\0';
    memcpy(s->version, version, len + 1 <= sizeof(s->version) ? len + 1 : 1);
    gri_unlock(&s->lock);
}

/* agreed keeps what the server has said of itself: what the verb "server" answers. */
static void agreed(struct gri_mcp *s, const gr_value *result, const char *version, bool modern)
{
    const gr_value *info = gr_get(result, "serverInfo");
    gr_value *server, *old;

    if (info == NULL)
        info = gr_get(gr_get(result, "_meta"), "io.modelcontextprotocol/serverInfo");
    server = gr_map(GR_KV("protocolVersion", gr_str(version)),
                    GR_KV("era", gr_str(modern ? "modern" : "legacy")),
                    GR_KV("capabilities", gr_value_ref(gr_get(result, "capabilities"))));
    if (gr_value_type(gr_get(result, "capabilities")) != GR_MAP)
        server = gr_set(server, "capabilities", gr_map_n(NULL, 0));
    if (info != NULL)
        server = gr_set(server, "serverInfo", gr_value_ref(info));
    if (gr_value_type(gr_get(result, "instructions")) == GR_STR)
        server = gr_set(server, "instructions", gr_value_ref(gr_get(result, "instructions")));
    gri_lock(&s->lock);
    old = s->server;
    s->server = server;
    s->generation++;
    s->fresh_until_ns = 0;
    s->steady = false;
    gri_unlock(&s->lock);
    gr_value_unref(old);
}

/* ---- the handshake ----------------------------------------------------------------------------- */

/* confirm tells the server that the handshake is done. NULL, or why not. */
static gr_value *confirm(gr_ctx *c, struct gri_mcp *s)
{
    gr_value *v;

    if (s->set.argv != NULL) {
        gr_value *message = gri_mcp_notification_of("notifications/initialized", NULL);
        gr_code rc = gri_mcp_stdio_write(s, message);

        gr_value_unref(message);
        return rc == GR_OK ? NULL : gr_error(rc, "%s reads no more", s->set.name);
    }
    v = gri_mcp_call_once(c, s,
                          &(struct gri_mcp_call){ .method = "notifications/initialized",
                                                  .timeout_ms = s->set.connect_ms,
                                                  .quiet = true,
                                                  .notification = true });
    if (gr_error_code(v) != GR_OK)
        return v;
    gr_value_unref(v);
    return NULL;
}

/* set_level asks for log messages. That the server has none is no mistake. */
static void set_level(gr_ctx *c, struct gri_mcp *s, const gr_value *result)
{
    if (s->set.log_level == NULL || gr_get(gr_get(result, "capabilities"), "logging") == NULL)
        return;
    gr_value_unref(gri_mcp_call_once(
        c, s,
        &(struct gri_mcp_call){ .method = "logging/setLevel",
                                .params = gr_map(GR_KV("level", gr_str(s->set.log_level))),
                                .timeout_ms = s->set.connect_ms }));
}

/* shake_hands is the handshake; NULL, or why it failed. */
static gr_value *shake_hands(gr_ctx *c, struct gri_mcp *s, const char *offered)
{
    gr_value *params, *result, *err = NULL;
    const char *version;

    speak(s, "", false);
    params = gr_map(GR_KV("protocolVersion", gr_str(offered)),
                    GR_KV("capabilities", gri_mcp_capabilities(s)),
                    GR_KV("clientInfo", gr_value_ref(s->set.client_info)));
    result = gri_mcp_call_once(c, s,
                               &(struct gri_mcp_call){ .method = "initialize",
                                                       .params = params,
                                                       .timeout_ms = s->set.connect_ms,
                                                       .quiet = true });
    if (gr_error_code(result) != GR_OK)
        return result;
    version = gr_cstr(gr_get(result, "protocolVersion"), "");
    if (!gri_mcp_is_legacy_version(version)) {
        err = gr_error(GR_EPROTO, "%s speaks version \"%.40s\" of MCP, which we don't", s->set.name,
                       version);
    } else {
        gri_lock(&s->lock);
        memcpy(s->version, version, strlen(version) + 1); /* it is one of ours, and short */
        gri_unlock(&s->lock);
        err = confirm(c, s);
    }
    if (err == NULL) {
        agreed(s, result, version, false);
        set_level(c, s, result);
    }
    gr_value_unref(result);
    return err;
}

/* ---- which era ----------------------------------------------------------------------------------- */

/* is_older tells whether what the probe failed with is what an older server would give. */
static bool is_older(const struct gri_mcp *s, const gr_value *err)
{
    int64_t status = gr_as_int(gr_get(err, "status"), 0);

    if (gri_mcp_is_modern_code(gri_mcp_error_code_of(err)))
        return false;
    if (gr_error_code(err) == GR_ETIMEDOUT)
        return s->set.argv != NULL;
    if (gri_mcp_error_code_of(err) != 0 && status == 0)
        return true;
    return gr_error_code(err) == GR_EREMOTE && status >= 400 && status < 500 && status != 401 &&
           status != 403 && status != 407 && status != 408;
}

/* use_common goes on with the best version that both speak. supported is borrowed. */
static gr_value *use_common(gr_ctx *c, struct gri_mcp *s, const gr_value *supported,
                            const gr_value *discovered)
{
    const char *version = gri_mcp_common_version(supported);

    if (version == NULL)
        return gr_error(GR_EPROTO, "%s speaks no version of MCP that we do", s->set.name);
    if (strcmp(version, GRI_MCP_MODERN) != 0)
        return shake_hands(c, s, version);
    agreed(s, discovered, version, true);
    return NULL;
}

/* probe finds out. NULL, or why there is no way. */
static gr_value *probe(gr_ctx *c, struct gri_mcp *s, bool may_fall_back)
{
    gr_value *v, *err;

    speak(s, GRI_MCP_MODERN, true);
    v = gri_mcp_call_once(
        c, s,
        &(struct gri_mcp_call){ .method = "server/discover",
                                .timeout_ms = may_fall_back ? s->set.probe_ms : s->set.connect_ms,
                                .quiet = may_fall_back });
    if (gr_error_code(v) == GR_OK && gr_get(v, "supportedVersions") != NULL)
        err = use_common(c, s, gr_get(v, "supportedVersions"), v);
    else if (gri_mcp_error_code_of(v) == GRI_MCP_BAD_VERSION && may_fall_back)
        err = use_common(c, s, gr_get(gr_get(gr_get(v, "detail"), "data"), "supported"), NULL);
    else if (may_fall_back && (gr_error_code(v) == GR_OK || is_older(s, v)))
        err = shake_hands(c, s, GRI_MCP_LEGACY);
    else if (gr_error_code(v) == GR_OK)
        err = gr_error(GR_EPROTO, "%s does not say which versions of MCP it speaks", s->set.name);
    else
        err = gr_value_ref(v);
    gr_value_unref(v);
    return err;
}

static gr_value *agree(gr_ctx *c, struct gri_mcp *s)
{
    if (s->set.protocol == NULL)
        return probe(c, s, true);
    if (strcmp(s->set.protocol, GRI_MCP_MODERN) == 0)
        return probe(c, s, false);
    return shake_hands(c, s, s->set.protocol);
}

/* link_connect: {generation that was lost}; answers nil once there is a newer one. */
static gr_value *link_connect(gr_ctx *c, void *self, const gr_value *lost)
{
    struct gri_mcp *s = ((struct link *)self)->s;
    bool newer, modern;
    gr_value *err;

    gri_lock(&s->lock);
    newer = s->generation > (unsigned)gr_as_int(lost, 0);
    modern = s->modern;
    gri_unlock(&s->lock);
    if (newer)
        return gr_nil();
    /* what a server is it stays; only the first time we have to find out */
    err = gr_as_int(lost, 0) > 0 && !modern ? shake_hands(c, s, GRI_MCP_LEGACY) : agree(c, s);
    return err != NULL ? err : gr_nil();
}

static gr_code link_init(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    ((struct link *)self)->s = gr_as_opaque(args);
    return GR_OK;
}

static const gr_method link_methods[] = { { "connect", GR_ASYNC, link_connect, NULL } };
const gr_class gri_mcp_link_class = GR_CLASS(.name = "McpLink", .state_size = sizeof(struct link),
                                             .init = link_init, GR_METHODS(link_methods));

/* ---- listening ----------------------------------------------------------------------------------- */

/* listen_once listens until that is over; why it is. */
static gr_value *listen_once(gr_ctx *c, struct gri_mcp *s)
{
    bool modern;

    gri_lock(&s->lock);
    modern = s->modern;
    gri_unlock(&s->lock);
    if (!modern)
        return gri_mcp_call(c, s,
                            &(struct gri_mcp_call){
                                .method = "", .timeout_ms = -1, .quiet = true, .listens = true });
    return gri_mcp_call(
        c, s,
        &(struct gri_mcp_call){
            .method = "subscriptions/listen",
            .params = gr_map(
                GR_KV("notifications", gr_map(GR_KV("toolsListChanged", gr_bool(true)),
                                              GR_KV("promptsListChanged", gr_bool(true)),
                                              GR_KV("resourcesListChanged", gr_bool(true))))),
            .timeout_ms = -1 });
}

/* listener_receive listens for as long as the client lives. A server that has nothing to say is left in peace. */
static void listener_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct gri_mcp *s = gr_as_opaque(gr_args(c));
    unsigned failures = 0;
    bool goes_on = true;

    (void)self;
    (void)msg;
    while (goes_on) {
        uint64_t began = gri_now(s->rt);
        gr_value *v = listen_once(c, s);
        bool never = strcmp(gr_cstr(gr_get(v, "kind"), ""), "McpNoStream") == 0 ||
                     gri_mcp_error_code_of(v) == GRI_MCP_NO_METHOD;

        gri_mcp_hear(s, false);
        gri_mcp_opened(s);
        gr_value_unref(v);
        if (gri_now(s->rt) - began > UINT64_C(10000000000))
            failures = 0;
        goes_on = !never && !gr_cancelled(c) &&
                  gr_sleep(s->rt, gri_backoff_wait_ms(failures++, 0, gri_random(s->rt))) == GR_OK;
    }
}

const gr_class gri_mcp_listener_class =
    GR_CLASS(.name = "McpListener", .receive = listener_receive);
