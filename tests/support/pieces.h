/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pieces.h - chains whose pieces are on other nodes: each test has three runtimes, a piece is on the second one, a piece
 * of a piece on the third. Two observers hear what a test likes.
 *
 * A test file says TestSuite(noun, .init = pieces_up, .fini = pieces_down).
 */
#ifndef GR_TESTS_SUPPORT_PIECES_H
#define GR_TESTS_SUPPORT_PIECES_H

#include <greenroom/callbacks.h>
#include <greenroom/node.h>

#include "tests/support/observer.h"
#include "tests/support/peer.h"

#define NODES 3

static struct observer seen, seen_far;
static gr_runtime *nodes[NODES]; /* the first is rt */
static char urls[NODES][128];
static int depth;   /* of pieces that are being made: which node they are on */
static bool spread; /* pieces are elsewhere */
static int names;

static inline void pieces_up(void)
{
    set_up();
    nodes[0] = rt;
    for (int i = 1; i < NODES; i++) {
        cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &nodes[i]), GR_OK);
        test_peer_url(urls[i], i % 2 ? "ipc" : "tcp");
        cr_assert_eq(gr_serve(nodes[i], urls[i], NULL), GR_OK);
    }
    observer_init(&seen);
    observer_init(&seen_far);
    depth = 0;
    spread = false;
}

static inline void pieces_down(void)
{
    for (int i = 0; i < NODES; i++)
        gr_runtime_free(nodes[i]);
    rt = NULL;
    observer_fini(&seen);
    observer_fini(&seen_far);
}

/* piece makes a runnable: on the next node if pieces are spread, else here. */
static inline gr_ref piece(gr_ref (*make)(void))
{
    char name[32];
    gr_ref made;

    if (!spread)
        return make();
    cr_assert_lt(depth + 1, NODES);
    root = gr_root(nodes[++depth]);
    made = make();
    snprintf(name, sizeof(name), "piece%d", ++names);
    cr_assert_eq(gr_publish(nodes[depth], name, made), GR_OK);
    root = gr_root(nodes[--depth]);
    return gr_remote(root, urls[depth + 1], name);
}

/* call_fn has a lambda call the ref that its arg points to. */
static inline gr_value *call_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_ref *to = arg;

    return gr_take(gr_ainvoke(gr_runtime_of(c), *to, gr_value_ref(input), NULL), NULL);
}

/* ---- chains ---------------------------------------------------------------------------------- */

static inline gr_ref make_inc(void)
{
    return inc(GR_CHEAP);
}

static inline gr_ref make_prompt(void)
{
    return gr_chat_prompt(root, GR_ROLE("human", "{q}"));
}

static inline gr_ref make_model(void)
{
    return gr_with_config(
        root, gr_script_model(root, GR_SCRIPT(.answers = gr_list(gr_str("one two three")))),
        json("{\"tags\":[\"model\"],\"metadata\":{\"size\":7}}"));
}

static inline gr_ref make_parser(void)
{
    return gr_str_parser(root);
}

static inline gr_ref chain(void)
{
    return gr_seq(root, piece(make_prompt), piece(make_model), piece(make_parser));
}

static inline gr_ref with_far_model(void)
{
    return gr_seq(root, make_prompt(), piece(make_model), make_parser());
}

static inline gr_ref whole_chain(void)
{
    return piece(with_far_model);
}

static inline gr_ref numbers(void)
{
    return gr_seq(root, piece(make_inc), gr_seq(root, inc(GR_ASYNC), piece(make_inc)),
                  piece(make_inc));
}

static inline gr_ref inner_fan(void)
{
    return gr_parallel(root, GR_STEP("x", piece(make_inc)), GR_STEP("y", inc(GR_BLOCKING)));
}

static inline gr_ref fan(void)
{
    return gr_seq(root, gr_parallel(root, GR_STEP("a", piece(make_inc)),
                                    GR_STEP("b", piece(inner_fan)), GR_STEP("c", piece(numbers))));
}

#endif
