/* SPDX-License-Identifier: Apache-2.0 */
/* operate_about.c - what `greenroom info` prints of a node, and of an actor. */
#include <string.h>

#include "cli/operate.h"

#define LABEL_WIDTH 14

static void label(struct gri_strbuf *text, const char *name)
{
    gri_cell(text, name, LABEL_WIDTH, false);
}

static void line(struct gri_strbuf *text, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    label(text, name);
    gri_strbuf_addf(text, "%s\n", value);
}

/* plain adds a text of the node's, as far as it can't steer a terminal. */
static void plain(struct gri_strbuf *text, const char *name, const gr_value *v)
{
    struct gri_strbuf copy = GRI_STRBUF_INIT;

    if (gr_cstr(v, "")[0] == '\0')
        return;
    label(text, name);
    for (const char *s = gr_cstr(v, ""); *s != '\0'; s++)
        gri_strbuf_addc(&copy, (unsigned char)*s < ' ' || *s == 127 ? '?' : *s);
    if (!copy.failed)
        gri_strbuf_add(text, copy.data, copy.len);
    gri_strbuf_addc(text, '\n');
    gri_strbuf_fini(&copy);
}

static void texts(struct gri_strbuf *text, const char *name, const gr_value *list)
{
    for (size_t i = 0; i < gr_len(list); i++)
        plain(text, i == 0 ? name : "", gr_at(list, i));
}

static void number(struct gri_strbuf *text, const char *name, const gr_value *v)
{
    char cell[GRI_CELL_CAP];

    line(text, name, gri_number(v, cell));
}

static void span(struct gri_strbuf *text, const char *name, const gr_value *v)
{
    char cell[GRI_CELL_CAP];

    line(text, name, gri_span(v, cell));
}

/* numbers adds a map of numbers, those that are not 0. */
static void numbers(struct gri_strbuf *text, const char *title, const gr_value *map)
{
    const char *key = "";

    gri_strbuf_addf(text, "%s\n", title);
    for (size_t i = 0; i < gr_len(map); i++) {
        const gr_value *v = gr_pair_at(map, i, &key);
        char cell[GRI_CELL_CAP];

        if (gr_as_int(v, 0) == 0)
            continue;
        gri_strbuf_adds(text, "  ");
        gri_cell(text, key, 2 * LABEL_WIDTH, false);
        gri_strbuf_addf(text, "%s\n", gri_number(v, cell));
    }
}

static void link_line(struct gri_strbuf *text, const gr_value *l)
{
    char cells[7][GRI_CELL_CAP];
    const char *name = gr_cstr(gr_get(l, "name"), "");

    gri_strbuf_adds(text, "  ");
    gri_cell(text, gr_cstr(gr_get(l, "url"), "accepted"), 0, false);
    gri_strbuf_adds(text, "  ");
    gri_cell(text, name[0] != '\0' ? name : "-", 0, false);
    gri_strbuf_addf(
        text,
        "  start %s  up %s  calls %s out, %s in  frames %s out, %s in  bytes %s out, %s in%s\n",
        gr_cstr(gr_get(l, "incarnation"), "?"), gri_span(gr_get(l, "up_ms"), cells[0]),
        gri_number(gr_get(l, "calls_out"), cells[1]), gri_number(gr_get(l, "calls_in"), cells[2]),
        gri_number(gr_get(l, "frames_out"), cells[5]), gri_number(gr_get(l, "frames_in"), cells[6]),
        gri_size(gr_get(l, "bytes_out"), cells[3]), gri_size(gr_get(l, "bytes_in"), cells[4]),
        gr_as_bool(gr_get(l, "proved"), false) ? "" : "  not proved");
}

void gri_about_node(struct gri_strbuf *text, const gr_value *about)
{
    const gr_value *links = gr_get(about, "links");

    plain(text, "node", gr_get(about, "node"));
    plain(text, "cluster", gr_get(about, "cluster"));
    plain(text, "status", gr_get(about, "status"));
    plain(text, "version", gr_get(about, "version"));
    plain(text, "id", gr_get(about, "id"));
    plain(text, "incarnation", gr_get(about, "incarnation"));
    number(text, "pid", gr_get(about, "pid"));
    span(text, "up for", gr_get(about, "uptime_ms"));
    plain(text, "admin", gr_get(about, "admin"));
    number(text, "workers", gr_get(about, "workers"));
    number(text, "idle", gr_get(about, "workers_idle"));
    number(text, "queue", gr_get(about, "queue"));
    number(text, "calls", gr_get(about, "calls"));
    number(text, "calls in", gr_get(about, "calls_in"));
    texts(text, "listens at", gr_get(about, "listens"));
    texts(text, "publishes", gr_get(about, "published"));
    gri_strbuf_addf(text, "links (%zu)\n", gr_len(links));
    for (size_t i = 0; i < gr_len(links); i++)
        link_line(text, gr_at(links, i));
    numbers(text, "limits", gr_get(about, "limits"));
    numbers(text, "stats (what is not 0)", gr_get(about, "stats"));
}

void gri_about_actor(struct gri_strbuf *text, const gr_value *about)
{
    char cell[GRI_CELL_CAP];

    plain(text, "id", gr_get(about, "id"));
    plain(text, "published", gr_get(about, "published"));
    plain(text, "name", gr_get(about, "name"));
    texts(text, "registered", gr_get(about, "names"));
    plain(text, "class", gr_get(about, "class"));
    plain(text, "state", gr_get(about, "state"));
    number(text, "mailbox", gr_get(about, "mailbox"));
    number(text, "mailbox max", gr_get(about, "mailbox_max"));
    number(text, "calls", gr_get(about, "calls"));
    number(text, "handled", gr_get(about, "handled"));
    line(text, "state bytes", gri_size(gr_get(about, "state_bytes"), cell));
    number(text, "links", gr_get(about, "links"));
    number(text, "monitors", gr_get(about, "monitors"));
    number(text, "ties", gr_get(about, "ties"));
    plain(text, "supervisor", gr_get(about, "supervisor"));
    number(text, "restarts", gr_get(about, "restarts"));
    span(text, "age", gr_get(about, "age_ms"));
    plain(text, "last exit", gr_get(about, "last_exit"));
}
