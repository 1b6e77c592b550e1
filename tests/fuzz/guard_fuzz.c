/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard_fuzz.c - any text as a URL that somebody else names. What the guard lets through has a host that
 * reads the same without a parser: up to the first of ":/?#" behind the scheme, or in brackets; and
 * if the C library takes that host for an address, the address is public.
 */
#include <netdb.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <greenroom/guard.h>

#include "tests/fuzz/fuzz.h"

/* host_of copies the host of a URL as anybody would read it, without its brackets. */
static void host_of(const char *url, char host[512])
{
    const char *at = strstr(url, "://");
    size_t len = 0;

    must(at != NULL);
    at += 3;
    len = *at == '[' ? strcspn(++at, "]") : strcspn(at, ":/?#");
    must(len > 0 && len < 512);
    memcpy(host, at, len);
    host[len] = '\0';
}

static void check_host(const char *host)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *at = NULL;

    must(strpbrk(host, "@%\\ \t\r\n") == NULL);
    for (const char *s = host; *s != '\0'; s++)
        must((unsigned char)*s > ' ' && (unsigned char)*s < 0x7f);
    must(strcasecmp(host, "localhost") != 0);
    if (getaddrinfo(host, NULL, &hints, &at) != 0)
        return;
    for (struct addrinfo *a = at; a != NULL; a = a->ai_next)
        must(gr_guard_address(a->ai_addr, a->ai_addrlen));
    freeaddrinfo(at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char url[512], host[512];
    gr_value *err = NULL;
    gr_code rc = GR_OK;

    if (size >= sizeof(url))
        return 0;
    memcpy(url, data, size);
    url[size] = '\0';
    rc = gr_guard_url(url, &err);
    must((rc == GR_OK) == (err == NULL));
    if (rc == GR_OK) {
        must(strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0);
        host_of(url, host);
        check_host(host);
    }
    gr_value_unref(err);
    gr_guard_address(data, size);
    return 0;
}
