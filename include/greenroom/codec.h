/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec.h - values as JSON text and as MessagePack bytes, both ways.
 *
 * Both decoders check depth (GR_DEPTH_MAX), count and size against what is left of the input
 * before they allocate anything that the input could size, so an answer takes memory in proportion
 * to its bytes. Both can be given a smaller limit.
 *
 * How the kinds that JSON lacks print: floats as a list of numbers, binary as a base64 string, a
 * ref as {"$ref": "node-id"}, an error as {"$error": {…}}, NaN and infinities as null. In
 * MessagePack floats, refs and errors are extension types 1, 2 and 3 (docs/wire.md), and opaque
 * values are refused: GR_ETYPE.
 */
#ifndef GREENROOM_CODEC_H
#define GREENROOM_CODEC_H

#include <greenroom/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_decode_opts {
    size_t size;
    unsigned depth_max; /* default GR_DEPTH_MAX, which is also the most */
    size_t bytes_max;   /* longest input; default 64 MiB */
    size_t count_max;   /* values in all; default 4 Mi */
    bool control_characters; /* JSON: line ends and the like in strings are fine, as models write them: strict=False */
} gr_decode_opts;
#define GR_DECODE(...) GR_OPT(gr_decode_opts, __VA_ARGS__)

/*
 * gr_json_parse reads one JSON text (RFC 8259) with nothing but white space after it. A byte order mark before it
 * is skipped, as Python's json.loads does with bytes. Of a key given twice the last value counts. Integers up to 64 bits stay integers, others become reals.
 *
 * Returns: the value; an error value on failure: GR_EINVAL "line 3, column 7: …, expected …",
 *          GR_ENOMEM when a limit or the memory ran out. [any]
 */
GR_API gr_value *gr_json_parse(const char *text, size_t len, const gr_decode_opts *opts);

/*
 * gr_json_partial reads as much as there is of a JSON text that is still arriving: open strings,
 * lists and maps are closed, a dangling key or comma is left out (langchain-core's
 * parse_partial_json). Returns nil when nothing can be read yet. [any]
 */
GR_API gr_value *gr_json_partial(const char *text, size_t len, const gr_decode_opts *opts);

/*
 * gr_json_print returns the value as JSON text, NUL-terminated, owned by the caller: free it with
 * gr_free. indent 0 is one line. NULL when out of memory. *ret_len, if given, is its length. [any]
 */
GR_API char *gr_json_print(const gr_value *v, unsigned indent, size_t *ret_len);
GR_API void gr_free(void *p);

/* gr_msgpack_encode: GR_OK with *ret_data (free it with gr_free), GR_ETYPE, GR_ENOMEM. [any] */
GR_NODISCARD GR_API gr_code gr_msgpack_encode(const gr_value *v, void **ret_data, size_t *ret_size);

/*
 * gr_msgpack_decode reads one value that fills the input exactly.
 * Returns: the value, or an error value: GR_EPROTO "byte 12: …", GR_ENOMEM. [any]
 */
GR_API gr_value *gr_msgpack_decode(const void *data, size_t size, const gr_decode_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
