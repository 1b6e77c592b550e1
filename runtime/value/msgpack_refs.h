/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgpack_refs.h - MessagePack for one peer: the refs in a value become others on the way, since what a
 * ref means depends on who reads it. See runtime/net/lent.h.
 */
#ifndef GR_RUNTIME_VALUE_MSGPACK_REFS_H
#define GR_RUNTIME_VALUE_MSGPACK_REFS_H

#include <greenroom/value.h>

#include "runtime/base/strbuf.h"

struct gri_ref_map {
    /* changes *ref in place; an error fails the whole */
    gr_code (*fn)(void *arg, gr_ref *ref);
    void *arg;
};

/* gri_msgpack_write appends v; *ret_size, if given: how long it is. refs NULL: they stay as they are. On
 * failure out is as before: GR_ETYPE, GR_ENOMEM, or what refs says. */
gr_code gri_msgpack_write(struct gri_strbuf *out, const gr_value *v, const struct gri_ref_map *refs,
                          size_t *ret_size);
/* gri_msgpack_read is gr_msgpack_decode. What refs says is the code of the error that comes back. *ret_error: it is
 * an error that was written there, not why there is no value. */
gr_value *gri_msgpack_read(const void *data, size_t size, const struct gri_ref_map *refs,
                           bool *ret_error);

#endif
