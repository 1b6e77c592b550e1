/* SPDX-License-Identifier: Apache-2.0 */
/* cache_test.c - blocks of fixed sizes: shelves, bundles, slabs, and memory that goes back. */
#include <stdint.h>
#include <string.h>

#include "runtime/sched/cache.h"
#include "runtime/sched/slab.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

#define PAGE 4096
#define BUNDLE 32 /* the largest */
#define MANY 400  /* bundles: more than a store keeps */

static const size_t size_of[GRI_BLOCKS] = {
#define X(kind, bytes, bundle) [GRI_BLOCK_##kind] = (bytes),
    GRI_BLOCK_SIZES(X)
#undef X
};

static struct gri_store *store;
static long blocks_before;

static void start(void)
{
    blocks_before = test_memory_live();
    store = gri_store_new();
    cr_assert_not_null(store);
}

static void stop(void)
{
    cr_assert_eq(test_memory_live(), blocks_before);
}

TestSuite(cache, .init = start, .fini = stop);

static struct gri_free_block *take(enum gri_block kind)
{
    unsigned count = 0, listed = 0;
    struct gri_free_block *list = gri_store_take(store, kind, &count);

    cr_assert_not_null(list);
    for (struct gri_free_block *b = list; b != NULL; b = b->next)
        listed++;
    cr_assert_eq(listed, count);
    return list;
}

Test(cache, blocks_are_cut_one_behind_the_other_and_whole)
{
    for (int k = 0; k < GRI_BLOCKS; k++) {
        struct gri_free_block *list = take((enum gri_block)k);

        for (struct gri_free_block *b = list; b != NULL; b = b->next) {
            uintptr_t at = (uintptr_t)b;

            cr_assert_eq(at % 32, 0);
            cr_assert_geq(at % PAGE, 64);
            if (k == GRI_BLOCK_REGION)
                cr_assert_eq(at % GRI_BLOCK_REGION_BYTES, 0);
            cr_assert_leq(at % PAGE + size_of[k], PAGE);
            if (b->next != NULL && (uintptr_t)b->next / PAGE == at / PAGE)
                cr_assert_eq((uintptr_t)b->next, at + size_of[k]);
            memset(b + 1, 0x5a, size_of[k] - sizeof(*b));
        }
        gri_blocks_go_home(list);
    }
    gri_store_close(store);
}

Test(cache, bundles_come_back_in_the_order_in_which_they_were_given)
{
    struct gri_free_block *given[3], *again;

    for (int i = 0; i < 3; i++)
        given[i] = take(GRI_BLOCK_TINY);
    for (int i = 0; i < 3; i++)
        gri_store_give(store, GRI_BLOCK_TINY, given[i]);
    for (int i = 0; i < 3; i++) {
        again = take(GRI_BLOCK_TINY);
        cr_assert_eq(again, given[i]);
        for (struct gri_free_block *b = again; b->next != NULL; b = b->next)
            cr_assert((uintptr_t)b->next == (uintptr_t)b + GRI_BLOCK_TINY_BYTES ||
                      (uintptr_t)b->next % PAGE == 64);
        gri_blocks_go_home(again);
    }
    gri_store_close(store);
}

static void give_many(enum gri_block kind)
{
    static struct gri_free_block *taken[MANY];

    for (int i = 0; i < MANY; i++)
        taken[i] = take(kind);
    for (int i = 0; i < MANY; i++)
        gri_store_give(store, kind, taken[i]);
}

Test(cache, what_a_store_keeps_is_bounded)
{
    long most = blocks_before + 1; /* the store itself */

    for (int k = 0; k < GRI_BLOCKS; k++) {
        size_t head = k == GRI_BLOCK_REGION ? size_of[k] : 64;
        size_t slab = 8 * ((PAGE - head) / size_of[k]); /* blocks of one */

        give_many((enum gri_block)k);
        /* 256 bundles, which may begin and end in the middle of one, and a spare one */
        most += (long)(256 * gri_bundle_of((enum gri_block)k) / slab) + 3;
        cr_assert_leq(test_memory_live(), most);
    }
    gri_store_close(store);
}

Test(cache, a_trim_leaves_slabs_of_which_something_is_out)
{
    struct gri_free_block *out = take(GRI_BLOCK_CALL), *rest = out->next;

    give_many(GRI_BLOCK_CALL);
    gri_blocks_go_home(rest);
    gri_store_trim(store);
    cr_assert_eq(test_memory_live(), blocks_before + 2, "the store, and the slab of one block");
    out->next = NULL;
    gri_blocks_go_home(out);
    gri_store_trim(store);
    cr_assert_eq(test_memory_live(), blocks_before + 1);
    gri_store_close(store);
}

Test(cache, blocks_may_come_home_when_their_runtime_is_gone)
{
    struct gri_free_block *tells = take(GRI_BLOCK_TINY), *calls = take(GRI_BLOCK_CALL);

    gri_store_close(store);
    cr_assert_eq(test_memory_live(), blocks_before + 3);
    gri_blocks_go_home(calls);
    cr_assert_eq(test_memory_live(), blocks_before + 2);
    gri_blocks_go_home(tells);
}

Test(cache, blocks_of_two_stores_find_home)
{
    struct gri_store *first = store;
    struct gri_free_block *a = take(GRI_BLOCK_TINY), *b, *last;

    store = gri_store_new();
    b = take(GRI_BLOCK_TINY);
    for (last = a; last->next != NULL; last = last->next)
        ;
    last->next = b->next; /* one list of both */
    b->next = a;
    gri_store_close(first);
    gri_blocks_go_home(b);
    cr_assert_eq(test_memory_live(), blocks_before + 2, "a store, and its spare slab");
    gri_store_close(store);
}

Test(cache, a_slab_that_cannot_be_had_is_no_block)
{
    unsigned count;

    test_memory_fail_at(1);
    cr_assert_null(gri_store_take(store, GRI_BLOCK_TINY, &count));
    test_memory_fail_at(0);
    gri_blocks_go_home(take(GRI_BLOCK_TINY));
    gri_store_close(store);
}

/* ---- shelves ---------------------------------------------------------------------------------- */

static struct gri_sched sched;
static struct gri_worker worker;

static struct gri_worker *work(void)
{
    sched.store = store;
    worker = (struct gri_worker){ .sched = &sched };
    return &worker;
}

static void fill(enum gri_block kind, void *p)
{
    cr_assert_not_null(p);
    memset(p, 0xa5, size_of[kind]);
}

Test(cache, a_worker_gives_out_what_it_was_given_back_last)
{
    struct gri_worker *w = work();
    void *p = gri_cache_alloc(w, GRI_BLOCK_SMALL);

    fill(GRI_BLOCK_SMALL, p);
#if !defined(GRI_CACHE_NONE)
    {
        uintptr_t was = (uintptr_t)p;

        gri_cache_free(w, GRI_BLOCK_SMALL, p);
        p = gri_cache_alloc(w, GRI_BLOCK_SMALL);
        cr_assert_eq((uintptr_t)p, was);
    }
#endif
    gri_cache_free(w, GRI_BLOCK_SMALL, p);
    gri_shelves_empty(w);
    gri_store_close(store);
}

Test(cache, any_thread_frees_what_any_has_made)
{
    struct gri_worker *w = work();

    for (int k = 0; k < GRI_BLOCKS; k++) {
        enum gri_block kind = (enum gri_block)k;

        for (int i = 0; i < 3 * BUNDLE; i++) {
            void *by_worker = gri_cache_alloc(w, kind), *by_other = gri_cache_alloc(NULL, kind);

            fill(kind, by_worker);
            fill(kind, by_other);
            gri_cache_free(NULL, kind, by_worker);
            gri_cache_free(w, kind, by_other);
        }
    }
    gri_shelves_empty(w);
    gri_store_close(store);
}

Test(cache, with_the_cache_off_each_block_is_the_allocators)
{
    struct gri_worker *w = work();
    void *cached = gri_cache_alloc(w, GRI_BLOCK_TINY), *alone;
    long live;

    gri_cache_free(w, GRI_BLOCK_TINY, cached);
    test_memory_fail_at(2);
    live = test_memory_live();
    alone = gri_cache_alloc(w, GRI_BLOCK_TINY);
    fill(GRI_BLOCK_TINY, alone);
    cr_assert_eq(test_memory_live(), live + 1);
    cr_assert_null(gri_cache_alloc(w, GRI_BLOCK_TINY));
    test_memory_fail_at(0);
    gri_cache_free(w, GRI_BLOCK_TINY, alone);
    cr_assert_eq(test_memory_live(), live);
    gri_shelves_empty(w);
    gri_store_close(store);
}

Test(cache, shelves_take_as_many_as_come)
{
    static void *blocks[10 * BUNDLE];
    struct gri_worker *w = work();

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10 * BUNDLE; i++)
            fill(GRI_BLOCK_TINY, blocks[i] = gri_cache_alloc(w, GRI_BLOCK_TINY));
        for (int i = 0; i < 10 * BUNDLE; i++)
            gri_cache_free(w, GRI_BLOCK_TINY, blocks[i]);
    }
    gri_shelves_empty(w);
    gri_store_close(store);
}

/* ---- tells: regions ---------------------------------------------------------------------------- */

#if !defined(GRI_CACHE_NONE)
#define ROUNDS 200
#define CROSSING 700

static struct gri_worker consumer;

static void two_workers(struct gri_worker **ret_producer, struct gri_worker **ret_consumer)
{
    *ret_producer = work();
    consumer = (struct gri_worker){ .sched = &sched };
    *ret_consumer = &consumer;
}

/* neighbours counts how many of n tells lie right behind the one before. */
static int neighbours(void *const *tell, int n)
{
    int count = 0;

    for (int i = 1; i < n; i++)
        count += (char *)tell[i] == (char *)tell[i - 1] + GRI_BLOCK_TELL_BYTES;
    return count;
}

Test(cache, tells_that_cross_stay_in_order_however_often_they_do)
{
    static void *tell[CROSSING];
    struct gri_worker *from, *to;

    two_workers(&from, &to);
    for (int round = 0; round < ROUNDS; round++) {
        int n = CROSSING - round; /* so that bundles begin and end at ever other places */

        for (int i = 0; i < n; i++)
            fill(GRI_BLOCK_TELL, tell[i] = gri_cache_alloc(from, GRI_BLOCK_TELL));
        /* all but those at the beginnings of regions */
        cr_assert_geq(neighbours(tell, n), n - 2 - n / (int)GRI_REGION_TELLS);
        for (int i = 0; i < n; i++)
            gri_cache_free(to, GRI_BLOCK_TELL, tell[i]);
    }
    gri_shelves_empty(from);
    gri_shelves_empty(to);
    gri_store_close(store);
}

Test(cache, a_region_is_handed_out_again_when_all_of_it_is_home)
{
    void *tell[2 * GRI_REGION_TELLS], *again;
    struct gri_worker *w, *other;
    uintptr_t first;

    two_workers(&w, &other);
    for (size_t i = 0; i < 2 * GRI_REGION_TELLS; i++)
        tell[i] = gri_cache_alloc(w, GRI_BLOCK_TELL);
    first = gri_region_of(tell[0]);
    cr_assert_eq(gri_region_of(tell[GRI_REGION_TELLS - 1]), first);
    for (size_t i = 1; i < 8; i++)
        gri_cache_free(other, GRI_BLOCK_TELL, tell[i]);
    gri_shelves_empty(other);
    for (size_t i = 8; i < GRI_REGION_TELLS; i++)
        gri_cache_free(NULL, GRI_BLOCK_TELL, tell[i]);
    again = gri_cache_alloc(w, GRI_BLOCK_TELL);
    cr_assert_neq(gri_region_of(again), first, "one is out still");
    gri_cache_free(NULL, GRI_BLOCK_TELL, again);
    gri_cache_free(NULL, GRI_BLOCK_TELL, tell[0]); /* the last of them */
    for (size_t i = GRI_REGION_TELLS; i < 2 * GRI_REGION_TELLS; i++)
        gri_cache_free(w, GRI_BLOCK_TELL, tell[i]);
    gri_shelves_empty(w);
    cr_assert_eq(test_memory_live(), blocks_before + 2, "the store, and its spare slab");
    gri_store_close(store);
}

Test(cache, without_memory_for_a_region_a_tell_is_alone)
{
    struct gri_worker *w = work();
    void *tell;

    test_memory_fail_at(1); /* the slab's, with the cache on */
    atomic_store(&gri_cache_off, false);
    tell = gri_cache_alloc(w, GRI_BLOCK_TELL);
    test_memory_fail_at(0);
    cr_assert_neq((uintptr_t)tell & GRI_ALONE, 0);
    gri_cache_free(w, GRI_BLOCK_TELL, tell);
    gri_shelves_empty(w);
    gri_store_close(store);
}
#endif
