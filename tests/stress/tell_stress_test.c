/* SPDX-License-Identifier: Apache-2.0 */
/* tell_stress_test.c - many senders, one mailbox: order for each, nothing lost, room waited for. */
#include "tests/support/engine.h"

#define SENDERS 4
#define EACH 3000

struct seen {
    int64_t next[SENDERS];
    int out_of_order;
};

static _Atomic int received, disorder;

static void check_order(gr_ctx *c, void *self, const gr_value *msg)
{
    struct seen *s = self;
    int64_t who = gr_as_int(gr_at(msg, 0), 0), number = gr_as_int(gr_at(msg, 1), -1);

    (void)c;
    if (number != s->next[who])
        atomic_fetch_add(&disorder, 1);
    s->next[who] = number + 1;
    atomic_fetch_add(&received, 1);
}

static gr_value *send_all(gr_ctx *c, void *self, const gr_value *args)
{
    gr_ref to = gr_as_ref(gr_at(args, 0));
    gr_code rc = GR_OK;

    (void)self;
    for (int i = 0; i < EACH && rc == GR_OK; i++)
        rc = gr_tell_wait(gr_runtime_of(c), to, gr_list(gr_value_ref(gr_at(args, 1)), gr_int(i)));
    return gr_int(rc);
}

static const gr_method send_methods[] = { { "invoke", GR_ASYNC, send_all, NULL },
                                          { "block", GR_BLOCKING, send_all, NULL } };
static const gr_class seen_class =
    GR_CLASS(.name = "seen", .state_size = sizeof(struct seen), .receive = check_order);
static const gr_class send_class = GR_CLASS(.name = "send", GR_METHODS(send_methods));

/* Fibers and threads wait for room in a mailbox of few places. */
static void all_arrive(size_t mailbox_max)
{
    gr_ref to = gr_spawn(root, &seen_class, GR_SPAWN(.mailbox_max = mailbox_max));
    gr_ref from = gr_spawn(root, &send_class, NULL);
    gr_future *fs[SENDERS];

    atomic_store(&received, 0);
    for (int i = 0; i < SENDERS; i++)
        fs[i] = gr_acall(rt, from, i % 2 == 0 ? "invoke" : "block",
                         gr_list(gr_ref_value(to), gr_int(i)), NULL);
    for (int i = 0; i < SENDERS; i++)
        cr_assert_eq(int_of(fs[i]), GR_OK);
    until(atomic_load(&received) == SENDERS * EACH);
    cr_assert_eq(atomic_load(&disorder), 0);
}

Test(tell_stress, in_a_wide_mailbox)
{
    all_arrive(1000);
}

Test(tell_stress, in_a_narrow_mailbox)
{
    all_arrive(4);
}

Test(tell_stress, in_a_mailbox_for_one)
{
    all_arrive(1);
}

TestSuite(tell_stress, .init = engine_up, .fini = engine_down);
