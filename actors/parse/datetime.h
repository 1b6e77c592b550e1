/* SPDX-License-Identifier: Apache-2.0 */
/* datetime.h - dates and times in a form of one's own: strptime's, whatever the locale of the host. */
#ifndef GR_ACTORS_PARSE_DATETIME_H
#define GR_ACTORS_PARSE_DATETIME_H

#include <stdbool.h>
#include <stdint.h>

struct gri_datetime {
    int year, month, day; /* from 1 */
    int hour, minute, second, microsecond;
    bool has_offset;
    int offset_minutes; /* east of UTC */
};

/* gri_datetime_check: NULL, or the directive of the format that is not known: "%Q". */
const char *gri_datetime_check(const char *format);
/* gri_datetime_read reads all of a text; NULL, or what was expected where. *ret_at is that position. What the format does not
 * mention is 1 January 1900, 0 o'clock. */
const char *gri_datetime_read(const char *text, const char *format, struct gri_datetime *ret,
                              unsigned *ret_at);
/* gri_datetime_us gives microseconds since 1970; a time without an offset counts as UTC. */
int64_t gri_datetime_us(const struct gri_datetime *t);

#endif
