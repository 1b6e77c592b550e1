/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_differential_test.c - our JSON codec and jansson on the same documents, $GR_TEST_DOCUMENTS of
 * them (5000) from $GR_TEST_SEED (1) on: the same verdicts, the same values to the last bit, and
 * what one prints the other reads. What differs on purpose is in the table; node is compared in
 * tests/clients/codecs.sh.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <greenroom/codec.h>

#include "runtime/value/value.h"
#include "tests/support/document.h"
#include "tests/support/test.h"

static bool same(const gr_value *v, const json_t *j);

static bool same_list(const gr_value *v, const json_t *j)
{
    if (gr_value_type(v) != GR_LIST || gr_len(v) != json_array_size(j))
        return false;
    for (size_t i = 0; i < gr_len(v); i++)
        if (!same(gr_at(v, i), json_array_get(j, i)))
            return false;
    return true;
}

static bool same_map(const gr_value *v, const json_t *j)
{
    if (gr_value_type(v) != GR_MAP || gr_len(v) != json_object_size(j))
        return false;
    for (size_t i = 0; i < gr_len(v); i++) {
        const char *key = NULL;
        const gr_value *item = gr_pair_at(v, i, &key);

        if (!same(item, json_object_get(j, key)))
            return false;
    }
    return true;
}

static bool same_number(const gr_value *v, const json_t *j)
{
    if (json_is_integer(j))
        return gr_value_type(v) == GR_INT && gr_as_int(v, 0) == json_integer_value(j);
    return gr_value_type(v) == GR_REAL && gr_as_real(v, 0) == json_real_value(j) &&
           signbit(gr_as_real(v, 0)) == signbit(json_real_value(j));
}

/* same: integers as integers, reals to the bit, strings to the byte. */
static bool same(const gr_value *v, const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT: return same_map(v, j);
    case JSON_ARRAY: return same_list(v, j);
    case JSON_STRING:
        return gr_value_type(v) == GR_STR && gr_len(v) == json_string_length(j) &&
               memcmp(gr_cstr(v, ""), json_string_value(j), gr_len(v)) == 0;
    case JSON_INTEGER:
    case JSON_REAL: return same_number(v, j);
    case JSON_TRUE: return gr_value_type(v) == GR_BOOL && gr_as_bool(v, false);
    case JSON_FALSE: return gr_value_type(v) == GR_BOOL && !gr_as_bool(v, true);
    case JSON_NULL: return gr_is_nil(v);
    }
    return false;
}

/* ---- what differs on purpose ----------------------------------------------------------------- */

static size_t depth_of(const struct gri_strbuf *doc)
{
    size_t depth = 0, most = 0;
    bool in_string = false;

    for (size_t i = 0; i < doc->len; i++) {
        char c = doc->data[i];

        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '[' || c == '{'))
            depth++;
        else if (!in_string && (c == ']' || c == '}'))
            depth -= depth > 0;
        if (depth > most)
            most = depth;
    }
    return most;
}

static bool is_deep(const struct gri_strbuf *doc, const json_t *theirs, const json_error_t *err)
{
    (void)err;
    return theirs != NULL && depth_of(doc) > GR_DEPTH_MAX;
}

static bool is_long_integer(const struct gri_strbuf *doc, const json_t *theirs,
                            const json_error_t *err)
{
    size_t digits = 0;

    if (theirs != NULL || json_error_code(err) != json_error_numeric_overflow)
        return false;
    for (size_t i = 0; i < doc->len && digits < 19; i++)
        digits = doc->data[i] >= '0' && doc->data[i] <= '9' ? digits + 1 : 0;
    return digits >= 19;
}

static bool is_nul_in_key(const struct gri_strbuf *doc, const json_t *theirs,
                          const json_error_t *err)
{
    return theirs == NULL && json_error_code(err) == json_error_null_byte_in_key &&
           memmem(doc->data, doc->len, "\\u0000", 6) != NULL;
}

static bool is_nul_at_end(const struct gri_strbuf *doc, const json_t *theirs,
                          const json_error_t *err)
{
    (void)err;
    return theirs != NULL && memchr(doc->data, '\0', doc->len) != NULL;
}

/* Seen by looking at the document, and not only at what either says. */
static const struct difference {
    const char *what;
    bool (*is)(const struct gri_strbuf *doc, const json_t *theirs, const json_error_t *err);
    bool we_take;
} differences[] = {
    { "more than 64 levels of nesting: our limit", is_deep, false },
    { "an integer of more than 64 bits: a real for us, an error for jansson", is_long_integer,
      true },
    { "a NUL in a key: jansson's keys are C strings", is_nul_in_key, true },
    { "a NUL behind the value: jansson takes it for the end", is_nul_at_end, false },
};
#define DIFFERENCES (sizeof(differences) / sizeof(differences[0]))

/* ---- comparing ------------------------------------------------------------------------------- */

struct tally {
    size_t taken, refused, intended[DIFFERENCES];
};

static void check_printed(uint64_t seed, const gr_value *v, const json_t *theirs)
{
    size_t len = 0;
    char *ours = gr_json_print(v, 0, &len);
    char *text = json_dumps(theirs, JSON_ENCODE_ANY | JSON_COMPACT);
    json_t *again = json_loadb(ours, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    gr_value *w = gr_json_parse(text, strlen(text), NULL);

    cr_assert(json_equal(again, (json_t *)(uintptr_t)theirs), "seed %llu: %s",
              (unsigned long long)seed, ours);
    cr_assert(gr_equal(v, w), "seed %llu: %s", (unsigned long long)seed, text);
    json_decref(again);
    gr_value_unref(w);
    free(text);
    gr_free(ours);
}

static void check(uint64_t seed, const struct gri_strbuf *doc, struct tally *tally)
{
    json_error_t err;
    gr_value *v = gr_json_parse(doc->data != NULL ? doc->data : "", doc->len, NULL);
    json_t *j = json_loadb(doc->data != NULL ? doc->data : "", doc->len,
                           JSON_DECODE_ANY | JSON_ALLOW_NUL, &err);
    bool we_take = gr_error_code(v) == GR_OK;
    bool intended = false;

    for (size_t i = 0; i < DIFFERENCES && we_take != (j != NULL); i++) {
        bool is = differences[i].we_take == we_take && differences[i].is(doc, j, &err);

        intended = intended || is;
        tally->intended[i] += is;
    }
    cr_assert(we_take == (j != NULL) || intended, "seed %llu: ours: %s, jansson: %s: %.*s",
              (unsigned long long)seed, we_take ? "taken" : gr_error_text(v),
              j != NULL ? "taken" : err.text, (int)doc->len, doc->data);
    if (we_take && j != NULL) {
        cr_assert(same(v, j), "seed %llu: read differently: %.*s", (unsigned long long)seed,
                  (int)doc->len, doc->data);
        check_printed(seed, v, j);
    }
    tally->taken += we_take && j != NULL;
    tally->refused += !we_take && j == NULL;
    gr_value_unref(v);
    json_decref(j);
}

Test(json_differential, reads_what_jansson_reads, .timeout = 100)
{
    uint64_t seed = test_seed();
    size_t count = test_documents(5000);
    struct gri_strbuf doc = GRI_STRBUF_INIT;
    struct tally tally = { .taken = 0 };

    for (size_t i = 0; i < count; i++) {
        gri_strbuf_clear(&doc);
        test_make_json(&doc, seed + i);
        check(seed + i, &doc, &tally);
    }
    gri_strbuf_fini(&doc);
    fprintf(stderr, "%zu documents from seed %llu: both took %zu, both refused %zu\n", count,
            (unsigned long long)seed, tally.taken, tally.refused);
    for (size_t i = 0; i < DIFFERENCES; i++)
        fprintf(stderr, "intended, %zu times: %s\n", tally.intended[i], differences[i].what);
    /* the documents are worth something: many of both sorts */
    cr_assert_gt(tally.taken, count / 3);
    cr_assert_gt(tally.refused, count / 5);
}
