/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_number.c - numbers of JSON, both ways, whatever the locale of the host.
 *
 * Reading: up to 19 digits and a small power of ten are exact in one multiplication or division
 * (Clinger's fast path). The others go to strtod as digits and an exponent, without a decimal
 * point, since that is the locale's. Writing: %g with as many digits as it takes to read the same
 * number again, with the locale's point replaced.
 */
#include "runtime/value/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"

#define EXACT_INT (UINT64_C(1) << 53)
#define EXACT_POWER 22
#define EXPONENT_MAX 1000000000

static bool is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
    while (is_digit(p, end))
        p++;
    return p;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct digits {
    uint64_t mantissa; /* the first 19 significant digits */
    int significant;   /* digits without leading zeros, at most 20: more than the mantissa has */
    long exponent;     /* of ten, for the mantissa */
    bool negative;
};

static long parse_exponent(const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    long n = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    for (; p < end; p++)
        if (n < EXPONENT_MAX)
            n = n * 10 + (*p - '0');
    return negative ? -n : n;
}

static void parse_digits(const char *p, const char *end, struct digits *d)
{
    bool behind_point = false;

    *d = (struct digits){ .negative = p < end && *p == '-' };
    if (d->negative)
        p++;
    for (; p < end && (*p | 0x20) != 'e'; p++) {
        if (*p == '.') {
            behind_point = true;
            continue;
        }
        if (d->significant != 0 || *p != '0')
            d->significant += d->significant < 20;
        if (d->significant < 20) {
            d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
            d->exponent -= behind_point;
        } else {
            d->exponent += !behind_point;
        }
    }
    if (p < end)
        d->exponent += parse_exponent(p + 1, end);
}

/* slow_real gives strtod the digits without their point, and the exponent that makes up for it. */
static bool slow_real(const char *s, size_t len, double *ret_real)
{
    char small[128];
    char *buf = len + 32 <= sizeof(small) ? small : gri_alloc(len + 32);
    size_t n = 0;
    long shift = 0;
    bool behind_point = false;
    const char *p = s, *end = s + len;

    if (buf == NULL)
        return false;
    for (; p < end && (*p | 0x20) != 'e'; p++) {
        if (*p == '.') {
            behind_point = true;
        } else {
            buf[n++] = *p;
            shift -= behind_point;
        }
    }
    if (p < end)
        shift += parse_exponent(p + 1, end);
    snprintf(buf + n, 32, "e%ld", shift);
    *ret_real = strtod(buf, NULL);
    if (buf != small)
        gri_free(buf);
    return true;
}

static bool real_of(const char *s, size_t len, const struct digits *d, double *ret_real)
{
    static const double powers[EXACT_POWER + 1] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    double real;

    if (d->significant >= 20 || d->mantissa > EXACT_INT || d->exponent < -EXACT_POWER ||
        d->exponent > EXACT_POWER)
        return slow_real(s, len, ret_real);
    real = (double)d->mantissa;
    real = d->exponent < 0 ? real / powers[-d->exponent] : real * powers[d->exponent];
    *ret_real = d->negative ? -real : real;
    return true;
}

bool gri_real_parse(const char *s, size_t len, double *ret_real)
{
    struct digits d;

    parse_digits(s, s + len, &d);
    return real_of(s, len, &d, ret_real);
}

/* scan finds the longest number at p: returns its end, NULL if there is none. *ret_more is where a
 * further digit is due, as in "1." or "2e-"; NULL if none is. */
static const char *scan(const char *p, const char *end, bool *ret_real, const char **ret_more)
{
    const char *good;

    *ret_real = false;
    *ret_more = NULL;
    if (*p == '-')
        p++;
    if (!is_digit(p, end)) {
        *ret_more = p;
        return NULL;
    }
    good = p = *p == '0' ? p + 1 : skip_digits(p, end);
    if (p < end && *p == '.') {
        if (!is_digit(++p, end)) {
            *ret_more = p;
            return good;
        }
        *ret_real = true;
        good = p = skip_digits(p, end);
    }
    if (p < end && (*p | 0x20) == 'e') {
        if (++p < end && (*p == '+' || *p == '-'))
            p++;
        if (!is_digit(p, end)) {
            *ret_more = p;
            return good;
        }
        *ret_real = true;
        good = skip_digits(p, end);
    }
    return good;
}

static bool int_of(const struct digits *d, int64_t *ret_int)
{
    if (d->significant >= 20 || d->mantissa > (uint64_t)INT64_MAX + d->negative)
        return false;
    *ret_int = d->negative ? (int64_t)(0 - d->mantissa) : (int64_t)d->mantissa;
    return true;
}

bool gri_json_number(struct gri_json *r, gr_value **ret_number)
{
    bool is_real;
    const char *start = r->p;
    const char *more;
    const char *good = scan(start, r->end, &is_real, &more);
    struct digits d;
    int64_t i;
    double real;

    if (more != NULL && (more != r->end || !r->partial || good == NULL))
        return gri_json_stopped(r, more == r->end ? GRI_JSON_END : GRI_JSON_BAD, more, NULL,
                                "a digit");
    parse_digits(start, good, &d);
    r->p = more != NULL ? r->end : good;
    if (!is_real && int_of(&d, &i)) {
        *ret_number = gr_int(i);
        return true;
    }
    if (!real_of(start, (size_t)(good - start), &d, &real)) {
        gri_builder_fail(&r->b, GR_ENOMEM, "out of memory");
        return gri_json_stopped(r, GRI_JSON_LIMIT, start, NULL, NULL);
    }
    if (isinf(real))
        return gri_json_stopped(r, GRI_JSON_BAD, start, "number out of range", "a smaller one");
    *ret_number = gr_real(real);
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* with_point replaces the locale's decimal point, which may be several bytes, and sees to it that a
 * whole number still reads as a real. */
static size_t with_point(const char *s, char *out)
{
    bool real = false;
    size_t n = 0;

    for (; *s != '\0'; s++) {
        if ((*s >= '0' && *s <= '9') || *s == '-' || *s == '+' || *s == 'e') {
            real |= *s == 'e';
            out[n++] = *s;
        } else if (out[n - 1] != '.') {
            real = true;
            out[n++] = '.';
        }
    }
    if (!real) {
        out[n++] = '.';
        out[n++] = '0';
    }
    out[n] = '\0';
    return n;
}

static bool same(double a, double b, bool single)
{
    return single ? (float)a == (float)b : a == b;
}

size_t gri_real_print(double d, bool single, char out[GRI_REAL_TEXT_MAX])
{
    int most = single ? 9 : 17;
    char text[GRI_REAL_TEXT_MAX];
    size_t len = 0;
    double again;

    if (fabs(d) < 1e15 && d == trunc(d)) { /* whole numbers are common, and exact */
        snprintf(text, sizeof(text), "%.0f", d);
        return with_point(text, out);
    }
    for (int digits = single ? 6 : 15; digits <= most; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, d);
        len = with_point(text, out);
        /* out is short enough for gri_real_parse never to allocate */
        if (digits == most || (gri_real_parse(out, len, &again) && same(again, d, single)))
            break;
    }
    return len;
}
