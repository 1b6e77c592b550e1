/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/name.h"

#include <string.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/tie.h"
#include "runtime/base/alloc.h"
#include "runtime/base/utf8.h"

/* In the table while it has an owner or somebody waits for it. */
struct gri_name {
    struct gri_list node;    /* in the owner's names */
    struct gri_actor *owner; /* live; NULL: nobody */
    struct gri_list waiters;
    size_t waiting;
    char text[];
};

/* ---- the table, under names.lock ------------------------------------------------------------- */

static struct gri_name *make_locked(struct gri_names *names, const char *text)
{
    struct gri_name *n = gri_map_gets(&names->by_name, text);
    size_t size = strlen(text) + 1;

    if (n != NULL)
        return n;
    n = gri_alloc0(sizeof(*n) + size);
    if (n == NULL)
        return NULL;
    gri_list_init(&n->node);
    gri_list_init(&n->waiters);
    memcpy(n->text, text, size);
    if (gri_map_puts(&names->by_name, text, n))
        return n;
    gri_free(n);
    return NULL;
}

/* tidy_locked forgets a name that nobody has or waits for. */
static void tidy_locked(struct gri_names *names, struct gri_name *n)
{
    if (n->owner != NULL || n->waiting != 0)
        return;
    gri_map_dels(&names->by_name, n->text);
    gri_free(n);
}

/* owner_locked is the name's owner unless it ends. */
static struct gri_actor *owner_locked(const struct gri_name *n)
{
    struct gri_actor *a = n != NULL ? n->owner : NULL;

    return a != NULL && (atomic_load(&a->flags) & (GRI_STOPPING | GRI_FAILED)) == 0 ? a : NULL;
}

static void wake_locked(struct gri_name *n)
{
    struct gri_list *w;

    while ((w = gri_list_pop(&n->waiters)) != NULL) {
        struct gri_name_waiter *waiter = gri_container_of(w, struct gri_name_waiter, node);

        n->waiting--;
        waiter->fire(waiter);
    }
}

/* ---- registering ----------------------------------------------------------------------------- */

static gr_code give_locked(struct gri_name *n, struct gri_actor *a, uint64_t id)
{
    gr_code rc = GR_OK;

    if (n->owner != NULL)
        return GR_EINVAL;
    gri_lock(&a->tie_lock);
    if (!gri_is_live(a, id) || (atomic_load(&a->flags) & (GRI_STOPPING | GRI_FAILED)) != 0)
        rc = GR_EDEAD;
    else if (!gri_tie_room(a))
        rc = GR_EFULL;
    if (rc == GR_OK) {
        gri_list_push(&gri_actor_rare(a)->names, &n->node);
        n->owner = a;
        gri_actor_rare(a)->tie_count++;
    }
    gri_unlock(&a->tie_lock);
    return rc;
}

gr_code gr_register(gr_runtime *rt, const char *name, gr_ref ref)
{
    struct gri_actor *a = NULL;
    gr_code rc = gri_tie_target(rt, ref, &a);
    struct gri_name *n;

    if (name == NULL || name[0] == '\0' || strlen(name) > GR_NAME_MAX)
        return GR_EINVAL;
    if (rc != GR_OK)
        return rc;
    if (a == NULL)
        return GR_EDEAD;
    if (!gri_ties_ready(a, ref.id))
        return GR_ENOMEM;
    gri_lock(&rt->names.lock);
    n = make_locked(&rt->names, name);
    rc = n != NULL ? give_locked(n, a, ref.id) : GR_ENOMEM;
    if (rc == GR_OK)
        wake_locked(n);
    else if (n != NULL)
        tidy_locked(&rt->names, n);
    gri_unlock(&rt->names.lock);
    return rc;
}

bool gr_unregister(gr_runtime *rt, const char *name)
{
    struct gri_name *n;
    bool had;

    gri_lock(&rt->names.lock);
    n = name != NULL ? gri_map_gets(&rt->names.by_name, name) : NULL;
    had = n != NULL && n->owner != NULL;
    if (had) {
        struct gri_actor *a = n->owner;

        gri_lock(&a->tie_lock);
        gri_list_remove(&n->node);
        gri_actor_rare(a)->tie_count--;
        gri_unlock(&a->tie_lock);
        n->owner = NULL;
        tidy_locked(&rt->names, n);
    }
    gri_unlock(&rt->names.lock);
    return had;
}

gr_ref gr_whereis(gr_runtime *rt, const char *name)
{
    gr_ref ref = { 0, 0 };
    struct gri_actor *a;

    if (name == NULL)
        return ref;
    gri_lock(&rt->names.lock);
    a = owner_locked(gri_map_gets(&rt->names.by_name, name));
    if (a != NULL)
        ref = gri_actor_ref(a);
    gri_unlock(&rt->names.lock);
    return ref;
}

void gri_names_release(struct gri_actor *a)
{
    struct gri_names *names = &a->rt->names;
    struct gri_rare *r = atomic_load(&a->rare); /* seq_cst: see below */
    struct gri_list *n = NULL;
    bool none;

    if (r == NULL)
        return; /* it ends, and its flags say so: who made `rare` to name it looks at them after that */
    gri_lock(&a->tie_lock);
    none = gri_list_empty(&r->names);
    gri_unlock(&a->tie_lock);
    if (none)
        return;
    gri_lock(&names->lock);
    do {
        gri_lock(&a->tie_lock);
        n = gri_list_pop(&r->names);
        gri_unlock(&a->tie_lock);
        if (n != NULL) {
            struct gri_name *name = gri_container_of(n, struct gri_name, node);

            name->owner = NULL;
            tidy_locked(names, name);
        }
    } while (n != NULL);
    gri_unlock(&names->lock);
}

/* ---- waiting for a name ---------------------------------------------------------------------- */

gr_code gri_name_await(gr_runtime *rt, const char *name, struct gri_name_waiter *w, size_t max,
                       gr_ref *ret_ref)
{
    struct gri_name *n;
    struct gri_actor *a;
    gr_code rc = GR_OK;

    gri_lock(&rt->names.lock);
    n = gri_map_gets(&rt->names.by_name, name);
    a = owner_locked(n);
    if (a != NULL)
        *ret_ref = gri_actor_ref(a);
    else if (max == 0)
        rc = GR_EUNREACH;
    else if (n == NULL && (n = make_locked(&rt->names, name)) == NULL)
        rc = GR_ENOMEM;
    else
        rc = n->waiting < max ? GR_EPENDING : GR_EFULL;
    if (rc == GR_EPENDING) {
        gri_list_push(&n->waiters, &w->node);
        n->waiting++;
    }
    gri_unlock(&rt->names.lock);
    return rc;
}

bool gri_name_leave(gr_runtime *rt, const char *name, struct gri_name_waiter *w)
{
    struct gri_name *n;
    bool waited;

    gri_lock(&rt->names.lock);
    waited = !gri_list_empty(&w->node);
    if (waited) {
        n = gri_map_gets(&rt->names.by_name, name);
        gri_list_remove(&w->node);
        n->waiting--;
        tidy_locked(&rt->names, n);
    }
    gri_unlock(&rt->names.lock);
    return waited;
}

/* ---- for who looks --------------------------------------------------------------------------- */

const char *gri_name_of_locked(const struct gri_actor *a)
{
    const struct gri_rare *r = gri_actor_rare(a);

    if (r == NULL || gri_list_empty(&r->names))
        return NULL;
    return gri_container_of(r->names.prev, struct gri_name, node)->text;
}

/* The texts are copied under the lock, and made values after it. */
gr_value *gri_names_list(struct gri_actor *a)
{
    struct gri_rare *r = gri_actor_rare(a);
    char texts[GRI_NAMES_LISTED][GR_NAME_MAX + 1];
    gr_value *list = gr_list_n(NULL, 0);
    size_t count = 0;

    if (r == NULL)
        return list;
    gri_lock(&a->tie_lock);
    for (struct gri_list *n = r->names.next; n != &r->names && count < GRI_NAMES_LISTED;
         n = n->next) {
        const char *text = gri_container_of(n, struct gri_name, node)->text;

        memcpy(texts[count++], text, strlen(text) + 1);
    }
    gri_unlock(&a->tie_lock);
    for (size_t i = 0; i < count; i++) {
        if (gri_utf8_valid(texts[i], strlen(texts[i])))
            list = gr_append(list, gr_str(texts[i]));
    }
    return list;
}
