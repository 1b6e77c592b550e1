/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/* uuid.h - the ids of runs: UUIDs of version 7 (RFC 9562), which sort by time. */
#ifndef GR_RUNTIME_OBSERVE_UUID_H
#define GR_RUNTIME_OBSERVE_UUID_H

#include <stdint.h>

#define GRI_UUID_BYTES 37 /* the text, with the NUL at its end */

/* gri_uuid7 writes one of 48 bits of milliseconds since 1970 and 74 of chance. */
void gri_uuid7(char ret[GRI_UUID_BYTES], uint64_t ms, uint64_t chance1, uint64_t chance2);

#endif
