/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * ndjson.h - lines, cut out of bytes as they come in: JSON documents one a line, as Ollama streams.
 *
 * Lines end with \n or \r\n; blank ones (nothing but spaces and tabs) are skipped. What is in a
 * line is not looked at: the JSON codec checks it. Not thread-safe.
 */
#ifndef GR_RUNTIME_HTTP_NDJSON_H
#define GR_RUNTIME_HTTP_NDJSON_H

#include <greenroom/value.h>

#include "runtime/base/strbuf.h"

#define GRI_NDJSON_LINE_MAX ((size_t)4 << 20)

/* The line is borrowed for the call, without a NUL. False stops gri_ndjson_feed behind it. */
typedef bool gri_ndjson_line_fn(void *arg, const char *line, size_t len);

struct gri_ndjson {
    gri_ndjson_line_fn *on_line;
    void *arg;
    size_t line_max;
    struct gri_strbuf line; /* the start of a line whose end has not come */
    gr_code failed;         /* sticks */
};

/* gri_ndjson_init: a limit of 0 means GRI_NDJSON_LINE_MAX. Allocates nothing. */
void gri_ndjson_init(struct gri_ndjson *n, size_t line_max, gri_ndjson_line_fn *on_line, void *arg);
void gri_ndjson_fini(struct gri_ndjson *n);

/*
 * gri_ndjson_feed calls on_line for each line that becomes complete. *ret_used, which may be NULL,
 * is written always: len, or less when on_line returned false.
 * Errors:  GR_ENOMEM  a line is over its limit, or no memory. Every later call fails alike.
 */
gr_code gri_ndjson_feed(struct gri_ndjson *n, const char *bytes, size_t len, size_t *ret_used,
                        gr_value **reterr);
/* gri_ndjson_end gives out a last line that lacks its end. Not after a stream that broke. */
gr_code gri_ndjson_end(struct gri_ndjson *n, gr_value **reterr);

#endif
