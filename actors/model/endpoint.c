/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.c - URL, key, version and headers of a server. */
#include "actors/model/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

static gr_value *no_memory(void)
{
    return gr_error(GR_ENOMEM, "out of memory for a model client");
}

static bool has_control(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return true;
    return false;
}

/* env gives a variable that is set and not empty, or NULL. */
static const char *env(const char *name)
{
    const char *text = name == NULL ? NULL : getenv(name);

    return text == NULL || text[0] == '\0' ? NULL : text;
}

/* ---- URL ------------------------------------------------------------------------------------- */

static void add_encoded(struct gri_strbuf *b, const char *s)
{
    for (; *s != '\0'; s++) {
        bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                     (*s >= '0' && *s <= '9') || strchr("-._~", *s) != NULL;

        if (plain)
            gri_strbuf_addc(b, *s);
        else
            gri_strbuf_addf(b, "%%%02X", (unsigned char)*s);
    }
}

static void add_path(struct gri_strbuf *b, const char *path, const char *model)
{
    const char *at = strstr(path, "{model}");

    if (at == NULL) {
        gri_strbuf_adds(b, path);
        return;
    }
    gri_strbuf_add(b, path, (size_t)(at - path));
    add_encoded(b, model == NULL ? "" : model);
    gri_strbuf_adds(b, at + strlen("{model}"));
}

/* whole_url puts base, path and version together; NULL: out of memory. */
static char *whole_url(const struct gri_endpoint *e, const struct gri_address *at, const char *base,
                       const char *model)
{
    const char *query = strchr(base, '?');
    size_t len = query != NULL ? (size_t)(query - base) : strlen(base);
    struct gri_strbuf b = GRI_STRBUF_INIT;

    while (len > 0 && base[len - 1] == '/')
        len--;
    gri_strbuf_add(&b, base, len);
    add_path(&b, e->version == NULL && at->path_bare != NULL ? at->path_bare : at->path, model);
    gri_strbuf_adds(&b, query == NULL ? "" : query);
    if (e->version != NULL && at->version_query != NULL) {
        gri_strbuf_addf(&b, "%c%s=", query == NULL ? '?' : '&', at->version_query);
        add_encoded(&b, e->version);
    }
    return gri_strbuf_take(&b);
}

static gr_value *read_url(struct gri_endpoint *e, const struct gri_address *at, const char *url,
                          const char *model)
{
    char *read = NULL;
    gr_value *err = NULL;

    if (url == NULL)
        url = env(at->url_env);
    if (url == NULL || url[0] == '\0')
        url = at->url_default;
    if (url == NULL)
        return gr_error(GR_EINVAL, "a model client needs the URL of its server: url, or $%s",
                        at->url_env);
    if (at->url_read != NULL) {
        url = read = at->url_read(url);
        if (read == NULL)
            return no_memory();
    }
    if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) || has_control(url))
        err = gr_error(GR_EINVAL, "a model server's URL begins with http:// or https://");
    else if ((e->url = whole_url(e, at, url, model)) == NULL || !gri_hidden_url(&e->hidden, url))
        err = no_memory();
    gri_free(read);
    return err;
}

/* ---- key, version, headers ------------------------------------------------------------------- */

/* The key itself must not show in what this returns. */
static gr_value *read_key(struct gri_endpoint *e, const struct gri_address *at, const char *key_env)
{
    const char *name = key_env == NULL ? at->key_env : key_env, *key = env(name);
    const char *header = at->key_header;
    struct gri_strbuf b = GRI_STRBUF_INIT;

    if (key == NULL) {
        name = at->token_env;
        key = env(name);
        header = NULL;
    }
    if (key == NULL)
        return NULL;
    if (has_control(key))
        return gr_error(GR_EINVAL, "the key in $%s has control characters", name);
    gri_strbuf_addf(&b, "%s: %s", header == NULL ? "Authorization" : header,
                    header == NULL ? "Bearer " : "");
    gri_strbuf_adds(&b, key);
    e->secret = gri_strbuf_take(&b);
    return e->secret != NULL && gri_hidden_add(&e->hidden, key) ? NULL : no_memory();
}

static gr_value *read_version(struct gri_endpoint *e, const struct gri_address *at,
                              const char *version)
{
    if (at->version_header == NULL && at->version_query == NULL)
        return NULL;
    if (version == NULL)
        version = env(at->version_env);
    if (version == NULL || version[0] == '\0')
        version = at->version;
    if (version == NULL)
        return NULL;
    if (has_control(version))
        return gr_error(GR_EINVAL, "an API version has control characters");
    e->version = gri_strdup(version);
    return e->version == NULL ? no_memory() : NULL;
}

/* add_header: the array has room for it. */
static gr_value *add_header(struct gri_endpoint *e, const char *name, const char *value)
{
    struct gri_http_header *h = &e->headers[e->header_count++];

    h->name = gri_strdup(name);
    h->value = gri_strdup(value);
    return h->name == NULL || h->value == NULL ? no_memory() : NULL;
}

/* add_own adds what the provider itself sends. */
static gr_value *add_own(struct gri_endpoint *e, const struct gri_address *at)
{
    gr_value *err = NULL;

    if (e->version != NULL && at->version_header != NULL)
        err = add_header(e, at->version_header, e->version);
    for (size_t i = 0; i < GRI_ENDPOINT_ENV_MAX && err == NULL; i++) {
        const char *value = env(at->env_headers[i].env);

        if (value == NULL)
            continue;
        err = has_control(value)
                  ? gr_error(GR_EINVAL, "$%s has control characters", at->env_headers[i].env)
                  : add_header(e, at->env_headers[i].header, value);
    }
    return err;
}

static gr_value *read_headers(struct gri_endpoint *e, const struct gri_address *at,
                              const gr_header *headers, size_t count)
{
    gr_value *err;

    if (count > GRI_ENDPOINT_HEADERS_MAX)
        return gr_error(GR_EINVAL, "%zu headers: at most %d", count, GRI_ENDPOINT_HEADERS_MAX);
    e->headers = gri_alloc_array(count + 1 + GRI_ENDPOINT_ENV_MAX, sizeof(*e->headers));
    if (e->headers == NULL)
        return no_memory();
    err = add_own(e, at);
    for (size_t i = 0; i < count && err == NULL; i++) {
        if (headers[i].name == NULL || headers[i].value == NULL || headers[i].name[0] == '\0' ||
            has_control(headers[i].name) || has_control(headers[i].value))
            return gr_error(GR_EINVAL, "header %zu is no header", i + 1);
        err = add_header(e, headers[i].name, headers[i].value);
        if (err == NULL && !gri_hidden_header(&e->hidden, headers[i].name, headers[i].value))
            err = no_memory();
    }
    return err;
}

gr_value *gri_endpoint_init(struct gri_endpoint *e, const struct gri_address *at,
                            const struct gri_endpoint_opts *opts)
{
    gr_value *err;

    *e = (struct gri_endpoint){ .answer_bytes_max = opts->answer_bytes_max, .http2 = opts->http2 };
    if (opts->timeout_ms >= 0)
        e->timeout_ms =
            (uint64_t)(opts->timeout_ms == 0 ? opts->timeout_default_ms : opts->timeout_ms);
    e->idle_ms = opts->idle_ms > 0 ? (uint64_t)opts->idle_ms : 0;
    err = read_version(e, at, opts->version);
    if (err == NULL)
        err = read_url(e, at, opts->url, opts->model);
    if (err == NULL)
        err = read_key(e, at, opts->key_env);
    if (err == NULL)
        err = read_headers(e, at, opts->headers, opts->header_count);
    return err;
}

void gri_endpoint_fini(struct gri_endpoint *e)
{
    gri_hidden_fini(&e->hidden);
    for (size_t i = 0; i < e->header_count; i++) {
        gri_free((char *)(uintptr_t)e->headers[i].name);
        if (e->headers[i].value != NULL)
            explicit_bzero((char *)(uintptr_t)e->headers[i].value, strlen(e->headers[i].value));
        gri_free((char *)(uintptr_t)e->headers[i].value);
    }
    gri_free(e->headers);
    gri_free(e->url);
    gri_free(e->version);
    if (e->secret != NULL)
        explicit_bzero(e->secret, strlen(e->secret));
    gri_free(e->secret);
    *e = (struct gri_endpoint){ .url = NULL };
}

/* ---- a request ------------------------------------------------------------------------------- */

/* has_header tells whether the user sends a header of that name. */
static bool has_header(const struct gri_endpoint *e, const char *name)
{
    for (size_t i = 0; i < e->header_count; i++)
        if (strcasecmp(e->headers[i].name, name) == 0)
            return true;
    return false;
}

size_t gri_endpoint_headers(const struct gri_endpoint *e, const char *accept, unsigned retries,
                            struct gri_endpoint_headers *ret)
{
    size_t count = 0;

    ret->at[count++] = (struct gri_http_header){ "Content-Type", "application/json" };
    if (!has_header(e, "accept"))
        ret->at[count++] = (struct gri_http_header){ "Accept", accept };
    if (retries > 0) {
        snprintf(ret->retries, sizeof(ret->retries), "%u", retries);
        ret->at[count++] = (struct gri_http_header){ "X-Stainless-Retry-Count", ret->retries };
    }
    for (size_t i = 0; i < e->header_count; i++)
        ret->at[count++] = e->headers[i];
    return count;
}
