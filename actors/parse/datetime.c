/* SPDX-License-Identifier: Apache-2.0 */
/*
 * datetime.c - reading a date by a format, as Python's strptime does: %Y %m %d %H %M %S %f %y %I %p %j %a %A %b %B %z
 * %%; a blank in the format is any number of them.
 */
#include "actors/parse/datetime.h"

#include <stddef.h>
#include <string.h>

static const char *const months[] = { "january",   "february", "march",    "april",
                                      "may",       "june",     "july",     "august",
                                      "september", "october",  "november", "december" };
static const char *const days[] = { "monday", "tuesday",  "wednesday", "thursday",
                                    "friday", "saturday", "sunday" };

/* What is read beside the date itself. */
struct reading {
    const char *p;
    struct gri_datetime *t;
    int yearday; /* 0: not given */
    int pm;      /* -1: not given */
    bool twelve; /* the hour was %I */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* number reads 1 to `digits` digits within limits. */
static bool number(struct reading *r, int digits, int min, int max, int *ret)
{
    int n = 0, i = 0;

    for (; i < digits && r->p[i] >= '0' && r->p[i] <= '9'; i++)
        n = n * 10 + (r->p[i] - '0');
    if (i == 0 || n < min || n > max)
        return false;
    r->p += i;
    *ret = n;
    return true;
}

/* name reads one of the names, whole or its first three letters. */
static bool name(struct reading *r, const char *const *names, size_t count, bool whole, int *ret)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = whole ? strlen(names[i]) : 3, k = 0;

        while (k < len && lower(r->p[k]) == names[i][k])
            k++;
        if (k == len) {
            r->p += len;
            *ret = (int)i;
            return true;
        }
    }
    return false;
}

static bool fraction(struct reading *r)
{
    const char *start = r->p;
    int us = 0;

    if (!number(r, 6, 0, 999999, &us))
        return false;
    for (long digits = r->p - start; digits < 6; digits++)
        us *= 10;
    r->t->microsecond = us;
    return true;
}

/* offset reads "Z", "+0130" or "+01:30". */
static bool offset(struct reading *r)
{
    int hours = 0, minutes = 0, sign = *r->p == '-' ? -1 : 1;

    r->t->has_offset = true;
    if (*r->p == 'Z') {
        r->p++;
        return true;
    }
    if (*r->p != '+' && *r->p != '-')
        return false;
    r->p++;
    if (!number(r, 2, 0, 23, &hours))
        return false;
    r->p += *r->p == ':';
    if (!number(r, 2, 0, 59, &minutes))
        return false;
    r->t->offset_minutes = sign * (hours * 60 + minutes);
    return true;
}

static bool am_or_pm(struct reading *r)
{
    char first = lower(r->p[0]);

    if ((first != 'a' && first != 'p') || lower(r->p[1]) != 'm')
        return false;
    r->pm = first == 'p';
    r->p += 2;
    return true;
}

static bool two_digit_year(struct reading *r)
{
    int n;

    if (!number(r, 2, 0, 99, &n))
        return false;
    r->t->year = n < 69 ? 2000 + n : 1900 + n;
    return true;
}

static bool month_name(struct reading *r, bool whole)
{
    int n;

    if (!name(r, months, 12, whole, &n))
        return false;
    r->t->month = n + 1;
    return true;
}

/* directive reads what stands for %c; false: it is not there. */
static bool directive(struct reading *r, char c)
{
    struct gri_datetime *t = r->t;
    int unused;

    switch (c) {
    case 'Y': return number(r, 4, 1, 9999, &t->year);
    case 'm': return number(r, 2, 1, 12, &t->month);
    case 'd': return number(r, 2, 1, 31, &t->day);
    case 'H': return number(r, 2, 0, 23, &t->hour);
    case 'I': r->twelve = true; return number(r, 2, 1, 12, &t->hour);
    case 'M': return number(r, 2, 0, 59, &t->minute);
    case 'S': return number(r, 2, 0, 59, &t->second);
    case 'f': return fraction(r);
    case 'y': return two_digit_year(r);
    case 'j': return number(r, 3, 1, 366, &r->yearday);
    case 'p': return am_or_pm(r);
    case 'a': return name(r, days, 7, false, &unused);
    case 'A': return name(r, days, 7, true, &unused);
    case 'b': return month_name(r, false);
    case 'B': return month_name(r, true);
    case 'z': return offset(r);
    case '%': return *r->p++ == '%';
    default: return false;
    }
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int year, int month)
{
    static const int in[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month == 2 && is_leap(year) ? 29 : in[month - 1];
}

/* finish puts together what depends on several directives; NULL, or what is wrong. */
static const char *finish(struct reading *r)
{
    struct gri_datetime *t = r->t;

    if (r->twelve)
        t->hour = t->hour % 12 + (r->pm == 1 ? 12 : 0);
    if (r->yearday > 0) {
        for (t->month = 1; t->month <= 12 && r->yearday > days_in(t->year, t->month); t->month++)
            r->yearday -= days_in(t->year, t->month);
        t->day = r->yearday;
        if (t->month > 12)
            return "a day of that year";
    }
    return t->day <= days_in(t->year, t->month) ? NULL : "a day of that month";
}

const char *gri_datetime_check(const char *format)
{
    for (const char *f = strchr(format, '%'); f != NULL; f = strchr(f + 2, '%'))
        if (f[1] == '\0' || strchr("YmdHIMSfyjpaAbBz%", f[1]) == NULL)
            return f;
    return NULL;
}

/* what_of names what a directive stands for. */
static const char *what_of(char c)
{
    switch (c) {
    case 'Y':
    case 'y': return "a year";
    case 'm':
    case 'b':
    case 'B': return "a month";
    case 'd':
    case 'j':
    case 'a':
    case 'A': return "a day";
    case 'H':
    case 'I': return "an hour";
    case 'z': return "an offset such as +0100";
    case 'p': return "AM or PM";
    default: return "a number";
    }
}

const char *gri_datetime_read(const char *text, const char *format, struct gri_datetime *ret,
                              unsigned *ret_at)
{
    struct reading r = { .p = text, .t = ret, .pm = -1 };
    const char *wrong = NULL;

    *ret = (struct gri_datetime){ .year = 1900, .month = 1, .day = 1 };
    for (const char *f = format; *f != '\0' && wrong == NULL; f++) {
        const char *start = r.p;

        if (is_blank(*f)) {
            while (is_blank(*r.p))
                r.p++;
        } else if (*f == '%') {
            if (!directive(&r, *++f)) {
                r.p = start;
                wrong = what_of(*f);
            }
        } else if (*r.p == *f) {
            r.p++;
        } else {
            wrong = "what stands in the format";
        }
    }
    if (wrong == NULL && *r.p != '\0')
        wrong = "the end";
    *ret_at = (unsigned)(r.p - text);
    return wrong != NULL ? wrong : finish(&r);
}

int64_t gri_datetime_us(const struct gri_datetime *t)
{
    int64_t y = t->month <= 2 ? t->year - 1 : t->year, era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (t->month + (t->month > 2 ? -3 : 9)) + 2) / 5 + t->day - 1;
    int64_t day = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    int64_t minutes = (day * 24 + t->hour) * 60 + t->minute - t->offset_minutes;

    return (minutes * 60 + t->second) * 1000000 + t->microsecond;
}
