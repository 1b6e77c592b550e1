/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turnstile.c - tickets in rows: the first of a name is inside, the others of that name wait.
 *
 * A ticket is in its row from coming to leaving. Who leaves lets in the next of its name, under the
 * lock; so one that was cancelled finds, under the lock again, whether it was let in meanwhile, and
 * then passes that on. Nothing is allocated or closed while the lock is held.
 */
#include "actors/compose/turnstile.h"

#include <string.h>

#include "actors/compose/steps.h"

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/map.h"

void gri_turnstile_init(struct gri_turnstile *t)
{
    t->lock = (struct gri_lock){ 0 };
    for (size_t i = 0; i < GRI_TURNSTILE_ROWS; i++)
        gri_list_init(&t->rows[i]);
}

static struct gri_list *row_of(struct gri_turnstile *t, const char *name)
{
    return &t->rows[gri_hash_bytes(name, strlen(name), 0) % GRI_TURNSTILE_ROWS];
}

/* first_of finds the first ticket of a name; the lock is held. */
static struct gri_ticket *first_of_locked(struct gri_list *row, const char *name)
{
    for (struct gri_list *at = row->next; at != row; at = at->next) {
        struct gri_ticket *ticket = gri_container_of(at, struct gri_ticket, node);

        if (strcmp(ticket->name, name) == 0)
            return ticket;
    }
    return NULL;
}

static void ticket_free(struct gri_ticket *ticket)
{
    if (ticket == NULL)
        return;
    if (ticket->writer != NULL)
        gr_pipe_close(ticket->writer, NULL);
    gri_free(ticket->name);
    gri_free(ticket);
}

void gri_turnstile_leave(struct gri_turnstile *t, struct gri_ticket *ticket)
{
    gr_stream *call = NULL;
    struct gri_list *row;

    if (ticket == NULL)
        return;
    row = row_of(t, ticket->name);
    gri_lock(&t->lock);
    gri_list_remove(&ticket->node);
    if (ticket->inside) {
        struct gri_ticket *next = first_of_locked(row, ticket->name);

        if (next != NULL) {
            next->inside = true;
            call = next->writer;
            next->writer = NULL;
        }
    }
    gri_unlock(&t->lock);
    if (call != NULL)
        gr_pipe_close(call, NULL);
    ticket_free(ticket);
}

/* let_in calls the next who waits for a name; false: nobody does. */
static bool let_in(struct gri_turnstile *t, const char *name)
{
    struct gri_list *row = row_of(t, name);
    gr_stream *call = NULL;

    gri_lock(&t->lock);
    for (struct gri_list *at = row->next; at != row && call == NULL; at = at->next) {
        struct gri_ticket *ticket = gri_container_of(at, struct gri_ticket, node);

        if (ticket->inside || strcmp(ticket->name, name) != 0)
            continue;
        ticket->inside = true;
        call = ticket->writer;
        ticket->writer = NULL;
    }
    gri_unlock(&t->lock);
    if (call != NULL)
        gr_pipe_close(call, NULL);
    return call != NULL;
}

void gri_turnstile_open(struct gri_turnstile *t, struct gri_ticket *ticket)
{
    while (ticket != NULL && let_in(t, ticket->name)) {
    }
    gri_turnstile_leave(t, ticket);
}

gr_code gri_turnstile_enter(struct gri_turnstile *t, gr_runtime *rt, const char *name,
                            struct gri_ticket **ret_ticket)
{
    struct gri_ticket *ticket = gri_new0(struct gri_ticket);
    gr_stream *call = NULL;
    gr_code rc = GR_ENOMEM;
    bool inside;

    if (ticket != NULL && (ticket->name = gri_strdup(name)) != NULL)
        call = gr_pipe(rt, 1, &ticket->writer);
    if (call == NULL) {
        ticket_free(ticket);
        return rc;
    }
    gri_lock(&t->lock);
    inside = ticket->inside = first_of_locked(row_of(t, name), name) == NULL;
    gri_list_push(row_of(t, name), &ticket->node);
    gri_unlock(&t->lock);
    /* ticket->inside is the lock's again: who leaves may set it */
    rc = inside ? GR_OK : gr_next(call, -1).code;
    gr_stream_free(call);
    if (rc != GR_OK && rc != GR_EOS) {
        gri_turnstile_leave(t, ticket);
        return rc == GR_EINTR ? GR_ECANCELED : rc;
    }
    *ret_ticket = ticket;
    return GR_OK;
}

/* ---- calls from inside ----------------------------------------------------------------------- */

const gr_value *gri_turnstile_held(gr_ctx *c, const char *key)
{
    return gr_get(gr_get(gr_config(c), "configurable"), key);
}

bool gri_turnstile_has(const gr_value *held, const gr_value *name)
{
    for (size_t i = 0; i < gr_len(held); i++)
        if (gr_equal(gr_at(held, i), name))
            return true;
    return false;
}

void gri_turnstile_hold(gr_ctx *c, const char *key, gr_value *name, gr_call_opts *opts)
{
    const gr_value *configurable = gr_get(gr_config(c), "configurable");
    const gr_value *held = gr_get(configurable, key);
    gr_value *names = gr_append(held != NULL ? gr_value_ref(held) : gr_list_n(NULL, 0), name);

    opts->config = gr_set(
        opts->config != NULL ? opts->config : gr_map_n(NULL, 0), "configurable",
        gr_set(configurable != NULL ? gr_value_ref(configurable) : gr_map_n(NULL, 0), key, names));
}

gr_value *gri_turnstile_take(gr_ctx *c, struct gri_turnstile *t, const char *key, gr_value *name,
                             gr_call_opts *opts, struct gri_ticket **ret_ticket)
{
    gr_code rc;

    *ret_ticket = NULL;
    if (gr_error_code(name) != GR_OK)
        return name;
    if (gri_turnstile_has(gri_turnstile_held(c, key), name)) {
        gr_value_unref(name);
        return NULL;
    }
    rc = gri_turnstile_enter(t, gr_runtime_of(c), gr_cstr(name, ""), ret_ticket);
    if (rc == GR_OK) {
        gri_turnstile_hold(c, key, name, opts);
        return NULL;
    }
    gr_value_unref(name);
    return rc == GR_ECANCELED ? gri_was_cancelled() : gr_error(rc, "no wait for one's turn");
}
