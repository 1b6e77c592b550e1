/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trim.h - a value as a trace may show it: not too long, and without secrets.
 *
 * What is under a key that names a secret, "api_key" or "clientSecret", is "***" instead: a key whose
 * letters, in any case and without what is between them, end in one of a few words (trim.c). A value
 * that is a secret by itself can't be told from others.
 */
#ifndef GR_ACTORS_OBSERVE_TRIM_H
#define GR_ACTORS_OBSERVE_TRIM_H

#include <greenroom/value.h>

#define GRI_TRIM_MAX 1024 /* bytes, by default */

/*
 * gri_trim gives what is left of v within about max bytes of JSON: longer texts end in "…", of lists
 * and maps the rest is left out, and "…" stands for it. Errors become maps, as they print. It takes time in
 * proportion to max, not to v.
 */
gr_value *gri_trim(const gr_value *v, size_t max);

/* gri_is_secret tells whether a key names a secret. */
bool gri_is_secret(const char *key);

#endif
