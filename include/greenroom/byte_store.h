/* SPDX-License-Identifier: Apache-2.0 */
/*
 * byte_store.h - stores of values by key: LangChain's BaseStore and ByteStore.
 *
 * Any actor with these verbs is a store:
 *
 *   "mget"        {"keys": [string …]}            -> [value or nil …], in the order of the keys
 *   "mset"        {"pairs": [[string, value] …]}  -> nil; of a key given twice the last one counts
 *   "mdelete"     {"keys": [string …]}            -> nil; keys that are not there are no mistake
 *   "yield_keys"  {"prefix"?: string}             -> a stream of the keys that begin so
 *
 * Values are bytes (gr_bin), texts, or whatever else MessagePack carries; nil can't be told from
 * nothing, so it is refused. Keys are texts of 1 to 65536 bytes without NUL.
 */
#ifndef GREENROOM_BYTE_STORE_H
#define GREENROOM_BYTE_STORE_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GR_STORE_KEY_MAX 65536

/* ---- the verbs. The plain twins wait [waits]; the a-twins return at once [any] --------------- */

GR_API gr_value *gr_mget(gr_runtime *rt, gr_ref store, gr_value *keys GR_TAKES,
                         const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_amget(gr_runtime *rt, gr_ref store, gr_value *keys GR_TAKES,
                           const gr_call_opts *opts);
GR_API gr_value *gr_mset(gr_runtime *rt, gr_ref store, gr_value *pairs GR_TAKES,
                         const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_amset(gr_runtime *rt, gr_ref store, gr_value *pairs GR_TAKES,
                           const gr_call_opts *opts);
GR_API gr_value *gr_mdelete(gr_runtime *rt, gr_ref store, gr_value *keys GR_TAKES,
                            const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_amdelete(gr_runtime *rt, gr_ref store, gr_value *keys GR_TAKES,
                              const gr_call_opts *opts);
/* prefix NULL: all keys. The plain form gives them as a list. */
GR_API gr_value *gr_yield_keys(gr_runtime *rt, gr_ref store, const char *prefix,
                               const gr_call_opts *opts, gr_value **reterr);
GR_API gr_stream *gr_ayield_keys(gr_runtime *rt, gr_ref store, const char *prefix,
                                 const gr_call_opts *opts);

/* ---- in memory ------------------------------------------------------------------------------- */

typedef struct gr_memory_byte_store_opts {
    size_t size;
    size_t keys_max;   /* default 1 Mi */
    size_t bytes_max;  /* of keys and values together, about; default 256 MiB */
    /* at a limit the keys that were set longest ago go; default: GR_EFULL, and nothing is set */
    bool evicts_oldest;
} gr_memory_byte_store_opts;
#define GR_MEMORY_BYTE_STORE(...) GR_OPT(gr_memory_byte_store_opts, __VA_ARGS__)
/*
 * gr_memory_byte_store keeps values in memory: InMemoryStore and InMemoryByteStore. Keys come in the
 * order in which they were first set, as of the moment of the call.
 *
 * Errors:  GR_EFULL at a limit, also for one call that alone is above it; GR_EINVAL a bad key or a nil;
 *          GR_ETYPE arguments of another form    [any]
 */
GR_API gr_ref gr_memory_byte_store(gr_scope *in, const gr_memory_byte_store_opts *opts);

/* ---- in an SQLite database ------------------------------------------------------------------- */

typedef struct gr_sqlite_opts {
    size_t size;
    int64_t busy_ms;   /* how long to wait for other writers; default 5000, negative: not at all */
    bool is_durable;   /* each change is on the disk before it is answered; default: it survives the
                        * process, but the last ones may not survive a power cut */
    size_t value_max;  /* bytes of one value; default 64 MiB */
    const char *table; /* of a store or a history; default its own; letters, digits and _; copied */
} gr_sqlite_opts;
#define GR_SQLITE(...) GR_OPT(gr_sqlite_opts, __VA_ARGS__)
/*
 * gr_sqlite_store keeps values in a table ("greenroom_store") of an SQLite database, in WAL mode; the
 * file and the table are made when first used. Several processes may use one file; the folder must
 * be on a disk of this machine. All work is done on the blocking pool, one call at a time; a call
 * that sets or deletes several keys does all or nothing. path ":memory:" is a database of its own.
 *
 * Errors:  of its calls, since the file is opened by the first of them; the text names the file:
 *          GR_EINVAL it can't be opened, is no database, or is damaged (kind "damaged"); GR_EFULL
 *          others held it for busy_ms (kind "busy", worth a retry), or the disk is full; GR_EREMOTE
 *          the disk failed; else as above
 *          GR_EINVAL, broken, where Greenroom was built without SQLite    [any]
 */
GR_API gr_ref gr_sqlite_store(gr_scope *in, const char *path, const gr_sqlite_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
