/* SPDX-License-Identifier: Apache-2.0 */
/* ollama_url.c - the forms of OLLAMA_HOST. */
#include <string.h>
#include <strings.h>

#include "actors/model/ollama_wire.h"
#include "runtime/base/strbuf.h"

#define PORT ":11434"

static bool is_text(const char *s, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(s, text, len) == 0;
}

/* add_host: where servers listen on all addresses, clients go to this machine. */
static void add_host(struct gri_strbuf *b, const char *host, size_t len)
{
    if (len == 0 || is_text(host, len, "0.0.0.0"))
        gri_strbuf_adds(b, "127.0.0.1");
    else if (is_text(host, len, "[::]"))
        gri_strbuf_adds(b, "[::1]");
    else
        gri_strbuf_add(b, host, len);
}

char *gri_ollama_url(const char *host)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    const char *scheme = strstr(host, "://"), *rest = scheme == NULL ? host : scheme + 3;
    size_t name, host_len, len = strlen(rest);

    while (len > 0 && rest[len - 1] == '/')
        len--;
    name = rest[0] == '[' ? strcspn(rest, "]") : 0; /* colons of an IPv6 address are no port's */
    host_len = name + strcspn(rest + name, ":/?");
    if (host_len > len)
        host_len = len;
    if (scheme == NULL)
        gri_strbuf_adds(&b, "http://");
    else
        gri_strbuf_add(&b, host, (size_t)(rest - host));
    add_host(&b, rest, host_len);
    if (scheme == NULL && (host_len == len || rest[host_len] != ':'))
        gri_strbuf_adds(&b, PORT);
    gri_strbuf_add(&b, rest + host_len, len - host_len);
    return gri_strbuf_take(&b);
}
