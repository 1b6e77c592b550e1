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
