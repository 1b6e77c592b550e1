/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgpack_encode.c - values as MessagePack, by msgpack-c's packer over a strbuf. The packer's own
 * results are not looked at: a strbuf remembers that it failed.
 */
#include <endian.h>
#include <string.h>

#include <msgpack/pack.h>

#include <greenroom/codec.h>

#include "runtime/value/msgpack_ext.h"
#include "runtime/value/msgpack_refs.h"
#include "runtime/value/value.h"

/* Where a packer writes, and what becomes of the refs. */
struct sink {
    struct gri_strbuf *out;         /* borrowed */
    const struct gri_ref_map *refs; /* borrowed; NULL: nothing */
};

static gr_code pack(msgpack_packer *pk, const gr_value *v);

static int write_bytes(void *arg, const char *data, size_t len)
{
    gri_strbuf_add(((struct sink *)arg)->out, data, len);
    return 0;
}

static const struct gri_ref_map *refs_of(const msgpack_packer *pk)
{
    return ((const struct sink *)pk->data)->refs;
}

static void pack_text(msgpack_packer *pk, const gr_value *v)
{
    msgpack_pack_str_with_body(pk, gri_text(v)->data, gri_text(v)->len);
}

static void pack_floats(msgpack_packer *pk, const gr_value *v)
{
    size_t count = gr_len(v);
    const float *x = gr_as_floats(v, NULL);

    msgpack_pack_ext(pk, count * 4, GRI_EXT_FLOATS);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, &x[i], 4);
        bits = htole32(bits);
        msgpack_pack_ext_body(pk, &bits, 4);
    }
}

static gr_code pack_ref(msgpack_packer *pk, gr_ref ref)
{
    const struct gri_ref_map *refs = refs_of(pk);
    gr_code rc = refs != NULL ? refs->fn(refs->arg, &ref) : GR_OK;
    uint64_t both[2] = { htole64(ref.node), htole64(ref.id) };

    if (rc == GR_OK)
        msgpack_pack_ext_with_body(pk, both, sizeof(both), GRI_EXT_REF);
    return rc;
}

/* pack_fields writes an error's map: its code as a number, and the fields that are set. */
static gr_code pack_fields(msgpack_packer *pk, const gr_value *v)
{
    const struct gri_error *e = gri_error(v);
    size_t count = 1;
    gr_code rc = GR_OK;

    for (int f = 0; f < GRI_FIELD_COUNT; f++)
        count += e->field[f] != NULL;
    msgpack_pack_map(pk, count);
    msgpack_pack_str_with_body(pk, "code", 4);
    msgpack_pack_int64(pk, e->head.code);
    for (int f = 0; f < GRI_FIELD_COUNT && rc == GR_OK; f++) {
        const char *name = gri_field_name((enum gri_field)f);

        if (e->field[f] == NULL)
            continue;
        msgpack_pack_str_with_body(pk, name, strlen(name));
        rc = pack(pk, e->field[f]);
    }
    return rc;
}

/* An extension begins with its size, so its content is written aside first. */
static gr_code pack_error(msgpack_packer *pk, const gr_value *v)
{
    struct gri_strbuf aside = GRI_STRBUF_INIT;
    struct sink sink = { &aside, refs_of(pk) };
    msgpack_packer inner;
    gr_code rc;

    msgpack_packer_init(&inner, &sink, write_bytes);
    rc = pack_fields(&inner, v);
    if (rc == GR_OK && aside.failed)
        rc = GR_ENOMEM;
    if (rc == GR_OK)
        msgpack_pack_ext_with_body(pk, aside.data, aside.len, GRI_EXT_ERROR);
    gri_strbuf_fini(&aside);
    return rc;
}

static gr_code pack_list(msgpack_packer *pk, const gr_value *v)
{
    gr_code rc = GR_OK;

    msgpack_pack_array(pk, gri_items(v)->count);
    for (uint32_t i = 0; i < gri_items(v)->count && rc == GR_OK; i++)
        rc = pack(pk, gri_items(v)->at[i]);
    return rc;
}

static gr_code pack_map(msgpack_packer *pk, const gr_value *v)
{
    gr_code rc = GR_OK;

    msgpack_pack_map(pk, gri_pairs(v)->count);
    for (uint32_t i = 0; i < gri_pairs(v)->count && rc == GR_OK; i++) {
        pack_text(pk, gri_pairs(v)->at[i].key);
        rc = pack(pk, gri_pairs(v)->at[i].value);
    }
    return rc;
}

static gr_code pack(msgpack_packer *pk, const gr_value *v)
{
    switch (gr_value_type(v)) {
    case GR_NIL: msgpack_pack_nil(pk); break;
    case GR_BOOL:
        if (gr_as_bool(v, false))
            msgpack_pack_true(pk);
        else
            msgpack_pack_false(pk);
        break;
    case GR_INT: msgpack_pack_int64(pk, gr_as_int(v, 0)); break;
    case GR_REAL: msgpack_pack_double(pk, gr_as_real(v, 0)); break;
    case GR_STR: pack_text(pk, v); break;
    case GR_BIN: msgpack_pack_bin_with_body(pk, gri_text(v)->data, gri_text(v)->len); break;
    case GR_LIST: return pack_list(pk, v);
    case GR_MAP: return pack_map(pk, v);
    case GR_FLOATS: pack_floats(pk, v); break;
    case GR_REFV: return pack_ref(pk, gr_as_ref(v));
    case GR_ERROR: return pack_error(pk, v);
    case GR_OPAQUE: return GR_ETYPE;
    }
    return GR_OK;
}

gr_code gri_msgpack_write(struct gri_strbuf *out, const gr_value *v, const struct gri_ref_map *refs,
                          size_t *ret_size)
{
    struct sink sink = { out, refs };
    size_t before = out->len;
    msgpack_packer pk;
    gr_code rc;

    msgpack_packer_init(&pk, &sink, write_bytes);
    rc = pack(&pk, v);
    if (rc == GR_OK && out->failed)
        rc = GR_ENOMEM;
    if (rc != GR_OK)
        out->len = before;
    else if (ret_size != NULL)
        *ret_size = out->len - before;
    return rc;
}

gr_code gr_msgpack_encode(const gr_value *v, void **ret_data, size_t *ret_size)
{
    struct gri_strbuf out = GRI_STRBUF_INIT;
    gr_code rc = gri_msgpack_write(&out, v, NULL, NULL);

    if (rc != GR_OK) {
        gri_strbuf_fini(&out);
        return rc;
    }
    *ret_size = out.len;
    *ret_data = gri_strbuf_take(&out);
    return GR_OK;
}
