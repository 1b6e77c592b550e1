/* SPDX-License-Identifier: Apache-2.0 */
/* openai_vectors.c - numbers or base64 to floats. */
#include "actors/embed/openai_vectors.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "actors/model/openai_wire.h"
#include "runtime/base/alloc.h"

static gr_value *no_memory(void)
{
    return gr_error(GR_ENOMEM, "out of memory for embeddings");
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* float_of reads a little-endian float on any machine. */
static float float_of(const unsigned char bytes[4])
{
    uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                    (uint32_t)bytes[3] << 24;
    float x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* digits_of returns how many of the characters are digits of base64, which may be padded to a
 * multiple of four; SIZE_MAX if that can't be. */
static size_t digits_of(const char *s, size_t len)
{
    size_t digits = len;

    while (digits > 0 && len - digits < 2 && s[digits - 1] == '=')
        digits--;
    return digits % 4 == 1 || (digits != len && len % 4 != 0) ? SIZE_MAX : digits;
}

/* decode writes the bytes of a base64 text to out[len / 4 * 3 + 2]; SIZE_MAX if it is none. */
static size_t decode(const char *s, size_t len, unsigned char *out)
{
    size_t digits = digits_of(s, len), size = 0, have = 0;
    uint32_t bits = 0;

    if (digits == SIZE_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i < digits; i++) {
        int digit = base64_digit(s[i]);

        if (digit < 0)
            return SIZE_MAX;
        bits = (bits << 6 | (uint32_t)digit) & 0xffffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[size++] = (unsigned char)(bits >> have);
        }
    }
    return size;
}

/* vector_of makes the vector; NULL if a number is none, since it would spoil every comparison. */
static gr_value *vector_of(const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return NULL;
    return gr_floats(x, count);
}

static gr_value *of_base64(const gr_value *text)
{
    size_t len = gr_len(text), size;
    unsigned char *bytes = gri_alloc(len / 4 * 3 + 4);
    float *x = gri_alloc_array(len / 4 + 1, sizeof(*x));
    gr_value *v = NULL;

    if (bytes == NULL || x == NULL) {
        v = no_memory();
        goto out;
    }
    size = decode(gr_cstr(text, ""), len, bytes);
    if (size == SIZE_MAX || size % 4 != 0)
        goto out;
    for (size_t i = 0; i < size / 4; i++)
        x[i] = float_of(bytes + 4 * i);
    v = vector_of(x, size / 4);
out:
    gri_free(bytes);
    gri_free(x);
    return v;
}

static gr_value *of_numbers(const gr_value *list)
{
    size_t count = gr_len(list);
    float *x = gri_alloc_array(count + 1, sizeof(*x));
    gr_value *v = NULL;

    if (x == NULL)
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        gr_type type = gr_value_type(gr_at(list, i));

        if ((type != GR_INT && type != GR_REAL) ||
            !(fabs(gr_as_real(gr_at(list, i), 0)) <= FLT_MAX))
            goto out;
        x[i] = (float)gr_as_real(gr_at(list, i), 0);
    }
    v = gr_floats(x, count);
out:
    gri_free(x);
    return v;
}

gr_value *gri_vector(const gr_value *embedding)
{
    if (gr_value_type(embedding) == GR_STR)
        return of_base64(embedding);
    return gr_value_type(embedding) == GR_LIST ? of_numbers(embedding) : NULL;
}

static gr_value *read_all(const gr_value *data, gr_value **vectors, size_t count)
{
    for (size_t i = 0; i < gr_len(data); i++) {
        const gr_value *item = gr_at(data, i);
        int64_t index = gr_as_int(gr_get(item, "index"), (int64_t)i);
        gr_value *v;

        if (index < 0 || (uint64_t)index >= count || vectors[index] != NULL)
            return gr_error(GR_EPROTO, "data[%zu]: index %lld is out of range, or came twice", i,
                            (long long)index);
        v = gri_vector(gr_get(item, "embedding"));
        if (v == NULL)
            return gr_error(GR_EPROTO, "data[%zu].embedding is no vector", i);
        if (gr_error_code(v) != GR_OK)
            return v;
        vectors[index] = v;
    }
    return NULL;
}

gr_value *gri_openai_vectors(const gr_value *json, size_t count)
{
    const gr_value *data = gr_get(json, "data");
    gr_value **vectors, *answer;

    if (!gr_is_nil(gr_get(json, "error")))
        return gri_openai_error_of(200, gr_get(json, "error"), -1);
    if (gr_value_type(data) != GR_LIST || gr_len(data) != count)
        return gr_error(GR_EPROTO, "the answer has %zu embeddings for %zu texts", gr_len(data),
                        count);
    vectors = gri_alloc_array(count + 1, sizeof(gr_value *));
    if (vectors == NULL)
        return no_memory();
    answer = read_all(data, vectors, count);
    if (answer == NULL) {
        answer = gr_list_n(vectors, count);
    } else {
        for (size_t i = 0; i < count; i++)
            gr_value_unref(vectors[i]);
    }
    gri_free(vectors);
    return answer;
}
