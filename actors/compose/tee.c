/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/compose/tee.h"

#include "actors/compose/steps.h"
#include "runtime/base/alloc.h"

static void out_end(struct gri_tee *t, struct gri_tee_out *out, const gr_value *err)
{
    if (out->stream == NULL)
        return;
    gri_stream_unwatch_room(out->stream, &out->room.waiter);
    gri_stream_end(out->stream, gr_value_ref(err));
    gri_stream_unref(out->stream);
    out->stream = NULL;
    gr_value_unref(out->due);
    out->due = NULL;
    t->left--;
}

/* tee_over lets go of everything; err, which may be NULL, is what the outs end with. */
static enum gri_next tee_over(struct gri_tee *t, gr_value *err)
{
    gri_leave_stream(t->in, &t->chunk);
    t->in = NULL;
    if (t->map != NULL)
        gri_stream_unwatch_room(t->call->out, &t->answer_room.waiter);
    gr_value_unref(t->answer_due);
    t->answer_due = NULL;
    for (size_t i = 0; i < t->count; i++)
        out_end(t, &t->outs[i], err);
    gr_value_unref(t->error);
    t->error = err;
    return GRI_OVER;
}

void gri_tee_free(struct gri_tee *t)
{
    if (t == NULL)
        return;
    if (t->in != NULL)
        tee_over(t, gri_was_cancelled());
    gr_value_unref(t->error);
    gri_free(t);
}

struct gri_tee *gri_tee_new(struct gri_machine *m, struct gri_call *call, gr_stream *in,
                            size_t count, size_t window_chunks, size_t window_bytes)
{
    struct gri_tee *t = gri_alloc0(sizeof(*t) + count * sizeof(t->outs[0]));

    if (t == NULL) {
        gri_stream_close(in);
        gri_stream_unref(in);
        return NULL;
    }
    t->in = in;
    t->call = call;
    gri_wake_init(&t->chunk, m);
    gri_wake_init(&t->answer_room, m);
    for (t->count = 0; t->count < count; t->count++) {
        struct gri_tee_out *out = &t->outs[t->count];

        gri_wake_init(&out->room, m);
        out->stream = gri_stream_new(gri_call_sched(call), window_chunks, window_bytes);
        if (out->stream == NULL)
            break;
        t->left++;
    }
    if (t->count == count)
        return t;
    for (size_t i = 0; i < t->count; i++)
        gri_stream_unref(t->outs[i].stream); /* the readers', never given */
    gri_tee_free(t);
    return NULL;
}

gr_stream *gri_tee_take(struct gri_tee *t, size_t index)
{
    return t->outs[index].stream;
}

/* out_give: GR_OK when the out has what it has to get, or is gone; GR_EFULL; else why it can't
 * go on. */
static gr_code out_give(struct gri_tee *t, struct gri_tee_out *out)
{
    gr_code rc;

    if (out->due == NULL)
        return GR_OK;
    rc = gri_push(out->stream, &out->room, &out->due);
    if (rc == GR_ECANCELED) {
        out_end(t, out, NULL);
        return GR_OK;
    }
    return rc;
}

/* give passes on the chunk in hand. GR_OK: all have it; GR_EFULL: some wait for room; else
 * *ret_err. */
static gr_code give(struct gri_tee *t, gr_value **ret_err)
{
    gr_code all = GR_OK, rc;

    if (t->answer_due != NULL) {
        all = gri_push(t->call->out, &t->answer_room, &t->answer_due);
        if (all != GR_OK && all != GR_EFULL) {
            *ret_err = gr_error(all, "the chunk could not be passed on");
            return all;
        }
    }
    for (size_t i = 0; i < t->count; i++) {
        rc = out_give(t, &t->outs[i]);
        if (rc == GR_EFULL && t->strict)
            *ret_err = gr_error(GR_EFULL, "the input is too long for a step that has not read it");
        else if (rc != GR_OK && rc != GR_EFULL)
            *ret_err = gr_error(rc, "the chunk could not be passed on");
        if (*ret_err != NULL)
            return rc;
        if (rc == GR_EFULL)
            all = GR_EFULL;
    }
    return all;
}

/* take_in_hand says who has to get what of the chunk. An error value: what map said; else NULL. */
static gr_value *take_in_hand(struct gri_tee *t, gr_value *chunk)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->outs[i].stream != NULL)
            t->outs[i].due = gr_value_ref(chunk);
    if (t->map != NULL) {
        chunk = t->map(t->call, chunk);
        if (chunk != NULL && gr_error_code(chunk) != GR_OK)
            return chunk;
        t->answer_due = chunk;
    } else {
        gr_value_unref(chunk);
    }
    return NULL;
}

enum gri_next gri_tee_step(struct gri_tee *t)
{
    gr_value *chunk = NULL, *err = NULL;
    gr_code rc;

    if (t->in == NULL)
        return GRI_OVER;
    for (int i = 0; i < GRI_STEP_BUDGET; i++) {
        rc = give(t, &err);
        if (err != NULL)
            return tee_over(t, err);
        if (rc == GR_EFULL)
            return GRI_SLEEP;
        if (t->left == 0 && t->map == NULL)
            return tee_over(t, NULL); /* nobody reads any more */
        rc = gri_pull(t->in, &t->chunk, &chunk);
        if (rc == GR_EPENDING)
            return GRI_SLEEP;
        if (rc != GR_OK)
            return tee_over(t, rc == GR_EOS ? NULL : gri_stream_why(t->in, rc));
        err = take_in_hand(t, chunk);
        if (err != NULL)
            return tee_over(t, err);
    }
    return GRI_AGAIN;
}
