/* SPDX-License-Identifier: Apache-2.0 */
/* openai_client.c - URL, key and headers of a server. */
#include "actors/model/openai_client.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

#define URL_DEFAULT "https://api.openai.com/v1"

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

static gr_value *read_url(struct gri_openai *o, const char *url, const char *path)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    size_t len;

    if (url == NULL)
        url = getenv("OPENAI_BASE_URL");
    if (url == NULL || url[0] == '\0')
        url = URL_DEFAULT;
    if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) || has_control(url))
        return gr_error(GR_EINVAL, "a model server's URL begins with http:// or https://");
    len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    gri_strbuf_add(&b, url, len);
    gri_strbuf_adds(&b, path);
    o->url = gri_strbuf_take(&b);
    return o->url == NULL ? no_memory() : NULL;
}

/* The key itself must not show in what this returns. */
static gr_value *read_key(struct gri_openai *o, const char *key_env)
{
    const char *name = key_env == NULL ? "OPENAI_API_KEY" : key_env, *key = getenv(name);
    struct gri_strbuf b = GRI_STRBUF_INIT;

    if (key == NULL || key[0] == '\0')
        return NULL;
    if (has_control(key))
        return gr_error(GR_EINVAL, "the key in $%s has control characters", name);
    gri_strbuf_addf(&b, "Authorization: Bearer %s", key);
    o->secret = gri_strbuf_take(&b);
    return o->secret == NULL ? no_memory() : NULL;
}

static gr_value *read_headers(struct gri_openai *o, const gr_header *headers, size_t count)
{
    o->headers = gri_alloc_array(count + 1, sizeof(*o->headers));
    if (o->headers == NULL)
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        struct gri_http_header *h = &o->headers[i];

        if (headers[i].name == NULL || headers[i].value == NULL || headers[i].name[0] == '\0' ||
            has_control(headers[i].name) || has_control(headers[i].value))
            return gr_error(GR_EINVAL, "header %zu is no header", i + 1);
        o->header_count++;
        h->name = gri_strdup(headers[i].name);
        h->value = gri_strdup(headers[i].value);
        if (h->name == NULL || h->value == NULL)
            return no_memory();
    }
    return NULL;
}

gr_value *gri_openai_init(struct gri_openai *o, const struct gri_openai_opts *opts)
{
    gr_value *err;

    *o = (struct gri_openai){ .answer_bytes_max = opts->answer_bytes_max };
    if (opts->timeout_ms >= 0)
        o->timeout_ms =
            (uint64_t)(opts->timeout_ms == 0 ? opts->timeout_default_ms : opts->timeout_ms);
    o->idle_ms = opts->idle_ms > 0 ? (uint64_t)opts->idle_ms : 0;
    err = read_url(o, opts->url, opts->path);
    if (err == NULL)
        err = read_key(o, opts->key_env);
    if (err == NULL)
        err = read_headers(o, opts->headers, opts->header_count);
    return err;
}

void gri_openai_fini(struct gri_openai *o)
{
    for (size_t i = 0; i < o->header_count; i++) {
        gri_free((char *)(uintptr_t)o->headers[i].name);
        gri_free((char *)(uintptr_t)o->headers[i].value);
    }
    gri_free(o->headers);
    gri_free(o->url);
    if (o->secret != NULL)
        explicit_bzero(o->secret, strlen(o->secret));
    gri_free(o->secret);
    *o = (struct gri_openai){ .url = NULL };
}
