/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair.c - deciding between connections. What a peer is among them (place, stamp, number, hello) is
 * guarded by the node's lock, so each decision is one step; waiting for a frame that an earlier link
 * is just handling comes after it. A link waits for earlier ones only, so no two wait for each other.
 *
 * Those that could stand for each other form a ring, as do those of one name, so that none of this takes the
 * longer the more other nodes there are.
 */
#include "runtime/net/pair.h"

#include <string.h>

#define LATEST_MAX 16384 /* nodes of which the latest welcome is remembered */

/* same_at and namesake_at count what is compared: node->compared shows that it stays little. */
static struct gri_peer *same_at(struct gri_list *n)
{
    struct gri_peer *p = gri_container_of(n, struct gri_peer, same);

    p->node->compared++;
    return p;
}

static struct gri_peer *namesake_at(struct gri_list *n)
{
    struct gri_peer *p = gri_container_of(n, struct gri_peer, namesakes);

    p->node->compared++;
    return p;
}

/* origin_of is what a dialler tells nobody but the one that it dials. */
static uint64_t origin_of(const struct gri_peer *p)
{
    return p->link_id >> 32;
}

/* is_way tells whether two connections that are apart go the same way. Who accepted goes by the origin,
 * since anybody may claim to be any node. */
static bool is_way(const struct gri_peer *a, const struct gri_peer *b)
{
    if (a->target != NULL || b->target != NULL)
        return a->target != NULL && b->target != NULL;
    return origin_of(a) == origin_of(b);
}

/* is_same tells whether two connections could stand for each other. */
static bool is_same(const struct gri_peer *a, const struct gri_peer *b)
{
    return a != b && a->place != GRI_PLACE_NONE && a->place != GRI_PLACE_GONE &&
           a->hello.node == b->hello.node && a->hello.incarnation == b->hello.incarnation &&
           a->apart == b->apart && (!a->apart || is_way(a, b));
}

/* is_restart tells whether a and b lead to two starts of one node. */
static bool is_restart(const struct gri_peer *a, const struct gri_peer *b)
{
    return a != b && a->place == GRI_PLACE_CURRENT && !a->apart && !b->apart &&
           a->hello.name[0] != '\0' && a->hello.node != b->hello.node &&
           strcmp(a->hello.name, b->hello.name) == 0;
}

static bool is_earlier(const struct gri_peer *a, const struct gri_peer *b)
{
    return is_restart(a, b) && a->hello.incarnation < b->hello.incarnation;
}

/* ---- rings ----------------------------------------------------------------------------------- */

/* same_key is the same for those that could stand for each other, see is_same, and for hardly any others. */
static uint64_t same_key(const struct gri_peer *p)
{
    uint64_t who[4] = { p->hello.node, p->hello.incarnation, p->apart ? 1 + (p->target != NULL) : 0,
                        p->apart && p->target == NULL ? origin_of(p) : 0 };

    return gri_hash_bytes(who, sizeof(who), p->node->same.seed);
}

static uint64_t name_key(const struct gri_peer *p)
{
    return gri_hash_bytes(p->hello.name, strlen(p->hello.name), p->node->namesakes.seed);
}

/* A ring is found by any one of its own. */
static bool join_ring(struct gri_map *rings, uint64_t key, struct gri_list *n)
{
    struct gri_list *in = gri_map_get(rings, key);

    if (in == NULL)
        return gri_map_put(rings, key, n);
    gri_list_push(in, n);
    return true;
}

static void leave_ring(struct gri_map *rings, uint64_t key, struct gri_list *n)
{
    bool found_by_it = gri_map_get(rings, key) == n;
    struct gri_list *other = n->next;

    gri_list_remove(n);
    if (!found_by_it)
        return;
    gri_map_del(rings, key);
    if (other != n)
        (void)gri_map_put(rings, key, other); /* there is room: of the one that has just gone */
}

void gri_pair_forget_locked(struct gri_peer *p)
{
    if (!p->met)
        return;
    p->met = false;
    leave_ring(&p->node->same, same_key(p), &p->same);
    if (p->hello.name[0] != '\0' && !p->apart)
        leave_ring(&p->node->namesakes, name_key(p), &p->namesakes);
}

static bool remember_locked(struct gri_peer *p)
{
    if (!join_ring(&p->node->same, same_key(p), &p->same))
        return false;
    if (p->hello.name[0] != '\0' && !p->apart &&
        !join_ring(&p->node->namesakes, name_key(p), &p->namesakes)) {
        leave_ring(&p->node->same, same_key(p), &p->same);
        return false;
    }
    return p->met = true;
}

/* ---- deciding -------------------------------------------------------------------------------- */

bool gri_pair_meet(struct gri_peer *p, const struct gri_hello *hello)
{
    struct gri_node *node = p->node;
    bool done;

    gri_lock(&node->lock);
    p->hello = *hello;
    p->apart = (hello->features & p->greeting.features & GRI_FEATURE_SHARE) == 0 ||
               hello->node == node->id;
    if (p->target == NULL)
        p->link_id = hello->link;
    done = remember_locked(p);
    gri_unlock(&node->lock);
    return done;
}

bool gri_pair_decides(const struct gri_peer *p)
{
    return p->apart ? p->target != NULL : p->node->id > p->hello.node;
}

/* hold adds those of p's kind that are in this place to a proof. */
static void hold_locked(const struct gri_peer *p, enum gri_place place, struct gri_proof *proof)
{
    for (struct gri_list *n = p->same.next; n != &p->same; n = n->next) {
        const struct gri_peer *q = same_at(n);

        if (is_same(q, p) && q->place == place && proof->hold_count < GRI_HOLDS_MAX)
            proof->holds[proof->hold_count++] = q->link_id;
    }
}

bool gri_pair_note(struct gri_peer *p, struct gri_proof *proof)
{
    bool may;

    gri_lock(&p->node->lock);
    may = !p->node->drained || p->target != NULL;
    if (may && p->place == GRI_PLACE_NONE)
        p->place = GRI_PLACE_PROVED;
    proof->stamp = ++p->node->stamps;
    hold_locked(p, GRI_PLACE_CURRENT, proof);
    hold_locked(p, GRI_PLACE_PROVED, proof);
    gri_unlock(&p->node->lock);
    return may;
}

static bool holds(const struct gri_proof *proof, uint64_t link_id)
{
    for (unsigned i = 0; i < proof->hold_count; i++)
        if (proof->holds[i] == link_id)
            return true;
    return false;
}

/* ends_locked has q's link end; false: it handles no frames any more. */
static bool ends_locked(struct gri_peer *q)
{
    q->place = GRI_PLACE_GONE;
    return gri_peer_replace(q);
}

/* victim_locked ends one link that p takes the place of. NULL: none is left that handles frames. */
static struct gri_peer *victim_locked(struct gri_peer *p)
{
    for (struct gri_list *n = p->same.next; n != &p->same; n = n->next) {
        struct gri_peer *q = same_at(n);

        if (q->place == GRI_PLACE_CURRENT && is_same(q, p) && q->number < p->number &&
            ends_locked(q))
            return q;
    }
    for (struct gri_list *n = p->namesakes.next; n != &p->namesakes; n = n->next) {
        struct gri_peer *q = namesake_at(n);

        if (is_earlier(q, p) && ends_locked(q))
            return q;
    }
    return NULL;
}

/* take_place makes p the link. */
static void take_place(struct gri_peer *p)
{
    struct gri_peer *victim;

    do {
        gri_lock(&p->node->lock);
        victim = victim_locked(p);
        gri_unlock(&p->node->lock);
        if (victim != NULL) {
            gri_peer_quiet(victim);
            gri_peer_unref(victim);
        }
    } while (victim != NULL);
}

static bool is_outrun_locked(struct gri_peer *p)
{
    for (struct gri_list *n = p->namesakes.next; n != &p->namesakes; n = n->next) {
        const struct gri_peer *q = namesake_at(n);

        if (is_restart(q, p) && q->hello.incarnation > p->hello.incarnation)
            return true;
    }
    return p->place == GRI_PLACE_GONE;
}

bool gri_pair_is_outrun(struct gri_peer *p)
{
    bool is;

    gri_lock(&p->node->lock);
    is = is_outrun_locked(p);
    gri_unlock(&p->node->lock);
    return is;
}

/* current_locked finds the link; the latest one, while that still ends an earlier one. */
static struct gri_peer *current_locked(struct gri_peer *p)
{
    struct gri_peer *found = NULL;

    for (struct gri_list *n = p->same.next; n != &p->same; n = n->next) {
        struct gri_peer *q = same_at(n);

        if (is_same(q, p) && q->place == GRI_PLACE_CURRENT &&
            (found == NULL || q->number > found->number))
            found = q;
    }
    return found;
}

/* make_current_locked: without memory it is not found, and what would go over it goes another way. */
static void make_current_locked(struct gri_peer *p)
{
    p->place = GRI_PLACE_CURRENT;
    if (!p->apart)
        (void)gri_map_put(&p->node->current, p->hello.node, p);
}

static enum gri_verdict judge_locked(struct gri_peer *p, const struct gri_proof *proof,
                                     struct gri_peer **ret_other)
{
    struct gri_peer *q = current_locked(p);

    if (is_outrun_locked(p))
        return GRI_PAIR_OUTRUN;
    if (q != NULL && (proof->stamp < q->stamp || holds(proof, q->link_id)) &&
        gri_peer_ref_living(q)) {
        *ret_other = q;
        return GRI_PAIR_SPARE;
    }
    make_current_locked(p);
    p->stamp = proof->stamp;
    p->number = ++p->node->welcomes;
    return GRI_PAIR_STAYS;
}

enum gri_verdict gri_pair_decide(struct gri_peer *p, const struct gri_proof *proof,
                                 struct gri_peer **ret_other)
{
    enum gri_verdict verdict;

    gri_lock(&p->node->lock);
    verdict = judge_locked(p, proof, ret_other);
    gri_unlock(&p->node->lock);
    if (verdict == GRI_PAIR_STAYS)
        take_place(p);
    return verdict;
}

/*
 * is_latest_locked remembers the greatest number that the peer has welcomed with, for as long as there is
 * room: a welcome may be on its way for so long that a later link has come and gone, and what follows it
 * would be handled after what came there.
 */
static bool is_latest_locked(struct gri_peer *p, uint64_t number)
{
    struct gri_map *latest = &p->node->latest;
    uint64_t who[4] = { p->hello.node, p->hello.incarnation, p->apart,
                        p->apart ? origin_of(p) : 0 };
    uint64_t key = gri_hash_bytes(who, sizeof(who), latest->seed);

    if (number > UINTPTR_MAX || number <= (uintptr_t)gri_map_get(latest, key))
        return false;
    if (latest->count >= LATEST_MAX)
        gri_map_fini(latest); /* keeps its seed */
    return gri_map_put(latest, key, (void *)(uintptr_t)number);
}

bool gri_pair_welcomed(struct gri_peer *p, uint64_t number)
{
    bool stays;

    gri_lock(&p->node->lock);
    stays = !is_outrun_locked(p) && is_latest_locked(p, number);
    if (stays) {
        make_current_locked(p);
        p->number = number;
    }
    gri_unlock(&p->node->lock);
    if (stays)
        take_place(p);
    return stays;
}

struct gri_peer *gri_pair_find(struct gri_peer *p, uint64_t link_id)
{
    struct gri_node *node = p->node;
    struct gri_peer *found = NULL;

    gri_lock(&node->lock);
    for (struct gri_list *n = p->same.next; n != &p->same && found == NULL; n = n->next) {
        struct gri_peer *q = same_at(n);

        if (is_same(q, p) && q->link_id == link_id && gri_peer_ref_living(q))
            found = q;
    }
    gri_unlock(&node->lock);
    return found;
}

struct gri_peer *gri_pair_current(struct gri_node *node, uint64_t id, uint64_t incarnation)
{
    struct gri_peer *p;

    gri_lock(&node->lock);
    p = gri_map_get(&node->current, id);
    if (p != NULL && (p->place != GRI_PLACE_CURRENT || p->hello.incarnation != incarnation ||
                      !gri_peer_ref_living(p)))
        p = NULL;
    gri_unlock(&node->lock);
    return p;
}

bool gri_pair_routes(struct gri_peer *p, uint64_t *ret_node, uint64_t *ret_incarnation)
{
    struct gri_node *node = p->node;
    bool may;

    p = gri_peer_now(p);
    gri_lock(&node->lock);
    may = p->place == GRI_PLACE_CURRENT && !p->apart &&
          (p->hello.features & p->greeting.features & GRI_FEATURE_ROUTE) != 0;
    *ret_node = p->hello.node;
    *ret_incarnation = p->hello.incarnation;
    gri_unlock(&node->lock);
    return may;
}

void gri_pair_merge(struct gri_peer *p, struct gri_peer *into)
{
    struct gri_node *node = p->node;
    bool was;

    if (!gri_peer_merge(p, into))
        return;
    gri_lock(&node->lock);
    p->place = GRI_PLACE_GONE;
    was = p->target->peer == p;
    /* a link that is down by now has been taken from all targets, and this one goes without, too */
    if (was)
        p->target->peer = into->place != GRI_PLACE_GONE ? gri_peer_ref(into) : NULL;
    gri_unlock(&node->lock);
    if (was)
        gri_peer_unref(p);
}
