/* SPDX-License-Identifier: Apache-2.0 */
/* reply_sim.c - what a simulated server answers: written by its gr_sim_http_fn, spoiled by the
 * seed. */
#include <string.h>
#include <strings.h>

#include "runtime/base/alloc.h"
#include "runtime/http/http_sim.h"

#define NS_PER_MS UINT64_C(1000000)

/* ---- by the server --------------------------------------------------------------------------- */

void gr_sim_reply_status(gr_sim_reply *reply, int status)
{
    reply->status = status;
}

void gr_sim_reply_header(gr_sim_reply *reply, const char *name, const char *value)
{
    gri_strbuf_add(&reply->head, name, strlen(name) + 1);
    gri_strbuf_add(&reply->head, value, strlen(value) + 1);
    reply->failed = reply->failed || reply->head.failed;
}

void gr_sim_reply_body(gr_sim_reply *reply, const char *data, size_t size)
{
    gri_strbuf_add(&reply->body, data, size);
    reply->failed = reply->failed || reply->body.failed;
}

static void add_stop(gr_sim_reply *r, uint64_t wait_ns, bool hang_up)
{
    size_t cap = r->stop_cap == 0 ? 8 : r->stop_cap * 2;
    struct gri_sim_stop *stops = r->stops;

    if (r->stop_count == r->stop_cap) {
        stops = gri_resize(r->stops, cap * sizeof(*stops));
        if (stops == NULL) {
            r->failed = true;
            return;
        }
        r->stops = stops;
        r->stop_cap = cap;
    }
    stops[r->stop_count++] =
        (struct gri_sim_stop){ .at = r->body.len, .wait_ns = wait_ns, .hang_up = hang_up };
}

void gr_sim_reply_wait(gr_sim_reply *reply, int64_t ms)
{
    if (ms > 0)
        add_stop(reply, (uint64_t)ms * NS_PER_MS, false);
}

void gr_sim_reply_hang_up(gr_sim_reply *reply)
{
    add_stop(reply, 0, true);
}

/* ---- by the seed ----------------------------------------------------------------------------- */

static void forget(struct gr_sim_reply *r)
{
    gri_strbuf_clear(&r->head);
    gri_strbuf_clear(&r->body);
    r->stop_count = 0;
    r->failed = false;
}

static void put(struct gr_sim_reply *r, const char *type, const char *text)
{
    gr_sim_reply_header(r, "content-type", type);
    gr_sim_reply_body(r, text, strlen(text));
}

void gri_sim_reply_refuse(struct gr_sim_reply *r, struct gri_sim_chance *c)
{
    static const int statuses[] = { 429, 500, 503 };
    static const char *const bodies[] = {
        "{\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}",
        "{\"error\":{\"message\":\"something broke\",\"type\":\"server_error\",\"code\":null}}",
        "upstream connect error",
    };
    size_t which = (size_t)gri_sim_draw(c, 3);

    forget(r);
    r->status = statuses[which];
    if (which != 1 && gri_sim_draw(c, 2) == 0)
        gr_sim_reply_header(r, "retry-after", gri_sim_draw(c, 2) == 0 ? "1" : "7");
    put(r, which == 2 ? "text/plain" : "application/json", bodies[which]);
}

/* spoil_byte puts a byte into a JSON text that can't be in one, so that whoever reads it must
 * notice. */
static void spoil_byte(struct gr_sim_reply *r, struct gri_sim_chance *c)
{
    if (r->body.len > 0)
        r->body.data[gri_sim_draw(c, r->body.len)] = '\1';
}

/* A cut never takes so little of an answer that nobody could miss it: what is cut off a JSON text
 * shows, and of a stream of events its last half shows by the [DONE] that is not there. */
static void cut(struct gr_sim_reply *r, struct gri_sim_chance *c)
{
    size_t len = r->body.len, least = len / 2;

    if (len == 0)
        return;
    r->body.len = (size_t)gri_sim_draw(c, len - least);
    r->body.data[r->body.len] = '\0';
    while (r->stop_count > 0 && r->stops[r->stop_count - 1].at > r->body.len)
        r->stop_count--;
}

void gri_sim_reply_spoil(struct gr_sim_reply *r, struct gri_sim_chance *c)
{
    const char *type = gri_sim_reply_header_of(r, "content-type");

    switch (gri_sim_draw(c, 4)) {
    case 0: r->not_http = true; break;
    case 1:
        forget(r);
        r->status = 200;
        put(r, "text/html", "<html><body>Please log in to the network.</body></html>");
        break;
    case 2:
        if (type != NULL && strncasecmp(type, "application/json", 16) == 0) {
            spoil_byte(r, c);
            break;
        }
        /* fall through */
    default: cut(r, c); break;
    }
}

/* ---- reading, freeing ------------------------------------------------------------------------ */

const char *gri_sim_reply_header_of(const struct gr_sim_reply *r, const char *name)
{
    const char *at = r->head.data, *end = at + r->head.len, *value;

    for (; at != NULL && at < end; at = value + strlen(value) + 1) {
        value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0)
            return value;
    }
    return NULL;
}

void gri_sim_reply_fini(struct gr_sim_reply *r)
{
    gri_strbuf_fini(&r->head);
    gri_strbuf_fini(&r->body);
    gri_free(r->stops);
    *r = (struct gr_sim_reply){ .status = 0 };
}
