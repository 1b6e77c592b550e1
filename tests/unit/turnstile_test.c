/* SPDX-License-Identifier: Apache-2.0 */
/* turnstile_test.c - one at a time for each name, until somebody opens it. */
#include "actors/compose/turnstile.h"

#include "tests/support/runnables.h"

/* What visitors share: each stays inside until it is let go, and then leaves or opens. */
struct place {
    struct gri_turnstile turnstile;
    _Atomic int entered, let_go;
    _Atomic bool opens;
};

static struct place place;

static void start(void)
{
    set_up();
    memset(&place, 0, sizeof(place));
    gri_turnstile_init(&place.turnstile);
}

TestSuite(turnstile, .init = start, .fini = tear_down, .timeout = 120);

static gr_value *visit(gr_ctx *c, void *arg, const gr_value *input)
{
    struct gri_ticket *ticket = NULL;
    gr_code rc = gri_turnstile_enter(&place.turnstile, rt, gr_cstr(input, "?"), &ticket);
    int number;

    (void)c, (void)arg;
    if (rc != GR_OK)
        return gr_error(rc, "not inside");
    number = atomic_fetch_add(&place.entered, 1) + 1;
    while (atomic_load(&place.let_go) < number && gr_sleep(rt, 1) == GR_OK) {
    }
    if (atomic_load(&place.opens))
        gri_turnstile_open(&place.turnstile, ticket);
    else
        gri_turnstile_leave(&place.turnstile, ticket);
    return gr_int(number);
}

/* tickets tells how many are inside or wait. */
static int tickets(void)
{
    int count = 0;

    gri_lock(&place.turnstile.lock);
    for (size_t i = 0; i < GRI_TURNSTILE_ROWS; i++)
        for (struct gri_list *at = place.turnstile.rows[i].next; at != &place.turnstile.rows[i];
             at = at->next)
            count++;
    gri_unlock(&place.turnstile.lock);
    return count;
}

static void there_are(int n)
{
    for (int i = 0; i < TEST_WAIT_MS && tickets() != n; i++)
        gr_sleep(rt, 1);
    cr_assert_eq(tickets(), n);
}

static void have_entered(int n)
{
    for (int i = 0; i < TEST_WAIT_MS && atomic_load(&place.entered) < n; i++)
        gr_sleep(rt, 1);
    cr_assert_eq(atomic_load(&place.entered), n);
}

Test(turnstile, one_is_inside_and_one_that_leaves_lets_in_the_next)
{
    gr_ref v = gr_lambda(root, GR_ASYNC, visit, NULL, NULL);
    gr_future *f[3], *other;

    for (int i = 0; i < 3; i++) {
        f[i] = gr_ainvoke(rt, v, gr_str("a"), NULL);
        there_are(i + 1);
    }
    have_entered(1);
    other = gr_ainvoke(rt, v, gr_str("b"), NULL);
    have_entered(2);
    gr_future_free(f[1]); /* who waits may leave */
    there_are(3);
    atomic_store(&place.let_go, 3);
    is(answer(f[0]), "1");
    is(answer(other), "2");
    is(answer(f[2]), "3");
    there_are(0);
}

Test(turnstile, one_that_opens_lets_in_all_who_wait)
{
    gr_ref v = gr_lambda(root, GR_ASYNC, visit, NULL, NULL);
    gr_future *f[5];

    for (int i = 0; i < 4; i++) {
        f[i] = gr_ainvoke(rt, v, gr_str("a"), NULL);
        there_are(i + 1);
    }
    have_entered(1);
    atomic_store(&place.opens, true);
    atomic_store(&place.let_go, 1);
    have_entered(4); /* side by side: none of them has left */
    there_are(3);
    atomic_store(&place.opens, false);
    f[4] = gr_ainvoke(rt, v, gr_str("a"), NULL); /* who comes later waits for them */
    there_are(4);
    cr_assert_eq(gr_await(f[4], 20).code, GR_EPENDING);
    cr_assert_eq(atomic_load(&place.entered), 4);
    atomic_store(&place.let_go, 5);
    for (int i = 0; i < 5; i++)
        gr_value_unref(answer(f[i]));
    there_are(0);
}
