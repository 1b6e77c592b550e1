/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.h - what actors send to each other: an immutable, reference-counted tree.
 *
 * Messages, documents, prompts and events are plain values with documented keys: they print as
 * JSON, travel as MessagePack, and go from actor to actor without a copy. Since nothing changes
 * after it is made, values may be shared between threads freely; only the count is atomic.
 *
 * nil, booleans and integers of up to 62 bits never allocate.
 */
#ifndef GREENROOM_VALUE_H
#define GREENROOM_VALUE_H

#include <greenroom/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GR_DEPTH_MAX 64 /* levels of nesting; a scalar has height 0, a list of scalars 1 */

typedef enum gr_type {
    GR_NIL = 0,
    GR_BOOL = 1,
    GR_INT = 2,    /* 64-bit signed */
    GR_REAL = 3,   /* 64-bit float */
    GR_STR = 4,    /* UTF-8; may hold NUL bytes, and has one after its end */
    GR_BIN = 5,    /* bytes */
    GR_LIST = 6,
    GR_MAP = 7,    /* string keys in insertion order, each once */
    GR_FLOATS = 8, /* packed 32-bit floats: an embedding */
    GR_REFV = 9,   /* an actor */
    GR_ERROR = 10, /* code, kind, text, where, status, retry_after_ms, detail, cause */
    GR_OPAQUE = 11 /* a user's pointer with a destructor; never leaves its process */
} gr_type;

typedef struct gr_kv {
    const char *key;
    gr_value *value;
} gr_kv;

/* ---- making: never NULL; a broken value says why when it is used. [any] -------------------- */

GR_API gr_value *gr_nil(void);
GR_API gr_value *gr_bool(bool b);
GR_API gr_value *gr_int(int64_t i);
GR_API gr_value *gr_real(double d);
/* gr_str copies a NUL-terminated UTF-8 string; gr_strn one of len bytes. Bad UTF-8, NULL:
 * broken. */
GR_API gr_value *gr_str(const char *utf8);
GR_API gr_value *gr_strn(const char *utf8, size_t len);
/* gr_strf formats like printf. */
GR_API gr_value *gr_strf(const char *fmt, ...) GR_PRINTF(1, 2);
GR_API gr_value *gr_bin(const void *data, size_t size);
GR_API gr_value *gr_floats(const float *x, size_t count);
GR_API gr_value *gr_ref_value(gr_ref ref);
/* gr_opaque wraps p; drop(p), which may be NULL, runs when the last reference goes, on any
 * thread. */
GR_API gr_value *gr_opaque(void *p, void (*drop)(void *p));

/* gr_list_n makes a list of count values, which it takes one by one; the array itself is
 * borrowed. */
GR_API gr_value *gr_list_n(gr_value *const *items GR_TAKES, size_t count);
/* gr_map_n makes a map; keys are copied; of a key given twice the last value wins, in first
 * place. */
GR_API gr_value *gr_map_n(const gr_kv *pairs GR_TAKES, size_t count);
#define gr_list(...) gr_list_n(GR_ARR(gr_value *, __VA_ARGS__))
#define gr_map(...) gr_map_n(GR_ARR(gr_kv, __VA_ARGS__))
#define GR_KV(k, v) { (k), (v) }

/*
 * gr_set returns map with key set to v: added at the end, or replaced in place. gr_without returns
 * it without key. gr_append returns list with v at its end. The original is untouched when others
 * hold it; the parts are shared, not copied. gr_merge lays the keys of over onto base (nil counts
 * as an empty map): LangChain's {**base, **over}. A value of the wrong kind: broken, GR_ETYPE.
 */
GR_API gr_value *gr_set(gr_value *map GR_TAKES, const char *key, gr_value *v GR_TAKES);
GR_API gr_value *gr_without(gr_value *map GR_TAKES, const char *key);
GR_API gr_value *gr_append(gr_value *list GR_TAKES, gr_value *v GR_TAKES);
GR_API gr_value *gr_merge(gr_value *base GR_TAKES, gr_value *over GR_TAKES);

/*
 * gr_add is the + between the chunks of a stream, as in langchain-core: strings and lists
 * concatenate, numbers add, maps merge key by key (a key in both: its values are added; nil on
 * either side gives the other), message chunks merge by their own rules, and what has no sum gives
 * the right side: the last one wins. NULL on the left gives the right side.
 */
GR_API gr_value *gr_add(gr_value *left GR_TAKES, gr_value *right GR_TAKES);

/* ---- errors ------------------------------------------------------------------------------- */

/* gr_error makes an error value with a text. Its kind is the code's name until one is set. */
GR_API gr_value *gr_error(gr_code code, const char *fmt, ...) GR_PRINTF(2, 3);
/*
 * gr_error_with returns err with one field set: "kind" (a name such as "RateLimit"), "where" (an
 * actor's path, file:line:column), "status" (HTTP), "retry_after_ms", "detail" (any value), "cause"
 * (an error value).
 */
GR_API gr_value *gr_error_with(gr_value *err GR_TAKES, const char *field, gr_value *v GR_TAKES);
/* gr_error_code returns GR_OK for a value that is not an error; NULL is GR_EINVAL. Broken
 * counts. */
GR_API gr_code gr_error_code(const gr_value *v);
GR_API const char *gr_error_text(const gr_value *v);
/* gr_error_retryable tells whether the same call may succeed later (GR_EFULL, GR_EUNREACH, GR_ERATE
 * …; also what an actor's exit failed, see link.h). Where a server has said so itself, detail.should_retry of an
 * error with a status, that counts. */
GR_API bool gr_error_retryable(const gr_value *v);

/* ---- keeping -------------------------------------------------------------------------------- */

GR_API gr_value *gr_value_ref(const gr_value *v); /* keep what you borrowed; NULL gives NULL */
GR_API void gr_value_unref(gr_value *v);

/* ---- reading: wrong kinds and NULL give the otherwise, so look-ups chain. [any] -------------- */

GR_API gr_type gr_value_type(const gr_value *v); /* NULL reads as GR_NIL */
GR_API const char *gr_type_name(gr_type type);   /* "list" */
GR_API bool gr_is_nil(const gr_value *v);        /* true for NULL too */
/* gr_get returns the value under key, also of an error's fields; NULL if absent or not a map. */
GR_API const gr_value *gr_get(const gr_value *map, const char *key);
GR_API const gr_value *gr_at(const gr_value *list, size_t index); /* NULL past the end */
/* gr_len: elements of a list or floats, pairs of a map, bytes of a string or binary; else 0. */
GR_API size_t gr_len(const gr_value *v);
/* gr_pair_at gives the index-th pair of a map, *ret_key borrowed; NULL past the end. */
GR_API const gr_value *gr_pair_at(const gr_value *map, size_t index, const char **ret_key);
GR_API const char *gr_cstr(const gr_value *v, const char *otherwise);
GR_API int64_t gr_as_int(const gr_value *v, int64_t otherwise);  /* of an integral real too */
GR_API double gr_as_real(const gr_value *v, double otherwise);   /* of an int too */
GR_API bool gr_as_bool(const gr_value *v, bool otherwise);
GR_API const void *gr_as_bin(const gr_value *v, size_t *ret_size);   /* NULL if not binary */
GR_API const float *gr_as_floats(const gr_value *v, size_t *ret_count);
GR_API gr_ref gr_as_ref(const gr_value *v);                          /* {0, 0} if not a ref */
GR_API void *gr_as_opaque(const gr_value *v);
/* gr_equal compares by content; maps regardless of order; 1 and 1.0 differ. */
GR_API bool gr_equal(const gr_value *a, const gr_value *b);

static inline void gr_value_freep(gr_value **p) { gr_value_unref(*p); }

#ifdef __cplusplus
}
#endif
#endif
