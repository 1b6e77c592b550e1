/* SPDX-License-Identifier: Apache-2.0 */
/*
 * url_fuzz.c - any text as the address to listen at, with a driver that only notes what reaches it.
 * Whatever does is a path, or a loopback address and a port and nothing else.
 */
#include <regex.h>

#include <greenroom/node.h>
#include <greenroom/runtime.h>

#include "runtime/net/node.h"
#include "tests/fuzz/fuzz.h"

#define RUNS_EACH 1024 /* inputs of one runtime */

static const char loopback[] =
    "^(tls[+])?tcp://(localhost|127\\.[0-9.]*|\\[::1\\]):[0-9]{1,5}$|^ipc:///";

static struct gri_listener listener;
static char reached[4096]; /* the URL that came to the driver */

static gr_code note_listen(gr_runtime *of, const char *url, const struct gri_tls *tls,
                           gri_accept_fn *accept, void *arg, struct gri_listener **ret_listener,
                           gr_value **reterr)
{
    (void)of, (void)tls, (void)accept, (void)arg, (void)reterr;
    must(strlen(url) < sizeof(reached));
    strcpy(reached, url);
    *ret_listener = &listener;
    return GR_OK;
}

static void no_unlisten(struct gri_listener *l)
{
    must(l == &listener);
}

static const struct gri_net_driver noting = { .listen = note_listen, .unlisten = no_unlisten };

static void check_url(gr_runtime *of, const char *url)
{
    static regex_t re;
    static bool compiled;
    gr_value *err = NULL;
    gr_code rc;

    if (!compiled)
        must(regcomp(&re, loopback, REG_EXTENDED | REG_NOSUB) == 0);
    compiled = true;
    reached[0] = '\0';
    rc = gr_serve(of, url, &err);
    must(rc == GR_OK || rc == GR_EINVAL);
    must((rc == GR_OK) == (err == NULL) && (rc == GR_OK) == (reached[0] != '\0'));
    must(rc != GR_OK || strcmp(reached, url) == 0);
    if (rc == GR_OK && regexec(&re, url, 0, NULL, 0) != 0)
        fprintf(stderr, "taken: %s\n", url);
    must(rc != GR_OK || regexec(&re, url, 0, NULL, 0) == 0);
    gr_value_unref(err);
}

static gr_runtime *rt;

static void tear_down(void)
{
    gr_runtime_free(rt);
    rt = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned runs;
    char *url;

    if (size >= sizeof(reached))
        return 0;
    if (runs++ == 0)
        atexit(tear_down);
    if (runs % RUNS_EACH == 0)
        tear_down(); /* what is listened at is kept until the runtime goes */
    if (rt == NULL) {
        must(gr_runtime_new(GR_RUNTIME(.workers = 1), &rt) == GR_OK);
        gri_node_get(rt)->driver = &noting;
    }
    url = fuzz_text(data, size);
    check_url(rt, url);
    free(url);
    return 0;
}
