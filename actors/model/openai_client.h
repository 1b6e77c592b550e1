/* SPDX-License-Identifier: Apache-2.0 */
/* openai_client.h - where a server is and how to talk to it: what chat models and embedders
 * share. */
#ifndef GR_ACTORS_MODEL_OPENAI_CLIENT_H
#define GR_ACTORS_MODEL_OPENAI_CLIENT_H

#include <greenroom/model.h>

#include "runtime/http/http.h"

struct gri_openai {
    char *url;    /* owned: with the path */
    char *secret; /* owned: "Authorization: Bearer …", or NULL. Never printed */
    struct gri_http_header *headers; /* owned, names and values owned */
    size_t header_count;
    uint64_t timeout_ms, idle_ms; /* 0: none; 0: http.h's default */
    size_t answer_bytes_max;
};

struct gri_openai_opts {
    const char *url, *path, *key_env;
    const gr_header *headers;
    size_t header_count;
    int64_t timeout_ms, timeout_default_ms, idle_ms;
    size_t answer_bytes_max;
};

/* gri_openai_init reads the environment. NULL, or what is wrong; then too _fini must be called. */
gr_value *gri_openai_init(struct gri_openai *o, const struct gri_openai_opts *opts);
void gri_openai_fini(struct gri_openai *o);

#endif
