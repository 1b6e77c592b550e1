/* SPDX-License-Identifier: Apache-2.0 */
/* trim_test.c - what of a value a trace shows. */
#include "actors/observe/trim.h"

#include <stdio.h>

#include "tests/support/runnables.h"

static gr_value *trimmed(gr_value *v, size_t max)
{
    gr_value *cut = gri_trim(v, max);

    gr_value_unref(v);
    return cut;
}

Test(trim, what_is_short_stays_as_it_is)
{
    is(trimmed(json("{\"a\":[1,2.5,null,true,\"x\"],\"b\":{}}"), 1024),
       "{\"a\":[1,2.5,null,true,\"x\"],\"b\":{}}");
}

Test(trim, keys_that_name_secrets_are_masked_however_they_are_written)
{
    static const char *const secret[] = { "api_key",        "apiKey",        "API-KEY",
                                          "OPENAI_API_KEY", "authorization", "Authorization",
                                          "password",       "db_password",   "token",
                                          "access_token",   "secret",        "clientSecret",
                                          "Set-Cookie",     "aws.secretKey", "credentials" };
    static const char *const open[] = { "key",    "max_tokens", "tokens", "input_tokens",
                                        "author", "tokenizer",  "",       "secretary" };

    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
        cr_assert(gri_is_secret(secret[i]), "%s", secret[i]);
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        cr_assert(!gri_is_secret(open[i]), "%s", open[i]);
    is(trimmed(json("{\"model\":{\"api_key\":\"sk-1\",\"name\":\"m\"},\"token\":null}"), 1024),
       "{\"model\":{\"api_key\":\"***\",\"name\":\"m\"},\"token\":null}");
}

Test(trim, a_secret_key_of_any_length_is_seen_by_its_end)
{
    char key[4096];

    memset(key, 'x', sizeof(key));
    memcpy(key + sizeof(key) - sizeof("_password"), "_password", sizeof("_password"));
    cr_assert(gri_is_secret(key));
}

Test(trim, secrets_in_errors_are_masked_too)
{
    gr_value *err = gr_error_with(gr_error(GR_EREMOTE, "no"), "detail", json("{\"token\":\"t\"}"));
    gr_value *cut = trimmed(err, 1024);

    is(gr_value_ref(gr_get(gr_get(cut, "$error"), "detail")), "{\"token\":\"***\"}");
    is(gr_value_ref(gr_get(gr_get(cut, "$error"), "text")), "\"no\"");
    gr_value_unref(cut);
}

Test(trim, long_texts_end_between_two_characters)
{
    is(trimmed(gr_str("abcdefgh"), 4), "\"abcd…\"");
    is(trimmed(gr_str("äöü"), 3), "\"ä…\"");
    is(trimmed(gr_str("äöü"), 6), "\"äöü\"");
}

Test(trim, the_rest_of_a_long_list_or_map_is_left_out)
{
    gr_value *list = gr_list_n(NULL, 0), *map = gr_map_n(NULL, 0), *cut;

    for (int i = 0; i < 100000; i++)
        list = gr_append(list, gr_int(i));
    cut = trimmed(list, 64);
    cr_assert_leq(gr_len(cut), 10);
    cr_assert_str_eq(gr_cstr(gr_at(cut, gr_len(cut) - 1), ""), "…");
    gr_value_unref(cut);
    for (int i = 0; i < 100; i++) {
        char key[16];

        (void)snprintf(key, sizeof(key), "k%d", i);
        map = gr_set(map, key, gr_int(i));
    }
    cut = trimmed(map, 64);
    cr_assert_leq(gr_len(cut), 8);
    cr_assert_not_null(gr_get(cut, "…"));
    gr_value_unref(cut);
}

Test(trim, bytes_and_floats_are_told_by_their_number)
{
    float x[1000] = { 0 };
    char data[1000] = "";

    is(trimmed(gr_floats(x, 1000), 100), "\"1000 floats…\"");
    is(trimmed(gr_bin(data, 1000), 100), "\"1000 bytes…\"");
}

Test(trim, what_is_as_deep_as_a_value_may_be_is_cut_and_still_a_value)
{
    gr_value *v = gr_int(1), *cut;

    for (int i = 0; i < GR_DEPTH_MAX; i++)
        v = gr_list(v);
    cut = trimmed(v, 100000);
    cut = gr_list(gr_list(cut)); /* as in an event */
    cr_assert_eq(gr_error_code(cut), GR_OK);
    gr_value_unref(cut);
}
