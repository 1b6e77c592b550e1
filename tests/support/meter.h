/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter.h - how many bytes Greenroom's own allocations hold, and held at most.
 *
 * A program that uses any of these has the measuring allocator from before main on; it can't have
 * that of memory.h besides. Any thread may allocate; meter_mark is for one at a time.
 */
#ifndef GR_TESTS_SUPPORT_METER_H
#define GR_TESTS_SUPPORT_METER_H

#include <stddef.h>

size_t meter_live(void);   /* bytes held now */
long meter_blocks(void);   /* blocks held now */
void meter_mark(void);     /* the peak starts again from what is held now */
size_t meter_peak(void);   /* most bytes held since the mark, beyond those held then */
size_t meter_single(void); /* longest allocation asked for since the mark, granted or not */

#endif
