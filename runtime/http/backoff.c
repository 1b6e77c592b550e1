/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff.c - strtod and strptime would read numbers and month names by the host's locale, so both
 * are done by hand. All times are int64_t; nothing here can overflow it: see number().
 */
#include "runtime/http/backoff.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define NS_PER_MS INT64_C(1000000)
#define MS_PER_DAY INT64_C(86400000)
#define FIRST_WAIT_MS 500
#define LONGEST_WAIT_MS 8000
#define HINT_MAX_MS 60000
#define NUMBER_MAX (INT64_C(1) << 59) /* ns, some 18 years: ten times as much is no overflow yet */

bool gri_backoff_retries(int status, const char *should_retry)
{
    if (should_retry != NULL && strcasecmp(should_retry, "true") == 0)
        return true;
    if (should_retry != NULL && strcasecmp(should_retry, "false") == 0)
        return false;
    return status == 0 || status == 408 || status == 409 || status == 429 || status >= 500;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/*
 * number reads digits with an optional fraction at *at, times `scale` (at most an hour in ns), and
 * moves *at behind it. False: no digit, or the product would pass NUMBER_MAX.
 */
static bool number(const char **at, int64_t scale, int64_t *ret)
{
    const char *s = *at;
    int64_t whole = 0, part = 0, unit = scale;

    if (!is_digit(*s) && !(*s == '.' && is_digit(s[1])))
        return false;
    for (; is_digit(*s); s++) {
        whole = whole * 10 + (*s - '0');
        if (whole > NUMBER_MAX / scale)
            return false;
    }
    if (*s == '.') {
        for (s++; is_digit(*s); s++) {
            unit /= 10; /* 0 after the digits that matter */
            part += (*s - '0') * unit;
        }
    }
    *at = s;
    *ret = whole * scale + part;
    return true;
}

static const char *skip_spaces(const char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

/* plain reads a number with nothing behind it, in ns; `scale` is its unit. */
static bool plain(const char *text, int64_t scale, int64_t *ret_ns)
{
    const char *at = skip_spaces(text);

    return number(&at, scale, ret_ns) && *skip_spaces(at) == '\0';
}

/* digits reads between least and most digits and moves *at. -1: not there. */
static int digits(const char **at, int least, int most)
{
    int n = 0, count = 0;

    for (; count < most && is_digit(**at); count++, (*at)++)
        n = n * 10 + (**at - '0');
    return count >= least ? n : -1;
}

static int month(const char **at)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    if (strlen(*at) < 3)
        return -1;
    for (int i = 0; i < 12; i++) {
        if (strncasecmp(*at, names + 3 * i, 3) == 0) {
            *at += 3;
            return i + 1;
        }
    }
    return -1;
}

/* days counts from 1970-01-01 in the Gregorian calendar; years begin in March, so
 * leap days come last. */
static int64_t days(int year, int mon, int day)
{
    int64_t y = mon <= 2 ? year - 1 : year;
    int64_t m = mon <= 2 ? mon + 9 : mon - 3;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static bool clock_ms(const char **at, int64_t *ret_ms)
{
    int h = 0, m = 0, s = 0;

    *at = skip_spaces(*at);
    h = digits(at, 2, 2);
    m = **at == ':' ? ((*at)++, digits(at, 2, 2)) : -1;
    s = **at == ':' ? ((*at)++, digits(at, 2, 2)) : -1;
    if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60)
        return false;
    *ret_ms = ((int64_t)h * 3600 + (int64_t)m * 60 + s) * 1000;
    return true;
}

/* "Sun Nov  6 08:49:37 1994": asctime's form, after the week day. */
static bool date_of_asctime(const char *at, int64_t *ret_ms)
{
    int64_t time = 0;
    int mon = month(&at), day = 0, year = 0;

    at = skip_spaces(at);
    day = digits(&at, 1, 2);
    if (mon < 0 || day < 1 || day > 31 || !clock_ms(&at, &time))
        return false;
    at = skip_spaces(at);
    year = digits(&at, 4, 4);
    if (year < 1970 || *skip_spaces(at) != '\0')
        return false;
    *ret_ms = days(year, mon, day) * MS_PER_DAY + time;
    return true;
}

/*
 * http_date reads RFC 9110's three forms: "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94
 * 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". Two-digit years are of this century, since only the
 * future counts.
 */
static bool http_date(const char *text, int64_t *ret_ms)
{
    const char *at = skip_spaces(text), *comma = strchr(at, ',');
    int64_t time = 0;
    int day = 0, mon = 0, year = 0;

    if (comma == NULL)
        return strlen(at) > 4 && date_of_asctime(skip_spaces(at + 3), ret_ms);
    at = skip_spaces(comma + 1);
    day = digits(&at, 1, 2);
    at += *at == '-' || *at == ' ';
    mon = month(&at);
    at += *at == '-' || *at == ' ';
    year = digits(&at, 2, 4);
    if (year >= 0 && year < 100)
        year += 2000;
    if (day < 1 || day > 31 || mon < 0 || year < 1970 || !clock_ms(&at, &time))
        return false;
    if (strcasecmp(skip_spaces(at), "GMT") != 0)
        return false;
    *ret_ms = days(year, mon, day) * MS_PER_DAY + time;
    return true;
}

int64_t gri_backoff_hint_ms(const char *retry_after_ms, const char *retry_after, uint64_t wall_ms)
{
    int64_t ms = -1, ns = 0;

    if (retry_after_ms != NULL && plain(retry_after_ms, NS_PER_MS, &ns))
        ms = (ns + NS_PER_MS - 1) / NS_PER_MS;
    else if (retry_after != NULL && plain(retry_after, NS_PER_MS * 1000, &ns))
        ms = (ns + NS_PER_MS - 1) / NS_PER_MS;
    else if (retry_after != NULL && http_date(retry_after, &ms))
        ms -= (int64_t)wall_ms;
    return ms > 0 && ms <= INT32_MAX ? ms : -1;
}

int64_t gri_backoff_wait_ms(unsigned n, int64_t hint_ms, uint64_t random)
{
    int64_t wait_ms = n < 4 ? (int64_t)FIRST_WAIT_MS << n : LONGEST_WAIT_MS;

    if (hint_ms > 0 && hint_ms <= HINT_MAX_MS)
        return hint_ms;
    return wait_ms - (int64_t)(((uint64_t)(wait_ms / 4) * (random >> 32)) >> 32);
}

/* unit_ns reads a unit and moves *at; 0: none. "ms" comes before "m", which it begins with. */
static int64_t unit_ns(const char **at)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        { "ns", 1 },
        { "us", 1000 },
        { "\xC2\xB5s", 1000 }, /* micro sign */
        { "\xCE\xBCs", 1000 }, /* Greek mu */
        { "ms", NS_PER_MS },
        { "s", 1000 * NS_PER_MS },
        { "m", 60000 * NS_PER_MS },
        { "h", 3600000 * NS_PER_MS },
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t len = strlen(units[i].name);

        if (strncmp(*at, units[i].name, len) == 0) {
            *at += len;
            return units[i].ns;
        }
    }
    return 0;
}

bool gri_backoff_duration_ms(const char *text, int64_t *ret_ms)
{
    const char *at = text != NULL ? text : "", *start = NULL, *end = NULL;
    int64_t sum = 0, part = 0, unit = 0;

    if (*at == '\0')
        return false;
    while (*at != '\0') {
        /* The unit comes behind the number: find it first, then read the number to that scale. */
        start = at;
        while (is_digit(*at) || *at == '.')
            at++;
        end = at;
        unit = unit_ns(&at);
        if (unit == 0 || !number(&start, unit, &part) || start != end)
            return false;
        if (sum > NUMBER_MAX - part)
            return false;
        sum += part;
    }
    *ret_ms = sum / NS_PER_MS + (sum % NS_PER_MS != 0);
    return true;
}
