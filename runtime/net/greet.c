/* SPDX-License-Identifier: Apache-2.0 */
/*
 * greet.c - the talk before calls.
 *
 *     who dialled                       who accepted
 *     hello   ------------------------> hello          both at once
 *     proof   ------------------------> checked
 *             <------------------------ proof
 *     welcome, or refuse: from the one of the two that decides (pair.h)
 *
 * Who accepted shows its proof only after it has seen the other's: so nobody can collect proofs by
 * connecting. Frames of calls follow the welcome, in both directions.
 */
#include "runtime/net/greet.h"

#include <string.h>

#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "runtime/net/beat.h"
#include "runtime/net/pair.h"
#include "runtime/net/proof.h"

/* ---- saying ---------------------------------------------------------------------------------- */

/* say sends a frame of the greeting and frees it. rc is how writing it went. */
static void say(struct gri_peer *p, struct gri_strbuf *frame, gr_code rc)
{
    struct gri_slice slice = { frame->data, frame->len };
    bool busy = false;

    if (rc == GR_OK)
        rc = p->link->driver->send(p->link, &slice, 1, &busy);
    if (busy) { /* room tells when not */
        gri_lock(&p->lock);
        p->busy = true;
        gri_unlock(&p->lock);
    }
    gri_strbuf_fini(frame);
    if (rc == GR_ENOMEM)
        gri_peer_hang_up(p, gr_error(GR_ENOMEM, "out of memory while connecting"));
}

/* finish closes the connection once the peer has been told why. The timer for connecting sees to it
 * that this takes no longer than connecting may. */
static void finish(struct gri_peer *p, gr_value *why)
{
    p->greeting.phase = GRI_GREETING_OVER;
    p->link->driver->finish(p->link, why);
}

/* refuse tells the peer why it is not taken. */
static void refuse(struct gri_peer *p, gr_value *why)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    gr_code rc = gri_frame_refuse(&frame, gr_error_code(why), 0, gr_error_text(why));

    say(p, &frame, rc);
    finish(p, why);
}

void gri_greet_begin(struct gri_peer *p)
{
    struct gri_node *node = p->node;
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    struct gri_hello hello = { .version_min = GRI_WIRE_VERSION,
                               .version_max = GRI_WIRE_VERSION,
                               .node = node->id,
                               .incarnation = node->incarnation,
                               .frame_max = GRI_FRAME_MAX,
                               .calls_max = GRI_CALLS_MAX,
                               .features = p->greeting.features,
                               .beat_ms = (uint32_t)(node->set.heartbeat_ns / 1000000) };
    gr_code rc;

    memcpy(hello.cluster, node->set.cluster, sizeof(hello.cluster));
    memcpy(hello.name, node->set.name, sizeof(hello.name));
    gri_nonce(hello.nonce);
    memcpy(p->greeting.nonce, hello.nonce, sizeof(hello.nonce));
    if (p->target != NULL)
        hello.link = p->link_id =
            (uint64_t)p->target->origin << 32 | (uint32_t)gri_random(node->rt) | 1;
    rc = gri_frame_hello(&frame, &hello);
    if (rc == GR_OK) {
        gri_strbuf_add(&p->greeting.mine, frame.data + GRI_FRAME_HEAD, frame.len - GRI_FRAME_HEAD);
        rc = p->greeting.mine.failed ? GR_ENOMEM : GR_OK;
    }
    if (rc != GR_OK)
        gri_peer_hang_up(p, gr_error(rc, "out of memory while connecting"));
    say(p, &frame, rc);
}

static struct gri_proof_of proof_of(const struct gri_peer *p, bool by_dialler)
{
    const struct gri_greeting *g = &p->greeting;
    bool dialled = p->target != NULL;

    return (struct gri_proof_of){ .dialler = by_dialler,
                                  .dialled = dialled ? &g->mine : &g->theirs,
                                  .accepted = dialled ? &g->theirs : &g->mine };
}

/* show_proof returns false when the greeting is over instead. */
static bool show_proof(struct gri_peer *p)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;
    const struct gri_node_settings *set = &p->node->set;
    struct gri_proof_of of = proof_of(p, p->target != NULL);
    struct gri_proof proof = { .mac_size = 0 };

    if (!gri_pair_note(p, &proof)) {
        refuse(p, gr_error(GR_EUNREACH, "this node is about to end"));
        return false;
    }
    if (set->secret != NULL && !gri_proof_make(&of, set->secret, set->secret_size, &proof)) {
        gri_peer_hang_up(p, gr_error(GR_ENOMEM, "out of memory while connecting"));
        return false;
    }
    say(p, &frame, gri_frame_proof(&frame, &proof));
    return true;
}

/* ---- the link that is taken ------------------------------------------------------------------ */

/* open_up lets calls go, first those that have gathered. */
static void open_up(struct gri_peer *p)
{
    gri_timer_cancel(gri_sched_of(p->node->rt), &p->timer);
    p->greeting.phase = GRI_GREETING_OVER;
    gri_peer_known(p);
    gri_strbuf_fini(&p->greeting.mine);
    gri_strbuf_fini(&p->greeting.theirs);
    p->link->driver->limit(p->link, GRI_WHOLE_MAX);
    gri_lock(&p->lock);
    if (p->hello.calls_max < p->calls_max)
        p->calls_max = p->hello.calls_max;
    p->up_ns = gri_clock_ns();
    p->beat_ms = p->hello.beat_ms;
    p->state = GRI_PEER_UP;
    gri_peer_pump_locked(p);
    gri_unlock(&p->lock);
    if (gri_beat_start(p->node) != GR_OK)
        gri_peer_hang_up(p, gr_error(GR_ENOMEM, "there is no thread for heartbeats"));
}

/* welcome is said by the side that decides; calls may follow it at once. */
static void welcome(struct gri_peer *p)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;

    say(p, &frame, gri_frame_welcome(&frame, p->number));
    open_up(p);
}

/* one_too_many: there is another link with the peer, which p's calls go over to. */
static void one_too_many(struct gri_peer *p, struct gri_peer *other)
{
    struct gri_strbuf frame = GRI_STRBUF_INIT;

    say(p, &frame, gri_frame_refuse(&frame, GR_OK, other->link_id, ""));
    if (p->target != NULL)
        gri_pair_merge(p, other);
    finish(p, gr_error(GR_EUNREACH, "there is another link to the same node"));
}

static void decide(struct gri_peer *p, const struct gri_proof *proof)
{
    struct gri_peer *other = NULL;

    switch (gri_pair_decide(p, proof, &other)) {
    case GRI_PAIR_STAYS: welcome(p); break;
    case GRI_PAIR_SPARE: one_too_many(p, other); break;
    default: refuse(p, gr_error(GR_EUNREACH, "a later start of this node is connected")); break;
    }
    gri_peer_unref(other);
}

/* ---- what the peer says ---------------------------------------------------------------------- */

/* reject tells why a hello is not to our liking; NULL: it is. */
static gr_value *reject(const struct gri_peer *p, const struct gri_hello *h)
{
    char cluster[GRI_HELLO_NAME_MAX + 1];

    if (memcmp(h->nonce, p->greeting.nonce, GRI_NONCE_SIZE) == 0)
        return gr_error(GR_EPROTO, "the peer sent our own hello back");
    memcpy(cluster, h->cluster, sizeof(cluster));
    gri_one_line(cluster);
    if (strcmp(h->cluster, p->node->set.cluster) != 0)
        return gr_error(GR_EPROTO, "the nodes belong to different clusters, '%s' and '%s'", cluster,
                        p->node->set.cluster);
    if (h->frame_max < GRI_FRAME_MAX)
        return gr_error(GR_EPROTO, "the peer takes frames of %u bytes only, %u are needed",
                        h->frame_max, GRI_FRAME_MAX);
    if ((h->link == 0) != (p->target != NULL))
        return gr_error(GR_EPROTO, "only who dialled names the link");
    return NULL;
}

static void on_hello(struct gri_peer *p, const struct gri_hello *h, const void *body, size_t size)
{
    gr_value *why = reject(p, h);

    if (why != NULL) {
        refuse(p, why);
        return;
    }
    gri_strbuf_add(&p->greeting.theirs, body, size);
    if (p->greeting.theirs.failed) {
        gri_peer_hang_up(p, gr_error(GR_ENOMEM, "out of memory while connecting"));
        return;
    }
    if (!gri_pair_meet(p, h)) {
        gri_peer_hang_up(p, gr_error(GR_ENOMEM, "out of memory while connecting"));
        return;
    }
    p->greeting.phase = GRI_GREETING_PROOF;
    if (p->target != NULL)
        show_proof(p);
}

/* first_frame: nothing but a hello, of our version, is accepted first. */
static void first_frame(struct gri_peer *p, const struct gri_frame *f, const void *body,
                        size_t size)
{
    if (f->type != GRI_FRAME_HELLO)
        gri_peer_hang_up(p, gr_error(GR_EPROTO, "the peer did not say hello"));
    else if (f->hello.version_min > GRI_WIRE_VERSION || f->hello.version_max < GRI_WIRE_VERSION)
        gri_peer_hang_up(p, gr_error(GR_EPROTO,
                                     "the peer speaks versions %u to %u of the protocol, "
                                     "this library %u",
                                     f->hello.version_min, f->hello.version_max, GRI_WIRE_VERSION));
    else
        on_hello(p, &f->hello, body, size);
}

/* may_come checks the proof, if there is a secret to be shown. */
static bool may_come(struct gri_peer *p, const struct gri_proof *proof)
{
    const struct gri_node_settings *set = &p->node->set;
    struct gri_proof_of of = proof_of(p, p->target == NULL);

    if (set->secret == NULL || gri_proof_holds(&of, set->secret, set->secret_size, proof))
        return true;
    refuse(p,
           gr_error(GR_EPROTO, proof->mac_size == 0 ? "the cluster has a secret, and none was shown"
                                                    : "the secrets of the nodes differ"));
    return false;
}

static void on_proof(struct gri_peer *p, const struct gri_proof *proof)
{
    if (!may_come(p, proof))
        return;
    if (gri_pair_is_outrun(p)) {
        refuse(p, gr_error(GR_EUNREACH, "a later start of this node is connected"));
        return;
    }
    if (p->target == NULL && !show_proof(p))
        return;
    if (gri_pair_decides(p))
        decide(p, proof);
    else
        p->greeting.phase = GRI_GREETING_WELCOME;
}

/* on_refuse: the text is the peer's, so what could disturb a log is taken out. Where calls go to says only who has
 * shown its proof. */
static void on_refuse(struct gri_peer *p, const struct gri_frame *f)
{
    bool proved = p->greeting.phase == GRI_GREETING_WELCOME;
    struct gri_peer *other = f->number == GR_OK && proved ? gri_pair_find(p, f->id) : NULL;
    char text[GRI_FRAME_NAME_MAX + 1];

    p->greeting.phase = GRI_GREETING_OVER;
    memcpy(text, f->name, sizeof(text));
    gri_one_line(text);
    if (f->number != GR_OK) {
        gri_peer_hang_up(p, gr_error(f->number == GR_EUNREACH ? GR_EUNREACH : GR_EPROTO,
                                     "the peer refused: %s", text));
        return;
    }
    if (other != NULL && p->target != NULL)
        gri_pair_merge(p, other);
    gri_peer_unref(other);
    gri_peer_hang_up(p, gr_error(GR_EUNREACH, "there is another link to the same node"));
}

static void on_welcome(struct gri_peer *p, uint64_t number)
{
    if (gri_pair_welcomed(p, number))
        open_up(p);
    else
        gri_peer_hang_up(p, gr_error(GR_EUNREACH, "a later link has taken its place"));
}

void gri_greet_frame(struct gri_peer *p, const struct gri_frame *f, const void *body, size_t size)
{
    enum gri_greeting_phase phase = p->greeting.phase;

    if (phase == GRI_GREETING_HELLO)
        first_frame(p, f, body, size);
    else if (f->type == GRI_FRAME_REFUSE)
        on_refuse(p, f);
    else if (phase == GRI_GREETING_PROOF && f->type == GRI_FRAME_PROOF)
        on_proof(p, &f->proof);
    else if (phase == GRI_GREETING_WELCOME && f->type == GRI_FRAME_WELCOME)
        on_welcome(p, f->number);
    else
        gri_peer_hang_up(
            p, gr_error(GR_EPROTO, "a frame of type %u while connecting", (unsigned)f->type));
}
