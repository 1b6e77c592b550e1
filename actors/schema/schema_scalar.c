/* SPDX-License-Identifier: Apache-2.0 */
/* schema_scalar.c - words that judge numbers and texts. */
#include <math.h>

#include "actors/schema/schema.h"
#include "runtime/base/utf8.h"

/* ---- numbers ------------------------------------------------------------------------------------ */

static bool is_number(const gr_value *v)
{
    return (gri_schema_types_of(v) & GRI_IS_NUMBER) != 0;
}

GRI_SCHEMA_READ(number)
{
    return is_number(k->arg) || gri_schema_refuse(r, k, "must be a number");
}

/* wrong_number tells what the limit is. */
static bool wrong_number(struct gri_schema_run *r, const struct gri_check *k, const char *what)
{
    if (gr_value_type(k->arg) == GR_INT)
        return gri_schema_wrong(r, k, "must be %s %lld", what, (long long)gr_as_int(k->arg, 0));
    return gri_schema_wrong(r, k, "must be %s %.17g", what, gr_as_real(k->arg, 0));
}

GRI_SCHEMA_HOLDS(minimum)
{
    return gri_schema_compare(v, k->arg) >= 0 || wrong_number(r, k, "at least");
}

GRI_SCHEMA_HOLDS(maximum)
{
    return gri_schema_compare(v, k->arg) <= 0 || wrong_number(r, k, "at most");
}

GRI_SCHEMA_HOLDS(exclusive_minimum)
{
    return gri_schema_compare(v, k->arg) > 0 || wrong_number(r, k, "above");
}

GRI_SCHEMA_HOLDS(exclusive_maximum)
{
    return gri_schema_compare(v, k->arg) < 0 || wrong_number(r, k, "below");
}

GRI_SCHEMA_READ(multiple_of)
{
    return (is_number(k->arg) && gr_as_real(k->arg, 0) > 0) ||
           gri_schema_refuse(r, k, "must be a number above 0");
}

/* is_multiple: reals are decimal fractions to who writes them, so a quotient that is whole but for
 * what binary fractions lose is whole: 0.3 is three times 0.1. */
static bool is_multiple(const gr_value *v, const gr_value *of)
{
    double quotient;

    if (gr_value_type(v) == GR_INT && gr_value_type(of) == GR_INT)
        return gr_as_int(v, 0) % gr_as_int(of, 1) == 0;
    quotient = gr_as_real(v, 0) / gr_as_real(of, 1);
    if (!isfinite(quotient))
        return fmod(gr_as_real(v, 0), gr_as_real(of, 1)) == 0;
    return fabs(quotient - nearbyint(quotient)) <= 1e-13 * fmax(1, fabs(quotient));
}

GRI_SCHEMA_HOLDS(multiple_of)
{
    return is_multiple(v, k->arg) || wrong_number(r, k, "a multiple of");
}

/* ---- texts --------------------------------------------------------------------------------------- */

/* count: minLength, maxItems and the like; a whole number, also when written 2.0. */
GRI_SCHEMA_READ(count)
{
    int64_t count = gr_as_int(k->arg, -1);

    if (count < 0)
        return gri_schema_refuse(r, k, "must be a whole number, at least 0");
    k->most = (size_t)count;
    return true;
}

/* length_of counts characters, as far as `enough`. */
static size_t length_of(const gr_value *v, size_t enough)
{
    const char *s = gr_cstr(v, "");
    size_t len = gr_len(v), count = 0;
    uint32_t c;

    for (size_t i = 0; i < len && count < enough; count++)
        i += gri_utf8_next(s + i, len - i, &c);
    return count;
}

GRI_SCHEMA_HOLDS(min_length)
{
    if (!gri_schema_work(r, 1 + gr_len(v) / 16))
        return false;
    return length_of(v, k->most) >= k->most ||
           gri_schema_wrong(r, k, "must have at least %zu characters", k->most);
}

GRI_SCHEMA_HOLDS(max_length)
{
    if (!gri_schema_work(r, 1 + gr_len(v) / 16))
        return false;
    return gr_len(v) <= k->most || length_of(v, k->most + 1) <= k->most ||
           gri_schema_wrong(r, k, "must have at most %zu characters", k->most);
}

GRI_SCHEMA_READ(pattern)
{
    if (gr_value_type(k->arg) != GR_STR)
        return gri_schema_refuse(r, k, "must be a text");
    return gri_schema_pattern(r, k, gr_cstr(k->arg, ""), gr_len(k->arg));
}

GRI_SCHEMA_HOLDS(pattern)
{
    return gri_schema_matches(r, k, 0, gr_cstr(v, ""), gr_len(v)) ||
           gri_schema_wrong(r, k, "must match the pattern %.*s",
                            gri_schema_shown(gr_cstr(k->arg, "")), gr_cstr(k->arg, ""));
}
