/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mustache.h - the part of mustache that runs no code: {{variable}}, {{{variable}}}, {{&variable}}, {{#section}},
 * {{^section}}, {{! comment}}, and dotted names.
 *
 * Partials, lambdas and other delimiters are refused when a template is read. Names are looked up in maps, and by
 * number in lists; nothing else of a value can be reached. A template is never changed after it was read.
 */
#ifndef GR_ACTORS_PROMPT_MUSTACHE_H
#define GR_ACTORS_PROMPT_MUSTACHE_H

#include <greenroom/value.h>

#include "runtime/base/strbuf.h"

#define GRI_MUSTACHE_DEPTH_MAX 32      /* sections in sections */
#define GRI_MUSTACHE_STEPS_MAX 1000000 /* tags and texts that one printing goes over */

struct gri_mustache;

/* gri_mustache_parse: GR_EINVAL with *reterr "line 1, column 7: …"; GR_ENOMEM. */
gr_code gri_mustache_parse(const char *text, size_t len, struct gri_mustache **ret_m,
                           gr_value **reterr);
void gri_mustache_free(struct gri_mustache *m);
/* gri_mustache_each tells each the first parts of the names that stand outside of sections, and the sections', once
 * or several times; false: it said so. */
bool gri_mustache_each(const struct gri_mustache *m,
                       bool (*each)(void *arg, const char *name, size_t len), void *arg);
/* gri_mustache_print adds the text to b; beyond the steps b has failed. */
void gri_mustache_print(const struct gri_mustache *m, const gr_value *vars, struct gri_strbuf *b);

#endif
