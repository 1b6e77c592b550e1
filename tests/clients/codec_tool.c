/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_tool.c - our half of the comparison with other people's codecs; codecs.sh runs it, and
 * codecs.mjs is the other half.
 *
 *   codec_tool make KIND SEED COUNT    writes COUNT documents and what we read in them
 *   codec_tool check KIND SEED COUNT   reads what the others read, and compares
 *
 * KIND is json, msgpack, sse or ndjson. All that is exchanged is strings of bytes, each behind its
 * length (4 bytes, little-endian). A document made: itself, "1" or "0" for taken or refused, and
 * what we read, written again. An answer: "1" or "0", flags in decimal, and what they read, written
 * again by them.
 *
 * The verdicts must be the same, and so must what was read, numbers by their value, but for what
 * this table lists. What is an intended difference is seen by the other side, by looking at what it
 * read; so a document that has none must be taken by both or by neither.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/codec.h>

#include "runtime/http/ndjson.h"
#include "runtime/http/sse.h"
#include "runtime/value/value.h"
#include "tests/support/document.h"

static const struct difference {
    unsigned flag;
    const char *what;
} differences[] = {
    { 1, "half of a surrogate pair: our strings are UTF-8" },
    { 2, "a number beyond the range of a double: it would become an infinity" },
    { 4, "nesting beyond 64 levels" },
    { 8, "MessagePack: a string that is not UTF-8" },
    { 16, "MessagePack: a key that is not a string" },
    { 32, "MessagePack: a key given twice" },
    { 64, "MessagePack: an extension that is none of ours, or malformed" },
    { 128, "MessagePack: the key \"__proto__\", which the other side refuses" },
};
#define DIFFERENCES (sizeof(differences) / sizeof(differences[0]))
#define THEIRS_REFUSES 128u

static size_t seen[DIFFERENCES], taken, refused, failed;

/* ---- exchange -------------------------------------------------------------------------------- */

static void put(const void *data, size_t len)
{
    const uint8_t head[4] = { (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16),
                              (uint8_t)(len >> 24) };

    if (fwrite(head, 1, 4, stdout) != 4 || fwrite(data, 1, len, stdout) != len)
        exit(2);
}

/* get reads one string into b; the process ends when there is none. */
static void get(struct gri_strbuf *b)
{
    uint8_t head[4];
    size_t len;

    gri_strbuf_clear(b);
    if (fread(head, 1, 4, stdin) != 4)
        exit(2);
    len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    if (!gri_strbuf_reserve(b, len) || fread(b->data, 1, len, stdin) != len)
        exit(2);
    b->len = len;
    b->data[len] = '\0';
}

/* ---- what we read ---------------------------------------------------------------------------- */

static bool note_event(void *arg, const struct gri_sse_event *e)
{
    gr_value **list = arg;
    gr_value *map;

    if (!e->has_data)
        return true; /* WHATWG drops an event without data; we give its name */
    map = gr_map(GR_KV("event", gr_str(e->name)), GR_KV("data", gr_strn(e->data, e->data_len)),
                 GR_KV("id", gr_str(e->id)));
    *list = gr_append(*list, map);
    return true;
}

static gr_value *read_sse(const char *text, size_t len)
{
    gr_value *list = gr_list_n(NULL, 0);
    struct gri_sse s;

    gri_sse_init(&s, 0, 0, note_event, &list);
    if (gri_sse_feed(&s, text, len, NULL, NULL) != GR_OK || gri_sse_end(&s, NULL) != GR_OK)
        exit(2);
    gri_sse_fini(&s);
    return list;
}

static bool note_line(void *arg, const char *line, size_t len)
{
    gr_value **list = arg;
    gr_value *v = gr_json_parse(line, len, NULL);

    if (gr_error_code(v) != GR_OK) {
        gr_value_unref(v);
        v = gr_str("refused");
    }
    *list = gr_append(*list, gr_list(v));
    return true;
}

static gr_value *read_ndjson(const char *text, size_t len)
{
    gr_value *list = gr_list_n(NULL, 0);
    struct gri_ndjson n;

    gri_ndjson_init(&n, 0, note_line, &list);
    if (gri_ndjson_feed(&n, text, len, NULL, NULL) != GR_OK || gri_ndjson_end(&n, NULL) != GR_OK)
        exit(2);
    gri_ndjson_fini(&n);
    return list;
}

/* is_refusal tells an error that was decoded, which MessagePack has, from a refusal. */
static bool is_refusal(const gr_value *v, bool msgpack)
{
    if (gr_value_type(v) != GR_ERROR)
        return false;
    return !msgpack || strncmp(gr_error_text(v), "byte ", 5) == 0;
}

static void print_json(const gr_value *v)
{
    size_t len = 0;
    char *text = gr_json_print(v, 0, &len);

    put(text, len);
    gr_free(text);
}

static void print_msgpack(const gr_value *v)
{
    void *data = NULL;
    size_t size = 0;

    if (gr_msgpack_encode(v, &data, &size) != GR_OK)
        exit(2);
    put(data, size);
    gr_free(data);
}

static gr_value *read_json(const char *text, size_t len)
{
    return gr_json_parse(text, len, NULL);
}

static gr_value *read_msgpack(const char *text, size_t len)
{
    return gr_msgpack_decode(text, len, NULL);
}

static const struct kind {
    const char *name;
    void (*make)(struct gri_strbuf *out, uint64_t seed);
    gr_value *(*read)(const char *text, size_t len);
    void (*print)(const gr_value *v);
    bool msgpack; /* how both sides write; else JSON */
} kinds[] = {
    { "json", test_make_json, read_json, print_json, false },
    { "msgpack", test_make_msgpack, read_msgpack, print_msgpack, true },
    { "sse", test_make_sse, read_sse, print_json, false },
    { "ndjson", test_make_ndjson, read_ndjson, print_json, false },
    { NULL, NULL, NULL, NULL, false },
};

/* ---- comparing ------------------------------------------------------------------------------- */

static bool is_number(const gr_value *v)
{
    return gr_value_type(v) == GR_INT || gr_value_type(v) == GR_REAL;
}

static bool same(const gr_value *a, const gr_value *b);

/* same_map looks in ours for what they read; of an event they may not know the id. */
static bool same_map(const gr_value *ours, const gr_value *theirs)
{
    const char *key = NULL;
    bool no_id = gr_get(ours, "id") != NULL && gr_get(theirs, "id") == NULL;

    if (gr_len(ours) != gr_len(theirs) + no_id)
        return false;
    for (size_t i = 0; i < gr_len(theirs); i++) {
        const gr_value *v = gr_pair_at(theirs, i, &key);
        const struct gri_text *k = gri_text(gri_pairs(theirs)->at[i].key); /* NULs may be inside */
        size_t at = gri_pairs_find(ours, k->data, k->len);

        if (at == SIZE_MAX || !same(gri_pairs(ours)->at[at].value, v))
            return false;
    }
    return true;
}

/* same compares by value: to JavaScript 1.0 is 1, and so are integers that a double can't tell
 * apart. */
static bool same(const gr_value *a, const gr_value *b)
{
    if (is_number(a) && is_number(b)) {
        double x = gr_as_real(a, 0), y = gr_as_real(b, 0);

        return x == y || (isnan(x) && isnan(y));
    }
    if (gr_value_type(a) != gr_value_type(b))
        return false;
    if (gr_value_type(a) == GR_MAP)
        return same_map(a, b);
    if (gr_value_type(a) != GR_LIST)
        return gr_equal(a, b);
    for (size_t i = 0; i < gr_len(a) && i < gr_len(b); i++)
        if (!same(gr_at(a, i), gr_at(b, i)))
            return false;
    return gr_len(a) == gr_len(b);
}

static void tell(uint64_t seed, unsigned flags, const char *what, const struct gri_strbuf *doc,
                 const gr_value *ours, const struct gri_strbuf *theirs)
{
    char *text = gr_json_print(ours, 0, NULL);

    if (++failed <= 10) {
        printf("FAIL seed %" PRIu64 ", flags %u: %s\n  document %.*s\n  hex     ", seed, flags,
               what, (int)doc->len, doc->data);
        for (size_t i = 0; i < doc->len; i++)
            printf(" %02x", (unsigned)(uint8_t)doc->data[i]);
        printf("\n  ours     %s\n  theirs   %.*s\n", text, (int)theirs->len, theirs->data);
    }
    gr_free(text);
}

/* check compares one document's two readings. */
static void check(const struct kind *k, uint64_t seed, const struct gri_strbuf *doc, bool they_took,
                  unsigned flags, const struct gri_strbuf *theirs)
{
    gr_value *v = k->read(doc->data != NULL ? doc->data : "", doc->len), *w = NULL;
    bool we_took = !is_refusal(v, k->msgpack);
    bool intended = flags != 0 && (flags & THEIRS_REFUSES ? !they_took : !we_took && they_took);

    taken += we_took && they_took;
    refused += !we_took && !they_took;
    for (size_t i = 0; i < DIFFERENCES; i++)
        seen[i] += intended && we_took != they_took && (flags & differences[i].flag) != 0;
    if (we_took && they_took) {
        w = k->msgpack ? read_msgpack(theirs->data, theirs->len)
                       : read_json(theirs->data, theirs->len);
        if (flags != 0)
            tell(seed, flags, "taken, though it has what we refuse", doc, v, theirs);
        else if (!same(v, w))
            tell(seed, flags, "read differently", doc, v, theirs);
    } else if (we_took != they_took && !intended) {
        tell(seed, flags, we_took ? "we take it, they refuse it" : "we refuse it, they take it",
             doc, v, theirs);
    }
    gr_value_unref(v);
    gr_value_unref(w);
}

/* ---- running --------------------------------------------------------------------------------- */

static void make_all(const struct kind *k, uint64_t seed, size_t count)
{
    struct gri_strbuf doc = GRI_STRBUF_INIT;

    for (size_t i = 0; i < count; i++) {
        gr_value *v;

        gri_strbuf_clear(&doc);
        k->make(&doc, seed + i);
        v = k->read(doc.data != NULL ? doc.data : "", doc.len);
        put(doc.data != NULL ? doc.data : "", doc.len);
        put(is_refusal(v, k->msgpack) ? "0" : "1", 1);
        k->print(v);
        gr_value_unref(v);
    }
    gri_strbuf_fini(&doc);
}

static int check_all(const struct kind *k, uint64_t seed, size_t count)
{
    struct gri_strbuf doc = GRI_STRBUF_INIT, verdict = GRI_STRBUF_INIT, flags = GRI_STRBUF_INIT,
                      theirs = GRI_STRBUF_INIT;

    for (size_t i = 0; i < count; i++) {
        gri_strbuf_clear(&doc);
        k->make(&doc, seed + i);
        get(&verdict);
        get(&flags);
        get(&theirs);
        check(k, seed + i, &doc, verdict.data[0] == '1', (unsigned)strtoul(flags.data, NULL, 10),
              &theirs);
    }
    printf("%s: %zu documents from seed %" PRIu64 ": both took %zu, both refused %zu, %zu wrong\n",
           k->name, count, seed, taken, refused, failed);
    for (size_t i = 0; i < DIFFERENCES; i++)
        if (seen[i] > 0)
            printf("%s: intended, %zu times: %s\n", k->name, seen[i], differences[i].what);
    gri_strbuf_fini(&doc);
    gri_strbuf_fini(&verdict);
    gri_strbuf_fini(&flags);
    gri_strbuf_fini(&theirs);
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct kind *k = kinds;
    uint64_t seed;
    size_t count;

    if (argc != 5) {
        fprintf(stderr, "usage: codec_tool make|check KIND SEED COUNT\n");
        return 2;
    }
    while (k->name != NULL && strcmp(k->name, argv[2]) != 0)
        k++;
    seed = strtoull(argv[3], NULL, 10);
    count = (size_t)strtoull(argv[4], NULL, 10);
    if (k->name == NULL)
        return 2;
    if (strcmp(argv[1], "check") == 0)
        return check_all(k, seed, count);
    make_all(k, seed, count);
    return 0;
}
