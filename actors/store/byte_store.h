/* SPDX-License-Identifier: Apache-2.0 */
/* byte_store.h - what all stores by key check. */
#ifndef GR_ACTORS_STORE_BYTE_STORE_H
#define GR_ACTORS_STORE_BYTE_STORE_H

#include <greenroom/byte_store.h>

#define GRI_STORE_KEYS_MAX ((size_t)1 << 20) /* defaults of gr_memory_byte_store_opts */
#define GRI_STORE_BYTES_MAX ((size_t)256 << 20)

/* Each gives NULL, or what is wrong with a verb's arguments. */
gr_value *gri_store_check_keys(const gr_value *args);
gr_value *gri_store_check_pairs(const gr_value *args);

/* gri_store_one gets the value of one key: nil if there is none; NULL with *reterr on failure.
 * [waits] */
gr_value *gri_store_one(gr_runtime *rt, gr_ref store, gr_value *key GR_TAKES, gr_value **reterr);

#endif
