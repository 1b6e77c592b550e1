/* SPDX-License-Identifier: Apache-2.0 */
/* msgpack_ext.h - the extension types on the wire. They are pinned: other versions know them. */
#ifndef GR_RUNTIME_VALUE_MSGPACK_EXT_H
#define GR_RUNTIME_VALUE_MSGPACK_EXT_H

enum {
    GRI_EXT_FLOATS = 1, /* 32-bit floats, little-endian */
    GRI_EXT_REF = 2,    /* 16 bytes: node, id, both little-endian */
    GRI_EXT_ERROR = 3   /* one map in MessagePack: code (a number), kind, text, … */
};

#endif
