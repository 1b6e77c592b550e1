/* SPDX-License-Identifier: Apache-2.0 */
/*
 * datetime_fuzz.c - any text as a date by any format: read or told what was expected where. What is read is a date of the
 * calendar. The format ends at the first NUL.
 */
#include "actors/parse/datetime.h"
#include "tests/fuzz/fuzz.h"

static void is_in_range(const struct gri_datetime *t)
{
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (t->year % 4 == 0 && t->year % 100 != 0) || t->year % 400 == 0;

    must(t->year >= 1 && t->year <= 9999 && t->month >= 1 && t->month <= 12);
    must(t->day >= 1 && t->day <= days[t->month - 1] && (leap || t->month != 2 || t->day < 29));
    must(t->hour >= 0 && t->hour <= 23 && t->minute >= 0 && t->minute <= 59);
    must(t->second >= 0 && t->second <= 61 && t->microsecond >= 0 && t->microsecond <= 999999);
    must(t->offset_minutes > -24 * 60 && t->offset_minutes < 24 * 60);
    /* from year 1 to 9999, a day more for the offset */
    must(gri_datetime_us(t) >= INT64_C(-62135683200000000));
    must(gri_datetime_us(t) <= INT64_C(253402387200000000));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
    struct gri_datetime t = { 0 };
    char *format, *text;
    unsigned at = 0;

    if (nul == NULL)
        return 0;
    format = fuzz_text(data, (size_t)(nul - data));
    text = fuzz_text(nul + 1, size - (size_t)(nul - data) - 1);
    if (gri_datetime_check(format) == NULL) {
        if (gri_datetime_read(text, format, &t, &at) == NULL)
            is_in_range(&t);
        else
            must(at <= strlen(text));
    }
    free(format);
    free(text);
    fuzz_end(&cost, size, 16);
    return 0;
}
