/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_report.h - the mistakes found in a chain file, each as "file:line:column: what".
 *
 * A reader goes on after a mistake as long as that makes sense, so that one run shows them all; the
 * text is bounded. Mistakes quote what the file says, never what ${NAME} expanded to.
 */
#ifndef GR_CLI_CHAIN_REPORT_H
#define GR_CLI_CHAIN_REPORT_H

#include <stddef.h>

#include <greenroom/base.h>

#include "runtime/base/strbuf.h"

#define GRI_CHAIN_MISTAKES_MAX 20 /* what is shown; the rest is only counted */

struct gri_chain_report {
    const char *file;       /* borrowed from the caller: the name shown in front of each mistake */
    struct gri_strbuf text; /* a line for each mistake, each with its newline */
    size_t count;
};

/* A place in the file: line and column, in characters, both from 1; line 0 is the file as
 * a whole. */
struct gri_chain_place {
    size_t line, column;
};

void gri_chain_report_init(struct gri_chain_report *r, const char *file);
void gri_chain_report_fini(struct gri_chain_report *r);
void gri_chain_mistake(struct gri_chain_report *r, struct gri_chain_place at, const char *fmt, ...)
    GR_PRINTF(3, 4);
/* gri_chain_said returns an error's text, borrowed, without the kind in front, which whoever reports it has put there. */
const char *gri_chain_said(const char *kind, const gr_value *error);
/* gri_chain_report_text returns all lines, borrowed, also when memory ran out; "" without
 * a mistake. */
const char *gri_chain_report_text(const struct gri_chain_report *r);

/*
 * gri_chain_nearest returns which of the count names is meant by `name`, as far as a typing mistake
 * explains it; NULL when none is near. stride is the distance in bytes between two name pointers,
 * so that a table of structs with the name first will do.
 */
const char *gri_chain_nearest(const char *name, const void *names, size_t count, size_t stride);

#endif
