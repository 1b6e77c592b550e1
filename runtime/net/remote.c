/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote.c - the proxy: a stateless actor whose one native method takes every verb and sends it on.
 */
#include <string.h>

#include "runtime/actor/call.h"
#include "runtime/net/out_call.h"
#include "runtime/sched/world.h"

static void remote_call(struct gri_call *call)
{
    const gr_value *args = gri_call_spawn_args(call);
    const char *url = gr_cstr(gr_get(args, "url"), "");
    const gr_value *name = gr_get(args, "name");
    struct gri_node *node = NULL;

    if (strncmp(url, "ipc:///", 7) != 0 && strncmp(url, "tcp://", 6) != 0) {
        gri_call_end(call,
                     gr_error(GR_EINVAL, "'%s': a URL is ipc:///path or tcp://host:port", url));
        return;
    }
    if (gr_len(name) == 0 || gr_len(name) > GRI_FRAME_NAME_MAX ||
        strlen(gr_cstr(name, "")) != gr_len(name)) {
        gri_call_end(call, gr_error(GR_EINVAL, "a published name has 1 to %u bytes, and no NUL",
                                    GRI_FRAME_NAME_MAX));
        return;
    }
    node = gri_node_get(call->rt);
    if (node == NULL)
        gri_call_end(call, gr_error(GR_ENOMEM, "out of memory for links, or the runtime is "
                                               "shutting down"));
    else
        gri_out_call_run(node, call, url, name);
}

/* remote_tell sends a message on. It has no answer, so neither has a failure. */
static void remote_tell(gr_ctx *c, void *self, const gr_value *msg)
{
    const gr_value *args = gr_args(c);
    struct gri_node *node = gri_node_get(gr_runtime_of(c));
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    struct gri_peer *peer = NULL;
    const char *name = gr_cstr(gr_get(args, "name"), "");
    gr_value *err = NULL;

    (void)self;
    if (node == NULL || name[0] == '\0' || strlen(name) > GRI_FRAME_NAME_MAX)
        return;
    if (gri_frame_tell(&frame, name, msg) == GR_OK)
        peer = gri_node_peer(node, gr_cstr(gr_get(args, "url"), ""), &err);
    if (peer != NULL)
        gri_peer_tell(peer, &frame);
    gri_peer_unref(peer);
    gri_strbuf_fini(&frame);
    gr_value_unref(err);
}

static const gr_method methods[] = {
    { .verb = "*", .kind = GRI_NATIVE, .fn = GRI_NATIVE_FN(remote_call) },
};

static const gr_class remote_class =
    GR_CLASS(.name = "remote", .receive = remote_tell, GR_METHODS(methods));

gr_ref gr_remote(gr_scope *in, const char *url, const char *name)
{
    gr_value *args = gr_map(GR_KV("url", gr_str(url)), GR_KV("name", gr_str(name)));

    return gr_spawn(in, &remote_class, GR_SPAWN(.args = args, .name = name));
}
