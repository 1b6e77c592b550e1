/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error_names.h - which errors: names of kinds ("RateLimit") and of codes ("GR_ERATE"), as in
 * gr_retry_opts and gr_fallbacks_opts.
 */
#ifndef GR_ACTORS_COMPOSE_ERROR_NAMES_H
#define GR_ACTORS_COMPOSE_ERROR_NAMES_H

#include <greenroom/value.h>

/* gri_error_names copies the names: a list; nil for names NULL; an error value if one is NULL. */
gr_value *gri_error_names(const char *const *names, size_t count);
/* gri_error_named tells whether err has one of the names, as its kind or its code. */
bool gri_error_named(const gr_value *names, const gr_value *err);

#endif
