/* SPDX-License-Identifier: Apache-2.0 */
/* byte_store.h - what all stores by key check. */
#ifndef GR_ACTORS_STORE_BYTE_STORE_H
#define GR_ACTORS_STORE_BYTE_STORE_H

#include <greenroom/byte_store.h>

/* Each gives NULL, or what is wrong with a verb's arguments. */
gr_value *gri_store_check_keys(const gr_value *args);
gr_value *gri_store_check_pairs(const gr_value *args);

/* gri_store_one gets the value of one key: nil if there is none; NULL with *reterr on failure.
 * [waits] */
gr_value *gri_store_one(gr_runtime *rt, gr_ref store, gr_value *key GR_TAKES, gr_value **reterr);

#endif
