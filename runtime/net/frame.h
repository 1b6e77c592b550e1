/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.h - what goes over a link: a length (4 bytes, big-endian) and one MessagePack array each.
 *
 * docs/wire.md is the reference. The array's first element is the type. Elements after those that
 * a type has are ignored, so that later versions may add some; an unknown type with bit 7 set is
 * ignored, any other unknown type ends the link. Values inside are found, not decoded: who needs
 * one decodes it.
 */
#ifndef GR_RUNTIME_NET_FRAME_H
#define GR_RUNTIME_NET_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <greenroom/value.h>

#include "runtime/base/strbuf.h"
#include "runtime/value/msgpack_refs.h"

#define GRI_WIRE_VERSION 2u               /* the only one we speak */
#define GRI_FRAME_HEAD 4u                 /* bytes of the length */
#define GRI_FRAME_MAX (16u * 1024 * 1024) /* longest frame, without the length */
#define GRI_WHOLE_MAX (64u * 1024)        /* longer ones go in parts */
#define GRI_PARTS_MAX 4u                  /* frames that may be on their way in parts */
#define GRI_PART_HEAD_MAX 32u
#define GRI_FRAME_HELLO_MAX 4096u /* the same before the peer's hello was accepted */
#define GRI_HELLO_FIELDS 14u
#define GRI_HELLO_NAME_MAX 63u    /* bytes of a cluster's or a node's name */
#define GRI_BEAT_MS_MAX 86400000u /* a day */
#define GRI_NONCE_SIZE 16u
#define GRI_MAC_SIZE 32u
#define GRI_HOLDS_MAX 15u                        /* links that a proof names */
#define GRI_FRAME_NAME_MAX 255u                  /* bytes of a published name */
#define GRI_FRAME_VERB_MAX 63u                   /* bytes of a verb */
#define GRI_FRAME_WINDOW_MAX (64u * 1024 * 1024) /* most credit a stream may start with */
#define GRI_WINDOW_LEAST (8u * 1024)             /* of any stream */
#define GRI_FRAME_INPUT_WINDOW GRI_WINDOW_LEAST  /* credit that every input stream starts with */
#define GRI_FRAME_INPUT_LEAST (8u * 1024)        /* and what a chunk of it costs at least */
#define GRI_ROUTE_STEPS_MAX 256u                 /* of one route */
#define GRI_ROUTE_BYTES_MAX (64u * 1024)         /* that they have on the wire */
#define GRI_FRAME_EVENT_LEAST 256u               /* what an event costs at least */

enum gri_frame_type {
    GRI_FRAME_NONE = 0, /* what may be ignored */
    GRI_FRAME_HELLO = 1,
    GRI_FRAME_INVOKE = 2,
    GRI_FRAME_REPLY = 3,
    GRI_FRAME_CHUNK = 4,
    GRI_FRAME_CREDIT = 5,
    GRI_FRAME_END = 6,
    GRI_FRAME_CANCEL = 7,
    GRI_FRAME_EVENT = 8,
    GRI_FRAME_TELL = 9,
    GRI_FRAME_LINK = 10, /* reserved, as are monitor and down */
    GRI_FRAME_MONITOR = 11,
    GRI_FRAME_DOWN = 12,
    GRI_FRAME_PING = 13,
    GRI_FRAME_INPUT_CHUNK = 14, /* from the caller, as chunk, end and credit are for the answer */
    GRI_FRAME_INPUT_END = 15,
    GRI_FRAME_INPUT_CREDIT = 16,
    GRI_FRAME_PROOF = 17,
    GRI_FRAME_WELCOME = 18,
    GRI_FRAME_REFUSE = 19,
    GRI_FRAME_BEAT = 20,
    GRI_FRAME_PART = 21,
    GRI_FRAME_ROUTE = 22, /* a call and where it goes on; to its origin: how far it has come */
    GRI_FRAME_HELD = 23,  /* who sends this has the call now, and answers for it */
    GRI_FRAME_UNTIE = 24,
    GRI_FRAME_EXIT = 25,
    GRI_FRAME_OPTIONAL = 0x80 /* set in the types of later versions that may be ignored */
};

enum { GRI_INVOKE_STREAM = 1, GRI_INVOKE_INPUT = 2 }; /* flags of invoke */
enum { GRI_TIE_SENDERS = 0, GRI_TIE_RECEIVERS = 1 }; /* down, untie: who made the link or monitor */
/* the number of a ping: LAST asks, too, and says that no more calls are taken */
enum { GRI_PING_ANSWER = 0, GRI_PING_ASK = 1, GRI_PING_LAST = 2 };

/* gri_frame_brings tells whether frames of this type are there to bring a value. */
static inline bool gri_frame_brings(enum gri_frame_type type)
{
    return type == GRI_FRAME_INVOKE || type == GRI_FRAME_ROUTE || type == GRI_FRAME_REPLY ||
           type == GRI_FRAME_CHUNK || type == GRI_FRAME_INPUT_CHUNK || type == GRI_FRAME_TELL;
}

/* gri_frame_size is how long the frame is that begins there, with its length. */
static inline size_t gri_frame_size(const char *at)
{
    const uint8_t *p = (const uint8_t *)at;

    return GRI_FRAME_HEAD + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
}

/* gri_frame_count counts the frames that were written into a buffer, and those of them that bring a value. */
struct gri_frame_count {
    uint64_t all, values;
};
static inline struct gri_frame_count gri_frame_count(const struct gri_strbuf *frames)
{
    struct gri_frame_count n = { 0, 0 };

    for (size_t at = 0; at < frames->len; at += gri_frame_size(frames->data + at)) {
        /* the type is behind the array's head */
        uint8_t type = (uint8_t)frames->data[at + GRI_FRAME_HEAD + 1];

        n.all++;
        n.values += gri_frame_brings((enum gri_frame_type)type);
    }
    return n;
}

struct gri_hello {
    uint32_t version_min, version_max;
    uint64_t node;        /* the runtime's, as in its refs */
    uint64_t incarnation; /* of this start; later starts have greater ones */
    uint32_t frame_max;   /* longest frame that it takes */
    uint32_t calls_max;   /* most calls of the peer at a time */
    char cluster[GRI_HELLO_NAME_MAX + 1];
    char name[GRI_HELLO_NAME_MAX + 1]; /* the node's; "": it has none */
    uint64_t features;                 /* bits; none is defined yet */
    uint8_t nonce[GRI_NONCE_SIZE];     /* random, of this connection */
    uint32_t beat_ms;                  /* a beat comes so often */
    uint64_t link;                     /* what who dialled calls the connection; 0: it accepted */
};

struct gri_proof {
    uint8_t mac[GRI_MAC_SIZE];
    size_t mac_size;               /* 0: no secret */
    uint64_t stamp;                /* counts the sender's proofs */
    uint64_t holds[GRI_HOLDS_MAX]; /* the other links that the sender has with the peer */
    unsigned hold_count;
};

/* A long string or binary that a frame brings, without a copy: in the buffer it is missing, at byte `at`. */
struct gri_frame_text {
    const gr_value *v; /* NULL: there is none. Borrowed, but where something else is said */
    size_t at;
};

/* What there is of that in a frame's first bytes. */
struct gri_frame_find {
    gr_type type;
    size_t head, at, len; /* where its own head begins, and it; and how long it is */
};

/* One step of a route: an actor, and at which node. */
struct gri_route_step {
    char url[GRI_FRAME_NAME_MAX + 1];
    uint64_t node, incarnation; /* who is there, for whom the route begins at */
    char name[GRI_FRAME_NAME_MAX + 1];
};

struct gri_frame {
    enum gri_frame_type type;
    /* the call; link, monitor, down, untie: the tie; ping: any; part: its slot; refuse: the link that
     * stays; not in tell and exit */
    uint64_t id;
    uint32_t flags; /* invoke */
    uint32_t window,
        least; /* invoke: bytes of credit to begin with, and what a chunk costs at least */
    uint64_t deadline_ms; /* invoke, route: what is left; 0: none */
    /* credit: bytes; part: bytes still to come; beat: for how many ms nothing was handled; cancel, refuse: a gr_code; ping: GRI_PING_ASK and so on; welcome: which it is; down, untie: whose; route, held: which step */
    uint64_t number;
    uint64_t origin, incarnation, call; /* route: who made the call, and its number there */
    const uint8_t *steps; /* route: see gri_route_step_read. Borrowed from the frame */
    size_t steps_size;
    unsigned step_count;
    char name[GRI_FRAME_NAME_MAX + 1]; /* invoke, tell, link, monitor, exit; refuse: why */
    gr_ref to;   /* those, in place of a name, which is "" then; {0, 0}: by name */
    gr_ref from; /* link, exit: who links, or sends it */
    char verb[GRI_FRAME_VERB_MAX + 1]; /* invoke */
    const uint8_t *value; /* args, answer, chunk, reason or message. Borrowed from the frame */
    size_t value_size;
    const uint8_t *config; /* invoke, route. Borrowed from the frame */
    size_t config_size;
    const uint8_t
        *watch; /* invoke: see run_frames.h; NULL: none. Borrowed, the frame's or the writer's */
    size_t watch_size;
    /* reply, chunk, input chunk, tell, invoke: the value itself, which came in parts; borrowed. Then value is NULL,
     * value_size as ever */
    const gr_value *given;
    const struct gri_ref_map *refs; /* for the writers; borrowed. NULL: refs stay as they are */
    union {
        struct gri_hello hello;
        struct gri_proof proof;
    };
};

/*
 * gri_frame_parse reads one frame without its length. *ret's type is GRI_FRAME_NONE for what may be
 * ignored. GR_EPROTO with *reterr "frame of type 2, byte 17: …".
 */
gr_code gri_frame_parse(const void *body, size_t size, struct gri_frame *ret, gr_value **reterr);

/* gri_frame_find_text looks in the first bytes of a frame for the head of a value that is a long string or binary. */
bool gri_frame_find_text(const void *body, size_t size, struct gri_frame_find *ret);

/*
 * The writers append one frame with its length. On failure out is as before: GR_ENOMEM when out of
 * memory or the frame would be longer than GRI_FRAME_MAX, GR_ETYPE for a value that can't leave
 * its process.
 */
gr_code gri_frame_hello(struct gri_strbuf *out, const struct gri_hello *hello);
gr_code gri_frame_proof(struct gri_strbuf *out, const struct gri_proof *proof);
gr_code gri_frame_welcome(struct gri_strbuf *out, uint64_t number);
/* gri_frame_part writes what comes before the `size` bytes of a part, of which `left` are still to come
 * after it. Returns how long that is. */
size_t gri_frame_part(char head[GRI_PART_HEAD_MAX], unsigned slot, size_t left, size_t size);
gr_code gri_frame_beat(struct gri_strbuf *out, uint64_t stalled_ms);
/* gri_frame_refuse: code GR_OK says that the connection is one too many, and `link` the one that
 * stays; text is short. */
gr_code gri_frame_refuse(struct gri_strbuf *out, gr_code code, uint64_t link, const char *text);
/* gri_frame_invoke uses id, flags, window, least, deadline_ms, to or name, verb, refs and watch, which is MessagePack,
 * of f. config may be NULL. */
gr_code gri_frame_invoke(struct gri_strbuf *out, const struct gri_frame *f, const gr_value *args,
                         const gr_value *config);
/* gri_frame_invoke_text and gri_frame_value_text leave out a value that is a long string or binary: then ret->v is that
 * value, else NULL. */
gr_code gri_frame_invoke_text(struct gri_strbuf *out, const struct gri_frame *f,
                              const gr_value *args, const gr_value *config,
                              struct gri_frame_text *ret);
gr_code gri_frame_value_text(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                             const gr_value *v, const struct gri_ref_map *refs,
                             struct gri_frame_text *ret);
/* gri_frame_value writes reply, chunk, event and end, input chunk and input end; v NULL is nil. *ret_size, if given: v's own
 * bytes. */
gr_code gri_frame_value(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                        const gr_value *v, size_t *ret_size);
gr_code gri_frame_value_for(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                            const gr_value *v, const struct gri_ref_map *refs, size_t *ret_size);
/* gri_frame_number writes credit, input credit, cancel, ping, untie and held. */
gr_code gri_frame_number(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                         uint64_t number);
/* gri_frame_route uses id, number, deadline_ms, origin, incarnation, call, steps, steps_size and step_count
 * of f. config may be NULL. */
gr_code gri_frame_route(struct gri_strbuf *out, const struct gri_frame *f, const gr_value *args,
                        const gr_value *config);
/* gri_route_step_write appends one step, as a route's `steps` has them one after the other. */
void gri_route_step_write(struct gri_strbuf *out, const struct gri_route_step *step);
/* gri_route_step_read reads the first step of those that a frame has, and steps over it. false: there is none. */
bool gri_route_step_read(const uint8_t **steps, size_t *size, struct gri_route_step *ret);
gr_code gri_frame_tell(struct gri_strbuf *out, const char *name, const gr_value *msg);
/* gri_frame_tell_to uses to or name, and refs, of f. */
gr_code gri_frame_tell_to(struct gri_strbuf *out, const struct gri_frame *f, const gr_value *msg);
/* gri_frame_signal writes link, monitor, down and exit, f->type, of f's fields; reason is down's and
 * exit's. */
gr_code gri_frame_signal(struct gri_strbuf *out, const struct gri_frame *f, const gr_value *reason);

#endif
