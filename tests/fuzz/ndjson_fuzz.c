/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ndjson_fuzz.c - the splitter of JSON lines: what comes out must not depend on how the bytes are
 * cut.
 *
 * The first byte of the input sets the size of the pieces, the second whether the limit is small.
 */
#include "runtime/http/ndjson.h"
#include "tests/fuzz/fuzz.h"

struct digest {
    uint64_t hash;
    size_t count;
    bool stop; /* on_line returns false each time */
};

static void mix(struct digest *d, const char *bytes, size_t len)
{
    d->hash = (d->hash ^ len) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < len; i++)
        d->hash = (d->hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
}

static bool note(void *arg, const char *line, size_t len)
{
    struct digest *d = arg;

    must(len > 0 && memchr(line, '\n', len) == NULL);
    mix(d, line, len);
    d->count++;
    return !d->stop;
}

static struct digest parse(const char *text, size_t len, size_t piece, size_t limit, bool stop)
{
    struct digest d = { .hash = 14695981039346656037u, .stop = stop };
    struct gri_ndjson n;
    gr_code rc = GR_OK;

    gri_ndjson_init(&n, limit, note, &d);
    for (size_t at = 0; at < len && rc == GR_OK;) {
        size_t used = 0, part = len - at < piece ? len - at : piece;

        rc = gri_ndjson_feed(&n, text + at, part, &used, NULL);
        must(used <= part && used > 0);
        must(stop || rc != GR_OK || used == part);
        at += used;
    }
    if (rc == GR_OK)
        rc = gri_ndjson_end(&n, NULL);
    gri_ndjson_fini(&n);
    mix(&d, (const char *)&rc, sizeof(rc));
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    const char *text = (const char *)data + 2;
    struct digest whole, pieces, stopping;
    size_t piece = 0, limit = 0;

    if (size < 2)
        return 0;
    piece = (size_t)data[0] % 17 + 1;
    limit = data[1] % 2 == 0 ? 0 : 24;
    whole = parse(text, size - 2, size, limit, false);
    pieces = parse(text, size - 2, piece, limit, false);
    stopping = parse(text, size - 2, size, limit, true);
    must(whole.count == pieces.count && whole.hash == pieces.hash);
    must(whole.count == stopping.count && whole.hash == stopping.hash);
    fuzz_end(&cost, size, 16);
    return 0;
}
