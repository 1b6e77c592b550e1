/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_fuzz.c - any JSON as a pair of a key and a value that etcd sends: a provider that can be called, or nothing. And any
 * text as a key: what it is split into lies inside.
 */
#include <greenroom/codec.h>

#include "runtime/cluster/cluster.h"
#include "runtime/cluster/etcd.h"
#include "tests/fuzz/fuzz.h"

static char prefix[] = "/greenroom/town/";
static const struct gri_etcd etcd = { .prefix = prefix };

static void check_provider(const char *name, const char *node, const gr_value *kv)
{
    gr_value *p = gri_etcd_provider(name, node, kv), *wrong;
    int64_t weight;

    if (p == NULL)
        return;
    must(gr_error_code(p) == GR_OK);
    wrong = gri_provider_wrong(gr_cstr(gr_get(p, "name"), ""), gr_cstr(gr_get(p, "url"), ""));
    must(wrong == NULL);
    weight = gr_as_int(gr_get(p, "weight"), 0);
    must(weight >= 1 && weight <= 100);
    gr_value_unref(p);
}

static void check_key(char *key, const gr_value *kv)
{
    size_t len = strlen(key);
    const char *name = "", *node = "";

    if (gri_etcd_split(&etcd, key, &name, &node) != GRI_ETCD_NAME)
        return;
    must(name > key && name + strlen(name) + 1 == node && node + strlen(node) == key + len);
    must(name[0] != '\0' && node[0] != '\0' && strchr(node, '/') == NULL);
    check_provider(name, node, kv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    gr_value *kv = gr_json_parse((const char *)data, size, NULL);
    struct gri_strbuf key = GRI_STRBUF_INIT;
    char *text = fuzz_text(data, size);

    (void)gri_etcd_int(kv, "version");
    if (gri_etcd_bytes(kv, "key", &key) && strlen(key.data) == key.len)
        check_key(key.data, kv);
    check_provider("name", "node", kv);
    check_key(text, kv);
    gri_strbuf_fini(&key);
    free(text);
    gr_value_unref(kv);
    fuzz_end(&cost, size, 512);
    return 0;
}
