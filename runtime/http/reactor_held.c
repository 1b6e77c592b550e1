/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reactor_held.c - what came over HTTP/2 for a reader that has stopped.
 *
 * There a transfer must not be paused: libcurl (7.88) stops reading the connection with it, and so every
 * other transfer on it, and keeps up to its window of 32 MiB. So bytes are taken off curl's
 * hands whatever the reader says, up to GRI_HTTP_HELD_MAX. An exchange whose answer is complete while
 * some of it is held stays, without curl's handle, until the reader has it.
 */
#include "runtime/http/reactor.h"

static bool hold(struct exchange *x, const char *data, size_t len)
{
    if (len > GRI_HTTP_HELD_MAX - x->held.len)
        x->failed = GR_EFULL;
    else
        gri_strbuf_add(&x->held, data, len);
    if (x->held.failed)
        x->failed = GR_ENOMEM;
    return x->failed == GR_OK;
}

bool gri_held_bytes(struct exchange *x, const char *data, size_t len)
{
    if (!x->paused && x->events.bytes(x->arg, data, len))
        return true;
    x->paused = true;
    return hold(x, data, len);
}

bool gri_held_give(struct exchange *x)
{
    if (x->held.len > 0)
        x->paused = !x->events.bytes(x->arg, x->held.data, x->held.len);
    if (!x->paused)
        gri_strbuf_fini(&x->held);
    return !x->paused;
}
