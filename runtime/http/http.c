/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - the door to HTTP: checks a request, then hands it to the runtime's
 * world, to a simulation's server, or to libcurl. */
#include "runtime/http/http.h"

#include <string.h>
#include <strings.h>

#include <greenroom/guard.h>

#include "runtime/base/assert.h"
#include "runtime/http/http_sim.h"
#include "runtime/sched/sched.h"

/* RFC 9110's token: what a method and a header's name are made of. */
static bool is_token(const char *s, size_t len)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < len; i++) {
        char c = s[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) &&
            (c == '\0' || strchr(marks, c) == NULL))
            return false;
    }
    return len > 0;
}

/* A line break in a header's value would let whoever wrote it add headers of his own. */
static bool is_header_value(const char *s)
{
    for (; *s != '\0'; s++)
        if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
            return false;
    return true;
}

static bool is_url(const char *url)
{
    size_t scheme_len = strncasecmp(url, "http://", 7) == 0    ? 7
                        : strncasecmp(url, "https://", 8) == 0 ? 8
                                                               : 0;

    if (scheme_len == 0 || url[scheme_len] == '\0')
        return false;
    for (const char *s = url; *s != '\0'; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return false;
    return true;
}

/* check returns NULL, or why a request can't be sent. The texts quote names, never values. */
static gr_value *check(const struct gri_http_request *req)
{
    const char *secret = req->secret_header;
    const char *colon = secret != NULL ? strchr(secret, ':') : NULL;

    if (req->method == NULL || !is_token(req->method, strlen(req->method)))
        return gr_error(GR_EINVAL, "HTTP request: no proper method");
    if (req->url == NULL || !is_url(req->url))
        return gr_error(GR_EINVAL,
                        "HTTP request: the URL must begin with http:// or https://, no spaces");
    for (size_t i = 0; i < req->header_count; i++) {
        const struct gri_http_header *h = &req->headers[i];

        if (h->name == NULL || !is_token(h->name, strlen(h->name)))
            return gr_error(GR_EINVAL, "HTTP request: header %zu has no proper name", i);
        if (h->value == NULL || !is_header_value(h->value))
            return gr_error(GR_EINVAL, "HTTP request: bad characters in the value of header %s",
                            h->name);
    }
    if (secret != NULL && (colon == NULL || !is_token(secret, (size_t)(colon - secret)) ||
                           !is_header_value(colon + 1)))
        return gr_error(GR_EINVAL, "HTTP request: bad characters in the secret header");
    if (req->body_size > 0 && req->body == NULL)
        return gr_error(GR_EINVAL, "HTTP request: a body of size %zu is missing", req->body_size);
    return NULL;
}

static const struct gri_http_driver *driver_of(gr_runtime *rt)
{
    if (gri_world_of(rt)->http != NULL)
        return gri_world_of(rt)->http;
    return gri_sched_of(rt)->sim != NULL ? &gri_http_sim : &gri_http_curl;
}

gr_code gri_http_start(gr_runtime *rt, const struct gri_http_request *req,
                       const struct gri_http_events *events, void *arg,
                       struct gri_http_exchange **ret_x, gr_value **reterr)
{
    gr_value *err = check(req);
    gr_code rc = err != NULL ? GR_EINVAL : GR_OK;

    gri_assert(events->status != NULL && events->bytes != NULL);
    gri_assert(events->end != NULL && events->error != NULL);
    if (rc == GR_OK && req->guard)
        rc = gr_guard_url(req->url, &err);
    if (rc == GR_OK)
        return driver_of(rt)->start(rt, req, events, arg, ret_x, reterr);
    if (reterr != NULL)
        *reterr = err;
    else
        gr_value_unref(err);
    return rc;
}

const char *gri_http_header_of(struct gri_http_exchange *x, const char *name)
{
    return x->driver->header_of(x, name);
}

void gri_http_resume(struct gri_http_exchange *x)
{
    x->driver->resume(x);
}

void gri_http_cancel(struct gri_http_exchange *x)
{
    x->driver->cancel(x);
}
