/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watched.h - a scenario of observed calls, batches and streams that are cancelled and left at any time, with
 * books on their runs. To be run under many seeds; see simulate.h.
 *
 *   - a run begins once and ends once; nothing is told of it before or after that
 *   - what is within a run ends before it does
 *   - the events of a tree are told one at a time, and numbered in order
 */
#ifndef GR_TESTS_SUPPORT_WATCHED_H
#define GR_TESTS_SUPPORT_WATCHED_H

#include <greenroom/callbacks.h>

#include "tests/support/simulate.h"

enum { WATCHED_ROUNDS = 12, WATCHED_RUNS = 4096 };

struct watched_run {
    char id[40], parent[40];
    bool over;
};

/* The books of one tree, so that what is told at the same time is of others. */
struct books {
    struct sim *s;
    struct watched_run runs[WATCHED_RUNS];
    size_t count, open;
    uint64_t number;
};

static struct sim *watched_sim;

static struct watched_run *watched_find(struct books *b, const char *id)
{
    for (size_t i = b->count; i-- > 0;)
        if (strcmp(b->runs[i].id, id) == 0)
            return &b->runs[i];
    return NULL;
}

static void watched_start(struct books *b, const gr_event *e)
{
    struct watched_run *r,
        *in = e->run->parent_id != NULL ? watched_find(b, e->run->parent_id) : NULL;

    sim_check(b->s, watched_find(b, e->run->id) == NULL, "%s begins twice", e->run->name);
    sim_check(b->s, e->run->parent_id == NULL || (in != NULL && !in->over),
              "%s begins in what is over", e->run->name);
    if (b->count == WATCHED_RUNS)
        return;
    r = &b->runs[b->count++];
    *r = (struct watched_run){ .over = false };
    snprintf(r->id, sizeof(r->id), "%s", e->run->id);
    snprintf(r->parent, sizeof(r->parent), "%s",
             e->run->parent_id != NULL ? e->run->parent_id : "");
    b->open++;
}

static void watched_end(struct books *b, struct watched_run *r, const gr_event *e)
{
    for (size_t i = 0; i < b->count; i++)
        sim_check(b->s, b->runs[i].over || strcmp(b->runs[i].parent, r->id) != 0,
                  "%s ends before what is within it", e->run->name);
    r->over = true;
    b->open--;
}

static void watched_event(void *arg, const gr_event *e)
{
    struct books *b = arg;
    struct watched_run *r = e->kind != GR_RUN_START ? watched_find(b, e->run->id) : NULL;

    sim_check(b->s, e->number == b->number + 1, "event %llu after %llu",
              (unsigned long long)e->number, (unsigned long long)b->number);
    b->number = e->number;
    if (e->kind == GR_RUN_START) {
        watched_start(b, e);
        return;
    }
    sim_check(b->s, r != NULL && !r->over, "%s is told of when it is not open", e->run->name);
    if (r != NULL && (e->kind == GR_RUN_END || e->kind == GR_RUN_ERROR))
        watched_end(b, r, e);
}

static void watched_drop(void *arg)
{
    struct books *b = arg;

    sim_check(b->s, b->open == 0, "%zu of %zu runs are open", b->open, b->count);
    free(b);
}

static gr_value *watched_config(void)
{
    struct books *b = calloc(1, sizeof(*b));

    b->s = watched_sim;
    return gr_map(
        GR_KV("callbacks", gr_list(gr_handler_value(GR_HANDLER(.on_event = watched_event,
                                                               .drop = watched_drop, .arg = b)))));
}

static gr_value *watched_nap(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    gr_dispatch_event(c, "nap", gr_value_ref(input));
    if (gr_sleep(gr_runtime_of(c), gr_as_int(input, 0) % 3) != GR_OK)
        return gr_error(GR_ECANCELED, "woken");
    return gr_as_int(input, 0) % 5 == 4 ? gr_error(GR_EREMOTE, "tired") : gr_value_ref(input);
}

static gr_code watched_twice(gr_ctx *c, void *arg, gr_stream *in)
{
    gr_outcome o;
    gr_code rc = GR_OK;

    (void)arg;
    while ((o = gr_next(in, -1)).code == GR_OK && rc == GR_OK) {
        gr_value *v = gr_value_ref(o.value); /* which the next read lets go of */

        rc = gr_emit(c, gr_value_ref(v));
        if (rc == GR_OK)
            rc = gr_emit(c, gr_value_ref(v));
        gr_value_unref(v);
    }
    if (rc != GR_OK || o.code == GR_EOS)
        return rc;
    return o.error != NULL ? gr_fail(c, gr_value_ref(o.error)) : o.code;
}

static gr_ref watched_chain(gr_scope *root)
{
    gr_ref a = gr_lambda(root, GR_ASYNC, watched_nap, NULL, NULL);
    gr_ref b = gr_lambda(root, GR_BLOCKING, watched_nap, NULL, NULL);
    gr_ref c = gr_passthrough(root);
    gr_ref twice = gr_generator(root, GR_ASYNC, watched_twice, NULL, NULL);
    gr_ref fan =
        gr_parallel(root, GR_STEP("a", a), GR_STEP("b", gr_seq(root, c, b)), GR_STEP("c", twice));
    gr_ref again = gr_with_retry(root, gr_seq(root, b, c, fan),
                                 GR_RETRY(.attempts = 2, .backoff_ms = 1, .jitter_ms = -1));

    return gr_seq(root, a, twice, gr_with_fallbacks(root, again, c), c);
}

static void watched_play(struct sim *s)
{
    gr_ref r;

    watched_sim = s;
    r = watched_chain(s->root);
    for (int i = 0; i < WATCHED_ROUNDS && s->complaint[0] == '\0'; i++) {
        gr_call_opts opts = { .size = sizeof(opts), .config = watched_config() };
        int64_t input = (int64_t)sim_roll(s, 10);
        gr_future *f = NULL;
        gr_stream *st = NULL;

        if (sim_roll(s, 4) == 0)
            opts.timeout_ms = 1 + (int64_t)sim_roll(s, 5);
        switch (sim_roll(s, 3)) {
        case 0: f = gr_ainvoke(s->rt, r, gr_int(input), &opts); break;
        case 1: f = gr_abatch(s->rt, r, gr_list(gr_int(input), gr_int(input + 1)), &opts); break;
        default: st = gr_astream(s->rt, r, gr_int(input), &opts); break;
        }
        for (uint64_t k = sim_roll(s, 5); st != NULL && k > 0; k--)
            (void)gr_next(st, 20);
        if (f != NULL && sim_roll(s, 2) == 0)
            (void)gr_await(f, (int64_t)sim_roll(s, 6));
        gr_future_cancel(f);
        gr_future_free(f);
        gr_stream_free(st);
    }
    gr_sim_heal();
    gr_sim_advance(s->rt, 1000);
}

#endif
