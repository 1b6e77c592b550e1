/* SPDX-License-Identifier: Apache-2.0 */
/* fixed.h - texts that are there from the start, as static nodes: never counted, never freed. */
#ifndef GR_RUNTIME_VALUE_FIXED_H
#define GR_RUNTIME_VALUE_FIXED_H

#include "runtime/value/value.h"

/* A struct gri_text whose bytes are there: the same layout, which is checked below. */
struct gri_fixed_text {
    struct gr_value head;
    uint32_t len, cap;
    char data[40];
};
_Static_assert(offsetof(struct gri_fixed_text, data) == offsetof(struct gri_text, data), "layout");

#define GRI_FIXED(s)                                                                               \
    {                                                                                              \
        .head = { .refs = GRI_PINNED, .type = GR_STR }, .len = sizeof(s) - 1,                      \
        .cap = sizeof(s) - 1, .data = s                                                            \
    }
#define GRI_FIXED_NODE(fixed) ((gr_value *)(void *)&(fixed))

#endif
