/* SPDX-License-Identifier: Apache-2.0 */
/* scene_codec.c - values, JSON and MessagePack, both ways. */
#include "tests/torture/torture.h"

#include <string.h>

static const char document[] =
    "{\"name\":\"Ada\",\"list\":[1,2.5,\"three\",null,true,[[],{}]],\"deep\":{\"a\":{\"b\":{\"c\":"
    "\"d\"}}},\"text\":\"a longer text that no small buffer holds, with \\\"quotes\\\" in it\"}";

static void json(void)
{
    gr_value *v = gr_json_parse(document, strlen(document), NULL), *again;
    char *text;

    if (said(gr_error_code(v))) {
        text = gr_json_print(v, 2, NULL);
        said(text != NULL ? GR_OK : GR_ENOMEM);
        again = gr_json_parse(text, text != NULL ? strlen(text) : 0, NULL);
        if (text != NULL && said(gr_error_code(again)))
            claim(gr_equal(again, v));
        gr_value_unref(again);
        gr_free(text);
    }
    gr_value_unref(v);
}

static void json_partial(void)
{
    static const char text[] = "{\"a\":[1,{\"b\":\"half";

    is(gr_json_partial(text, sizeof(text) - 1, NULL), "{\"a\":[1,{\"b\":\"half\"}]}");
}

static void json_wrong(void)
{
    gr_value *v = gr_json_parse("{\"a\": [1, 2", 11, NULL);
    gr_code rc = gr_error_code(v);

    claim(rc == GR_EINVAL || rc == GR_ENOMEM);
    gr_value_unref(v);
}

static void msgpack(void)
{
    gr_value *v =
        gr_map(GR_KV("s", gr_str("text")), GR_KV("b", gr_bin("\0\1", 2)),
               GR_KV("f", gr_floats((const float[]){ 1, 2 }, 2)),
               GR_KV("l", gr_list(gr_int(1), gr_real(0.5), gr_nil())),
               GR_KV("r", gr_ref_value((gr_ref){ 1, 2 })), GR_KV("e", gr_error(GR_EREMOTE, "no")));
    void *data = NULL;
    size_t size = 0;

    if (said(gr_error_code(v)) && said(gr_msgpack_encode(v, &data, &size))) {
        gr_value *back = gr_msgpack_decode(data, size, NULL);

        if (said(gr_error_code(back)))
            claim(gr_equal(back, v));
        gr_value_unref(back);
        gr_free(data);
    }
    gr_value_unref(v);
}

static void values(void)
{
    gr_value *v = gr_map(GR_KV("a", gr_int(1)));

    for (int i = 0; i < 12; i++) {
        static const char *const keys[] = { "b", "c", "d", "e", "f", "g",
                                            "h", "i", "j", "k", "l", "m" };

        v = gr_set(v, keys[i], gr_strf("%d", i));
    }
    v = gr_without(v, "c");
    v = gr_merge(v, gr_map(GR_KV("a", gr_str("over"))));
    if (said(gr_error_code(v))) {
        claim(gr_len(v) == 12);
        claim(strcmp(gr_cstr(gr_get(v, "a"), ""), "over") == 0);
        claim(strcmp(gr_cstr(gr_get(v, "m"), ""), "11") == 0);
    }
    gr_value_unref(v);
}

static void sums_of_chunks(void)
{
    gr_value *sum = NULL;

    for (int i = 0; i < 5; i++)
        sum = gr_add(sum, gr_ai_chunk("word "));
    sum = gr_message_of_chunk(sum);
    if (said(gr_error_code(sum)))
        claim(strcmp(gr_cstr(gr_get(sum, "content"), ""), "word word word word word ") == 0);
    gr_value_unref(sum);
}

static void errors(void)
{
    gr_value *err = gr_error(GR_ERATE, "slow %s", "down");

    err = gr_error_with(err, "status", gr_int(429));
    err = gr_error_with(err, "detail", gr_map(GR_KV("k", gr_str("v"))));
    err = gr_error_with(err, "cause", gr_error(GR_EREMOTE, "%s", "cause"));
    claim(gr_error_code(err) == GR_ERATE || gr_error_code(err) == GR_ENOMEM);
    if (gr_error_code(err) == GR_ERATE && gr_get(err, "status") != NULL)
        claim(gr_as_int(gr_get(err, "status"), 0) == 429);
    gr_value_unref(err);
}

static const struct scene scenes[] = {
    { "json", json, SCENE_OWN },
    { "json_partial", json_partial, SCENE_OWN },
    { "json_wrong", json_wrong, SCENE_OWN },
    { "msgpack", msgpack, SCENE_OWN },
    { "values", values, SCENE_OWN },
    { "sums_of_chunks", sums_of_chunks, SCENE_OWN },
    { "errors", errors, SCENE_OWN },
};
const struct scenes codec_scenes = SCENES(scenes);
