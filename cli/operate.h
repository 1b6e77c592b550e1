/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operate.h - looking at, and ending, what another process serves: calls of its node actor
 * (greenroom/admin.h).
 *
 *   operate.c        ps, info, kill, drain
 *   operate_top.c    top
 *   operate_rows.c   actors as lines and trees
 *   operate_about.c  what info prints
 */
#ifndef GR_CLI_OPERATE_H
#define GR_CLI_OPERATE_H

#include "cli/options.h"
#include "cli/session.h"
#include "runtime/base/strbuf.h"

#define GRI_ROWS_MAX 20000 /* actors in a table or tree */

/* A node that is asked. */
struct gri_operated {
    struct gri_session session;
    gr_ref node;
    const struct gri_options *options; /* borrowed */
};

/* gri_operate_open reaches for the node at the command's URL: -1, or the exit code, after saying why.
 * gri_operate_close in any case. */
int gri_operate_open(struct gri_operated *n, const struct gri_options *o);
void gri_operate_close(struct gri_operated *n);
/* gri_operate_ask calls a verb: NULL, with *reterr, on failure. gri_operate_begin starts a call that may last. */
gr_value *gri_operate_ask(struct gri_operated *n, const char *verb, gr_value *args GR_TAKES,
                          gr_value **reterr);
gr_future *gri_operate_begin(struct gri_operated *n, const char *verb, gr_value *args GR_TAKES);
/* gri_operate_fail says why it failed, and returns the exit code. */
int gri_operate_fail(struct gri_operated *n, gr_value *err GR_TAKES);

/* gri_operate_rows gives all actors, up to GRI_ROWS_MAX, as a list; *ret_more: there are others. */
gr_value *gri_operate_rows(struct gri_operated *n, bool *ret_more, gr_value **reterr);

/* What the other files write into text; gri_text_print prints it without control characters, but for line
 * ends. Returns whether it could be written. */
void gri_rows_table(struct gri_strbuf *text, const gr_value *rows);
void gri_rows_tree(struct gri_strbuf *text, const gr_value *rows);
void gri_about_node(struct gri_strbuf *text, const gr_value *about);
void gri_about_actor(struct gri_strbuf *text, const gr_value *about);
bool gri_text_print(const struct gri_strbuf *text);

/* gri_cell adds a text as a cell so wide; right: at its end. Control characters are replaced. */
void gri_cell(struct gri_strbuf *text, const char *cell, size_t width, bool right);
/* gri_cell_width: how many characters gri_cell shows of a text. */
size_t gri_cell_width(const char *cell);
/* gri_number, gri_span and gri_size put a value on a cell: "-" for nil; 3m20s for milliseconds; 1.5M for bytes. */
#define GRI_CELL_CAP 32
const char *gri_number(const gr_value *v, char cell[GRI_CELL_CAP]);
const char *gri_span(const gr_value *ms, char cell[GRI_CELL_CAP]);
const char *gri_size(const gr_value *bytes, char cell[GRI_CELL_CAP]);
/* gri_row_name: what it is published under, else registered, else called. */
const char *gri_row_name(const gr_value *row);

#endif
