/* SPDX-License-Identifier: Apache-2.0 */
/* limit.c - headers to what a limiter is told. */
#include "actors/model/limit.h"

#include <greenroom/call.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/http/backoff.h"
#include "runtime/sched/world.h"

#define RESET_MAX_MS ((int64_t)7 * 86400 * 1000) /* a server that says more is not believed */

/* ---- times ----------------------------------------------------------------------------------- */

/* digits reads exactly count digits at *p, and moves on. */
static bool digits(const char **p, int count, int *ret)
{
    *ret = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        *ret = *ret * 10 + (**p - '0');
    }
    return true;
}

static bool sign(const char **p, char wanted)
{
    if (**p != wanted)
        return false;
    (*p)++;
    return true;
}

/* days_of counts the days from 1970-01-01 to a date of the Gregorian calendar: whole years before
 * the date's, which begins in March, then days of that year. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t in_year = (153 * (int64_t)(month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return 365 * y + y / 4 - y / 100 + y / 400 + in_year - 719468;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* fraction reads ".123…", if there is one, as ms. */
static bool fraction(const char **p, int *ret_ms)
{
    int scale = 100;

    *ret_ms = 0;
    if (!sign(p, '.'))
        return true;
    if (**p < '0' || **p > '9')
        return false;
    for (; **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
        *ret_ms += (**p - '0') * scale;
    return true;
}

/* zone reads "Z" or "+01:30" as minutes east. */
static bool zone(const char **p, int *ret_minutes)
{
    int hours = 0, minutes = 0;
    bool west = **p == '-';

    *ret_minutes = 0;
    if (sign(p, 'Z') || sign(p, 'z'))
        return true;
    if (!sign(p, '+') && !sign(p, '-'))
        return false;
    if (!digits(p, 2, &hours) || !sign(p, ':') || !digits(p, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *ret_minutes = (west ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool gri_limit_time_ms(const char *text, int64_t *ret_ms)
{
    int year, month, day, hour, minute, second, ms, east;
    const char *p = text;

    if (p == NULL || !digits(&p, 4, &year) || !sign(&p, '-') || !digits(&p, 2, &month) ||
        !sign(&p, '-') || !digits(&p, 2, &day) || (*p != 'T' && *p != 't' && *p != ' '))
        return false;
    p++;
    if (!digits(&p, 2, &hour) || !sign(&p, ':') || !digits(&p, 2, &minute) || !sign(&p, ':') ||
        !digits(&p, 2, &second) || !fraction(&p, &ms) || !zone(&p, &east) || *p != '\0')
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    *ret_ms = ((days_of(year, month, day) * 24 + hour) * 60 + minute - east) * 60000 +
              (int64_t)second * 1000 + ms;
    return true;
}

/* ---- headers --------------------------------------------------------------------------------- */

/* number_of reads a whole number that is not negative. */
static bool number_of(const char *text, int64_t *ret)
{
    char *end = NULL;

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return false;
    *ret = strtoll(text, &end, 10);
    return *end == '\0' && *ret >= 0;
}

/* reset_of reads how many ms are left until a reset: a duration, or a time. */
static bool reset_of(const char *text, uint64_t wall_ms, int64_t *ret_ms)
{
    int64_t at = 0;

    if (text == NULL)
        return false;
    if (gri_limit_time_ms(text, &at))
        *ret_ms = at > (int64_t)wall_ms ? at - (int64_t)wall_ms : 0;
    else if (!gri_backoff_duration_ms(text, ret_ms))
        return false;
    return *ret_ms <= RESET_MAX_MS;
}

struct reading {
    gri_limit_header_fn *header;
    void *from;
    uint64_t wall_ms;
};

/* header_of looks up the header that fmt makes of what is limited. */
static const char *header_of(const struct reading *r, const char *before, const char *what,
                             const char *behind)
{
    char name[64];

    snprintf(name, sizeof(name), "%s%s%s", before, what, behind);
    return r->header(r->from, name);
}

/* read_of gives what is said of one thing that is limited; nil: nothing. */
static gr_value *read_of(const struct reading *r, const char *limit, const char *remaining,
                         const char *reset)
{
    gr_value *v = gr_map_n(NULL, 0);
    int64_t n = 0;

    if (number_of(limit, &n))
        v = gr_set(v, "limit", gr_int(n));
    if (number_of(remaining, &n))
        v = gr_set(v, "remaining", gr_int(n));
    if (reset_of(reset, r->wall_ms, &n))
        v = gr_set(v, "reset_ms", gr_int(n));
    if (gr_len(v) > 0)
        return v;
    gr_value_unref(v);
    return gr_nil();
}

/* either gives what the one or the other of the two families of headers says. */
static gr_value *either(const struct reading *r, const char *what)
{
    gr_value *v = read_of(r, header_of(r, "x-ratelimit-limit-", what, ""),
                          header_of(r, "x-ratelimit-remaining-", what, ""),
                          header_of(r, "x-ratelimit-reset-", what, ""));

    if (!gr_is_nil(v))
        return v;
    return read_of(r, header_of(r, "anthropic-ratelimit-", what, "-limit"),
                   header_of(r, "anthropic-ratelimit-", what, "-remaining"),
                   header_of(r, "anthropic-ratelimit-", what, "-reset"));
}

/* least gives the one of which less is left. */
static gr_value *least(gr_value *a, gr_value *b)
{
    bool second =
        gr_is_nil(a) || (!gr_is_nil(b) && gr_as_int(gr_get(b, "remaining"), INT64_MAX) <
                                              gr_as_int(gr_get(a, "remaining"), INT64_MAX));

    gr_value_unref(second ? a : b);
    return second ? b : a;
}

gr_value *gri_limit_read(gri_limit_header_fn *header, void *from, uint64_t wall_ms)
{
    const struct reading r = { header, from, wall_ms };
    int64_t wait =
        gri_backoff_hint_ms(header(from, "retry-after-ms"), header(from, "retry-after"), wall_ms);
    gr_value *requests = either(&r, "requests"), *tokens = either(&r, "tokens");
    gr_value *v = gr_map_n(NULL, 0);

    tokens = least(tokens, least(either(&r, "input-tokens"), either(&r, "output-tokens")));
    if (!gr_is_nil(requests))
        v = gr_set(v, "requests", gr_value_ref(requests));
    if (!gr_is_nil(tokens))
        v = gr_set(v, "tokens", gr_value_ref(tokens));
    if (wait > 0)
        v = gr_set(v, "retry_after_ms", gr_int(wait));
    gr_value_unref(requests);
    gr_value_unref(tokens);
    if (gr_error_code(v) == GR_OK && gr_len(v) > 0)
        return v;
    gr_value_unref(v);
    return gr_nil();
}

static const char *header_of_exchange(void *from, const char *name)
{
    return gri_http_header_of(from, name);
}

void gri_limit_saw(gr_runtime *rt, gr_ref limiter, struct gri_http_exchange *x)
{
    gr_value *seen;

    if (limiter.id == 0)
        return;
    seen = gri_limit_read(header_of_exchange, x, gri_wall_us(rt) / 1000);
    if (gr_is_nil(seen))
        return;
    /* A limiter that can't take it now learns it from the next answer. */
    (void)gr_tell(rt, limiter, seen);
}
