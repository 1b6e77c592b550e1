/* SPDX-License-Identifier: Apache-2.0 */
/* listen_sim.c - who serves which URL of a simulated network, and accepting. */
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "runtime/net/link_sim.h"

struct gri_sim_listener *gri_sim_listener_at(struct gri_sim_net *net, const char *url)
{
    for (struct gri_list *h = net->hosts.next; h != &net->hosts; h = h->next) {
        struct gri_sim_host *host = gri_container_of(h, struct gri_sim_host, node);

        for (struct gri_list *n = host->listeners.next; n != &host->listeners && !host->crashed;
             n = n->next) {
            struct gri_sim_listener *found = gri_container_of(n, struct gri_sim_listener, node);

            if (strcmp(found->url, url) == 0)
                return found;
        }
    }
    return NULL;
}

/* ---- accepting ------------------------------------------------------------------------------- */

/* refuse lets go of a link that nobody has seen. */
static void refuse(struct gri_sim_link *l)
{
    gri_sim_link_part(l);
    gri_sim_link_unref(l); /* the user's */
    gri_sim_link_unref(l);
}

static void take_in(struct gri_sim_listener *n, struct gri_sim_link *l)
{
    if (n->link_count >= GRI_LINKS_MAX) {
        gri_log(GRI_LOG_WARN, "a link was refused: too many");
        refuse(l);
        return;
    }
    l->arg = n->accept(n->arg, &l->base, &l->events);
    if (l->arg == NULL) {
        refuse(l);
        return;
    }
    l->listener = n;
    n->link_count++;
    gri_list_push(&n->host->links, &l->node);
    gri_sim_link_ask(l, GRI_SIM_UP);
}

static void run(struct gri_task *t)
{
    struct gri_sim_listener *n = gri_container_of(t, struct gri_sim_listener, task);
    struct gri_list *first;

    while (!n->closing && (first = gri_list_pop(&n->pending)) != NULL)
        take_in(n, gri_container_of(first, struct gri_sim_link, node));
    n->busy = false;
    if (!n->closing)
        return;
    atomic_store(&n->idle, 1);
    gri_futex_wake(&n->idle, 1); /* n may be gone: only its address is used */
}

void gri_sim_listener_ready(struct gri_sim_listener *n)
{
    n->busy = true;
    gri_ready(n->host->sched, &n->task);
}

/* ---- listening ------------------------------------------------------------------------------- */

static void listener_free(struct gri_sim_listener *n)
{
    if (n != NULL)
        gri_free(n->url);
    gri_free(n);
}

gr_code gri_sim_listen(gr_runtime *rt, const char *url, const struct gri_tls *tls,
                       gri_accept_fn *accept, void *arg, struct gri_listener **ret_listener,
                       gr_value **reterr)
{
    struct gri_sim_host *host = gri_sim_host_of(rt);
    struct gri_sim_listener *n = NULL;

    (void)tls;
    if (host != NULL && gri_sim_host_run(host) == GR_OK)
        n = gri_new0(struct gri_sim_listener);
    if (n != NULL)
        n->url = gri_strdup(url);
    if (n == NULL || n->url == NULL) {
        listener_free(n);
        *reterr = gr_error(GR_ENOMEM, "listening at %s: out of memory", url);
        return GR_ENOMEM;
    }
    if (host->crashed || gri_sim_listener_at(host->net, url) != NULL) {
        listener_free(n);
        *reterr = gr_error(GR_EUNREACH, "listening at %s: address in use", url);
        return GR_EUNREACH;
    }
    n->base.driver = &gri_net_sim;
    n->host = host;
    n->accept = accept;
    n->arg = arg;
    n->task = (struct gri_task){ .run = run, .name = "listener" };
    gri_list_init(&n->pending);
    gri_list_init(&n->node);
    gri_list_push(&host->listeners, &n->node);
    *ret_listener = &n->base;
    return GR_OK;
}

void gri_sim_unlisten(struct gri_listener *base)
{
    struct gri_sim_listener *n = gri_container_of(base, struct gri_sim_listener, base);
    struct gri_list *l;

    n->closing = true;
    gri_list_remove(&n->node);
    while (n->busy && atomic_load(&n->idle) == 0)
        gri_futex_wait(&n->idle, 0, GRI_NEVER);
    while ((l = gri_list_pop(&n->pending)) != NULL)
        refuse(gri_container_of(l, struct gri_sim_link, node));
    for (l = n->host->links.next; l != &n->host->links; l = l->next) {
        struct gri_sim_link *link = gri_container_of(l, struct gri_sim_link, node);

        if (link->listener == n)
            link->listener = NULL;
    }
    listener_free(n);
}
