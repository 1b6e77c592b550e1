/* SPDX-License-Identifier: Apache-2.0 */
/* schema_closed.h - a schema as servers that are strict want it. */
#ifndef GR_ACTORS_SCHEMA_SCHEMA_CLOSED_H
#define GR_ACTORS_SCHEMA_SCHEMA_CLOSED_H

#include <greenroom/value.h>

/* gri_schema_closed gives a schema whose objects have the properties that it names, all of them and no others, at any
 * depth: "required" has them all, and where nothing is said additionalProperties is false. */
gr_value *gri_schema_closed(const gr_value *schema);

#endif
