/* SPDX-License-Identifier: Apache-2.0 */
/*
 * media.h - what an image or a file in a message's content is, whichever way it was written.
 *
 * LangChain's standard blocks (both versions), OpenAI's parts and Anthropic's own blocks say the same in
 * different words; each provider wants one of them.
 */
#ifndef GR_ACTORS_MODEL_MEDIA_H
#define GR_ACTORS_MODEL_MEDIA_H

#include <stdbool.h>

#include <greenroom/value.h>

enum gri_media_kind {
    GRI_MEDIA_NONE, /* no image, no file */
    GRI_MEDIA_IMAGE,
    GRI_MEDIA_FILE, /* a document */
    GRI_MEDIA_AUDIO,
    GRI_MEDIA_VIDEO
};

/* All borrowed from the part. One of url, data, text and file_id is there, else the part is broken. */
struct gri_media {
    enum gri_media_kind kind;
    const char *url, *file_id;
    const char *data; /* base64, data_len characters */
    size_t data_len;
    const char *mime; /* mime_len characters; NULL: not told */
    size_t mime_len;
    const gr_value *text; /* a document that is plain text */
    const gr_value *title;
};

struct gri_media gri_media_read(const gr_value *part);
/* gri_media_is_empty: it names no source. */
bool gri_media_is_empty(const struct gri_media *m);

#endif
