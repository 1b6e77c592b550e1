/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_tls.c - what nng's TLS is told. The files are read for each connection that is dialled and each
 * address that is listened at, so a certificate that was renewed is used from then on.
 */
#include "runtime/net/link_nng.h"

#include <string.h>

#include <nng/supplemental/tls/tls.h>

/* host_of copies the host of tls+tcp://host:port. false: it is too long. */
static bool host_of(const char *url, char *host, size_t size)
{
    const char *at = url + strlen(GRI_TLS_SCHEME);
    size_t len = at[0] == '[' ? strcspn(++at, "]") : strcspn(at, ":/");

    if (len >= size)
        return false;
    memcpy(host, at, len);
    host[len] = '\0';
    return true;
}

/* configure says whom to trust, who we are, and whom to expect. *ret_what: what went wrong. */
static int configure(nng_tls_config *cfg, nng_tls_mode mode, const struct gri_tls *tls,
                     const char *url, const char **ret_what)
{
    char host[256];
    bool server = mode == NNG_TLS_MODE_SERVER;
    int rv = nng_tls_config_version(cfg, NNG_TLS_1_2, NNG_TLS_1_2);

    *ret_what = "TLS 1.2";
    if (rv == 0)
        rv = nng_tls_config_auth_mode(cfg, server && tls->ca == NULL ? NNG_TLS_AUTH_MODE_NONE
                                                                     : NNG_TLS_AUTH_MODE_REQUIRED);
    if (rv == 0 && tls->ca != NULL) {
        *ret_what = tls->ca;
        rv = nng_tls_config_ca_file(cfg, tls->ca);
    }
    if (rv == 0 && tls->cert != NULL) {
        *ret_what = tls->cert;
        rv = nng_tls_config_cert_key_file(cfg, tls->cert, NULL);
    }
    if (rv == 0 && !server) {
        *ret_what = "the host's name";
        rv = tls->name == NULL && !host_of(url, host, sizeof(host)) ? NNG_EADDRINVAL : 0;
    }
    if (rv == 0 && !server)
        rv = nng_tls_config_server_name(cfg, tls->name != NULL ? tls->name : host);
    return rv;
}

/* missing tells what must be set, and is not. */
static const char *missing(nng_tls_mode mode, const struct gri_tls *tls)
{
    if (mode == NNG_TLS_MODE_SERVER)
        return tls->cert == NULL ? "tls_cert, the server's certificate and key, is not set" : NULL;
    return tls->ca == NULL ? "tls_ca, whom to trust, is not set" : NULL;
}

static gr_code make(nng_tls_mode mode, const struct gri_tls *tls, const char *url,
                    nng_tls_config **ret_cfg, gr_value **reterr)
{
    const char *what = missing(mode, tls);
    nng_tls_config *cfg = NULL;
    int rv;

    if (what != NULL) {
        *reterr = gr_error(GR_EINVAL, "%s: %s", url, what);
        return GR_EINVAL;
    }
    what = "TLS";
    rv = nng_tls_config_alloc(&cfg, mode);
    if (rv == 0)
        rv = configure(cfg, mode, tls, url, &what);
    if (rv == 0) {
        *ret_cfg = cfg;
        return GR_OK;
    }
    if (cfg != NULL)
        nng_tls_config_free(cfg);
    *reterr = gr_error(rv == NNG_ENOMEM ? GR_ENOMEM : GR_EINVAL, "%s: %s: %s", url, what,
                       nng_strerror(rv));
    return gr_error_code(*reterr);
}

bool gri_nng_is_tls(const char *url)
{
    return strncmp(url, GRI_TLS_SCHEME, strlen(GRI_TLS_SCHEME)) == 0;
}

/* given ends either of the two: rv is what came of giving cfg, to which nng then has a reference. */
static gr_code given(nng_tls_config *cfg, int rv, const char *url, gr_value **reterr)
{
    nng_tls_config_free(cfg);
    if (rv == 0)
        return GR_OK;
    *reterr = gr_error(GR_EINVAL, "%s: this nng has no TLS", url);
    return GR_EINVAL;
}

gr_code gri_nng_tls_dialer(nng_stream_dialer *d, const struct gri_tls *tls, const char *url,
                           gr_value **reterr)
{
    nng_tls_config *cfg = NULL;
    gr_code rc = make(NNG_TLS_MODE_CLIENT, tls, url, &cfg, reterr);

    return rc != GR_OK
               ? rc
               : given(cfg, nng_stream_dialer_set_ptr(d, NNG_OPT_TLS_CONFIG, cfg), url, reterr);
}

gr_code gri_nng_tls_listener(nng_stream_listener *l, const struct gri_tls *tls, const char *url,
                             gr_value **reterr)
{
    nng_tls_config *cfg = NULL;
    gr_code rc = make(NNG_TLS_MODE_SERVER, tls, url, &cfg, reterr);

    return rc != GR_OK
               ? rc
               : given(cfg, nng_stream_listener_set_ptr(l, NNG_OPT_TLS_CONFIG, cfg), url, reterr);
}
