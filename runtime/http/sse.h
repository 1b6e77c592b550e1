/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * sse.h - server-sent events, parsed as the bytes come in, however they are cut.
 *
 * Lines end with \n, \r or \r\n; one byte order mark at the start is dropped; comments and unknown
 * fields are skipped. Three things differ from the WHATWG text, since servers in use need them:
 *   - at the end of the stream a last event without its blank line is still given out (Azure);
 *   - an event with a name but no data is given out, with has_data false (LangServe's "end");
 *   - a field "error" counts as data of an event named "error" (llama.cpp before 2025).
 * A stream that broke must not be ended with gri_sse_end: its last event may be half an event.
 * Not thread-safe. Text is passed on as it came: whoever decodes it checks its UTF-8.
 */
#ifndef GR_RUNTIME_HTTP_SSE_H
#define GR_RUNTIME_HTTP_SSE_H

#include <greenroom/value.h>

#include "runtime/base/strbuf.h"

#define GRI_SSE_LINE_MAX ((size_t)1 << 20)
#define GRI_SSE_EVENT_MAX ((size_t)4 << 20)

struct gri_sse_event {
    const char *name; /* "message" when the server gave none */
    const char *data; /* its lines joined by \n; a NUL follows the end, others may be inside */
    size_t data_len;
    bool has_data;    /* a data (or error) field was there, even if empty */
    const char *id;   /* the last one seen in this stream, or "" */
    int64_t retry_ms; /* -1: not in this event */
};

/* The event is borrowed for the call. False stops gri_sse_feed behind this event,
 * which counts as taken. */
typedef bool gri_sse_event_fn(void *arg, const struct gri_sse_event *event);

struct gri_sse {
    gri_sse_event_fn *on_event;
    void *arg;
    size_t line_max, event_max;
    struct gri_strbuf line;           /* the start of a line whose end has not come */
    struct gri_strbuf name, data, id; /* of the event that is being gathered */
    int64_t retry_ms;
    bool has_data, has_name, is_error; /* fields seen in this event */
    bool begun;                        /* the first line is over */
    bool after_cr;                     /* a \n that comes now belongs to the line before */
    gr_code failed;                    /* sticks */
};

/* gri_sse_init: limits of 0 mean GRI_SSE_LINE_MAX and GRI_SSE_EVENT_MAX. Allocates nothing. */
void gri_sse_init(struct gri_sse *s, size_t line_max, size_t event_max, gri_sse_event_fn *on_event,
                  void *arg);
void gri_sse_fini(struct gri_sse *s);

/*
 * gri_sse_feed parses len bytes and calls on_event for each event that becomes complete.
 * *ret_used, which may be NULL, is written always: len, or less when on_event returned false; feed
 * the rest when there is room again.
 *
 * Errors:  GR_ENOMEM  a line or an event is over its limit, or no memory. Later calls fail alike.
 * Cost:    O(len); a line that lies whole in the input is not copied first.
 */
gr_code gri_sse_feed(struct gri_sse *s, const char *bytes, size_t len, size_t *ret_used,
                     gr_value **reterr);
/* gri_sse_end tells that the stream ended well: a last line and event that lack
 * their ends are given out. */
gr_code gri_sse_end(struct gri_sse *s, gr_value **reterr);

#endif
