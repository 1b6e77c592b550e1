/* SPDX-License-Identifier: Apache-2.0 */
/* json_patch.h - what makes one value out of another, in the operations of RFC 6902. */
#ifndef GR_ACTORS_PARSE_JSON_PATCH_H
#define GR_ACTORS_PARSE_JSON_PATCH_H

#include <greenroom/value.h>

/* gri_json_patch gives the list of operations ("add", "remove", "replace"); before NULL: there was
 * nothing. An error value when out of memory. */
gr_value *gri_json_patch(const gr_value *before, const gr_value *after);

#endif
