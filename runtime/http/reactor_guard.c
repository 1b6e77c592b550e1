/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reactor_guard.c - requests whose URL somebody else has named go to public addresses only.
 *
 * The URL is taken apart by the parser that the request itself goes through, so that the two can't
 * see different hosts in it. What counts is the address, at three moments: as it stands in the URL;
 * when the socket for a connection is made, after any look-up; and when the request is about to go
 * out, for then the connection may be one that an unguarded request has left.
 */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include <greenroom/guard.h>

#include "runtime/http/address.h"
#include "runtime/http/reactor.h"

struct parts {
    char *scheme, *user, *password, *host; /* owned: curl_free; NULL when absent */
};

static void parts_fini(struct parts *p)
{
    curl_free(p->scheme);
    curl_free(p->user);
    curl_free(p->password);
    curl_free(p->host);
}

/* part_of reads one part of the URL; false: no memory. */
static bool part_of(CURLU *url, CURLUPart what, char **ret_text)
{
    return curl_url_get(url, what, ret_text, 0) != CURLUE_OUT_OF_MEMORY;
}

static CURLUcode take_apart(const char *url, struct parts *ret)
{
    CURLU *u = curl_url();
    CURLUcode uc = u == NULL ? CURLUE_OUT_OF_MEMORY : curl_url_set(u, CURLUPART_URL, url, 0);

    if (uc == CURLUE_OK &&
        !(part_of(u, CURLUPART_SCHEME, &ret->scheme) && part_of(u, CURLUPART_USER, &ret->user) &&
          part_of(u, CURLUPART_PASSWORD, &ret->password) && part_of(u, CURLUPART_HOST, &ret->host)))
        uc = CURLUE_OUT_OF_MEMORY;
    curl_url_cleanup(u);
    return uc;
}

/* after returns what follows `what` at the beginning of a text, NULL if it doesn't begin with it. */
static const char *after(const char *text, const char *what)
{
    size_t len = strlen(what);

    return strncasecmp(text, what, len) == 0 ? text + len : NULL;
}

/* stands_in tells whether the URL begins with scheme and host as the parser understood them. */
static bool stands_in(const char *url, const struct parts *p)
{
    const char *at = after(url, p->scheme);

    if (at != NULL)
        at = after(at, "://");
    if (at != NULL)
        at = after(at, p->host);
    return at != NULL && (*at == '\0' || strchr(":/?#", *at) != NULL);
}

static bool is_plain(const char *host)
{
    for (; *host != '\0'; host++)
        if ((unsigned char)*host <= ' ' || (unsigned char)*host >= 0x7f ||
            strchr("%\\@", *host) != NULL)
            return false;
    return true;
}

static bool ends_in(const char *host, size_t len, const char *name)
{
    size_t name_len = strlen(name);

    return len >= name_len && strncasecmp(host + len - name_len, name, name_len) == 0 &&
           (len == name_len || host[len - name_len - 1] == '.');
}

/* is_number: the C library would read the host as an IPv4 address, of whatever form. */
static bool is_number(const char *host, size_t len)
{
    char text[64];
    struct in_addr at;

    if (len >= sizeof(text))
        return false;
    memcpy(text, host, len);
    text[len] = '\0';
    return inet_aton(text, &at) != 0;
}

/* why_not returns why a host is none for others to name, NULL if it may be. */
static const char *why_not_host(const char *host)
{
    size_t len = strlen(host);
    char inside[64];
    uint8_t at[4];

    if (host[0] == '[') {
        if (len < 3 || len - 2 >= sizeof(inside) || host[len - 1] != ']')
            return "is no address";
        memcpy(inside, host + 1, len - 2);
        inside[len - 2] = '\0';
        return gri_address_is_public_text(inside) ? NULL : "is not a public address";
    }
    if (inet_pton(AF_INET, host, at) == 1)
        return gri_address_is_public4(at) ? NULL : "is not a public address";
    if (len > 0 && host[len - 1] == '.') /* the root's name may be spelt out */
        len--;
    if (is_number(host, len))
        return "is an address in an unusual form";
    return ends_in(host, len, "localhost") || ends_in(host, len, "localhost.localdomain")
               ? "is this machine"
               : NULL;
}

static gr_value *refusal(const char *host, const char *why)
{
    return gr_error_with(gr_error(GR_EINVAL, "this URL must not be fetched: %s %s", host, why),
                         "kind", gr_str("NotPublic"));
}

static gr_value *why_not(const char *url, const struct parts *p)
{
    const char *why = NULL;

    if (p->scheme == NULL ||
        (strcasecmp(p->scheme, "http") != 0 && strcasecmp(p->scheme, "https") != 0))
        return refusal("it", "is neither http nor https");
    if (p->user != NULL || p->password != NULL)
        return refusal("it", "has a user or a password");
    if (p->host == NULL || p->host[0] == '\0')
        return refusal("it", "has no host");
    if (!is_plain(p->host) || !stands_in(url, p))
        return refusal("its host", "is spelt in an unusual form");
    why = why_not_host(p->host);
    return why != NULL ? refusal(p->host, why) : NULL;
}

gr_code gr_guard_url(const char *url, gr_value **reterr)
{
    struct parts p = { .scheme = NULL };
    gr_value *err = NULL;
    CURLUcode uc = url == NULL ? CURLUE_MALFORMED_INPUT : take_apart(url, &p);
    gr_code rc = GR_EINVAL;

    if (uc == CURLUE_OUT_OF_MEMORY)
        err = gr_error(rc = GR_ENOMEM, "looking at a URL: no memory");
    else if (uc != CURLUE_OK)
        err = refusal("it", "is no URL");
    else
        err = why_not(url, &p);
    parts_fini(&p);
    if (err == NULL)
        return GR_OK;
    if (reterr != NULL)
        *reterr = err;
    else
        gr_value_unref(err);
    return rc;
}

bool gr_guard_address(const void *sockaddr, size_t size)
{
    return sockaddr != NULL && gri_address_is_public(sockaddr, size);
}

/* ---- of an exchange -------------------------------------------------------------------------- */

bool gri_guard_lets_connect(struct exchange *x, const struct curl_sockaddr *addr)
{
    if (!x->guarded || gri_address_is_public(&addr->addr, addr->addrlen))
        return true;
    x->guard_refused = true;
    return false;
}

bool gri_guard_lets_send(struct exchange *x, const char *remote)
{
    if (!x->guarded || gri_address_is_public_text(remote))
        return true;
    x->guard_refused = true;
    x->failed = GR_EINVAL;
    return false;
}

gr_value *gri_guard_error(struct exchange *x)
{
    return refusal(x->peer, "is not at a public address");
}
