/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/slab.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/list.h"
#include "runtime/base/lock.h"

#define PAGE ((size_t)4096)
#define LINE ((size_t)64)
/* Pages of a slab: few of the first ones, so that a small runtime stays small; later the one that is lost
 * to alignment should not count. */
#define PAGES_FIRST 8
#define PAGES_LATER 64
#define SLABS_FIRST 8
#define BUNDLES_MAX 256 /* of one size, in the depot */

struct depot {
    struct gri_lock lock;                /* guards all below, and this depot's slabs */
    struct gri_free_block *first, *last; /* bundles, the oldest first */
    unsigned bundles;
    struct gri_free_block *loose; /* for threads that are no workers, who take one at a time */
    _Atomic unsigned slabs;       /* written under the lock */
    struct gri_list some, none;   /* slabs with blocks to hand out, and without */
    bool spare;                   /* one of `some` has all of its blocks at home, and is kept */
    bool closed;                  /* none is kept any more */
    enum gri_block kind;
    size_t size; /* of a block */
    size_t head; /* where a page's blocks begin, so that none straddles more lines than it must */
    unsigned per_page;
    struct gri_store *store; /* whose depot it is */
};

struct gri_store {
    /* the runtime's, and one for each slab */
    _Atomic uint32_t refs;
    struct depot depot[GRI_BLOCKS];
};

/* At the beginning of its memory; the pages follow at the next page's boundary. */
struct slab {
    struct gri_list node; /* in some or none; first, so that leak checkers find the slab's start */
    struct depot *depot;
    struct gri_free_block *home; /* blocks that came back */
    unsigned pages;
    unsigned cut; /* blocks that have been handed out at least once */
    unsigned out; /* blocks that are not at home */
};

/* At the beginning of each page. */
struct page {
    struct slab *slab;
};

static const size_t size_of[GRI_BLOCKS] = {
#define X(kind, bytes, bundle) [GRI_BLOCK_##kind] = (bytes),
    GRI_BLOCK_SIZES(X)
#undef X
};

#define X(kind, bytes, bundle)                                                                     \
    _Static_assert((bytes) % 32 == 0 && (bytes) <= PAGE / 2, "see cache.h: bit 16 is 0");
GRI_BLOCK_SIZES(X)
#undef X
_Static_assert(sizeof(struct page) <= LINE, "a page's head");
_Static_assert(sizeof(struct gri_free_block) <= GRI_BLOCK_TINY_BYTES, "a free block's links");

/* ---- slabs ----------------------------------------------------------------------------------- */

static struct slab *slab_of(struct gri_free_block *b)
{
    return ((struct page *)((uintptr_t)b & ~(uintptr_t)(PAGE - 1)))->slab;
}

static struct slab *slab_new(struct depot *d)
{
    unsigned slabs = atomic_load_explicit(&d->slabs, memory_order_relaxed);
    unsigned pages = slabs < SLABS_FIRST ? PAGES_FIRST : PAGES_LATER;
    size_t size = sizeof(struct slab) + (pages + 1) * PAGE - 1;
    struct slab *s = gri_alloc(size);

    if (s == NULL)
        return NULL;
    gri_alloc_touch(s, size);
    *s = (struct slab){ .depot = d, .pages = pages };
    gri_list_init(&s->node);
    atomic_fetch_add_explicit(&d->store->refs, 1, memory_order_relaxed);
    return s;
}

static void store_unref(struct gri_store *s)
{
    /* acq_rel: what others did with it comes before it is freed */
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        gri_free(s);
}

/* slabs_free frees a list of slabs that are in none of a depot's lists any more. */
static void slabs_free(struct gri_list *list)
{
    struct gri_list *n;

    while ((n = gri_list_pop(list)) != NULL) {
        struct slab *s = gri_container_of(n, struct slab, node);
        struct gri_store *store = s->depot->store;

        gri_free(s);
        store_unref(store);
    }
}

static bool all_cut(const struct slab *s)
{
    return s->cut == s->pages * s->depot->per_page;
}

/* cut hands out the next block that has never been. */
static struct gri_free_block *cut(struct slab *s)
{
    const struct depot *d = s->depot;
    unsigned at = s->cut++, in_page = at % d->per_page;
    uintptr_t pages = ((uintptr_t)(s + 1) + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    char *page = (char *)pages + at / d->per_page * PAGE;

    if (in_page == 0)
        ((struct page *)(void *)page)->slab = s;
    return (struct gri_free_block *)(void *)(page + d->head + in_page * d->size);
}

/* take_locked appends blocks of s to the list that ends at *end, as long as there are and it is no
 * bundle yet. */
static struct gri_free_block **take_locked(struct slab *s, struct gri_free_block **end,
                                           unsigned *count)
{
    struct depot *d = s->depot;

    if (s->out == 0 && s->cut != 0)
        d->spare = false;
    for (; *count < gri_bundle_of(d->kind) && (s->home != NULL || !all_cut(s)); ++*count) {
        struct gri_free_block *b = s->home;

        if (b != NULL)
            s->home = b->next;
        else
            b = cut(s);
        s->out++;
        *end = b;
        end = &b->next;
    }
    gri_list_remove(&s->node);
    gri_list_push(s->home != NULL || !all_cut(s) ? &d->some : &d->none, &s->node);
    return end;
}

/* home_locked takes b back. A slab that has all, and is not to be kept, goes to `whole`. */
static void home_locked(struct slab *s, struct gri_free_block *b, struct gri_list *whole)
{
    struct depot *d = s->depot;

    if (s->home == NULL && all_cut(s)) {
        gri_list_remove(&s->node);
        gri_list_push(&d->some, &s->node);
    }
    b->next = s->home;
    s->home = b;
    gri_assert(s->out > 0);
    if (--s->out != 0)
        return;
    if (!d->spare && !d->closed) {
        d->spare = true;
        return;
    }
    atomic_fetch_sub_explicit(&d->slabs, 1, memory_order_relaxed);
    gri_list_remove(&s->node);
    gri_list_push(whole, &s->node);
}

/* Once the lock is given back the store may end with a slab that another thread sends home, so nothing
 * of it is touched after that: of gri_unlock only a wake-up is left, which is about an address. */
void gri_blocks_go_home(struct gri_free_block *list)
{
    struct gri_list whole;

    gri_list_init(&whole);
    while (list != NULL) {
        struct slab *s = slab_of(list);
        struct depot *d = s->depot;

        gri_lock(&d->lock);
        do {
            struct gri_free_block *next = list->next;

            home_locked(s, list, &whole);
            list = next;
            s = list != NULL ? slab_of(list) : NULL;
        } while (s != NULL && s->depot == d);
        gri_unlock(&d->lock);
    }
    slabs_free(&whole);
}

/* ---- bundles --------------------------------------------------------------------------------- */

static struct gri_free_block *bundle_locked(struct depot *d)
{
    struct gri_free_block *b = d->first;

    if (b == NULL)
        return NULL;
    d->first = b->bundle;
    d->bundles--;
    return b;
}

/* take_some takes what there is, without asking the allocator. */
static struct gri_free_block *take_some(struct depot *d, unsigned *ret_count)
{
    struct gri_free_block *list = NULL, **end = &list;

    *ret_count = gri_bundle_of(d->kind);
    gri_lock(&d->lock);
    list = bundle_locked(d);
    if (list == NULL) {
        *ret_count = 0;
        while (*ret_count < gri_bundle_of(d->kind) && !gri_list_empty(&d->some))
            end = take_locked(gri_container_of(d->some.next, struct slab, node), end, ret_count);
        *end = NULL;
    }
    gri_unlock(&d->lock);
    return list;
}

struct gri_free_block *gri_store_take(struct gri_store *s, enum gri_block kind, unsigned *ret_count)
{
    struct depot *d = &s->depot[kind];
    struct gri_free_block *list = take_some(d, ret_count), **end = &list;
    struct slab *fresh;

    if (list != NULL)
        return list;
    fresh = slab_new(d);
    if (fresh == NULL)
        return NULL;
    gri_lock(&d->lock);
    atomic_fetch_add_explicit(&d->slabs, 1, memory_order_relaxed);
    end = take_locked(fresh, end, ret_count);
    *end = NULL;
    gri_unlock(&d->lock);
    return list;
}

static struct gri_free_block *loose_locked(struct depot *d)
{
    struct gri_free_block *b = d->loose;

    if (b != NULL)
        d->loose = b->next;
    return b;
}

struct gri_free_block *gri_store_take_one(struct gri_store *s, enum gri_block kind)
{
    struct depot *d = &s->depot[kind];
    struct gri_free_block *b, *last;
    unsigned count;

    gri_lock(&d->lock);
    b = loose_locked(d);
    gri_unlock(&d->lock);
    if (b != NULL || (b = gri_store_take(s, kind, &count)) == NULL || b->next == NULL)
        return b;
    for (last = b->next; last->next != NULL; last = last->next)
        ;
    gri_lock(&d->lock);
    last->next = d->loose;
    d->loose = b->next;
    gri_unlock(&d->lock);
    return b;
}

void gri_store_give(struct gri_store *s, enum gri_block kind, struct gri_free_block *b)
{
    struct depot *d = &s->depot[kind];
    bool kept;

    b->bundle = NULL;
    gri_lock(&d->lock);
    kept = d->bundles < BUNDLES_MAX;
    if (kept) {
        if (d->first != NULL)
            d->last->bundle = b;
        else
            d->first = b;
        d->last = b;
        d->bundles++;
    }
    gri_unlock(&d->lock);
    if (!kept)
        gri_blocks_go_home(b);
}

/* ---- stores ---------------------------------------------------------------------------------- */

struct gri_store *gri_store_new(void)
{
    struct gri_store *s = gri_new0(struct gri_store);

    if (s == NULL)
        return NULL;
    atomic_init(&s->refs, 1);
    for (int k = 0; k < GRI_BLOCKS; k++) {
        struct depot *d = &s->depot[k];

        d->store = s;
        d->kind = (enum gri_block)k;
        d->size = size_of[k];
        d->head = d->size % LINE == 0 && PAGE % d->size == 0 ? d->size : LINE;
        d->per_page = (unsigned)((PAGE - d->head) / d->size);
        gri_list_init(&d->some);
        gri_list_init(&d->none);
    }
    return s;
}

/* free_spare frees the slab that is kept although nothing of it is out. */
static void free_spare(struct depot *d, bool close)
{
    struct gri_list whole;

    gri_list_init(&whole);
    gri_lock(&d->lock);
    d->closed = close;
    for (struct gri_list *n = d->some.next; d->spare && n != &d->some; n = n->next) {
        struct slab *s = gri_container_of(n, struct slab, node);

        if (s->out == 0) {
            d->spare = false;
            atomic_fetch_sub_explicit(&d->slabs, 1, memory_order_relaxed);
            gri_list_remove(n);
            gri_list_push(&whole, n);
            break;
        }
    }
    gri_unlock(&d->lock);
    slabs_free(&whole);
}

static void trim(struct gri_store *s, bool close)
{
    for (int k = 0; k < GRI_BLOCKS; k++) {
        struct depot *d = &s->depot[k];
        struct gri_free_block *b;

        do {
            gri_lock(&d->lock);
            b = d->loose;
            d->loose = NULL;
            if (b == NULL)
                b = bundle_locked(d);
            gri_unlock(&d->lock);
            gri_blocks_go_home(b);
        } while (b != NULL);
        free_spare(d, close);
    }
}

void gri_store_trim(struct gri_store *s)
{
    trim(s, false);
}

void gri_store_close(struct gri_store *s)
{
    if (s == NULL)
        return;
    trim(s, true);
    store_unref(s);
}
