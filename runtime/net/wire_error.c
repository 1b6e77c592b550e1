/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/wire_error.h"

#include <string.h>

#include "runtime/net/frame.h"

#define CAUSES_MAX 16 /* beyond, a chain of causes is cut */

static const char *const fields[] = {
    "kind", "text", "where", "status", "retry_after_ms", "detail"
};

/* wire_code: what is local says nothing to another process. */
static gr_code wire_code(gr_code code)
{
    switch (code) {
    case GR_EPENDING:
    case GR_EOS:
    case GR_EDEADLK: return GR_EREMOTE;
    case GR_EINTR: return GR_ECANCELED;
    default: return code;
    }
}

static bool is_fit(const gr_value *err, int depth)
{
    const gr_value *cause = gr_get(err, "cause");

    if (wire_code(gr_error_code(err)) != gr_error_code(err) || depth > CAUSES_MAX)
        return false;
    return cause == NULL || is_fit(cause, depth + 1);
}

static gr_value *rebuild(const gr_value *err, int depth)
{
    gr_value *out = gr_error(wire_code(gr_error_code(err)), "%s", gr_error_text(err));
    const gr_value *cause = gr_get(err, "cause");

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const gr_value *v = gr_get(err, fields[i]);

        if (v != NULL && i != 1)
            out = gr_error_with(out, fields[i], gr_value_ref(v));
    }
    if (cause != NULL && depth < CAUSES_MAX)
        out = gr_error_with(out, "cause", rebuild(cause, depth + 1));
    return out;
}

gr_value *gri_wire_error_out(const gr_value *err)
{
    return is_fit(err, 0) ? gr_value_ref(err) : rebuild(err, 0);
}

gr_value *gri_wire_error_in(gr_value *err, const char *url, const char *name)
{
    const char *where = gr_cstr(gr_get(err, "where"), NULL);
    bool further = where != NULL && strcmp(where, name) != 0; /* an actor's name is said once */
    gr_value *there =
        further ? gr_strf("%s/%s: %s", url, name, where) : gr_strf("%s/%s", url, name);

    return gr_error_with(err, "where", there);
}

gr_value *gri_wire_unfit(gr_code rc, const char *what)
{
    if (rc == GR_ETYPE)
        return gr_error(GR_ETYPE, "%s holds an opaque value, which can't leave its process", what);
    if (rc == GR_EFULL)
        return gr_error(rc, "%s holds refs, and too many are lent on this link (refs_max)", what);
    return gr_error(rc,
                    "%s could not be sent: out of memory, or it is longer than a frame of %u "
                    "bytes",
                    what, GRI_FRAME_MAX);
}
