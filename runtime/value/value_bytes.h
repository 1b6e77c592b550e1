/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/* value_bytes.h - how much memory a value holds, for what has a limit in bytes. */
#ifndef GR_RUNTIME_VALUE_VALUE_BYTES_H
#define GR_RUNTIME_VALUE_VALUE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <greenroom/value.h>

/*
 * gri_value_bytes returns 0 for what needs no memory of its own (NULL, nil, booleans, small
 * integers), else about what v and its parts have been allocated. At most 256 values are looked at:
 * of containers with more than 32 parts, and of what is nested widely, it takes some at even
 * distances and scales. It depends on v alone, so what was added for a value is what must be taken
 * away again. Parts that values share count for each of them.
 */
size_t gri_value_bytes(const gr_value *v);
/* gri_value_is_light: it surely is 0, at a glance: small integers live in the pointer, and have its
 * lowest bit set. */
static inline bool gri_value_is_light(const gr_value *v)
{
    return v == NULL || ((uintptr_t)v & 1) != 0;
}

#endif
