/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * http.h - HTTP requests: request in, events out. The seam that a simulated world replaces.
 *
 * A request's events come one at a time, from the HTTP thread: status, then bytes, then end; or
 * error at any point. Handlers must not wait. An accepted request gets exactly one of end and
 * error, last, also when it was cancelled or the runtime shuts down; after it the exchange is gone.
 *
 * Whoever calls resume or cancel from another thread orders those calls against end and error, say
 * by a lock of its own that its end and error take: an exchange must not be named after they
 * returned.
 */
#ifndef GR_RUNTIME_HTTP_HTTP_H
#define GR_RUNTIME_HTTP_HTTP_H

#include <stdbool.h>

#include <greenroom/value.h>

#define GRI_HTTP_IDLE_MS 60000        /* the default of idle_timeout_ms */
#define GRI_HTTP_CONNECT_MS 10000     /* the default of connect_timeout_ms */
#define GRI_HTTP_HEAD_MAX (64 * 1024) /* bytes of response headers; beyond: GR_EPROTO */
/* bytes kept for a reader that has stopped, over HTTP/2; beyond: GR_EFULL */
#define GRI_HTTP_HELD_MAX ((size_t)1 << 20)

struct gri_http_header {
    const char *name, *value;
};

struct gri_http_request {
    const char *method; /* "GET", "POST" */
    const char *url;    /* http:// or https:// */
    const struct gri_http_header *headers;
    size_t header_count;
    /* NULL, or "Authorization: Bearer …": sent, never logged or put in errors */
    const char *secret_header;
    const char *ca_file; /* PEM: whom TLS trusts; NULL: the system's */
    const void *body;    /* copied */
    size_t body_size;
    uint64_t deadline_ns; /* on the runtime's clock; 0: none */
    /* longest silence of the server once the request is on its way; our pauses don't count */
    uint64_t idle_timeout_ms;    /* 0: 60 s */
    uint64_t connect_timeout_ms; /* name look-up, connection and TLS together; 0: 10 s */
    /* the URL comes from a user or a model: only what gr_guard_url lets through, only public
     * addresses, no proxy (greenroom/guard.h); else GR_EINVAL, of kind "NotPublic" */
    bool guard;
    bool http2; /* where the server offers it; gr_runtime_opts.http2 says so for all */
};

struct gri_http_driver;

/* gri_http_exchange is one request under way; each driver's own struct begins with it. */
struct gri_http_exchange {
    const struct gri_http_driver *driver;
};

struct gri_http_events {
    /* header_of(x, name) may be called inside status only. Interim answers (1xx) are left out. */
    void (*status)(void *arg, int status, struct gri_http_exchange *x);
    /*
     * bytes returns false to pause: these bytes were not taken and come again after
     * gri_http_resume, possibly with more behind them. A resume that another thread calls while
     * bytes runs counts. While paused, at most a few dozen KiB are buffered here; the rest waits at
     * the server. Over HTTP/2 (gr_runtime_opts.http2) the server isn't stopped: GRI_HTTP_HELD_MAX.
     */
    bool (*bytes)(void *arg, const char *data, size_t len);
    void (*end)(void *arg);
    /*
     * GR_EUNREACH  the server can't be reached, or went away before the end: worth a retry
     * GR_ETIMEDOUT the deadline, the idle or the connect timeout
     * GR_EPROTO    what came isn't HTTP, or headers are over their limit, or TLS doesn't trust it
     * GR_EINVAL    the host's name means an address that is not public, and the request is guarded
     * GR_EFULL     over HTTP/2: paused for longer than GRI_HTTP_HELD_MAX lasts
     * GR_ENOMEM, GR_ECANCELED
     * Texts name host and port, never paths, queries, headers or secrets.
     */
    void (*error)(void *arg, gr_value *err GR_TAKES);
};

/*
 * gri_http_start sends a request. *ret_x is written before any event comes, and stays valid until
 * end or error has returned. Everything is copied, `events` included. On failure no event comes.
 *
 * Errors:  GR_EINVAL    not a URL for http or https, a header with a line break in it, a URL that the
 *                       guard refuses …
 *          GR_EFULL     the runtime's http_requests_max exchanges are under way
 *          GR_ECANCELED the runtime is just shutting down
 *          GR_ENOMEM    no memory, no thread for HTTP, or the runtime has closed its services
 * Threads: any, events included; so do the calls below.
 */
gr_code gri_http_start(gr_runtime *rt, const struct gri_http_request *req,
                       const struct gri_http_events *events, void *arg,
                       struct gri_http_exchange **ret_x, gr_value **reterr);
/* gri_http_header_of returns the first response header of that name, borrowed;
 * NULL if there is none. */
const char *gri_http_header_of(struct gri_http_exchange *x, const char *name);
/* gri_http_resume ends a pause; harmless when there is none. */
void gri_http_resume(struct gri_http_exchange *x);
/*
 * gri_http_cancel closes the transfer. It returns at once; error(GR_ECANCELED) follows from the
 * HTTP thread, unless end or another error was already on its way. No bytes come once it has been
 * seen there. Calling it twice is harmless.
 */
void gri_http_cancel(struct gri_http_exchange *x);

/* What a world provides in place of libcurl: the same calls. */
struct gri_http_driver {
    gr_code (*start)(gr_runtime *rt, const struct gri_http_request *req,
                     const struct gri_http_events *events, void *arg,
                     struct gri_http_exchange **ret_x, gr_value **reterr);
    const char *(*header_of)(struct gri_http_exchange *x, const char *name);
    void (*resume)(struct gri_http_exchange *x);
    void (*cancel)(struct gri_http_exchange *x);
    /* runtime shutdown: every exchange ends. NULL for libcurl's, which stops as a service. */
    void (*stop)(gr_runtime *rt);
};

/* gri_http_curl is the real world's driver. Its thread starts with a runtime's first request. */
extern const struct gri_http_driver gri_http_curl;

#endif
