/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * known.h - the names that messages, configs and events have as keys, and those of events and types.
 *
 * They come again and again, so each is one static text: a map that has them allocates and counts nothing for its
 * keys.
 */
#ifndef GR_RUNTIME_VALUE_KNOWN_H
#define GR_RUNTIME_VALUE_KNOWN_H

#include <greenroom/value.h>

/* gri_known_text returns the text if it is one of those, else NULL. It need not be given back. */
gr_value *gri_known_text(const char *s, size_t len);
/* gri_key is gr_strn, which returns such a text if there is one. */
gr_value *gri_key(const char *s, size_t len);

#endif
