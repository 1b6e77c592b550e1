/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/document.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/utf8.h"

#define PICK(d, array) ((array)[test_below((d), sizeof(array) / sizeof((array)[0]))])

uint64_t test_throw(struct test_dice *d)
{
    uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

struct test_dice test_dice_of(uint64_t seed)
{
    struct test_dice first = { seed };

    return (struct test_dice){ test_throw(&first) };
}

static uint64_t number_of(const char *name, uint64_t by_default)
{
    const char *text = getenv(name);

    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 10) : by_default;
}

uint64_t test_seed(void)
{
    return number_of("GR_TEST_SEED", 1);
}

size_t test_documents(size_t by_default)
{
    return (size_t)number_of("GR_TEST_DOCUMENTS", by_default);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void insert(struct gri_strbuf *out, size_t at, char c)
{
    gri_strbuf_addc(out, c);
    memmove(out->data + at + 1, out->data + at, out->len - at - 1);
    out->data[at] = c;
}

static void cut(struct gri_strbuf *out, size_t at, size_t len)
{
    memmove(out->data + at, out->data + at + len, out->len - at - len);
    out->len -= len;
}

void test_damage(struct gri_strbuf *out, size_t from, struct test_dice *d)
{
    static const char telling[] = "[]{},:\"\\/0123456789.eE+-tfnu \n\r\t\0\x1f\x7f\xff\xc0\xed\xa0";

    for (size_t n = 1 + test_below(d, 4); n > 0 && out->len > from; n--) {
        size_t at = from + test_below(d, out->len - from);
        size_t len = 1 + test_below(d, out->len - at);

        switch (test_below(d, 6)) {
        case 0: out->data[at] ^= (char)(1u << test_below(d, 8)); break;
        case 1: cut(out, at, 1); break;
        case 2: insert(out, at, telling[test_below(d, sizeof(telling) - 1)]); break;
        case 3: out->data[at] = telling[test_below(d, sizeof(telling) - 1)]; break;
        case 4: out->len = at; break;
        default:
            for (size_t i = 0; i < len && i < 16; i++)
                gri_strbuf_addc(out, out->data[at + i]);
        }
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static const char *const plain_texts[] = { "", "a", "b", "content", "__proto__", "1", "text here" };

static void json_space(struct gri_strbuf *out, struct test_dice *d)
{
    while (test_one_in(d, 6))
        gri_strbuf_addc(out, " \n\t\r"[test_below(d, 4)]);
}

static void json_digits(struct gri_strbuf *out, struct test_dice *d, size_t most)
{
    gri_strbuf_addc(out, (char)('1' + test_below(d, 9)));
    for (size_t n = test_below(d, most); n > 0; n--)
        gri_strbuf_addc(out, (char)('0' + test_below(d, 10)));
}

static void json_number(struct gri_strbuf *out, struct test_dice *d)
{
    static const char *const edges[] = { "0",
                                         "-0",
                                         "-0.0",
                                         "0e0",
                                         "9007199254740991",
                                         "9007199254740992",
                                         "9007199254740993",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "-9223372036854775808",
                                         "-9223372036854775809",
                                         "18446744073709551615",
                                         "18446744073709551616",
                                         "4.9e-324",
                                         "2.4e-324",
                                         "2.2250738585072014e-308",
                                         "1.7976931348623157e308",
                                         "1.7976931348623159e308",
                                         "1e400",
                                         "-1e400",
                                         "1e-400",
                                         "0.1",
                                         "1E+2",
                                         "1e-7",
                                         "123456789012345678" };

    if (test_one_in(d, 3)) {
        gri_strbuf_adds(out, PICK(d, edges));
        return;
    }
    if (test_one_in(d, 2))
        gri_strbuf_addc(out, '-');
    json_digits(out, d, test_one_in(d, 4) ? 30 : 6);
    if (test_one_in(d, 2)) {
        gri_strbuf_addc(out, '.');
        json_digits(out, d, 20);
    }
    if (test_one_in(d, 3))
        gri_strbuf_addf(out, "%c%s%zu", test_one_in(d, 2) ? 'e' : 'E',
                        test_one_in(d, 2)   ? "-"
                        : test_one_in(d, 2) ? "+"
                                            : "",
                        test_below(d, 40));
}

static void add_char(struct gri_strbuf *out, struct test_dice *d)
{
    static const uint32_t most[] = { 0x7f, 0x7ff, 0xffff, 0x10ffff };
    char utf8[4];
    size_t len = gri_utf8_put((uint32_t)test_below(d, PICK(d, most)) + 1, utf8);

    if (len > 1 || (len == 1 && utf8[0] >= 0x20 && utf8[0] != '"' && utf8[0] != '\\'))
        gri_strbuf_add(out, utf8, len);
}

static void json_escape(struct gri_strbuf *out, struct test_dice *d)
{
    unsigned c = (unsigned)test_below(d, 0x400);

    switch (test_below(d, 8)) {
    case 0: gri_strbuf_addf(out, "\\ud8%02x\\udc%02X", c & 0xff, c >> 2 & 0xff); break;
    case 1: gri_strbuf_addf(out, "\\u%04x", (unsigned)test_below(d, 0xd800)); break;
    case 2: gri_strbuf_adds(out, "\\u0000"); break;
    case 3:
        if (test_one_in(d, 8)) { /* half of a pair */
            gri_strbuf_addf(out, "\\ud%03x", 0x800 + (unsigned)test_below(d, 0x800));
            break;
        }
        /* fall through */
    default: gri_strbuf_addc(out, '\\'); gri_strbuf_addc(out, "\"\\/bfnrt"[test_below(d, 8)]);
    }
}

static void json_string(struct gri_strbuf *out, struct test_dice *d)
{
    gri_strbuf_addc(out, '"');
    gri_strbuf_adds(out, PICK(d, plain_texts));
    while (!test_one_in(d, 3)) {
        if (test_one_in(d, 3))
            json_escape(out, d);
        else
            add_char(out, d);
    }
    gri_strbuf_addc(out, '"');
}

static void json_scalar(struct gri_strbuf *out, struct test_dice *d)
{
    static const char *const words[] = { "null", "true", "false", "[]", "{}" };

    switch (test_below(d, 3)) {
    case 0: gri_strbuf_adds(out, PICK(d, words)); break;
    case 1: json_number(out, d); break;
    default: json_string(out, d);
    }
}

static void json_value(struct gri_strbuf *out, struct test_dice *d, unsigned depth)
{
    bool map = test_one_in(d, 2);
    size_t count = test_below(d, 5);

    json_space(out, d);
    if (depth == 0 || test_one_in(d, 3)) {
        json_scalar(out, d);
        json_space(out, d);
        return;
    }
    gri_strbuf_addc(out, map ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            gri_strbuf_addc(out, ',');
        json_space(out, d);
        if (map && test_one_in(d, 2))
            gri_strbuf_addf(out, "\"%s\"", PICK(d, plain_texts)); /* often given twice */
        else if (map)
            json_string(out, d);
        json_space(out, d);
        if (map)
            gri_strbuf_addc(out, ':');
        json_value(out, d, depth - 1);
    }
    json_space(out, d);
    gri_strbuf_addc(out, map ? '}' : ']');
    json_space(out, d);
}

/* json_deep nests around the limit of 64. */
static void json_deep(struct gri_strbuf *out, struct test_dice *d)
{
    size_t depth = 58 + test_below(d, 12);
    uint64_t maps = test_throw(d);

    for (size_t i = 0; i < depth; i++)
        gri_strbuf_adds(out, (maps >> i % 64 & 1) != 0 ? "{\"k\":" : "[");
    json_scalar(out, d);
    for (size_t i = depth; i > 0; i--)
        gri_strbuf_addc(out, (maps >> (i - 1) % 64 & 1) != 0 ? '}' : ']');
}

void test_make_json(struct gri_strbuf *out, uint64_t seed)
{
    struct test_dice d = test_dice_of(seed);
    size_t from = out->len;

    if (test_one_in(&d, 50))
        json_deep(out, &d);
    else
        json_value(out, &d, 4);
    if (test_below(&d, 5) < 2)
        test_damage(out, from, &d);
}

/* ---- MessagePack ----------------------------------------------------------------------------- */

static void put_be(struct gri_strbuf *out, uint64_t n, unsigned bytes)
{
    while (bytes-- > 0)
        gri_strbuf_addc(out, (char)(uint8_t)(n >> 8 * bytes));
}

/* put_len writes a tag with a length of 1, 2 or 4 bytes, which need not be the shortest. */
static void put_len(struct gri_strbuf *out, struct test_dice *d, unsigned tag, size_t len)
{
    size_t width = test_below(d, 3);

    if (len > 255 && width == 0)
        width = 1;
    gri_strbuf_addc(out, (char)(uint8_t)(tag + width));
    put_be(out, len, 1u << width);
}

static void msgpack_str(struct gri_strbuf *out, struct test_dice *d)
{
    struct gri_strbuf text = GRI_STRBUF_INIT;

    gri_strbuf_adds(&text, PICK(d, plain_texts));
    while (!test_one_in(d, test_one_in(d, 20) ? 200 : 3))
        add_char(&text, d);
    if (text.len < 32 && test_one_in(d, 2))
        gri_strbuf_addc(out, (char)(0xa0 | text.len));
    else
        put_len(out, d, 0xd9, text.len);
    gri_strbuf_add(out, text.data != NULL ? text.data : "", text.len);
    gri_strbuf_fini(&text);
}

static void put_bytes(struct gri_strbuf *out, struct test_dice *d, size_t count)
{
    while (count-- > 0)
        gri_strbuf_addc(out, (char)test_throw(d));
}

static void msgpack_number(struct gri_strbuf *out, struct test_dice *d)
{
    static const unsigned tags[] = { 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3 };
    static const unsigned bytes[] = { 4, 8, 1, 2, 4, 8, 1, 2, 4, 8 };
    size_t which = test_below(d, 11);

    if (which == 10) {
        gri_strbuf_addc(out,
                        (char)(test_one_in(d, 2) ? test_below(d, 128) : 0xe0 + test_below(d, 32)));
        return;
    }
    gri_strbuf_addc(out, (char)tags[which]);
    if (test_one_in(d, 4)) {
        put_be(out, test_one_in(d, 2) ? 0 : UINT64_MAX, bytes[which]); /* the edges; -0, NaN */
        return;
    }
    put_bytes(out, d, bytes[which]);
}

/* msgpack_ext: floats, a ref, an error, one that we don't know, or a time. */
static void msgpack_ext(struct gri_strbuf *out, struct test_dice *d)
{
    static const char error[] = "\x83\xa4"
                                "code\x02\xa4"
                                "text\xa2no\xa6status\xcd\x01\xf4";
    size_t count = test_below(d, 5) * 4;

    switch (test_below(d, 8)) {
    case 0:
        gri_strbuf_add(out, "\xd8\x02", 2);
        put_bytes(out, d, 16);
        break;
    case 1:
        gri_strbuf_add(out, "\xd6\xff", 2);
        put_bytes(out, d, 4);
        break;
    case 2:
        gri_strbuf_add(out, "\xd4\x2a", 2);
        put_bytes(out, d, 1);
        break;
    case 3:
    case 4:
        put_len(out, d, 0xc7, sizeof(error) - 1);
        gri_strbuf_addc(out, 3);
        gri_strbuf_add(out, error, sizeof(error) - 1);
        break;
    default:
        put_len(out, d, 0xc7, count);
        gri_strbuf_addc(out, 1);
        put_bytes(out, d, count);
    }
}

static void msgpack_scalar(struct gri_strbuf *out, struct test_dice *d)
{
    size_t count;

    switch (test_below(d, 8)) {
    case 0: gri_strbuf_addc(out, (char)0xc0); break;
    case 1: gri_strbuf_addc(out, (char)(0xc2 + test_below(d, 2))); break;
    case 2:
        count = test_below(d, 9);
        put_len(out, d, 0xc4, count);
        put_bytes(out, d, count);
        break;
    case 3: msgpack_ext(out, d); break;
    case 4:
    case 5: msgpack_str(out, d); break;
    default: msgpack_number(out, d);
    }
}

static void msgpack_head(struct gri_strbuf *out, struct test_dice *d, bool map, size_t count)
{
    size_t width = test_below(d, 3);

    if (width == 0) {
        gri_strbuf_addc(out, (char)((map ? 0x80u : 0x90u) | count));
        return;
    }
    gri_strbuf_addc(out, (char)(uint8_t)((map ? 0xdeu : 0xdcu) + width - 1));
    put_be(out, count, width == 1 ? 2 : 4);
}

static void msgpack_value(struct gri_strbuf *out, struct test_dice *d, unsigned depth)
{
    bool map = test_one_in(d, 2);
    size_t count = test_below(d, 5);

    if (depth == 0 || test_one_in(d, 3)) {
        msgpack_scalar(out, d);
        return;
    }
    msgpack_head(out, d, map, count);
    for (size_t i = 0; i < count; i++) {
        if (map && test_one_in(d, 60))
            msgpack_number(out, d); /* a key that is no string */
        else if (map && test_one_in(d, 20))
            gri_strbuf_adds(out, "\xa1"
                                 "a"); /* perhaps given twice */
        else if (map)
            msgpack_str(out, d);
        msgpack_value(out, d, depth - 1);
    }
}

void test_make_msgpack(struct gri_strbuf *out, uint64_t seed)
{
    struct test_dice d = test_dice_of(seed);
    size_t from = out->len;

    if (test_one_in(&d, 50)) {
        for (size_t n = 58 + test_below(&d, 12); n > 0; n--)
            gri_strbuf_addc(out, (char)0x91);
        msgpack_scalar(out, &d);
    } else {
        msgpack_value(out, &d, 4);
    }
    if (test_below(&d, 5) < 2)
        test_damage(out, from, &d);
}

/* ---- streams --------------------------------------------------------------------------------- */

static void sse_line(struct gri_strbuf *out, struct test_dice *d)
{
    static const char *const fields[] = { "data",  "data", "data",  "data", "event", "id",
                                          "retry", "",     "other", "Data", "data " };
    static const char *const values[] = { "",   " ",    "x",   " x", "  two",  "{\"a\": 1}",
                                          "12", " 300", "a:b", ":",  "[DONE]", " 1\xc3\xa9" };

    gri_strbuf_adds(out, PICK(d, fields));
    if (!test_one_in(d, 8)) {
        gri_strbuf_addc(out, ':');
        gri_strbuf_adds(out, PICK(d, values));
    }
}

void test_make_sse(struct gri_strbuf *out, uint64_t seed)
{
    static const char *const ends[] = { "\n", "\r\n", "\r" };
    struct test_dice d = test_dice_of(seed);
    const char *end = PICK(&d, ends);
    bool mixed = test_one_in(&d, 3);

    if (test_one_in(&d, 10))
        gri_strbuf_adds(out, "\xef\xbb\xbf");
    for (size_t n = test_below(&d, 30); n > 0; n--) {
        if (!test_one_in(&d, 3))
            sse_line(out, &d);
        gri_strbuf_adds(out, mixed ? PICK(&d, ends) : end);
    }
    if (test_one_in(&d, 3))
        sse_line(out, &d); /* without its end */
}

void test_make_ndjson(struct gri_strbuf *out, uint64_t seed)
{
    struct test_dice d = test_dice_of(seed);
    static const char *const ends[] = { "\n", "\n", "\r\n", "\n\n", "\n \t\n" };

    for (size_t n = test_below(&d, 8); n > 0; n--) {
        size_t from = out->len;

        json_value(out, &d, 2);
        for (size_t i = from; i < out->len; i++)
            if (out->data[i] == '\n' || out->data[i] == '\r')
                out->data[i] = ' ';
        if (test_one_in(&d, 5))
            test_damage(out, from, &d);
        if (n > 1 || test_one_in(&d, 2))
            gri_strbuf_adds(out, PICK(&d, ends));
    }
}
