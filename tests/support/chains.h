/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chains.h - a scenario of calls that are detached by their caller, which then ends, as its own caller does, while they
 * look for who waits for them.
 */
#ifndef GR_TESTS_SUPPORT_CHAINS_H
#define GR_TESTS_SUPPORT_CHAINS_H

#include "tests/support/simulate.h"

static gr_ref chains_quick, chains_deep, chains_starter;

static gr_value *quick_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return gr_nil();
}

/* Each wait looks whether one of those above has the actor that it waits for. */
static gr_value *deep_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    for (int i = 0; i < 10; i++)
        gr_value_unref(gr_take(gr_ainvoke(gr_runtime_of(c), chains_quick, gr_nil(), NULL), NULL));
    return gr_nil();
}

static gr_value *starter_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    gr_future *f = gr_ainvoke(gr_runtime_of(c), chains_deep, gr_nil(), NULL);

    (void)self, (void)args;
    gr_value_unref(gr_take(gr_ainvoke(gr_runtime_of(c), chains_quick, gr_nil(), NULL), NULL));
    gr_detach(f);
    return gr_nil();
}

/* Somebody above has state, else nobody need be looked at. */
static gr_value *keeper_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_take(gr_ainvoke(gr_runtime_of(c), chains_starter, gr_nil(), NULL), NULL);
}

static const gr_method quick_methods[] = { { "invoke", GR_ASYNC, quick_invoke, NULL } };
static const gr_method deep_methods[] = { { "invoke", GR_ASYNC, deep_invoke, NULL } };
static const gr_method starter_methods[] = { { "invoke", GR_ASYNC, starter_invoke, NULL } };
static const gr_method keeper_methods[] = { { "invoke", GR_ASYNC, keeper_invoke, NULL } };
static const gr_class quick_class = GR_CLASS(.name = "quick", GR_METHODS(quick_methods));
static const gr_class deep_class = GR_CLASS(.name = "deep", GR_METHODS(deep_methods));
static const gr_class starter_class = GR_CLASS(.name = "starter", GR_METHODS(starter_methods));
static const gr_class keeper_class =
    GR_CLASS(.name = "keeper", .state_size = 8, GR_METHODS(keeper_methods));

/* The allocator gets each call back at once, so that a sanitizer sees who still looks at it. */
static bool never(void)
{
    return false;
}

static void chains_play(struct sim *s)
{
    chains_quick = gr_spawn(s->root, &quick_class, NULL);
    chains_deep = gr_spawn(s->root, &deep_class, NULL);
    chains_starter = gr_spawn(s->root, &starter_class, NULL);
    test_memory_ask(never);
    for (int i = 0; i < 20; i++)
        gr_detach(gr_ainvoke(s->rt, gr_spawn(s->root, &keeper_class, NULL), gr_nil(), NULL));
    gr_sim_advance(s->rt, 1000);
    test_memory_ask(NULL);
}

#endif
