/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deploy_look.c - what follows from the places of actors: which node makes and calls what, and what of that
 * is seldom meant.
 *
 * Who refers to whom has no circles among actors, so the walks below come to rest; among nodes there may be
 * some, which is worth a note and no more.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/chain_file.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define BIT(i) ((uint64_t)1 << (i))

/* ---- who makes, and calls, what -------------------------------------------------------------- */

void gri_deploy_made(const struct gri_chain_file *f, uint64_t *made, bool *client)
{
    bool moved = true;

    for (size_t i = 0; i < f->actor_count; i++) {
        made[i] = f->actors[i].placement.on;
        if (client != NULL)
            client[i] = f->main == &f->actors[i] && made[i] == 0;
    }
    for (size_t round = 0; moved && round <= GRI_CHAIN_REFS_MAX; round++) {
        moved = false;
        for (size_t u = 0; u < f->deploy.use_count; u++) {
            size_t from = f->deploy.uses[u].from, to = f->deploy.uses[u].to;

            if (f->actors[to].placement.on != 0)
                continue;
            if ((made[from] & ~made[to]) != 0) {
                made[to] |= made[from];
                moved = true;
            }
            if (client != NULL && client[from] && !client[to])
                client[to] = moved = true;
        }
    }
}

void gri_deploy_calls(const struct gri_chain_file *f, uint64_t calls[GRI_DEPLOY_NODES_MAX])
{
    uint64_t *made = gri_alloc_array(f->actor_count + 1, sizeof(*made));

    memset(calls, 0, GRI_DEPLOY_NODES_MAX * sizeof(calls[0]));
    if (made == NULL)
        return; /* they start in the file's order then */
    gri_deploy_made(f, made, NULL);
    for (size_t u = 0; u < f->deploy.use_count; u++) {
        const struct gri_deploy_use *use = &f->deploy.uses[u];

        for (size_t i = 0; i < f->deploy.node_count; i++) {
            if ((made[use->from] & BIT(i)) != 0)
                calls[i] |= f->actors[use->to].placement.on & ~BIT(i);
        }
    }
    gri_free(made);
}

/* ---- notes ----------------------------------------------------------------------------------- */

/* keeps_state tells whether an actor, or what is made in place in it, keeps something that calls have brought
 * it; loads, whether a store that only has what it loads counts, too. */
static bool keeps_state(const struct gri_chain_node *n, bool loads)
{
    for (size_t i = 0; i < n->count; i++) {
        const char *key = n->items[i].key != NULL ? n->items[i].key->text : "";

        if (strcmp(key, "memory_history") == 0 ||
            (strcmp(key, "memory_store") == 0 &&
             (loads || gri_chain_get(n->items[i].value, "load") == NULL)))
            return true;
        if (keeps_state(n->items[i].value, loads))
            return true;
    }
    return false;
}

static size_t count_of(uint64_t set)
{
    size_t count = 0;

    for (; set != 0; set &= set - 1)
        count++;
    return count;
}

/* names_of adds the names of a set of nodes: a, b. */
static void names_of(const struct gri_deploy *d, uint64_t set, struct gri_strbuf *to)
{
    bool first = true;

    for (size_t i = 0; i < d->node_count; i++) {
        if ((set & BIT(i)) == 0)
            continue;
        gri_strbuf_addf(to, "%s%s", first ? "" : ", ", d->nodes[i].name);
        first = false;
    }
}

static void note_states(const struct gri_chain_file *f, struct gri_chain_report *notes)
{
    uint64_t *made = gri_alloc_array(f->actor_count + 1, sizeof(*made));
    bool *client = gri_alloc_array(f->actor_count + 1, sizeof(*client));

    if (made != NULL && client != NULL)
        gri_deploy_made(f, made, client);
    for (size_t i = 0; made != NULL && client != NULL && i < f->actor_count; i++) {
        const struct gri_chain_actor *a = &f->actors[i];
        bool placed = a->placement.on != 0;
        struct gri_strbuf names = { .max = 4000 };

        if (count_of(made[i]) + (client[i] ? 1 : 0) < 2 || !keeps_state(a->node, !placed))
            continue;
        names_of(&f->deploy, made[i], &names);
        gri_chain_mistake(
            notes, a->key->at,
            placed ? "note: \"%s\" keeps state, and each of its nodes has its own: %s%s"
                   : "note: \"%s\" keeps state, and is made more than once, for %s%s; "
                     "give it a place by on",
            a->name, names.data != NULL ? names.data : "", client[i] ? " and who runs main" : "");
        gri_strbuf_fini(&names);
    }
    gri_free(made);
    gri_free(client);
}

static void note_circles(const struct gri_chain_file *f, struct gri_chain_report *notes)
{
    const struct gri_deploy *d = &f->deploy;
    uint64_t reach[GRI_DEPLOY_NODES_MAX], told = 0;

    gri_deploy_calls(f, reach);
    for (size_t k = 0; k < d->node_count; k++) {
        for (size_t i = 0; i < d->node_count; i++) {
            if ((reach[i] & BIT(k)) != 0)
                reach[i] |= reach[k];
        }
    }
    for (size_t i = 0; i < d->node_count; i++) {
        uint64_t circle = 0;
        struct gri_strbuf names = { .max = 4000 };

        for (size_t k = 0; k < d->node_count; k++) {
            if ((reach[i] & BIT(k)) != 0 && (reach[k] & BIT(i)) != 0)
                circle |= BIT(k);
        }
        if (count_of(circle) < 2 || (told & BIT(i)) != 0)
            continue;
        told |= circle;
        names_of(d, circle, &names);
        gri_chain_mistake(
            notes, d->nodes[i].key->at,
            "note: nodes call each other in a circle: %s; while one of them drains it "
            "refuses such calls",
            names.data != NULL ? names.data : "");
        gri_strbuf_fini(&names);
    }
}

void gri_deploy_notes(const struct gri_chain_file *f, struct gri_chain_report *notes)
{
    if (f->deploy.node_count == 0)
        return;
    note_states(f, notes);
    for (size_t i = 0; i < f->deploy.pool_count; i++) {
        if (!f->deploy.pools[i].used)
            gri_chain_mistake(notes, f->deploy.pools[i].key->at,
                              "note: no actor has the pool \"%s\"", f->deploy.pools[i].name);
    }
    note_circles(f, notes);
}

/* ---- doors ----------------------------------------------------------------------------------- */

/* host_len returns the length of the host in host:port; 0 unless it is that. */
static size_t host_len(const char *at)
{
    size_t len = at[0] == '[' ? strcspn(at, "]") + 1 : strcspn(at, ":@/?#[]");
    size_t digits;

    if ((at[0] == '[' && at[len - 1] != ']') || at[len] != ':')
        return 0;
    digits = strspn(at + len + 1, "0123456789");
    return digits == 0 || digits > 5 || at[len + 1 + digits] != '\0' ? 0 : len;
}

/* is_loopback tells what gr_serve takes for this machine alone. */
static bool is_loopback(const char *host, size_t len)
{
    return (len == 5 && strncmp(host, "[::1]", 5) == 0) ||
           (len == 9 && strncmp(host, "localhost", 9) == 0) ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len);
}

/* What the file says of links as a whole. */
struct doors {
    bool insecure, secret, ca, cert;
};

/* wrong_door tells what is wrong with a URL to listen at; NULL: nothing. */
static const char *wrong_door(const struct doors *doors, const char *url, bool called_elsewhere)
{
    bool tls = strncmp(url, "tls+", 4) == 0;
    const char *host = url + strlen(tls ? "tls+tcp://" : "tcp://");
    size_t len;

    if (strncmp(url, "ipc://", 6) == 0)
        return url[6] == '/' && url[7] != '\0' ? NULL : "ipc:///path was expected";
    len = host_len(host);
    if (len == 0)
        return "host:port was expected";
    if (strspn(host + len + 1, "0") == strlen(host + len + 1) && !called_elsewhere)
        return "others can't know which port 0 becomes";
    if (tls && !doors->cert)
        return "tls+tcp needs tls_cert, here or in node";
    if (is_loopback(host, len) || doors->insecure)
        return NULL;
    if (!tls)
        return "this can be reached from other hosts, so tls+tcp was expected, or node: {insecure: "
               "true}";
    return doors->secret || doors->ca
               ? NULL
               : "anybody could connect: node needs secret_file, secret_env or tls_ca";
}

static struct doors doors_of(const struct gri_chain_file *f)
{
    const struct gri_chain_node *insecure = gri_chain_get(f->node, "insecure");
    const char *env = getenv("GR_INSECURE");
    struct doors doors = { .insecure = env != NULL && strcmp(env, "1") == 0 };

    if (insecure != NULL && !doors.insecure)
        (void)gri_chain_to_bool(insecure, &doors.insecure);
    doors.secret = gri_chain_get(f->node, "secret_file") != NULL ||
                   gri_chain_get(f->node, "secret_env") != NULL;
    doors.ca = gri_chain_get(f->node, "tls_ca") != NULL;
    return doors;
}

void gri_deploy_check_doors(const struct gri_chain_file *f, struct gri_chain_report *r)
{
    struct doors doors = doors_of(f);

    for (size_t i = 0; i < f->deploy.node_count; i++) {
        const struct gri_deploy_node *n = &f->deploy.nodes[i];

        doors.cert = gri_chain_get(n->keys, "tls_cert") != NULL ||
                     gri_chain_get(f->node, "tls_cert") != NULL;
        for (size_t u = 0; u < n->url_count; u++) {
            const struct gri_chain_node *at =
                n->listen->type == GRI_CHAIN_LIST ? n->listen->items[u].value : n->listen;
            bool elsewhere = u > 0 || gri_chain_get(n->keys, "advertise") != NULL;
            const char *why = wrong_door(&doors, gri_deploy_url(n, u), elsewhere);

            if (why != NULL)
                gri_chain_mistake(r, at->at, "listen: node \"%s\": %s", n->name, why);
        }
    }
}
