/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - the JSON reader behind gr_json_parse and gr_json_partial, and numbers as JSON has them.
 *
 * The reader goes over the text once, without recursion, and stops where the text ends, where the
 * value ends, or where it can't go on; what was read up to there is in the builder.
 */
#ifndef GR_RUNTIME_VALUE_JSON_H
#define GR_RUNTIME_VALUE_JSON_H

#include "runtime/value/builder.h"

enum gri_json_stop {
    GRI_JSON_DONE,  /* one whole value; p is behind it */
    GRI_JSON_END,   /* the text ended inside the value */
    GRI_JSON_BAD,   /* p is at what does not belong there */
    GRI_JSON_LIMIT, /* see builder.problem */
};

struct gri_json {
    const char *text, *end; /* borrowed from the caller */
    const char *p;
    const char *in_text; /* the opening quote of the string that p is in, NULL outside */
    bool controls;       /* control characters in strings are fine */
    bool partial;        /* so they are, and so is a cut-off string */
    enum gri_json_stop stop;
    const char *what;     /* BAD: what is wrong, NULL for "found …" */
    const char *expected; /* BAD, END */
    struct gri_builder b;
};

void gri_json_init(struct gri_json *r, const char *text, size_t len, const gr_decode_opts *opts);
void gri_json_run(struct gri_json *r);
gr_value *gri_json_error(const struct gri_json *r); /* the error value for where it stopped */
const char *gri_json_skip_space(const char *p, const char *end);
size_t gri_json_mark(const char *text,
                     size_t len); /* bytes of the byte order mark that it begins with */
/* gri_json_stopped notes why the reader stops, and returns false. */
bool gri_json_stopped(struct gri_json *r, enum gri_json_stop stop, const char *at, const char *what,
                      const char *expected);

/* json_text.c: gri_json_text reads the string at p, which is at its quote; false when stopped. */
bool gri_json_text(struct gri_json *r, bool key, gr_value **ret_text);

/* json_number.c: gri_json_number reads the number at p; false when stopped. */
bool gri_json_number(struct gri_json *r, gr_value **ret_number);
/* gri_real_parse reads digits[.digits][e[+-]digits]; whatever the locale. False: out of memory. */
bool gri_real_parse(const char *s, size_t len, double *ret_real);
#define GRI_REAL_TEXT_MAX 40
/* gri_real_print writes the shortest text that reads as d again, always with a '.' or an exponent;
 * single: that reads as (float)d again. d is finite. Returns its length. */
size_t gri_real_print(double d, bool single, char out[GRI_REAL_TEXT_MAX]);

#endif
