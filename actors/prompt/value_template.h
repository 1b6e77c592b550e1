/* SPDX-License-Identifier: Apache-2.0 */
/* value_template.h - a value whose texts are templates: the blocks of a message. */
#ifndef GR_ACTORS_PROMPT_VALUE_TEMPLATE_H
#define GR_ACTORS_PROMPT_VALUE_TEMPLATE_H

#include "actors/prompt/template.h"

struct gri_value_template;

/* gri_value_template_read: as gri_template_read; the value is borrowed. */
gr_code gri_value_template_read(const gr_value *v, gr_template_format format,
                                struct gri_value_template **ret_t, gr_value **reterr);
void gri_value_template_free(struct gri_value_template *t);
/* gri_value_template_at gives its templates, one for each text; NULL past the end. */
const struct gri_template *gri_value_template_at(const struct gri_value_template *t, size_t index);
/* gri_value_template_print gives the value with its texts filled in, each at most bytes_max long. */
gr_value *gri_value_template_print(const struct gri_value_template *t, const gr_value *vars,
                                   size_t bytes_max);

#endif
