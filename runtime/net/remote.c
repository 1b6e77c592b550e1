/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote.c - the proxies, of a name and of a ref: stateless actors whose one native method takes every verb
 * and sends it on.
 */
#include <string.h>

#include <greenroom/callbacks.h>

#include "runtime/actor/call.h"
#include "runtime/net/lent.h"
#include "runtime/net/out_call.h"
#include "runtime/net/remote.h"
#include "runtime/net/stand_in.h"
#include "runtime/sched/world.h"

bool gri_is_remote_url(const char *url)
{
    return strncmp(url, "ipc:///", 7) == 0 || strncmp(url, "tcp://", 6) == 0 ||
           strncmp(url, GRI_TLS_SCHEME, strlen(GRI_TLS_SCHEME)) == 0;
}

bool gri_is_remote_name(const gr_value *name)
{
    return gr_len(name) > 0 && gr_len(name) <= GRI_FRAME_NAME_MAX &&
           strlen(gr_cstr(name, "")) == gr_len(name);
}

static void remote_call(struct gri_call *call)
{
    const gr_value *args = gri_call_spawn_args(call);
    const char *url = gr_cstr(gr_get(args, "url"), "");
    const gr_value *name = gr_get(args, "name");
    struct gri_node *node = NULL;

    if (!gri_is_remote_url(url)) {
        gri_call_end(call,
                     gr_error(GR_EINVAL,
                              "'%s': a URL is ipc:///path, tcp://host:port or tls+tcp://host:port",
                              url));
        return;
    }
    if (!gri_is_remote_name(name)) {
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

/* lent_call sends it to the peer's ref, over the link on which that came. */
static void lent_call(struct gri_call *call)
{
    struct gri_stand_in *s = gr_as_opaque(gri_call_spawn_args(call));
    gr_value *name = gr_strf("#%llx", (unsigned long long)s->there.id);

    gri_out_call_to(gri_peer_ref(gri_peer_now(atomic_load(&s->peer))), call, name, s->there);
    gr_value_unref(name);
}

/* tell_to sends a message, or an exit signal, on. It has no answer, so neither has a failure. */
static void tell_to(struct gri_peer *peer, struct gri_frame *f, const gr_value *msg)
{
    struct gri_ref_map refs = { gri_lend, peer };
    struct gri_strbuf frame = GRI_STRBUF_INIT;

    f->refs = &refs;
    if (gri_signal_is(msg))
        gri_signal_pass(msg, peer, f);
    else if (gri_frame_tell_to(&frame, f, msg) == GR_OK)
        gri_peer_tell(peer, &frame, gri_peer_target_key(f->name, f->to));
    gri_strbuf_fini(&frame);
}

static void lent_tell(gr_ctx *c, void *self, const gr_value *msg)
{
    struct gri_stand_in *s = gr_as_opaque(gr_args(c));
    struct gri_frame f = { .type = GRI_FRAME_TELL, .to = s->there };

    (void)self;
    tell_to(gri_peer_now(atomic_load(&s->peer)), &f, msg);
}

static void remote_tell(gr_ctx *c, void *self, const gr_value *msg)
{
    const gr_value *args = gr_args(c);
    struct gri_node *node = gri_node_get(gr_runtime_of(c));
    const char *name = gr_cstr(gr_get(args, "name"), "");
    struct gri_frame f = { .type = GRI_FRAME_TELL };
    struct gri_peer *peer = NULL;
    gr_value *err = NULL;

    (void)self;
    if (node == NULL || name[0] == '\0' || strlen(name) > GRI_FRAME_NAME_MAX)
        return;
    memcpy(f.name, name, strlen(name) + 1);
    peer = gri_node_peer(node, gr_cstr(gr_get(args, "url"), ""), &err);
    if (peer != NULL)
        tell_to(peer, &f, msg);
    else if (!gri_signal_is(msg))
        gri_dead_letter(gr_runtime_of(c), "told to a node that can't be reached");
    gri_peer_unref(peer);
    gr_value_unref(err);
}

static const gr_method methods[] = {
    { .verb = "*", .kind = GRI_SENDING, .fn = GRI_NATIVE_FN(remote_call) },
};
static const gr_method lent_methods[] = {
    { .verb = "*", .kind = GRI_SENDING, .fn = GRI_NATIVE_FN(lent_call) },
};

const gr_class gri_remote_class = GR_CLASS(.name = "remote", .run_type = GR_TYPE_NONE,
                                           .receive = remote_tell, GR_METHODS(methods));
const gr_class gri_lent_class =
    GR_CLASS(.name = "remote", .run_type = GR_TYPE_NONE, .receive = lent_tell,
             .stopped = gri_stand_in_stopped, GR_METHODS(lent_methods));

gr_ref gr_remote(gr_scope *in, const char *url, const char *name)
{
    gr_value *args = gr_map(GR_KV("url", gr_str(url)), GR_KV("name", gr_str(name)));

    return gr_spawn(in, &gri_remote_class, GR_SPAWN(.args = args, .name = name));
}
