/* SPDX-License-Identifier: Apache-2.0 */
/* splitter_test.c - the splitter as an actor: options, documents, start_index. */
#include <greenroom/greenroom.h>

#include <string.h>

#include "tests/support/test.h"

static gr_runtime *rt;
static gr_value *err;

static void start(void)
{
    err = NULL;
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_value_unref(err);
    gr_runtime_free(rt);
}

Test(splitter, splits_texts_and_documents, .init = start, .fini = stop)
{
    gr_ref s = gr_recursive_splitter(
        gr_root(rt), GR_SPLITTER(.chunk_size = 6, .chunk_overlap = 3, .add_start_index = true));
    gr_value *got = gr_split_text(rt, s, "aa bb cc dd", NULL, &err);

    cr_assert_eq(gr_len(got), 3, "%s", gr_error_text(err));
    cr_assert_str_eq(gr_cstr(gr_at(got, 2), ""), "cc dd");
    gr_value_unref(got);
    got = gr_take(gr_asplit_documents(
                      rt, s,
                      gr_list(gr_document("aa bb cc", gr_map(GR_KV("source", gr_str("f"))), NULL)),
                      NULL),
                  &err);
    cr_assert_eq(gr_len(got), 2);
    const gr_value *meta = gr_get(gr_at(got, 1), "metadata");

    cr_assert_str_eq(gr_cstr(gr_get(meta, "source"), ""), "f");
    cr_assert_eq(gr_as_int(gr_get(meta, "start_index"), -1), 3);
    gr_value_unref(got);
    got = gr_invoke(rt, s, gr_str("aa bb cc dd"), NULL, &err);
    cr_assert_eq(gr_len(got), 3);
    gr_value_unref(got);
}

Test(splitter, says_what_is_wrong, .init = start, .fini = stop)
{
    gr_scope *root = gr_root(rt);
    gr_ref wrong[] = {
        gr_recursive_splitter(root, GR_SPLITTER(.chunk_size = 5, .chunk_overlap = 6)),
        gr_recursive_splitter(root, GR_SPLITTER(.separators = gr_list(gr_int(1)))),
        gr_recursive_splitter(root, GR_SPLITTER(.separators = gr_list_n(NULL, 0))),
        gr_recursive_splitter(root, GR_SPLITTER(.separators = gr_str("x"))),
    };

    for (size_t i = 0; i < 4; i++) {
        gr_value *why = NULL;

        cr_assert_null(gr_split_text(rt, wrong[i], "x", NULL, &why));
        cr_assert_eq(gr_error_code(why), GR_EINVAL, "%zu: %s", i, gr_error_text(why));
        gr_value_unref(why);
    }
    cr_assert_null(
        gr_split_documents(rt, gr_recursive_splitter(root, NULL), gr_list(gr_int(1)), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EINVAL);
}
