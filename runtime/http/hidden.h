/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * hidden.h - what of a request must not show in what is said about its answer: its key, the values of its user's
 * headers, a password in its URL. A server may repeat what it refuses, and no error may show it.
 */
#ifndef GR_RUNTIME_HTTP_HIDDEN_H
#define GR_RUNTIME_HTTP_HIDDEN_H

#include <greenroom/value.h>

#define GRI_HIDDEN_MIN 8 /* bytes: what is shorter may stand anywhere by chance */

/* It begins as zeros, and is never printed. */
struct gri_hidden {
    char **texts; /* owned, and they are */
    size_t count;
};

/* All three: false, out of memory. gri_hidden_add takes a text as it is; "" and NULL are none. */
bool gri_hidden_add(struct gri_hidden *h, const char *text);
/* gri_hidden_header takes the words of a header's value that are long enough, without the names of cookies and parameters ("a=…"), unless
 * the header is one that holds no secrets (User-Agent, anthropic-beta and the like). */
bool gri_hidden_header(struct gri_hidden *h, const char *name, const char *value);
/* gri_hidden_url takes the password of a URL that has one, as it stands there, and as Basic credentials say it. */
bool gri_hidden_url(struct gri_hidden *h, const char *url);
void gri_hidden_fini(struct gri_hidden *h);

/* gri_hidden_mask puts stars in the place of all of them, so of one that JSON's escapes spell. True if there was
 * one. */
bool gri_hidden_mask(const struct gri_hidden *h, char *text, size_t len);

#endif
