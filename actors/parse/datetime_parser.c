/* SPDX-License-Identifier: Apache-2.0 */
/* datetime_parser.c - gr_datetime_parser: a date and a time, as a map. */
#include <greenroom/callbacks.h>
#include <greenroom/message.h>
#include <greenroom/parser.h>

#include "actors/compose/describe.h"
#include "actors/parse/datetime.h"
#include "actors/parse/parsing.h"

#define FORMAT_DEFAULT "%Y-%m-%dT%H:%M:%S.%fZ"

static gr_value *map_of(const struct gri_datetime *t)
{
    gr_value *v = gr_map(GR_KV("year", gr_int(t->year)), GR_KV("month", gr_int(t->month)),
                         GR_KV("day", gr_int(t->day)), GR_KV("hour", gr_int(t->hour)),
                         GR_KV("minute", gr_int(t->minute)), GR_KV("second", gr_int(t->second)),
                         GR_KV("microsecond", gr_int(t->microsecond)),
                         GR_KV("timestamp_us", gr_int(gri_datetime_us(t))));

    return t->has_offset ? gr_set(v, "utc_offset_minutes", gr_int(t->offset_minutes)) : v;
}

static gr_value *datetime_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    gr_value *text = gr_message_text(input), *word, *v;
    struct gri_datetime t;
    const char *wrong;
    unsigned at = 0;

    (void)self;
    if (gr_error_code(text) != GR_OK)
        return text;
    word = gri_trimmed(text);
    gr_value_unref(text);
    if (gr_error_code(word) != GR_OK)
        return word;
    wrong = gri_datetime_read(gr_cstr(word, ""), gr_cstr(gr_args(c), ""), &t, &at);
    v = wrong == NULL ? map_of(&t)
                      : gri_parse_error(word, "no date by %s: position %u: expected %s",
                                        gr_cstr(gr_args(c), ""), at + 1, wrong);
    gr_value_unref(word);
    return v;
}

static gr_value *datetime_instructions(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return gr_strf(
        "Answer with a date and time in this form, and nothing else: %s (strftime's letters: %%Y is "
        "the year in four digits, %%m the month, %%d the day, %%H, %%M and %%S hour, minute and second in two each, "
        "%%f microseconds). Do not put it into quotes.",
        gr_cstr(gr_args(c), ""));
}

static gr_value *datetime_describe(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    (void)self;
    (void)args;
    return gri_describe_leaf("DatetimeOutputParser", NULL, gri_schema_of_type("object"));
}

static const gr_method datetime_methods[] = {
    { "invoke", GR_CHEAP, datetime_invoke, NULL },
    { "get_format_instructions", GR_CHEAP, datetime_instructions, NULL },
    { "describe", GR_CHEAP, datetime_describe, NULL },
};
static const gr_class datetime_class =
    GR_CLASS(.name = "DatetimeOutputParser", .run_type = GR_TYPE_PARSER,
             GR_METHODS(datetime_methods));

gr_ref gr_datetime_parser(gr_scope *in, const char *format)
{
    const char *f = format != NULL ? format : FORMAT_DEFAULT, *unknown = gri_datetime_check(f);
    gr_value *args =
        unknown == NULL
            ? gr_str(f)
            : gr_error(GR_EINVAL, "datetime_parser: can't read '%.2s' in the format", unknown);

    return gr_spawn(in, &datetime_class, GR_SPAWN(.args = args));
}
