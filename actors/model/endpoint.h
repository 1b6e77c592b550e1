/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.h - where a server is and how to talk to it: what chat models and embedders share. */
#ifndef GR_ACTORS_MODEL_ENDPOINT_H
#define GR_ACTORS_MODEL_ENDPOINT_H

#include <greenroom/model.h>

#include "runtime/http/hidden.h"
#include "runtime/http/http.h"

#define GRI_ENDPOINT_HEADERS_MAX 64 /* a user's own */
#define GRI_ENDPOINT_ENV_MAX 4

/* gri_address is how the servers of a provider are reached. All texts are constants. */
struct gri_address {
    const char *url_env;     /* the variable that holds the base URL; NULL: there is none */
    const char *url_default; /* NULL: a URL must be given */
    /* url_read makes a base URL of what that variable or the user says, with gri_alloc'd memory
     * ("0.0.0.0" to "http://127.0.0.1:11434"); NULL: out of memory. No url_read: it is one as it is. */
    char *(*url_read)(const char *text);
    /* behind the base URL; "{model}" in it is the model's name, percent-encoded */
    const char *path;
    const char *key_env;    /* the variable that holds the key, unless the user names another */
    const char *key_header; /* the header that holds the key alone; NULL: Authorization: Bearer */
    /* the variable whose token is sent as a bearer's if there is no key; NULL: none */
    const char *token_env;
    const char *version_env;    /* the variable that holds the API's version */
    const char *version;        /* the default one; NULL: none is sent */
    const char *version_header; /* what the version is sent in: a header … */
    const char *version_query;  /* … or a query parameter */
    /* path_bare is the path where no version is known; NULL: path */
    const char *path_bare;
    /* Headers whose values are in variables; those that aren't set are left out. */
    struct {
        const char *env, *header;
    } env_headers[GRI_ENDPOINT_ENV_MAX];
};

struct gri_endpoint {
    char *url;                /* owned: with the path */
    char *secret;             /* owned: "Authorization: Bearer …", or NULL. Never printed */
    char *version;            /* owned: of the API, or NULL */
    struct gri_hidden hidden; /* the key, what the user's headers say, the URL's password */
    struct gri_http_header *headers; /* owned, names and values owned */
    size_t header_count;
    uint64_t timeout_ms, idle_ms; /* 0: none; 0: http.h's default */
    size_t answer_bytes_max;
    bool http2;
};

struct gri_endpoint_opts {
    const char *url, *model, *key_env, *version;
    const gr_header *headers;
    size_t header_count;
    int64_t timeout_ms, timeout_default_ms, idle_ms;
    size_t answer_bytes_max;
    bool http2;
};

/* gri_endpoint_init reads the environment. NULL, or what is wrong; then too _fini must be called. */
gr_value *gri_endpoint_init(struct gri_endpoint *e, const struct gri_address *at,
                            const struct gri_endpoint_opts *opts);
void gri_endpoint_fini(struct gri_endpoint *e);

/* The headers of one request; the texts are the endpoint's, or constants. */
struct gri_endpoint_headers {
    struct gri_http_header at[GRI_ENDPOINT_HEADERS_MAX + GRI_ENDPOINT_ENV_MAX + 4];
    char retries[16];
};
/* gri_endpoint_headers fills them in, but for the key's, and returns how many there are. retries: how often
 * this request was tried before. */
size_t gri_endpoint_headers(const struct gri_endpoint *e, const char *accept, unsigned retries,
                            struct gri_endpoint_headers *ret);

#endif
