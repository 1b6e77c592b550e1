/* SPDX-License-Identifier: Apache-2.0 */
/* split.h - cutting a text into chunks at the best separators: the splitter without its actor. */
#ifndef GR_ACTORS_TEXT_SPLIT_H
#define GR_ACTORS_TEXT_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include <greenroom/base.h>

#define GRI_SPLIT_TEXT_MAX ((size_t)1 << 30) /* bytes of one text */

struct gri_split_opts {
    size_t chunk_size, chunk_overlap; /* characters; overlap <= size, size > 0 */
    const char *const *separators;    /* borrowed, count of them; "" cuts everywhere */
    size_t separator_count;
    bool drop_separator, keep_whitespace;
};

/* gri_chunk_fn gets one chunk, borrowed, and the character of the text at which it starts. */
typedef gr_code gri_chunk_fn(void *arg, const char *chunk, size_t len, size_t start_chars);

/* gri_split calls fn for each chunk of the valid UTF-8 text. GR_ENOMEM, GR_EINVAL above
 * GRI_SPLIT_TEXT_MAX, or what fn returned other than GR_OK. */
gr_code gri_split(const char *text, size_t len, const struct gri_split_opts *opts, gri_chunk_fn *fn,
                  void *arg);

#endif
