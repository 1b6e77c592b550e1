/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operate_top.c - `greenroom top`: the busiest actors, again and again.
 *
 * Sorted by what was handled since the look before, then by what waits. On a terminal each look is drawn over the
 * last one; elsewhere looks are paragraphs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/operate.h"
#include "runtime/base/alloc.h"
#include "runtime/base/map.h"

#define INTERVAL_MS 1000
#define HEAD_LINES 4
#define LINES 20 /* of actors, where there is no terminal */

/* One actor at one look. */
struct busy {
    const gr_value *row; /* borrowed from the look's rows */
    int64_t handled;     /* in all; 0: it does not count */
    int64_t more;        /* since the look before; -1: it was not seen then */
};

/* A look. */
struct look {
    gr_value *rows;     /* owned */
    struct busy *all;   /* owned array */
    struct gri_map ids; /* id -> busy */
    size_t count;
};

static void look_free(struct look *l)
{
    gri_map_fini(&l->ids);
    gri_free(l->all);
    gr_value_unref(l->rows);
    *l = (struct look){ .count = 0 };
}

/* place returns an actor's place in the runtime's table, the first part of its id. */
static unsigned long place(const struct busy *b)
{
    return strtoul(gr_cstr(gr_get(b->row, "id"), ""), NULL, 10);
}

static int by_work(const void *a, const void *b)
{
    const struct busy *x = a, *y = b;
    int64_t waits_x = gr_as_int(gr_get(x->row, "mailbox"), 0);
    int64_t waits_y = gr_as_int(gr_get(y->row, "mailbox"), 0);

    if (x->more != y->more)
        return x->more > y->more ? -1 : 1;
    if (waits_x != waits_y)
        return waits_x > waits_y ? -1 : 1;
    if (x->handled != y->handled)
        return x->handled > y->handled ? -1 : 1;
    if (place(x) != place(y))
        return place(x) < place(y) ? -1 : 1;
    return strcmp(gr_cstr(gr_get(x->row, "id"), ""), gr_cstr(gr_get(y->row, "id"), ""));
}

/* compare fills a look in; before may be empty. false: out of memory. */
static bool compare(struct look *l, gr_value *rows GR_TAKES, const struct look *before)
{
    l->rows = rows;
    l->count = gr_len(rows);
    l->all = gri_alloc_array(l->count + 1, sizeof(l->all[0]));
    if (l->all == NULL)
        return false;
    for (size_t i = 0; i < l->count; i++) {
        struct busy *b = &l->all[i];
        const char *id = gr_cstr(gr_get(gr_at(rows, i), "id"), NULL);
        const struct busy *old =
            id != NULL && before->ids.count > 0 ? gri_map_gets(&before->ids, id) : NULL;

        b->row = gr_at(rows, i);
        b->handled = gr_as_int(gr_get(b->row, "handled"), 0);
        b->more = old != NULL ? b->handled - old->handled : -1;
    }
    qsort(l->all, l->count, sizeof(l->all[0]), by_work);
    gri_map_init(&l->ids, 0);
    for (size_t i = 0; i < l->count; i++) {
        const char *id = gr_cstr(gr_get(l->all[i].row, "id"), NULL);

        if (id != NULL && !gri_map_puts(&l->ids, id, &l->all[i]))
            return false;
    }
    return true;
}

/* ---- drawing --------------------------------------------------------------------------------- */

/* terminal_lines returns how many actors have room on the terminal, and its width; 0: there is none. */
static size_t terminal_lines(size_t *ret_width)
{
    struct winsize size = { .ws_row = 0 };
    const char *term = getenv("TERM");

    if (!isatty(STDOUT_FILENO) || term == NULL || strcmp(term, "dumb") == 0 ||
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row <= HEAD_LINES + 1)
        return 0;
    *ret_width = size.ws_col > 0 ? size.ws_col : SIZE_MAX;
    return (size_t)size.ws_row - HEAD_LINES - 1;
}

/* add_cut adds lines, each of so many characters at most: longer ones would wrap, and push the head out. */
static void add_cut(struct gri_strbuf *text, const char *lines, size_t most)
{
    size_t width = 0;

    for (; *lines != '\0'; lines++) {
        if (*lines == '\n')
            width = 0;
        else if (((unsigned char)*lines & 0xc0) != 0x80)
            width++;
        if (width <= most)
            gri_strbuf_addc(text, *lines);
    }
}

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

/* more: there are others, which were not asked for. */
static void add_head(struct gri_strbuf *text, const gr_value *health, const gr_value *stats,
                     size_t actors, bool more)
{
    int64_t links = gr_as_int(gr_get(health, "links"), 0);
    char c[8][GRI_CELL_CAP];

    gri_cell(text, gr_cstr(gr_get(health, "node"), ""), 0, false);
    gri_strbuf_addf(text, "%s%s, up %s: %s%zu actor%s, %s link%s\n",
                    gr_cstr(gr_get(health, "node"), "")[0] != '\0' ? " " : "",
                    gr_cstr(gr_get(health, "status"), "?"),
                    gri_span(gr_get(health, "uptime_ms"), c[0]), more ? "the first " : "", actors,
                    plural((int64_t)actors), gri_number(gr_get(health, "links"), c[1]),
                    plural(links));
    gri_strbuf_addf(
        text, "workers %s, idle %s, queue %s; calls %s, by others %s; bytes %s; lost %s\n",
        gri_number(gr_get(health, "workers"), c[0]),
        gri_number(gr_get(health, "workers_idle"), c[1]), gri_number(gr_get(health, "queue"), c[2]),
        gri_number(gr_get(health, "calls"), c[3]), gri_number(gr_get(health, "calls_in"), c[4]),
        gri_size(gr_get(stats, "bytes_now"), c[5]),
        gri_number(gr_get(stats, "dead_letters"), c[6]));
}

static void add_line(struct gri_strbuf *text, const struct busy *b, size_t class_width)
{
    char cells[3][GRI_CELL_CAP], more[GRI_CELL_CAP] = "-";
    bool counts = !gr_is_nil(gr_get(b->row, "handled"));

    if (counts && b->more >= 0)
        (void)snprintf(more, sizeof(more), "%lld", (long long)b->more);
    gri_cell(text, gr_cstr(gr_get(b->row, "id"), "-"), 10, false);
    gri_cell(text, more, 10, true);
    gri_cell(text, gri_number(gr_get(b->row, "mailbox"), cells[0]), 9, true);
    gri_cell(text, gri_number(gr_get(b->row, "calls"), cells[1]), 7, true);
    gri_cell(text, gri_number(gr_get(b->row, "handled"), cells[2]), 12, true);
    gri_strbuf_adds(text, "  ");
    gri_cell(text, gr_cstr(gr_get(b->row, "state"), "?"), 11, false);
    gri_cell(text, gr_cstr(gr_get(b->row, "class"), "-"), class_width, false);
    gri_strbuf_adds(text, "  ");
    gri_cell(text, gri_row_name(b->row), 0, false);
    gri_strbuf_addc(text, '\n');
}

static void add_table(struct gri_strbuf *text, const struct look *l, size_t count)
{
    size_t class_width = strlen("CLASS");

    for (size_t i = 0; i < count; i++) {
        size_t width = gri_cell_width(gr_cstr(gr_get(l->all[i].row, "class"), "-"));

        class_width = width > class_width ? width : class_width;
    }
    gri_strbuf_adds(text, "ID               NOW  MAILBOX  CALLS     HANDLED  STATE      ");
    gri_cell(text, "CLASS", class_width, false);
    gri_strbuf_adds(text, "  NAME\n");
    for (size_t i = 0; i < count; i++)
        add_line(text, &l->all[i], class_width);
}

static bool draw(const struct look *l, const gr_value *health, const gr_value *stats, bool more,
                 bool first)
{
    struct gri_strbuf text = GRI_STRBUF_INIT, screen = GRI_STRBUF_INIT;
    size_t width = SIZE_MAX, lines = terminal_lines(&width), most = lines > 0 ? lines : LINES;
    bool written;

    if (lines > 0)
        gri_strbuf_adds(&screen, "\033[H\033[2J");
    else if (!first)
        gri_strbuf_addc(&screen, '\n');
    add_head(&text, health, stats, l->count, more);
    add_table(&text, l, l->count < most ? l->count : most);
    add_cut(&screen, text.data != NULL ? text.data : "", width);
    screen.failed = screen.failed || text.failed;
    written = gri_text_print(&screen);
    gri_strbuf_fini(&screen);
    gri_strbuf_fini(&text);
    return written;
}

/* ---- looking --------------------------------------------------------------------------------- */

/* look_once draws one look, which then stands in *before. Returns -1, or the exit code. */
static int look_once(struct gri_operated *n, struct look *before, bool first)
{
    gr_value *err = NULL, *health, *stats = NULL, *rows = NULL;
    struct look now = { .count = 0 };
    int exit_code = -1;
    bool more = false;

    health = gri_operate_ask(n, "health", gr_nil(), &err);
    if (health != NULL)
        stats = gri_operate_ask(n, "stats", gr_nil(), &err);
    if (stats != NULL)
        rows = gri_operate_rows(n, &more, &err);
    if (rows == NULL && n->session.caught != 0) {
        gr_value_unref(err);
        exit_code = GRI_EXIT_OK; /* which is how one leaves it */
    } else if (rows == NULL) {
        exit_code = gri_operate_fail(n, err);
    } else if (!compare(&now, rows, before)) {
        gri_say("out of memory");
        exit_code = GRI_EXIT_FAILED;
    } else if (!draw(&now, health, stats, more, first)) {
        exit_code = GRI_EXIT_FAILED;
    }
    look_free(before);
    *before = now;
    gr_value_unref(stats);
    gr_value_unref(health);
    return exit_code;
}

static int top(struct gri_operated *n)
{
    const struct gri_options *o = n->options;
    int64_t count = o->once ? 1 : o->count;
    int interval_ms = (int)(o->interval_ms > 0 ? o->interval_ms : INTERVAL_MS);
    struct look before = { .count = 0 };
    int exit_code = -1;

    for (int64_t i = 0; exit_code < 0 && n->session.caught == 0; i++) {
        exit_code = look_once(n, &before, i == 0);
        if (exit_code >= 0 || (count > 0 && i + 1 == count))
            break;
        gri_session_poll(&n->session, NULL, 0, interval_ms);
    }
    look_free(&before);
    return exit_code < 0 ? GRI_EXIT_OK : exit_code;
}

int gri_cmd_top(struct gri_options *o)
{
    struct gri_operated n;
    int exit_code = gri_operate_open(&n, o);

    if (exit_code < 0)
        exit_code = top(&n);
    gri_operate_close(&n);
    return exit_code;
}
