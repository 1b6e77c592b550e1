/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulated.c - a race in an actor of one's own, found by simulation, and shown to be gone.
 *
 * A box office sells two seats. It looks whether a seat is left, waits for the payment, then notes
 * the sale. While it waits, it handles other buyers, and so it sells seats twice; but only when
 * payments take longer than buyers are apart, which they hardly ever do. A thousand real runs may
 * pass before that shows. Seeds find it at once, and one seed shows it as often as one likes:
 *
 *     cc simulated.c $(pkg-config --cflags --libs greenroom) && ./a.out
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <stdlib.h>

#define SEATS 2
#define BUYERS 4
#define SEEDS_MAX 200

struct office {
    int left, sold;
    bool careful; /* takes the seat before it waits */
    gr_ref bank;
};

/* The bank's answer takes a millisecond. */
static gr_value *pay(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    if (gr_sleep(gr_runtime_of(c), 1) != GR_OK)
        return gr_error(GR_ECANCELED, "not paid");
    return gr_value_ref(input);
}

/* sell answers with true if the buyer got a seat. All calls of a lambda share its `arg`, and several
 * may be under way: between two waits a worker has it alone here, since there is only one. */
static gr_value *sell(gr_ctx *c, void *arg, const gr_value *input)
{
    struct office *o = arg;
    gr_value *paid, *error = NULL;

    if (o->left == 0)
        return gr_bool(false);
    if (o->careful)
        o->left--;
    paid = gr_invoke(gr_runtime_of(c), o->bank, gr_value_ref(input), NULL, &error);
    if (paid == NULL) {
        o->left += o->careful;
        return error;
    }
    gr_value_unref(paid);
    if (!o->careful)
        o->left--;
    o->sold++;
    return gr_bool(true);
}

/* one_day runs four buyers, 20 ms apart, under a seed; it returns how many seats were sold. */
static int one_day(uint64_t seed, bool careful, uint64_t *ret_hash)
{
    struct office office = { .left = SEATS, .careful = careful };
    gr_future *buyers[BUYERS];
    gr_sim_info info = { 0 };
    gr_runtime *rt = NULL;
    gr_ref box;

    if (gr_runtime_new(GR_RUNTIME(.workers = 1, .sim_seed = seed), &rt) != GR_OK)
        exit(2);
    office.bank = gr_lambda(gr_root(rt), GR_ASYNC, pay, NULL, NULL);
    box = gr_lambda(gr_root(rt), GR_ASYNC, sell, NULL, &office);
    for (int i = 0; i < BUYERS; i++) {
        buyers[i] = gr_ainvoke(rt, box, gr_int(i), NULL);
        gr_sim_advance(rt, 20);
    }
    for (int i = 0; i < BUYERS; i++) {
        gr_await(buyers[i], -1);
        gr_future_free(buyers[i]);
    }
    if (gr_sim_report(&info) == GR_OK)
        *ret_hash = info.trace_hash;
    gr_runtime_free(rt);
    return office.sold;
}

/* find returns the first seed under which more seats are sold than there are; 0: none. */
static uint64_t find(bool careful, uint64_t *ret_hash)
{
    for (uint64_t seed = 1; seed <= SEEDS_MAX; seed++) {
        if (one_day(seed, careful, ret_hash) > SEATS)
            return seed;
    }
    return 0;
}

int main(void)
{
    uint64_t hash = 0, again = 0, seed = find(false, &hash);
    int sold;

    if (seed == 0) {
        printf("no seed of %d sells a seat twice\n", SEEDS_MAX);
        return 1;
    }
    sold = one_day(seed, false, &again);
    printf("seed %llu sells %d seats of %d\n", (unsigned long long)seed, sold, SEATS);
    printf("the same seed again: %s\n", again == hash ? "the same history" : "another history");
    if (again != hash || find(true, &hash) != 0)
        return 1;
    printf("after the repair: none of %d seeds does\n", SEEDS_MAX);
    return 0;
}
