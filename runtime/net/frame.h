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

#define GRI_WIRE_VERSION 1u                      /* the only one we speak */
#define GRI_FRAME_HEAD 4u                        /* bytes of the length */
#define GRI_FRAME_MAX (16u * 1024 * 1024)        /* longest frame, without the length */
#define GRI_FRAME_HELLO_MAX 4096u                /* the same before the peer's hello was accepted */
#define GRI_FRAME_NAME_MAX 255u                  /* bytes of a published name */
#define GRI_FRAME_VERB_MAX 63u                   /* bytes of a verb */
#define GRI_FRAME_WINDOW_MAX (64u * 1024 * 1024) /* most credit a stream may start with */
#define GRI_FRAME_INPUT_WINDOW (256u * 1024)     /* credit that every input stream starts with */
#define GRI_FRAME_INPUT_LEAST (8u * 1024)        /* and what a chunk of it costs at least */

enum gri_frame_type {
    GRI_FRAME_NONE = 0, /* what may be ignored */
    GRI_FRAME_HELLO = 1,
    GRI_FRAME_INVOKE = 2,
    GRI_FRAME_REPLY = 3,
    GRI_FRAME_CHUNK = 4,
    GRI_FRAME_CREDIT = 5,
    GRI_FRAME_END = 6,
    GRI_FRAME_CANCEL = 7,
    GRI_FRAME_EVENT = 8, /* reserved, as are link, monitor and down */
    GRI_FRAME_TELL = 9,
    GRI_FRAME_LINK = 10,
    GRI_FRAME_MONITOR = 11,
    GRI_FRAME_DOWN = 12,
    GRI_FRAME_PING = 13,
    GRI_FRAME_OPTIONAL = 0x80 /* set in the types of later versions that may be ignored */
};

enum { GRI_INVOKE_STREAM = 1, GRI_INVOKE_INPUT = 2 }; /* flags of invoke */

struct gri_hello {
    uint32_t version_min, version_max;
    uint64_t node;        /* the runtime's, as in its refs */
    uint64_t incarnation; /* random, of this start */
    uint32_t frame_max;   /* longest frame that it takes */
    uint32_t calls_max;   /* most calls of the peer at a time */
    /* which of the sender's targets this link goes to, and its how-manieth link there; 0: it did
     * not dial, or is older than these fields */
    uint64_t target, attempt;
};

struct gri_frame {
    enum gri_frame_type type;
    uint64_t id;    /* the call; ping: any; not in hello and tell */
    uint32_t flags; /* invoke */
    uint32_t window,
        least; /* invoke: bytes of credit to begin with, and what a chunk costs at least */
    uint64_t deadline_ms; /* invoke: what is left; 0: none */
    uint64_t number;      /* credit: bytes; cancel: a gr_code; ping: 1 asks, 0 answers */
    char name[GRI_FRAME_NAME_MAX + 1]; /* invoke, tell */
    char verb[GRI_FRAME_VERB_MAX + 1]; /* invoke */
    const uint8_t *value; /* args, answer, chunk, reason or message. Borrowed from the frame */
    size_t value_size;
    const uint8_t *config; /* invoke. Borrowed from the frame */
    size_t config_size;
    struct gri_hello hello;
};

/*
 * gri_frame_parse reads one frame without its length. *ret's type is GRI_FRAME_NONE for what may be
 * ignored. GR_EPROTO with *reterr "frame of type 2, byte 17: …".
 */
gr_code gri_frame_parse(const void *body, size_t size, struct gri_frame *ret, gr_value **reterr);

/*
 * The writers append one frame with its length. On failure out is as before: GR_ENOMEM when out of
 * memory or the frame would be longer than GRI_FRAME_MAX, GR_ETYPE for a value that can't leave
 * its process.
 */
gr_code gri_frame_hello(struct gri_strbuf *out, const struct gri_hello *hello);
/* gri_frame_invoke uses id, flags, window, least, deadline_ms, name and verb of f. config may
 * be NULL. */
gr_code gri_frame_invoke(struct gri_strbuf *out, const struct gri_frame *f, const gr_value *args,
                         const gr_value *config);
/* gri_frame_value writes reply, chunk and end; v NULL is nil. *ret_size, if given: v's own
 * bytes. */
gr_code gri_frame_value(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                        const gr_value *v, size_t *ret_size);
/* gri_frame_number writes credit, cancel and ping. */
gr_code gri_frame_number(struct gri_strbuf *out, enum gri_frame_type type, uint64_t id,
                         uint64_t number);
gr_code gri_frame_tell(struct gri_strbuf *out, const char *name, const gr_value *msg);

#endif
