/* SPDX-License-Identifier: Apache-2.0 */
/* operate_rows.c - actors as a table, and as the tree of who supervises whom. */
#include <stdio.h>
#include <string.h>

#include "cli/operate.h"
#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/map.h"
#include "runtime/base/utf8.h"

#define CELL_MOST 40 /* characters of a name in a table */
#define DEPTH_MOST 64

/* ---- cells ----------------------------------------------------------------------------------- */

/* put_plain adds at most so many characters, none of which can steer a terminal; it returns how many. */
static size_t put_plain(struct gri_strbuf *text, const char *s, size_t most)
{
    size_t left = strlen(s), count = 0;

    for (; left > 0 && count < most; count++) {
        uint32_t c = 0;
        size_t len = gri_utf8_next(s, left, &c);

        if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            gri_strbuf_addc(text, '?');
        else
            gri_strbuf_add(text, s, len);
        s += len;
        left -= len;
    }
    return count;
}

size_t gri_cell_width(const char *s)
{
    size_t width = 0;

    for (; *s != '\0'; s++)
        width += ((unsigned char)*s & 0xc0) != 0x80;
    return width < CELL_MOST ? width : CELL_MOST;
}

static void pad(struct gri_strbuf *text, size_t from, size_t to)
{
    for (; from < to; from++)
        gri_strbuf_addc(text, ' ');
}

void gri_cell(struct gri_strbuf *text, const char *cell, size_t width, bool right)
{
    size_t own = gri_cell_width(cell);

    if (right)
        pad(text, own, width);
    put_plain(text, cell, CELL_MOST);
    if (!right)
        pad(text, own, width);
}

const char *gri_number(const gr_value *v, char cell[GRI_CELL_CAP])
{
    if (gr_value_type(v) != GR_INT)
        return "-";
    (void)snprintf(cell, GRI_CELL_CAP, "%lld", (long long)gr_as_int(v, 0));
    return cell;
}

const char *gri_span(const gr_value *ms, char cell[GRI_CELL_CAP])
{
    long long s = gr_as_int(ms, 0) / 1000;

    if (gr_value_type(ms) != GR_INT)
        return "-";
    if (s < 60)
        (void)snprintf(cell, GRI_CELL_CAP, "%llds", s);
    else if (s < 3600)
        (void)snprintf(cell, GRI_CELL_CAP, "%lldm%02llds", s / 60, s % 60);
    else if (s < 86400)
        (void)snprintf(cell, GRI_CELL_CAP, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else
        (void)snprintf(cell, GRI_CELL_CAP, "%lldd%02lldh", s / 86400, s / 3600 % 24);
    return cell;
}

const char *gri_size(const gr_value *bytes, char cell[GRI_CELL_CAP])
{
    static const char units[] = { 'K', 'M', 'G', 'T' };
    double n = (double)gr_as_int(bytes, 0);
    int unit = -1;

    if (gr_value_type(bytes) != GR_INT)
        return "-";
    while (n >= 1024 && unit < 3) {
        n /= 1024;
        unit++;
    }
    if (unit < 0)
        (void)snprintf(cell, GRI_CELL_CAP, "%.0f", n);
    else
        (void)snprintf(cell, GRI_CELL_CAP, n < 10 ? "%.1f%c" : "%.0f%c", n, units[unit]);
    return cell;
}

const char *gri_row_name(const gr_value *row)
{
    return gr_cstr(gr_get(row, "published"), gr_cstr(gr_get(row, "name"), "-"));
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct column {
    const char *title, *key;
    const char *(*of)(const gr_value *v, char cell[GRI_CELL_CAP]); /* NULL: a text */
    bool right;
} columns[] = {
    { "ID", "id", NULL, false },
    { "NAME", NULL, NULL, false },
    { "CLASS", "class", NULL, false },
    { "STATE", "state", NULL, false },
    { "MAILBOX", "mailbox", gri_number, true },
    { "CALLS", "calls", gri_number, true },
    { "HANDLED", "handled", gri_number, true },
    { "RESTARTS", "restarts", gri_number, true },
    { "BYTES", "state_bytes", gri_size, true },
    { "AGE", "age_ms", gri_span, true },
    { "SUPERVISOR", "supervisor", NULL, false },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const char *cell_of(const gr_value *row, size_t column, char cell[GRI_CELL_CAP])
{
    const struct column *c = &columns[column];

    if (c->key == NULL)
        return gri_row_name(row);
    return c->of != NULL ? c->of(gr_get(row, c->key), cell) : gr_cstr(gr_get(row, c->key), "-");
}

static void add_row(struct gri_strbuf *text, const gr_value *row, const size_t widths[COLUMNS])
{
    char cell[GRI_CELL_CAP];

    for (size_t i = 0; i < COLUMNS; i++) {
        const char *s = row != NULL ? cell_of(row, i, cell) : columns[i].title;
        bool last = i + 1 == COLUMNS;

        gri_cell(text, s, last ? 0 : widths[i], columns[i].right);
        gri_strbuf_adds(text, last ? "\n" : "  ");
    }
}

void gri_rows_table(struct gri_strbuf *text, const gr_value *rows)
{
    size_t widths[COLUMNS];
    char cell[GRI_CELL_CAP];

    for (size_t i = 0; i < COLUMNS; i++) {
        widths[i] = gri_cell_width(columns[i].title);
        for (size_t k = 0; k < gr_len(rows); k++) {
            size_t width = gri_cell_width(cell_of(gr_at(rows, k), i, cell));

            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    add_row(text, NULL, widths);
    for (size_t k = 0; k < gr_len(rows); k++)
        add_row(text, gr_at(rows, k), widths);
}

/* ---- the tree -------------------------------------------------------------------------------- */

/* A row among others: numbers of rows from 1, 0: none. */
struct twig {
    size_t child, last_child, next;
    bool hangs; /* somebody has it */
};

static void grow(const gr_value *rows, struct twig *twigs, struct gri_map *by_id)
{
    for (size_t i = 1; i <= gr_len(rows); i++) {
        const char *id = gr_cstr(gr_get(gr_at(rows, i - 1), "id"), NULL);

        if (id != NULL)
            (void)gri_map_puts(by_id, id, &twigs[i]); /* without memory it hangs nowhere */
    }
    for (size_t i = 1; i <= gr_len(rows); i++) {
        const char *id = gr_cstr(gr_get(gr_at(rows, i - 1), "supervisor"), NULL);
        struct twig *above = id != NULL ? gri_map_gets(by_id, id) : NULL;

        if (above == NULL || above == &twigs[i])
            continue;
        if (above->child == 0)
            above->child = i;
        else
            twigs[above->last_child].next = i;
        above->last_child = i;
        twigs[i].hangs = true;
    }
}

static void add_twig(struct gri_strbuf *text, const gr_value *row, unsigned depth)
{
    char restarts[GRI_CELL_CAP], mailbox[GRI_CELL_CAP];

    pad(text, 0, 2 * (size_t)depth);
    put_plain(text, gri_row_name(row), SIZE_MAX);
    gri_strbuf_adds(text, "  ");
    put_plain(text, gr_cstr(gr_get(row, "class"), "-"), SIZE_MAX);
    gri_strbuf_addf(text, "  %s  %s", gr_cstr(gr_get(row, "id"), "-"),
                    gr_cstr(gr_get(row, "state"), "?"));
    if (gr_as_int(gr_get(row, "mailbox"), 0) > 0)
        gri_strbuf_addf(text, "  %s waiting", gri_number(gr_get(row, "mailbox"), mailbox));
    if (gr_as_int(gr_get(row, "restarts"), 0) > 0)
        gri_strbuf_addf(text, "  restarted %s", gri_number(gr_get(row, "restarts"), restarts));
    gri_strbuf_addc(text, '\n');
}

/* add_branch writes a row and what hangs on it; what is deeper than anything sensible is left out. */
static void add_branch(struct gri_strbuf *text, const gr_value *rows, const struct twig *twigs,
                       size_t i, unsigned depth)
{
    add_twig(text, gr_at(rows, i - 1), depth);
    for (size_t k = twigs[i].child; k != 0 && depth < DEPTH_MOST; k = twigs[k].next)
        add_branch(text, rows, twigs, k, depth + 1);
}

void gri_rows_tree(struct gri_strbuf *text, const gr_value *rows)
{
    struct twig *twigs = gri_alloc_array(gr_len(rows) + 1, sizeof(*twigs));
    struct gri_map by_id;

    if (twigs == NULL) {
        text->failed = true;
        return;
    }
    gri_map_init(&by_id, 0);
    grow(rows, twigs, &by_id);
    for (size_t i = 1; i <= gr_len(rows); i++) {
        if (!twigs[i].hangs)
            add_branch(text, rows, twigs, i, 0);
    }
    gri_map_fini(&by_id);
    gri_free(twigs);
}

bool gri_text_print(const struct gri_strbuf *text)
{
    if (text->failed) {
        gri_say("out of memory");
        return false;
    }
    if (text->len > 0)
        (void)fwrite(text->data, 1, text->len, stdout);
    return gri_print_check() == GR_OK;
}
