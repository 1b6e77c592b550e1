/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_fill.h - a long string or binary that comes in pieces, and is put together where it will be. A string's bytes
 * are checked as they come.
 */
#ifndef GR_RUNTIME_VALUE_TEXT_FILL_H
#define GR_RUNTIME_VALUE_TEXT_FILL_H

#include <greenroom/value.h>

struct gri_text_fill {
    gr_value *v;  /* owned; NULL: nothing has come */
    size_t len;   /* that has come */
    size_t valid; /* of it is UTF-8 */
};

/* gri_text_fill_add adds bytes, and makes room for `room` in all if there is none for them. type is GR_STR or GR_BIN, the
 * same each time. false: out of memory, or too long; nothing has changed. */
bool gri_text_fill_add(struct gri_text_fill *f, gr_type type, const void *data, size_t size,
                       size_t room);
/* gri_text_fill_take gives the value, the caller's; f is empty then. NULL: it is not UTF-8, or nothing has come. */
gr_value *gri_text_fill_take(struct gri_text_fill *f);
/* gri_text_fill_data shows what has come: `len` bytes, borrowed. */
const char *gri_text_fill_data(const struct gri_text_fill *f);
void gri_text_fill_fini(struct gri_text_fill *f); /* f may be used again */

#endif
