/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.c - frames, read by hand: a value inside must be found without decoding it. Reading is
 * sticky: after the first mistake nothing more is read, and `bad` says what it was, at `at`.
 */
#include "runtime/net/frame.h"

#include <string.h>

#include "runtime/base/utf8.h"
#include "runtime/value/msgpack_ext.h"

struct reader {
    const uint8_t *data; /* borrowed */
    size_t size, at;
    const char *bad; /* static; the first mistake */
};

static void fail(struct reader *r, size_t at, const char *what)
{
    if (r->bad == NULL) {
        r->bad = what;
        r->at = at;
    }
}

/* take returns n bytes and steps over them; NULL at the end of the frame, which is a mistake. */
static const uint8_t *take(struct reader *r, size_t n)
{
    const uint8_t *p = r->data + r->at;

    if (r->bad != NULL)
        return NULL;
    if (r->size - r->at < n) {
        fail(r, r->size, "the frame ends too early");
        return NULL;
    }
    r->at += n;
    return p;
}

static uint64_t take_be(struct reader *r, unsigned bytes)
{
    const uint8_t *p = take(r, bytes);
    uint64_t n = 0;

    for (unsigned i = 0; p != NULL && i < bytes; i++)
        n = n << 8 | p[i];
    return n;
}

static uint64_t read_uint(struct reader *r, uint64_t least, uint64_t most, const char *what)
{
    size_t start = r->at;
    uint8_t tag = (uint8_t)take_be(r, 1);
    uint64_t n = tag;

    if (tag >= 0xcc && tag <= 0xcf)
        n = take_be(r, 1u << (tag - 0xcc));
    else if (tag >= 0x80)
        n = most + 1; /* no unsigned number */
    if (r->bad == NULL && (n < least || n > most || (tag >= 0x80 && (tag < 0xcc || tag > 0xcf))))
        fail(r, start, what);
    return r->bad == NULL ? n : 0;
}

static void read_text(struct reader *r, char *ret, size_t least, size_t max, const char *what)
{
    size_t start = r->at, len = 0;
    uint8_t tag = (uint8_t)take_be(r, 1);
    const uint8_t *p;

    if (tag >= 0xa0 && tag <= 0xbf)
        len = tag & 31u;
    else if (tag == 0xd9)
        len = (size_t)take_be(r, 1);
    else
        fail(r, start, what);
    if (len < least || len > max)
        fail(r, start, what);
    p = take(r, len);
    if (p == NULL)
        return;
    if (memchr(p, 0, len) != NULL || !gri_utf8_valid((const char *)p, len)) {
        fail(r, start, what);
        return;
    }
    memcpy(ret, p, len);
    ret[len] = '\0';
}

/* How 0xc4 to 0xdf go on: bytes of length or count, bytes besides, items for each counted. */
static const struct shape {
    uint8_t count_bytes, fixed, items;
} shapes[] = {
    { 1, 0, 0 }, { 2, 0, 0 }, { 4, 0, 0 },                            /* bin */
    { 1, 1, 0 }, { 2, 1, 0 }, { 4, 1, 0 },                            /* ext */
    { 0, 4, 0 }, { 0, 8, 0 },                                         /* float */
    { 0, 1, 0 }, { 0, 2, 0 }, { 0, 4, 0 }, { 0, 8, 0 },               /* uint */
    { 0, 1, 0 }, { 0, 2, 0 }, { 0, 4, 0 }, { 0, 8, 0 },               /* int */
    { 0, 2, 0 }, { 0, 3, 0 }, { 0, 5, 0 }, { 0, 9, 0 }, { 0, 17, 0 }, /* fixext */
    { 1, 0, 0 }, { 2, 0, 0 }, { 4, 0, 0 },                            /* str */
    { 2, 0, 1 }, { 4, 0, 1 },                                         /* array */
    { 2, 0, 2 }, { 4, 0, 2 },                                         /* map */
};

/* skip_one steps over a scalar or a container's head and returns how many items that holds. */
static uint64_t skip_one(struct reader *r)
{
    size_t start = r->at;
    uint8_t tag = (uint8_t)take_be(r, 1);
    const struct shape *s;
    uint64_t n;

    if (r->bad != NULL || tag < 0x80 || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3)
        return 0;
    if (tag < 0x90)
        return 2 * (tag & 15u);
    if (tag < 0xa0)
        return tag & 15u;
    if (tag < 0xc0) {
        take(r, tag & 31u);
        return 0;
    }
    if (tag < 0xc4) {
        fail(r, start, "a byte that starts no value");
        return 0;
    }
    s = &shapes[tag - 0xc4];
    n = take_be(r, s->count_bytes);
    if (s->items != 0)
        return n * s->items;
    take(r, (size_t)n + s->fixed);
    return 0;
}

/* read_value finds the extent of one value. Each item takes a byte at least, which bounds the
 * loop. */
static const uint8_t *read_value(struct reader *r, size_t *ret_size)
{
    size_t start = r->at;
    uint64_t left = 1;

    while (left > 0 && r->bad == NULL) {
        left += skip_one(r) - 1;
        if (left > r->size - r->at)
            fail(r, r->at, "the frame ends too early");
    }
    *ret_size = r->bad == NULL ? r->at - start : 0;
    return r->data + start;
}

/* read_bin finds bytes; which they are is for the caller to see. */
static const uint8_t *read_bin(struct reader *r, size_t *ret_size, const char *what)
{
    size_t start = r->at, len = 0;
    uint8_t tag = (uint8_t)take_be(r, 1);
    const uint8_t *p;

    if (tag >= 0xc4 && tag <= 0xc6)
        len = (size_t)take_be(r, 1u << (tag - 0xc4));
    else
        fail(r, start, what);
    p = take(r, len);
    *ret_size = p != NULL ? len : 0;
    return p;
}

static void read_nonce(struct reader *r, uint8_t nonce[GRI_NONCE_SIZE])
{
    size_t start = r->at, size = 0;
    const uint8_t *p = read_bin(r, &size, "a bad nonce");

    if (size != GRI_NONCE_SIZE)
        fail(r, start, "a bad nonce");
    else
        memcpy(nonce, p, size);
}

static uint64_t take_le64(struct reader *r)
{
    const uint8_t *p = take(r, 8);
    uint64_t n = 0;

    for (unsigned i = 8; p != NULL && i-- > 0;)
        n = n << 8 | p[i];
    return n;
}

/* read_ref reads an extension of 16 bytes. */
static gr_ref read_ref(struct reader *r, const char *what)
{
    size_t start = r->at;
    uint8_t tag = (uint8_t)take_be(r, 1);
    gr_ref ref = { 0, 0 };

    if (tag != 0xd8 && (tag != 0xc7 || take_be(r, 1) != 16))
        fail(r, start, what);
    if (take_be(r, 1) != GRI_EXT_REF)
        fail(r, start, what);
    ref.node = take_le64(r);
    ref.id = take_le64(r);
    return r->bad == NULL ? ref : (gr_ref){ 0, 0 };
}

/* read_to reads whom a frame is for: a name, or a ref. */
static void read_to(struct reader *r, struct gri_frame *f)
{
    size_t start = r->at;
    uint8_t tag = r->bad == NULL && r->at < r->size ? r->data[r->at] : 0;

    if (tag != 0xd8 && tag != 0xc7) {
        read_text(r, f->name, 1, GRI_FRAME_NAME_MAX, "a bad name");
        return;
    }
    f->to = read_ref(r, "a bad ref");
    if (f->to.id == 0)
        fail(r, start, "a bad ref");
}

/* read_hello leaves the rest alone when the versions don't meet: other versions may have other fields. */
static bool read_hello(struct reader *r, struct gri_hello *h)
{
    char magic[10] = "";

    read_text(r, magic, 1, 9, "no \"greenroom\"");
    if (r->bad == NULL && strcmp(magic, "greenroom") != 0)
        fail(r, r->at, "no \"greenroom\"");
    h->version_min = (uint32_t)read_uint(r, 1, UINT32_MAX, "a bad version");
    h->version_max = (uint32_t)read_uint(r, h->version_min, UINT32_MAX, "a bad version");
    if (r->bad == NULL && (h->version_min > GRI_WIRE_VERSION || h->version_max < GRI_WIRE_VERSION))
        return false;
    h->node = read_uint(r, 0, UINT64_MAX, "a bad node");
    h->incarnation = read_uint(r, 0, UINT64_MAX, "a bad incarnation");
    h->frame_max = (uint32_t)read_uint(r, GRI_FRAME_HELLO_MAX, UINT32_MAX, "a bad frame limit");
    h->calls_max = (uint32_t)read_uint(r, 1, UINT32_MAX, "a bad limit of calls");
    read_text(r, h->cluster, 0, GRI_HELLO_NAME_MAX, "a bad cluster");
    read_text(r, h->name, 0, GRI_HELLO_NAME_MAX, "a bad node name");
    h->features = read_uint(r, 0, UINT64_MAX, "bad features");
    read_nonce(r, h->nonce);
    h->beat_ms = (uint32_t)read_uint(r, 1, GRI_BEAT_MS_MAX, "a bad time between beats");
    h->link = read_uint(r, 0, UINT64_MAX, "a bad link");
    return true;
}

static void read_proof(struct reader *r, struct gri_proof *p)
{
    size_t start = r->at;
    const uint8_t *mac = read_bin(r, &p->mac_size, "a bad proof");
    uint8_t tag;

    if (r->bad == NULL && p->mac_size != 0 && p->mac_size != sizeof(p->mac))
        fail(r, start, "a bad proof");
    if (r->bad == NULL && p->mac_size > 0)
        memcpy(p->mac, mac, p->mac_size);
    p->stamp = read_uint(r, 0, UINT64_MAX, "a bad stamp");
    start = r->at;
    tag = (uint8_t)take_be(r, 1);
    if (tag < 0x90 || tag > (0x90 | GRI_HOLDS_MAX))
        fail(r, start, "a bad list of links");
    p->hold_count = r->bad == NULL ? tag & 15u : 0;
    for (unsigned i = 0; i < p->hold_count; i++)
        p->holds[i] = read_uint(r, 0, UINT64_MAX, "a bad link");
}

#define WATCH_FIELD 11u /* of an invoke; it may have none */

/* read_asked reads what of an invoke comes before its values. */
static void read_asked(struct reader *r, struct gri_frame *f)
{
    f->flags = (uint32_t)read_uint(r, 0, GRI_INVOKE_STREAM | GRI_INVOKE_INPUT, "bad flags");
    if (r->bad == NULL && f->flags == GRI_INVOKE_INPUT)
        fail(r, r->at, "an input without a stream");
    read_to(r, f);
    read_text(r, f->verb, 1, GRI_FRAME_VERB_MAX, "a bad verb");
    f->deadline_ms = read_uint(r, 0, INT64_MAX / 1000000, "a bad deadline");
    f->window = (uint32_t)read_uint(r, 0, GRI_FRAME_WINDOW_MAX, "a bad window");
    f->least = (uint32_t)read_uint(r, 0, GRI_FRAME_WINDOW_MAX, "a bad least cost");
    if (r->bad == NULL && (f->flags & GRI_INVOKE_STREAM) != 0 && (f->window == 0 || f->least == 0))
        fail(r, r->at, "a stream without a window");
}

static void read_invoke(struct reader *r, struct gri_frame *f, uint64_t count)
{
    read_asked(r, f);
    f->value = read_value(r, &f->value_size);
    f->config = read_value(r, &f->config_size);
    if (count < WATCH_FIELD || r->bad != NULL)
        return;
    f->watch = read_value(r, &f->watch_size);
    if (r->bad == NULL && f->watch_size == 1 && f->watch[0] == 0xc0) {
        f->watch = NULL;
        f->watch_size = 0;
    } else if (r->bad == NULL && f->window == 0) {
        fail(r, r->at, "a watch without a window");
    }
}

/* read_step: what follows the four fields is of a later version. */
static void read_step(struct reader *r, struct gri_route_step *step)
{
    size_t start = r->at;
    uint8_t tag = (uint8_t)take_be(r, 1);

    if (tag < 0x94 || tag > 0x9f)
        fail(r, start, "a bad step");
    read_text(r, step->url, 1, GRI_FRAME_NAME_MAX, "a bad URL");
    step->node = read_uint(r, 0, UINT64_MAX, "a bad node");
    step->incarnation = read_uint(r, 0, UINT64_MAX, "a bad incarnation");
    read_text(r, step->name, 1, GRI_FRAME_NAME_MAX, "a bad name");
    for (unsigned i = 4; i < (tag & 15u) && r->bad == NULL; i++) {
        size_t ignored;

        read_value(r, &ignored);
    }
}

bool gri_route_step_read(const uint8_t **steps, size_t *size, struct gri_route_step *ret)
{
    struct reader r = { .data = *steps, .size = *size };

    if (*size == 0)
        return false;
    read_step(&r, ret);
    *steps += r.at;
    *size -= r.at;
    return r.bad == NULL;
}

/* read_steps checks each step, so that reading them later can't fail. */
static void read_steps(struct reader *r, struct gri_frame *f)
{
    struct gri_route_step step;
    size_t start = r->at;
    uint8_t tag = (uint8_t)take_be(r, 1);

    if (tag >= 0x90 && tag <= 0x9f)
        f->step_count = tag & 15u;
    else if (tag == 0xdc)
        f->step_count = (unsigned)take_be(r, 2);
    else
        fail(r, start, "a bad list of steps");
    if (f->number + f->step_count > GRI_ROUTE_STEPS_MAX)
        fail(r, start, "too many steps");
    start = r->at;
    f->steps = r->data + start;
    for (unsigned i = 0; i < f->step_count && r->bad == NULL; i++)
        read_step(r, &step);
    f->steps_size = r->bad == NULL ? r->at - start : 0;
    if (f->steps_size > GRI_ROUTE_BYTES_MAX)
        fail(r, start, "too many bytes of steps");
}

static void read_route(struct reader *r, struct gri_frame *f)
{
    f->origin = read_uint(r, 0, UINT64_MAX, "a bad node");
    f->incarnation = read_uint(r, 0, UINT64_MAX, "a bad incarnation");
    f->call = read_uint(r, 1, UINT64_MAX, "a bad call id");
    f->number = read_uint(r, 0, GRI_ROUTE_STEPS_MAX, "a bad step");
    f->deadline_ms = read_uint(r, 0, INT64_MAX / 1000000, "a bad deadline");
    f->value = read_value(r, &f->value_size);
    f->config = read_value(r, &f->config_size);
    read_steps(r, f);
}

/* read_greeting reads what comes before calls. false: the other fields are of another version. */
static bool read_greeting(struct reader *r, struct gri_frame *f)
{
    switch (f->type) {
    case GRI_FRAME_HELLO: return read_hello(r, &f->hello);
    case GRI_FRAME_PROOF: read_proof(r, &f->proof); break;
    case GRI_FRAME_WELCOME: f->number = read_uint(r, 1, UINT64_MAX, "a bad number"); break;
    default:
        f->number = read_uint(r, 0, UINT16_MAX, "a bad code");
        f->id = read_uint(r, 0, UINT64_MAX, "a bad link");
        read_text(r, f->name, 0, GRI_FRAME_NAME_MAX, "a bad text");
    }
    return true;
}

static void read_call(struct reader *r, struct gri_frame *f, uint64_t count)
{
    f->id = read_uint(r, 1, UINT64_MAX, "a bad call id");
    switch (f->type) {
    case GRI_FRAME_INVOKE: read_invoke(r, f, count); break;
    case GRI_FRAME_ROUTE: read_route(r, f); break;
    case GRI_FRAME_HELD: f->number = read_uint(r, 0, GRI_ROUTE_STEPS_MAX, "a bad step"); break;
    case GRI_FRAME_CREDIT:
    case GRI_FRAME_INPUT_CREDIT:
        f->number = read_uint(r, 1, GRI_FRAME_WINDOW_MAX, "a bad credit");
        break;
    case GRI_FRAME_CANCEL: f->number = read_uint(r, 0, UINT16_MAX, "a bad code"); break;
    case GRI_FRAME_PING: f->number = read_uint(r, 0, GRI_PING_LAST, "a bad ping"); break;
    default: f->value = read_value(r, &f->value_size);
    }
}

static void read_signal(struct reader *r, struct gri_frame *f)
{
    if (f->type != GRI_FRAME_EXIT)
        f->id = read_uint(r, 1, UINT64_MAX, "a bad id");
    if (f->type == GRI_FRAME_DOWN || f->type == GRI_FRAME_UNTIE)
        f->number = read_uint(r, GRI_TIE_SENDERS, GRI_TIE_RECEIVERS, "a bad side");
    else
        read_to(r, f);
    if (f->type == GRI_FRAME_LINK || f->type == GRI_FRAME_EXIT)
        f->from = read_ref(r, "a bad ref");
    if (f->type == GRI_FRAME_DOWN || f->type == GRI_FRAME_EXIT)
        f->value = read_value(r, &f->value_size);
}

static bool read_fields(struct reader *r, struct gri_frame *f, uint64_t count)
{
    switch (f->type) {
    case GRI_FRAME_HELLO:
    case GRI_FRAME_PROOF:
    case GRI_FRAME_WELCOME:
    case GRI_FRAME_REFUSE: return read_greeting(r, f);
    case GRI_FRAME_TELL:
        read_to(r, f);
        f->value = read_value(r, &f->value_size);
        break;
    case GRI_FRAME_PART:
        f->id = read_uint(r, 0, GRI_PARTS_MAX - 1, "a bad slot");
        f->number = read_uint(r, 0, GRI_FRAME_MAX, "a bad length");
        f->value = read_bin(r, &f->value_size, "no bytes");
        if (f->value_size == 0)
            fail(r, r->at, "no bytes");
        break;
    case GRI_FRAME_BEAT: f->number = read_uint(r, 0, INT64_MAX / 1000000, "a bad time"); break;
    case GRI_FRAME_INVOKE:
    case GRI_FRAME_REPLY:
    case GRI_FRAME_CHUNK:
    case GRI_FRAME_CREDIT:
    case GRI_FRAME_END:
    case GRI_FRAME_CANCEL:
    case GRI_FRAME_INPUT_CHUNK:
    case GRI_FRAME_INPUT_END:
    case GRI_FRAME_INPUT_CREDIT:
    case GRI_FRAME_ROUTE:
    case GRI_FRAME_HELD:
    case GRI_FRAME_EVENT:
    case GRI_FRAME_PING: read_call(r, f, count); break;
    case GRI_FRAME_LINK:
    case GRI_FRAME_MONITOR:
    case GRI_FRAME_DOWN:
    case GRI_FRAME_UNTIE:
    case GRI_FRAME_EXIT: read_signal(r, f); break;
    case GRI_FRAME_NONE:
    case GRI_FRAME_OPTIONAL:
    default: fail(r, 1, "an unknown type");
    }
    return true;
}

/* read_count opens the array and returns how many elements it has. */
static uint64_t read_count(struct reader *r)
{
    uint8_t tag = (uint8_t)take_be(r, 1);

    if (tag >= 0x90 && tag <= 0x9f)
        return tag & 15u;
    if (tag == 0xdc)
        return take_be(r, 2);
    fail(r, 0, "no array");
    return 0;
}

bool gri_frame_find_text(const void *body, size_t size, struct gri_frame_find *ret)
{
    struct reader r = { .data = body, .size = size };
    struct gri_frame f;
    uint8_t tag;

    read_count(&r);
    f.type = (enum gri_frame_type)read_uint(&r, 1, UINT8_MAX, "a bad type");
    switch (f.type) {
    case GRI_FRAME_REPLY:
    case GRI_FRAME_CHUNK:
    case GRI_FRAME_INPUT_CHUNK: read_uint(&r, 1, UINT64_MAX, "a bad call id"); break;
    case GRI_FRAME_TELL: read_to(&r, &f); break;
    case GRI_FRAME_INVOKE:
        read_uint(&r, 1, UINT64_MAX, "a bad call id");
        read_asked(&r, &f);
        break;
    default: return false;
    }
    ret->head = r.at;
    tag = (uint8_t)take_be(&r, 1);
    ret->len = (size_t)take_be(&r, 4);
    ret->at = r.at;
    ret->type = tag == 0xc6 ? GR_BIN : GR_STR;
    return r.bad == NULL && (tag == 0xdb || tag == 0xc6) && ret->len >= GRI_WHOLE_MAX;
}

/* fields_of: a hello of another version may have fewer than ours, but says its versions. */
static uint64_t fields_of(enum gri_frame_type type)
{
    switch (type) {
    case GRI_FRAME_HELLO:
    case GRI_FRAME_PROOF:
    case GRI_FRAME_PART:
    case GRI_FRAME_LINK:
    case GRI_FRAME_DOWN:
    case GRI_FRAME_EXIT:
    case GRI_FRAME_REFUSE: return 4;
    case GRI_FRAME_WELCOME:
    case GRI_FRAME_BEAT: return 2;
    case GRI_FRAME_INVOKE:
    case GRI_FRAME_ROUTE: return 10;
    default: return 3;
    }
}

gr_code gri_frame_parse(const void *body, size_t size, struct gri_frame *ret, gr_value **reterr)
{
    struct reader r = { .data = body, .size = size };
    uint64_t count = read_count(&r), known, type;

    memset(ret, 0, sizeof(*ret));
    type = read_uint(&r, 1, UINT8_MAX, "a bad type");
    if (r.bad == NULL && (type & GRI_FRAME_OPTIONAL) != 0)
        return GR_OK; /* from a later version, and it says that it may be ignored */
    ret->type = (enum gri_frame_type)type;
    known = fields_of(ret->type);
    if (count < known)
        fail(&r, 0, "too few fields");
    if (read_fields(&r, ret, count) && ret->type == GRI_FRAME_HELLO)
        known = GRI_HELLO_FIELDS;
    else if (ret->type == GRI_FRAME_INVOKE && count >= WATCH_FIELD)
        known = WATCH_FIELD;
    if (count < known)
        fail(&r, 0, "too few fields");
    for (uint64_t i = known; i < count && r.bad == NULL; i++) {
        size_t ignored;

        read_value(&r, &ignored);
    }
    if (r.bad == NULL && r.at != size)
        fail(&r, r.at, "bytes after the frame's end");
    if (r.bad == NULL)
        return GR_OK;
    *reterr = gr_error(GR_EPROTO, "frame of type %u, byte %zu: %s", (unsigned)type, r.at, r.bad);
    return GR_EPROTO;
}
