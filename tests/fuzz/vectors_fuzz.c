/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vectors_fuzz.c - embeddings as a server sends them. Any JSON as the whole answer; any text as the
 * base64 of one, which is taken exactly when it is base64 of finite floats; and floats of any bytes,
 * in base64, come out as they went in.
 *
 * The first byte chooses which.
 */
#include <math.h>

#include <greenroom/codec.h>

#include "actors/embed/openai_vectors.h"
#include "runtime/base/utf8.h"
#include "tests/fuzz/fuzz.h"

static gr_value *answer_with(gr_value *embedding)
{
    return gr_map(GR_KV("data", gr_list(gr_map(GR_KV("embedding", embedding)))));
}

static bool all_finite(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 4 <= size; i += 4) {
        float x;

        memcpy(&x, data + i, 4);
        if (!isfinite(x))
            return false;
    }
    return true;
}

static void check_floats(const uint8_t *data, size_t size)
{
    gr_value *bin = gr_bin(data, size / 4 * 4);
    char *text = gr_json_print(bin, 0, NULL);
    gr_value *json = answer_with(gr_json_parse(text, strlen(text), NULL));
    gr_value *vectors = gri_openai_vectors(json, 1);
    size_t count = 0;

    if (all_finite(data, size / 4 * 4)) {
        const float *x = gr_as_floats(gr_at(vectors, 0), &count);

        must(gr_error_code(vectors) == GR_OK && count == size / 4);
        must(count == 0 || memcmp(x, data, count * 4) == 0);
    } else {
        must(gr_error_code(vectors) == GR_EPROTO);
    }
    gr_value_unref(vectors);
    gr_value_unref(json);
    gr_free(text);
    gr_value_unref(bin);
}

/* is_base64: RFC 4648, with or without padding; *ret_size is what it stands for. */
static bool is_base64(const char *s, size_t len, size_t *ret_size)
{
    size_t digits = len;

    while (digits > 0 && len - digits < 2 && s[digits - 1] == '=')
        digits--;
    *ret_size = digits * 3 / 4;
    if (digits % 4 == 1 || (digits != len && len % 4 != 0))
        return false;
    for (size_t i = 0; i < digits; i++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", s[i]) ==
                NULL ||
            s[i] == '\0')
            return false;
    return true;
}

static void check_base64(const char *text, size_t len)
{
    gr_value *json = answer_with(gr_strn(text, len));
    gr_value *vectors = gri_openai_vectors(json, 1);
    size_t size = 0;
    bool good = is_base64(text, len, &size) && size % 4 == 0;

    if (gr_error_code(vectors) == GR_OK)
        must(good && gr_len(gr_at(vectors, 0)) == size / 4);
    else
        must(gr_error_code(vectors) == GR_EPROTO);
    gr_value_unref(vectors);
    gr_value_unref(json);
}

static void check_answer(const char *text, size_t len)
{
    gr_value *json = gr_json_parse(text, len, NULL);
    gr_value *vectors = NULL;

    if (gr_error_code(json) == GR_OK) {
        vectors = gri_openai_vectors(json, gr_len(gr_get(json, "data")));
        for (size_t i = 0; gr_error_code(vectors) == GR_OK && i < gr_len(vectors); i++)
            must(gr_value_type(gr_at(vectors, i)) == GR_FLOATS);
    }
    gr_value_unref(vectors);
    gr_value_unref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();

    if (size < 1)
        return 0;
    if (data[0] % 3 == 0)
        check_floats(data + 1, size - 1);
    else if (data[0] % 3 == 1 && gri_utf8_valid((const char *)data + 1, size - 1))
        check_base64((const char *)data + 1, size - 1);
    else
        check_answer((const char *)data + 1, size - 1);
    fuzz_end(&cost, size, 128);
    return 0;
}
