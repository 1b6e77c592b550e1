/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - a scenario of a supervisor whose children crash, are killed and are called, with books on the
 * order in which they start and stop. To be run under many seeds; see simulate.h.
 *
 *   - a child starts only when its last life is over; under one_for_all and rest_for_one only when none that
 *     comes after it is alive; in the beginning in the order of the specs
 *   - a supervisor that ends stops its children in reverse
 *   - a call through gr_child is answered by a life of that child, or fails with an error that may be retried
 *   - after healing all are up and answer; a name never leads to somebody else
 */
#ifndef GR_TESTS_SUPPORT_TREE_H
#define GR_TESTS_SUPPORT_TREE_H

#include "tests/support/simulate.h"

enum { BRANCHES = 4, TREE_ROUNDS = 40 };

struct tree {
    struct sim *s;
    gr_strategy strategy;
    gr_ref sup, child[BRANCHES];
    int starts[BRANCHES];
    bool up[BRANCHES];     /* between its init and its end, or being told of it */
    bool doomed[BRANCHES]; /* it was told to crash, or killed, and may be gone before terminate */
    bool closing;
};

static struct tree *tree;
static const char *const branch_id[BRANCHES] = { "a", "b", "c", "d" };

struct branch_state {
    int64_t index;
};

/* may_be_up tells whether a child that comes after `index` may still be up when that one starts or
 * is stopped in turn. */
static void check_later(int index, const char *what)
{
    for (int i = index + 1; i < BRANCHES; i++)
        sim_check(tree->s, !tree->up[i] || tree->doomed[i], "%s %s while %s is up",
                  branch_id[index], what, branch_id[i]);
}

static gr_code branch_init(gr_ctx *c, void *self, const gr_value *args)
{
    struct branch_state *b = self;
    int i = (int)gr_as_int(args, -1);

    b->index = i;
    sim_check(tree->s, !tree->up[i] || tree->doomed[i], "%s starts twice", branch_id[i]);
    if (tree->strategy == GR_ONE_FOR_ALL || tree->strategy == GR_REST_FOR_ONE)
        check_later(i, "starts");
    if (tree->starts[i]++ == 0)
        for (int k = 0; k < i; k++)
            sim_check(tree->s, tree->starts[k] > 0, "%s starts before %s", branch_id[i],
                      branch_id[k]);
    gr_trap_exit(c, sim_roll(tree->s, 2) == 0);
    if (sim_roll(tree->s, 4) == 0)
        gr_sleep(gr_runtime_of(c), 1);
    tree->up[i] = true;
    tree->doomed[i] = false;
    return GR_OK;
}

static void branch_terminate(gr_ctx *c, void *self, const gr_value *reason)
{
    const struct branch_state *b = self;

    (void)c;
    if (tree->closing && gr_reason_is(reason, "shutdown"))
        check_later((int)b->index, "is stopped");
    if (sim_roll(tree->s, 4) == 0)
        gr_sleep(gr_runtime_of(c), 1);
    tree->up[b->index] = false;
}

/* A child that traps exits ends when its supervisor says so. */
static void branch_exited(gr_ctx *c, void *self, gr_ref from, const gr_value *reason)
{
    (void)self, (void)from;
    gr_value_unref(gr_exit(c, gr_value_ref(reason)));
}

static gr_value *branch_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    const struct branch_state *b = self;

    if (gr_as_int(args, 0) < 0) {
        tree->doomed[b->index] = true;
        return gr_exit(c, gr_error(GR_EREMOTE, "crash"));
    }
    if (sim_roll(tree->s, 3) == 0)
        gr_sleep(gr_runtime_of(c), (int64_t)sim_roll(tree->s, 4));
    return gr_int(b->index);
}

static const gr_method branch_methods[] = { { "invoke", GR_ASYNC, branch_invoke, NULL } };
static const gr_class branch_class =
    GR_CLASS(.name = "branch", .state_size = sizeof(struct branch_state), .init = branch_init,
             GR_METHODS(branch_methods), .exited = branch_exited, .terminate = branch_terminate);

static void grow(void)
{
    static const gr_strategy strategies[] = { GR_ONE_FOR_ONE, GR_ONE_FOR_ALL, GR_REST_FOR_ONE };
    struct sim *s = tree->s;
    gr_child_spec specs[BRANCHES];

    tree->strategy = strategies[sim_roll(s, 3)];
    for (int i = 0; i < BRANCHES; i++)
        specs[i] =
            (gr_child_spec)GR_CHILD(.id = branch_id[i], .cls = &branch_class, .args = gr_int(i),
                                    .name = branch_id[i], .shutdown_ms = 1000);
    tree->sup = gr_supervisor(s->root, GR_SUPERVISOR(.strategy = tree->strategy, .intensity = 1000,
                                                     .children = specs, .child_count = BRANCHES));
    for (int i = 0; i < BRANCHES; i++)
        tree->child[i] = gr_child(s->root, tree->sup, branch_id[i],
                                  sim_roll(s, 2) == 0 ? NULL : GR_NAMED(.wait_ms = 20));
}

/* kill_one kills whoever is the child now. */
static void kill_one(int i)
{
    gr_ref now = gr_whereis(tree->s->rt, branch_id[i]);

    if (now.node == 0)
        return;
    tree->doomed[i] = true;
    gr_exit_to(tree->s->rt, now, gr_str("kill"));
}

static void call_one(int i, int64_t input)
{
    struct sim *s = tree->s;
    gr_value *err = NULL;
    gr_value *v = gr_invoke(s->rt, tree->child[i], gr_int(input), NULL, &err);

    if (v != NULL)
        sim_check(s, gr_as_int(v, -1) == i, "a call to %s was answered by %d", branch_id[i],
                  (int)gr_as_int(v, -1));
    else
        sim_check(s,
                  gr_error_retryable(err) || gr_error_code(err) == GR_EREMOTE ||
                      gr_error_code(err) == GR_EDEAD,
                  "a call to %s gave %s: %s", branch_id[i], gr_code_name(gr_error_code(err)),
                  gr_error_text(err));
    gr_value_unref(v);
    gr_value_unref(err);
}

static void tree_play(struct sim *s)
{
    struct tree books = { .s = s };

    tree = &books;
    grow();
    for (int i = 0; i < TREE_ROUNDS && s->complaint[0] == '\0'; i++) {
        int k = (int)sim_roll(s, BRANCHES);

        switch (sim_roll(s, 6)) {
        case 0: kill_one(k); break;
        case 1: call_one(k, -1); break;
        case 2: gr_sim_advance(s->rt, (int64_t)sim_roll(s, 5)); break;
        default: call_one(k, 1); break;
        }
    }
    gr_sim_heal();
    gr_sim_advance(s->rt, 10000);
    for (int i = 0; i < BRANCHES; i++) {
        sim_check(s, tree->up[i], "%s is not up again", branch_id[i]);
        call_one(i, 1);
    }
    tree->closing = true;
    gr_stop(s->rt, tree->sup);
    gr_sim_advance(s->rt, 10000);
    for (int i = 0; i < BRANCHES; i++)
        sim_check(s, !tree->up[i] && gr_whereis(s->rt, branch_id[i]).node == 0, "%s is still up",
                  branch_id[i]);
}

#endif
