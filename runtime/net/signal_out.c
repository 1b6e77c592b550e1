/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signal_out.c - exit signals on their way out. They go through the proxy's mailbox, as a message that only
 * its own class knows, so that they stay behind what was told before. One that must be sent is sent
 * when that message goes, if the proxy has not handled it.
 */
#include "runtime/net/stand_in.h"

#include <greenroom/runtime.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/net/lent.h"
#include "runtime/value/value.h"

struct signal {
    enum gri_frame_type type; /* down or exit */
    struct gri_peer *peer; /* counted; of down. NULL: it has been sent, or is the proxy's to find */
    uint64_t id, whose, key; /* of down */
    gr_ref from;             /* of exit */
    gr_value *reason;        /* counted */
};

/* ---- frames ---------------------------------------------------------------------------------- */

/* write_signal writes a frame that holds a reason; one that does not fit becomes why. */
static gr_code write_signal(struct gri_strbuf *out, struct gri_peer *p, struct gri_frame *f,
                            const gr_value *reason)
{
    struct gri_ref_map refs = { gri_lend, p };
    gr_value *fit =
        gr_value_type(reason) == GR_ERROR ? gri_wire_error_out(reason) : gr_value_ref(reason);
    gr_code rc;

    f->refs = &refs;
    rc = gri_frame_signal(out, f, fit);
    gr_value_unref(fit);
    if (rc == GR_OK)
        return rc;
    fit = gri_wire_unfit(rc, "the reason");
    rc = gri_frame_signal(out, f, fit);
    gr_value_unref(fit);
    return rc;
}

static void send_down(struct gri_peer *p, uint64_t id, uint64_t whose, const gr_value *reason,
                      uint64_t key)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    struct gri_frame f = { .type = GRI_FRAME_DOWN, .id = id, .number = whose };
    gr_code rc = write_signal(&frame, p, &f, reason);

    gri_peer_send(p, &frame, key, rc);
}

void gri_signal_untie(struct gri_peer *p, uint64_t id, uint64_t whose, uint64_t key)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    gr_code rc = gri_frame_number(&frame, GRI_FRAME_UNTIE, id, whose);

    gri_peer_send(p, &frame, key, rc);
}

/* ---- through the mailbox --------------------------------------------------------------------- */

static void signal_drop(void *arg)
{
    struct signal *s = arg;

    if (s->peer != NULL) /* the proxy has not sent it, and will not */
        send_down(s->peer, s->id, s->whose, s->reason, s->key);
    gri_peer_unref(s->peer);
    gr_value_unref(s->reason);
    gri_free(s);
}

/* down takes along what the frame needs. */
static void down(const struct signal *what, const gr_value *reason, gr_ref via)
{
    gr_runtime *rt = what->peer->node->rt;
    struct signal *s = via.id != 0 ? gri_new0(struct signal) : NULL;
    gr_code rc;

    if (s == NULL) {
        send_down(what->peer, what->id, what->whose, reason, what->key);
        return;
    }
    *s = *what;
    gri_peer_ref(s->peer);
    s->reason = gr_value_ref(reason);
    rc = gr_tell(rt, via, gr_opaque(s, signal_drop));
    (void)rc; /* if it was not taken it has been sent */
}

void gri_signal_down(struct gri_peer *p, uint64_t id, const gr_value *reason, gr_ref via)
{
    struct signal s = { .type = GRI_FRAME_DOWN, .peer = p, .id = id, .whose = GRI_TIE_RECEIVERS };

    down(&s, reason, via);
}

void gri_signal_out(struct gri_peer *p, uint64_t id, uint64_t key, const gr_value *reason,
                    gr_ref via)
{
    struct signal s = {
        .type = GRI_FRAME_DOWN, .peer = p, .id = id, .whose = GRI_TIE_SENDERS, .key = key
    };

    down(&s, reason, via);
}

gr_code gri_signal_exit(gr_runtime *rt, gr_ref to, gr_ref from, const gr_value *reason)
{
    struct signal *s = gri_new0(struct signal);

    if (s == NULL)
        return GR_ENOMEM;
    *s = (struct signal){ .type = GRI_FRAME_EXIT, .from = from, .reason = gr_value_ref(reason) };
    return gr_tell(rt, to, gr_opaque(s, signal_drop));
}

bool gri_signal_is(const gr_value *msg)
{
    return gr_value_type(msg) == GR_OPAQUE &&
           ((const struct gri_opaque *)(const void *)msg)->drop == signal_drop;
}

static void pass_exit(const struct signal *s, struct gri_peer *p, const struct gri_frame *to)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    struct gri_frame f = *to;
    gr_code rc;

    f.type = GRI_FRAME_EXIT;
    f.from = s->from;
    rc = gri_lend(p, &f.from);
    if (rc == GR_OK)
        rc = write_signal(&frame, p, &f, s->reason);
    if (rc != GR_OK) {
        gri_strbuf_fini(&frame);
        gri_log_gated(gri_peer_gate(p), gri_now(p->node->rt), GRI_LOG_DEBUG,
                      "an exit signal to %s was dropped: %s", p->url, gr_code_name(rc));
        return;
    }
    gri_peer_send(p, &frame, gri_peer_target_key(f.name, f.to), GR_OK);
}

void gri_signal_pass(const gr_value *msg, struct gri_peer *p, const struct gri_frame *to)
{
    struct signal *s = gr_as_opaque(msg);

    if (s->type == GRI_FRAME_EXIT) {
        pass_exit(s, p, to);
        return;
    }
    send_down(s->peer, s->id, s->whose, s->reason,
              gri_peer_target_key(to->name, to->to)); /* as s->key, if any */
    gri_peer_unref(s->peer);
    s->peer = NULL;
}
