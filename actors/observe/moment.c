/* SPDX-License-Identifier: Apache-2.0 */
#include "actors/observe/moment.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_US INT64_C(1000000)

const char *gri_moment(char text[GRI_MOMENT_CAP], int64_t at_us, enum gri_moment_form form)
{
    int64_t us = at_us % SECOND_US < 0 ? at_us % SECOND_US + SECOND_US : at_us % SECOND_US;
    time_t seconds = (time_t)((at_us - us) / SECOND_US);
    struct tm tm = { .tm_year = 70, .tm_mday = 1 };
    size_t len;

    (void)gmtime_r(&seconds, &tm);
    if (form == GRI_MOMENT_DOTTED)
        len = strftime(text, GRI_MOMENT_CAP, "%Y%m%dT%H%M%S", &tm);
    else
        len = strftime(text, GRI_MOMENT_CAP, "%Y-%m-%dT%H:%M:%S", &tm);
    text[len] = '\0';
    if (form == GRI_MOMENT_MS)
        (void)snprintf(text + len, GRI_MOMENT_CAP - len, ".%03d+00:00", (int)(us / 1000));
    else if (form == GRI_MOMENT_US)
        (void)snprintf(text + len, GRI_MOMENT_CAP - len, ".%06d+00:00", (int)us);
    else
        (void)snprintf(text + len, GRI_MOMENT_CAP - len, "%06dZ", (int)us);
    return text;
}
