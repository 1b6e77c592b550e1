/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_wire.c - keys, numbers and values as etcd's JSON gateway writes them. */
#include <stdlib.h>
#include <string.h>

#include <greenroom/codec.h>

#include "runtime/base/base64.h"
#include "runtime/cluster/cluster.h"
#include "runtime/cluster/directory.h"
#include "runtime/cluster/etcd.h"
#include "runtime/sched/world.h"

#define WAIT_FIRST_MS 100
#define WAIT_MOST_MS 5000

static gr_value *take_bin(struct gri_strbuf *b)
{
    gr_value *v = b->failed ? gr_error(GR_ENOMEM, "out of memory") : gr_bin(b->data, b->len);

    gri_strbuf_fini(b);
    return v;
}

gr_value *gri_etcd_key(const struct gri_etcd *e, const char *a, const char *b, const char *c)
{
    struct gri_strbuf key = GRI_STRBUF_INIT;

    gri_strbuf_adds(&key, e->prefix);
    gri_strbuf_adds(&key, a);
    gri_strbuf_adds(&key, b);
    gri_strbuf_adds(&key, c);
    return take_bin(&key);
}

gr_value *gri_etcd_range(const struct gri_etcd *e, const char *below)
{
    struct gri_strbuf end = GRI_STRBUF_INIT;

    gri_strbuf_adds(&end, e->prefix);
    gri_strbuf_adds(&end, below);
    if (!end.failed)
        end.data[end.len - 1]++; /* a '/', so what follows is all that begins with it */
    return gr_map(GR_KV("key", gri_etcd_key(e, below, "", "")), GR_KV("range_end", take_bin(&end)));
}

int64_t gri_etcd_int(const gr_value *map, const char *key)
{
    const gr_value *v = gr_get(map, key);

    return gr_value_type(v) == GR_STR ? strtoll(gr_cstr(v, "0"), NULL, 10) : gr_as_int(v, 0);
}

bool gri_etcd_bytes(const gr_value *map, const char *key, struct gri_strbuf *b)
{
    const gr_value *v = gr_get(map, key);

    gri_strbuf_clear(b);
    return gri_base64_decode(b, gr_cstr(v, ""), gr_value_type(v) == GR_STR ? gr_len(v) : 0) &&
           b->len > 0;
}

enum gri_etcd_kind gri_etcd_split(const struct gri_etcd *e, char *key, const char **ret_name,
                                  const char **ret_node)
{
    size_t prefix = strlen(e->prefix);
    char *slash;

    if (strncmp(key, e->prefix, prefix) != 0)
        return GRI_ETCD_OTHER;
    key += prefix;
    *ret_node = "";
    if (strncmp(key, "claims/", 7) == 0) {
        *ret_name = key + 7;
        return GRI_ETCD_CLAIM;
    }
    slash = strncmp(key, "names/", 6) == 0 ? strrchr(key + 6, '/') : NULL;
    if (slash == NULL || slash == key + 6 || slash[1] == '\0')
        return GRI_ETCD_OTHER;
    *slash = '\0';
    *ret_name = key + 6;
    *ret_node = slash + 1;
    return GRI_ETCD_NAME;
}

gr_value *gri_etcd_provider(const char *name, const char *node, const gr_value *kv)
{
    struct gri_strbuf text = GRI_STRBUF_INIT;
    gr_value *v = NULL, *out = NULL, *wrong;
    const char *url;

    if (gri_etcd_bytes(kv, "value", &text))
        v = gr_json_parse(text.data, text.len, NULL);
    url = gr_cstr(gr_get(v, "url"), NULL);
    wrong = gri_provider_wrong(name, url);
    if (wrong == NULL)
        out = gri_provider(name, node, url, node, gr_cstr(gr_get(v, "incarnation"), ""),
                           gr_as_int(gr_get(v, "weight"), 1));
    if (out != NULL && gr_error_code(out) != GR_OK) { /* a name that is no UTF-8 */
        gr_value_unref(out);
        out = NULL;
    }
    gr_value_unref(wrong);
    gr_value_unref(v);
    gri_strbuf_fini(&text);
    return out;
}

int64_t gri_etcd_wait_ms(gr_runtime *rt, unsigned n)
{
    int64_t ms = n < 6 ? (int64_t)WAIT_FIRST_MS << n : WAIT_MOST_MS;

    if (ms > WAIT_MOST_MS)
        ms = WAIT_MOST_MS;
    return ms - (int64_t)(gri_random(rt) % (uint64_t)(ms / 2 + 1));
}
