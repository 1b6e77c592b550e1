/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reactor_error.c - curl's codes become Greenroom's errors here and go no further.
 *
 * Texts are made of the peer's name and of what curl or the system say about the failure; curl's
 * own text is used for TLS only, where it is the one that helps and holds no URL.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "runtime/http/reactor.h"

/* system_text says what errno code `number` means, in lower case. */
static const char *system_text(long number, char text[128])
{
    char room[128] = "";
    const char *s = strerror_r((int)number, room, sizeof(room));
    size_t len = strlen(s);

    if (len >= 128)
        len = 127;
    memcpy(text, s, len);
    text[len] = '\0';
    text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}

/* system_error returns the errno behind a failure; 0: none, or one that only says "not yet". */
static long system_error(struct exchange *x)
{
    long number = 0;

    if (curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &number) != CURLE_OK ||
        number == EINPROGRESS || number == EAGAIN || number == EINTR)
        return 0;
    return number;
}

static gr_value *connect_error(struct exchange *x)
{
    char text[128];
    long number = system_error(x);

    return gr_error(GR_EUNREACH, "connecting to %s: %s", x->peer,
                    number != 0 ? system_text(number, text) : "no connection");
}

static gr_value *lost_error(struct exchange *x)
{
    char text[128];
    long number = system_error(x);

    if (number == 0)
        return gr_error(GR_EUNREACH, "%s: the connection was lost", x->peer);
    return gr_error(GR_EUNREACH, "%s: the connection was lost: %s", x->peer,
                    system_text(number, text));
}

/* A bad certificate stays bad, so unlike a handshake that was lost it isn't worth a retry. */
static gr_value *tls_error(struct exchange *x, gr_code code)
{
    return gr_error(code, "TLS with %s: %s", x->peer,
                    x->curl_text[0] != '\0' ? x->curl_text : "the handshake failed");
}

/* stopped_error tells why we stopped the transfer ourselves. */
static gr_value *stopped_error(struct exchange *x)
{
    switch (x->failed) {
    case GR_ENOMEM: return gr_error(GR_ENOMEM, "%s: no memory for the transfer", x->peer);
    case GR_EFULL:
        return gr_error(GR_EFULL, "%s: the reader is more than %zu bytes behind", x->peer,
                        GRI_HTTP_HELD_MAX);
    case GR_EPROTO:
        return gr_error(GR_EPROTO, "%s: the answer's headers are over %d bytes", x->peer,
                        GRI_HTTP_HEAD_MAX);
    default: return gr_error(GR_EUNREACH, "%s: the transfer was stopped", x->peer);
    }
}

gr_value *gri_exchange_error(struct exchange *x, CURLcode code)
{
    if (atomic_load_explicit(&x->canceled, memory_order_relaxed))
        return gr_error(GR_ECANCELED, "the request to %s was cancelled", x->peer);
    if (x->guard_refused && !x->connected)
        return gri_guard_error(x);
    if (x->failed != GR_OK)
        return stopped_error(x);
    switch (code) {
    case CURLE_OUT_OF_MEMORY: return gr_error(GR_ENOMEM, "%s: no memory for the request", x->peer);
    case CURLE_COULDNT_RESOLVE_HOST:
        return gr_error(GR_EUNREACH, "looking up %s: no such host", x->peer);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return gr_error(GR_EUNREACH, "looking up the proxy for %s: no such host", x->peer);
    case CURLE_COULDNT_CONNECT: return connect_error(x);
    case CURLE_OPERATION_TIMEDOUT: /* of curl's timeouts we set this one only */
        return gr_error(GR_ETIMEDOUT, "connecting to %s: no connection within %llu ms", x->peer,
                        (unsigned long long)x->connect_ms);
    case CURLE_GOT_NOTHING:
        return gr_error(GR_EUNREACH, "%s: the server closed the connection without an answer",
                        x->peer);
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2_STREAM:
    case CURLE_HTTP3: return gr_error(GR_EUNREACH, "%s: the answer was cut short", x->peer);
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: return lost_error(x);
    case CURLE_SSL_CONNECT_ERROR: return tls_error(x, GR_EUNREACH);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return tls_error(x, GR_EPROTO);
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer without a status line counts as HTTP/0.9 */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_BAD_CONTENT_ENCODING:
        return gr_error(GR_EPROTO, "%s: the answer is not HTTP", x->peer);
    case CURLE_WRITE_ERROR: /* bytes came before the headers' end */
    case CURLE_OK: return gr_error(GR_EPROTO, "%s: an answer without a status", x->peer);
    default: return gr_error(GR_EUNREACH, "%s: %s", x->peer, curl_easy_strerror(code));
    }
}

gr_value *gri_exchange_timeout(struct exchange *x, uint64_t now_ns)
{
    if (now_ns < x->deadline_ns)
        return gr_error(GR_ETIMEDOUT, "%s: no bytes for %llu ms", x->peer,
                        (unsigned long long)x->idle_ms);
    if (!x->connected)
        return gr_error(GR_ETIMEDOUT, "connecting to %s: the deadline passed", x->peer);
    if (!x->answered)
        return gr_error(GR_ETIMEDOUT, "%s: no answer before the deadline", x->peer);
    return gr_error(GR_ETIMEDOUT, "%s: the answer was not over before the deadline", x->peer);
}
