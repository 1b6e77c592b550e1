/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/lanes.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define KEYS_MAX 16   /* that a train remembers; beyond, everything goes aboard */
#define PART_HEAD 16u /* bytes that a part's frame may have besides its part */
#define SHARE                                                                                      \
    (GRI_WHOLE_MAX / 4u * 3u) /* of a turn is for what is quick, if there is a train, too */

/* A long frame, and what may not overtake it. Where bytes are counted, those of the text are, too. */
struct train {
    struct gri_list node;
    struct gri_strbuf frames;   /* each with its length */
    struct gri_frame_text text; /* counted; what was left out of the first of them */
    size_t at;                  /* of them has been sent */
    size_t end;                 /* where the frame that is being sent in parts ends; 0: none is */
    unsigned slot;
    uint64_t keys[KEYS_MAX];
    unsigned key_count;
    uint64_t after; /* it goes, or goes on, when so many bytes of the quick lane are gone */
    bool all;       /* more keys than are remembered */
};

static struct train *train_of(struct gri_list *n)
{
    return gri_container_of(n, struct train, node);
}

void gri_lanes_init(struct gri_lanes *l)
{
    *l = (struct gri_lanes){ .waiting = 0 };
    gri_list_init(&l->active);
    gri_list_init(&l->rest);
}

static void drop_text(struct train *t)
{
    gr_value_unref((gr_value *)(uintptr_t)t->text.v);
    t->text.v = NULL;
}

static void train_free(struct train *t)
{
    drop_text(t);
    gri_strbuf_fini(&t->frames);
    gri_free(t);
}

void gri_lanes_fini(struct gri_lanes *l)
{
    struct gri_list *n;

    while ((n = gri_list_pop(&l->active)) != NULL || (n = gri_list_pop(&l->rest)) != NULL)
        train_free(train_of(n));
    gri_strbuf_fini(&l->quick);
    l->waiting = l->quick_at = 0;
    l->train_count = l->slots = 0;
}

/* ---- what a train consists of ---------------------------------------------------------------- */

static size_t text_size(const struct gri_frame_text *text)
{
    return text != NULL && text->v != NULL ? gr_len(text->v) : 0;
}

static const char *text_data(const struct gri_frame_text *text)
{
    size_t size;

    return gr_value_type(text->v) == GR_BIN ? gr_as_bin(text->v, &size) : gr_cstr(text->v, "");
}

static size_t train_size(const struct train *t)
{
    return t->frames.len + text_size(&t->text);
}

/* frame_at is the frame that begins there, which is never within the text. */
static const char *frame_at(const struct train *t, size_t at)
{
    return t->frames.data + (at > t->text.at ? at - text_size(&t->text) : at);
}

/* cut tells where some bytes of a train are, before, in and behind the text. Returns how many slices that is. */
static unsigned cut(const struct train *t, size_t at, size_t size, struct gri_slice *slices)
{
    size_t in = text_size(&t->text), end = at + size;
    size_t from = in > 0 ? t->text.at : t->frames.len, to = from + in;
    unsigned count = 0;

    if (at < from && size > 0)
        slices[count++] = (struct gri_slice){ t->frames.data + at, (end < from ? end : from) - at };
    if (at < to && end > from && in > 0) {
        size_t first = at > from ? at : from;

        slices[count++] = (struct gri_slice){ text_data(&t->text) + (first - from),
                                              (end < to ? end : to) - first };
    }
    if (end > to) {
        size_t first = at > to ? at : to;

        slices[count++] = (struct gri_slice){ t->frames.data + (first - in), end - first };
    }
    return count;
}

/* ---- putting --------------------------------------------------------------------------------- */

static bool knows(const struct train *t, uint64_t key)
{
    for (unsigned i = 0; i < t->key_count; i++)
        if (t->keys[i] == key)
            return true;
    return false;
}

static bool has_key(const struct train *t, uint64_t key)
{
    return t->all || knows(t, key);
}

static void add_key(struct train *t, uint64_t key)
{
    if (key == 0 || has_key(t, key))
        return;
    if (t->key_count < KEYS_MAX)
        t->keys[t->key_count++] = key;
    else
        t->all = true;
}

static gr_code append(struct gri_strbuf *to, const struct gri_strbuf *frame)
{
    gri_strbuf_add(to, frame->data, frame->len);
    if (!to->failed)
        return GR_OK;
    to->failed = false;
    return GR_ENOMEM;
}

/* append_all: aboard another's train a text is copied. */
static gr_code append_all(struct gri_strbuf *to, const struct gri_strbuf *frame,
                          const struct gri_frame_text *text)
{
    size_t in = text_size(text), before = to->len;

    if (in == 0)
        return append(to, frame);
    gri_strbuf_reserve(to, frame->len + in);
    gri_strbuf_add(to, frame->data, text->at);
    gri_strbuf_add(to, text_data(text), in);
    gri_strbuf_add(to, frame->data + text->at, frame->len - text->at);
    if (!to->failed)
        return GR_OK;
    to->failed = false;
    to->len = before;
    return GR_ENOMEM;
}

/* add_to has a frame go aboard. What was put before it, under a key that is new there, may be in the quick lane. */
static gr_code add_to(struct gri_lanes *l, struct train *t, const struct gri_strbuf *frame,
                      const struct gri_frame_text *text, uint64_t key)
{
    gr_code rc = append_all(&t->frames, frame, text);

    if (rc == GR_OK && key != 0 && !knows(t, key)) {
        t->after = l->quick_put;
        add_key(t, key);
    }
    return rc;
}

/* latest finds the last train with a key, or the last one when any will do. */
static struct train *latest(struct gri_list *trains, uint64_t key)
{
    for (struct gri_list *n = trains->prev; n != trains; n = n->prev)
        if (key == 0 || has_key(train_of(n), key))
            return train_of(n);
    return NULL;
}

static struct train *aboard(struct gri_lanes *l, uint64_t key)
{
    struct train *t = latest(&l->rest, key);

    return t != NULL ? t : latest(&l->active, key);
}

/* depart gives slots to trains that wait for one. */
static void depart(struct gri_lanes *l)
{
    for (unsigned slot = 0; slot < GRI_PARTS_MAX; slot++) {
        struct gri_list *n;

        if ((l->slots & 1u << slot) != 0)
            continue;
        if (gri_list_empty(&l->rest) || train_of(l->rest.next)->after > l->quick_gone)
            return;
        n = gri_list_pop(&l->rest);
        train_of(n)->slot = slot;
        l->slots |= 1u << slot;
        gri_list_push(&l->active, n);
    }
}

static gr_code new_train(struct gri_lanes *l, struct gri_strbuf *frame,
                         const struct gri_frame_text *text, uint64_t key)
{
    struct train *t = gri_new0(struct train);

    if (t == NULL)
        return GR_ENOMEM;
    t->frames = *frame;
    if (text_size(text) > 0)
        t->text = (struct gri_frame_text){ .v = gr_value_ref(text->v), .at = text->at };
    t->after = l->quick_put;
    *frame = (struct gri_strbuf)GRI_STRBUF_INIT;
    add_key(t, key);
    gri_list_init(&t->node);
    gri_list_push(&l->rest, &t->node);
    l->train_count++;
    depart(l);
    return GR_OK;
}

gr_code gri_lanes_put(struct gri_lanes *l, struct gri_strbuf *frame, uint64_t key)
{
    return gri_lanes_put_text(l, frame, NULL, key);
}

gr_code gri_lanes_put_text(struct gri_lanes *l, struct gri_strbuf *frame,
                           const struct gri_frame_text *text, uint64_t key)
{
    size_t size = frame->len + text_size(text);
    bool whole = size - GRI_FRAME_HEAD <= GRI_WHOLE_MAX;
    struct train *t = key != 0 && l->train_count > 0 ? aboard(l, key) : NULL;
    gr_code rc;

    if (t == NULL && !whole && l->train_count >= GRI_TRAINS_MAX)
        t = aboard(l, 0);
    if (t == NULL) {
        rc = whole ? append_all(&l->quick, frame, text) : new_train(l, frame, text, key);
        if (rc == GR_OK && whole)
            l->quick_put += size;
    } else {
        rc = add_to(l, t, frame, text, key);
    }
    if (rc == GR_OK)
        l->waiting += size;
    return rc;
}

gr_code gri_lanes_move(struct gri_lanes *l, struct gri_lanes *from)
{
    struct gri_list *n;
    gr_code rc = GR_OK;

    gri_assert(from->quick_at == 0);
    if (from->quick.len > 0)
        rc = append(&l->quick, &from->quick);
    if (rc != GR_OK)
        return rc;
    l->quick_put += from->quick.len;
    while ((n = gri_list_pop(&from->active)) != NULL || (n = gri_list_pop(&from->rest)) != NULL) {
        gri_assert(train_of(n)->at == 0);
        train_of(n)->after = l->quick_put;
        gri_list_push(&l->rest, n);
        l->train_count++;
    }
    l->waiting += from->waiting;
    gri_lanes_fini(from);
    depart(l);
    return GR_OK;
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* quick_turn finds how many bytes of whole frames go: at least one frame, and no more than `most`. */
static size_t quick_turn(const struct gri_lanes *l, size_t most)
{
    size_t at = l->quick_at;

    if (l->quick.len - at <= most)
        return l->quick.len - at;
    while (at < l->quick.len) {
        size_t size = gri_frame_size(l->quick.data + at);

        if (at > l->quick_at && at + size - l->quick_at > most)
            break;
        at += size;
    }
    return at - l->quick_at;
}

/* part_turn tells of the next part of a train, or of a whole frame in it. Returns how many slices. */
static unsigned part_turn(struct gri_lanes *l, struct train *t, size_t most,
                          struct gri_slice *slices)
{
    size_t size = t->end == 0 ? gri_frame_size(frame_at(t, t->at)) : 0, left, part;

    if (t->end == 0 && size - GRI_FRAME_HEAD <= GRI_WHOLE_MAX) {
        l->turn_part = size;
        return cut(t, t->at, size, slices);
    }
    if (t->end == 0) { /* a frame to be cut up: its own length does not go */
        t->end = t->at + size;
        t->at += GRI_FRAME_HEAD;
        l->waiting -= GRI_FRAME_HEAD;
    }
    left = t->end - t->at;
    part = left < most - PART_HEAD ? left : most - PART_HEAD;
    slices[0] = (struct gri_slice){ l->head, gri_frame_part(l->head, t->slot, left - part, part) };
    l->turn_part = part;
    return 1 + cut(t, t->at, part, slices + 1);
}

unsigned gri_lanes_next(struct gri_lanes *l, struct gri_slice slices[GRI_SLICES])
{
    bool train = !gri_list_empty(&l->active) && train_of(l->active.next)->after <= l->quick_gone;
    unsigned count = 0;

    l->turn_quick = quick_turn(l, train ? SHARE : GRI_WHOLE_MAX);
    l->turn_part = 0;
    if (l->turn_quick > 0)
        slices[count++] = (struct gri_slice){ l->quick.data + l->quick_at, l->turn_quick };
    if (train)
        count +=
            part_turn(l, train_of(l->active.next),
                      l->turn_quick < SHARE ? GRI_WHOLE_MAX - l->turn_quick : GRI_WHOLE_MAX - SHARE,
                      slices + count);
    return count;
}

static void quick_sent(struct gri_lanes *l)
{
    l->quick_at += l->turn_quick;
    l->quick_gone += l->turn_quick;
    if (l->quick_at == l->quick.len) {
        gri_strbuf_clear(&l->quick);
        l->quick_at = 0;
        if (l->quick.cap > 4 * GRI_WHOLE_MAX)
            gri_strbuf_fini(&l->quick); /* what a burst took is given back */
    } else if (l->quick_at > l->quick.len / 2) {
        gri_strbuf_consume(&l->quick, l->quick_at);
        l->quick_at = 0;
    }
}

static void train_sent(struct gri_lanes *l, struct train *t)
{
    t->at += l->turn_part;
    if (t->at == t->end)
        t->end = 0;
    gri_list_remove(&t->node);
    if (t->at < train_size(t)) {
        if (t->end == 0 && t->text.v != NULL && t->at > t->text.at) { /* it is gone */
            t->at -= text_size(&t->text);
            drop_text(t);
        }
        if (t->end == 0 && t->text.v == NULL &&
            t->at > t->frames.len / 2) { /* it may never be empty: see quick_sent */
            gri_strbuf_consume(&t->frames, t->at);
            t->at = 0;
        }
        gri_list_push(&l->active, &t->node); /* the others' turn */
        return;
    }
    l->slots &= ~(1u << t->slot);
    l->train_count--;
    train_free(t);
    depart(l);
}

void gri_lanes_sent(struct gri_lanes *l)
{
    l->waiting -= l->turn_quick + l->turn_part;
    if (l->turn_part > 0)
        train_sent(l, train_of(l->active.next));
    if (l->turn_quick > 0) {
        quick_sent(l);
        depart(l);
    }
    l->turn_quick = l->turn_part = 0;
}

/* ---- counting -------------------------------------------------------------------------------- */

/* count_in: the type of a frame is the byte after that of its array. */
static size_t count_in(const struct gri_strbuf *frames, size_t at, enum gri_frame_type type)
{
    size_t n = 0;

    for (; at < frames->len; at += gri_frame_size(frames->data + at))
        n += (uint8_t)frames->data[at + GRI_FRAME_HEAD + 1] == type;
    return n;
}

/* count_aboard: the frame with the text is the first. */
static size_t count_aboard(const struct train *t, enum gri_frame_type type)
{
    size_t at = t->end != 0 ? t->end : t->at, n = 0;

    for (; at < train_size(t); at += gri_frame_size(frame_at(t, at)))
        n += (uint8_t)frame_at(t, at)[GRI_FRAME_HEAD + 1] == type;
    return n;
}

size_t gri_lanes_count(const struct gri_lanes *l, enum gri_frame_type type)
{
    const struct gri_list *trains[] = { &l->active, &l->rest };
    size_t n = count_in(&l->quick, l->quick_at, type);

    for (int i = 0; i < 2; i++)
        for (struct gri_list *k = trains[i]->next; k != trains[i]; k = k->next) {
            n += count_aboard(train_of(k), type);
        }
    return n;
}
