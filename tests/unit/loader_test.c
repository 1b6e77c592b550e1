/* SPDX-License-Identifier: Apache-2.0 */
/* loader_test.c - folders of files to documents: order, suffixes, limits, what can't be read. */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/sched/world.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

static gr_runtime *rt;
static gr_value *err;
static char folder[64];

static char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "w");

    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

static const char *const names[] = { "b.md", "a.txt", "sub/c.md", ".hidden.md", "bad.bin" };

static void start(void)
{
    err = NULL;
    strcpy(folder, "/tmp/gr-loader-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(mkdir(path_of("sub"), 0700), 0);
    put("b.md", "bee");
    put("a.txt", "ay");
    put("sub/c.md", "sea");
    put(".hidden.md", "no");
    put("bad.bin", "ok\xff");
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_value_unref(err);
    gr_runtime_free(rt);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path_of(names[i]));
    rmdir(path_of("sub"));
    rmdir(folder);
}

static gr_value *md(void)
{
    return gr_list(gr_str(".md"));
}

Test(loader, loads_what_the_suffixes_name_in_order, .init = start, .fini = stop)
{
    gr_ref l = gr_directory_loader(gr_root(rt), folder, GR_LOADER(.suffixes = md()));
    gr_value *docs = gr_load(rt, l, NULL, &err);

    cr_assert_eq(gr_len(docs), 2, "%s", gr_error_text(err));
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(docs, 0), "page_content"), ""), "bee");
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(gr_at(docs, 1), "metadata"), "source"), ""),
                     path_of("sub/c.md"));
    gr_value_unref(docs);
    docs = gr_take(gr_aload(rt, l, NULL), &err);
    cr_assert_eq(gr_len(docs), 2);
    gr_value_unref(docs);
}

Test(loader, streams_documents_one_by_one, .init = start, .fini = stop)
{
    gr_ref l = gr_directory_loader(gr_root(rt), folder, GR_LOADER(.suffixes = md()));
    gr_stream *s = gr_alazy_load(rt, l, NULL);
    gr_outcome o = gr_next(s, TEST_WAIT_MS);

    cr_assert_str_eq(gr_cstr(gr_get(o.value, "page_content"), ""), "bee");
    o = gr_next(s, TEST_WAIT_MS);
    cr_assert_str_eq(gr_cstr(gr_get(o.value, "page_content"), ""), "sea");
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_EOS);
    gr_stream_free(s);
}

static bool count_one(void *arg, const gr_value *chunk)
{
    (void)chunk;
    ++*(int *)arg;
    return false;
}

Test(loader, the_plain_twin_may_leave_early, .init = start, .fini = stop)
{
    gr_ref l = gr_directory_loader(gr_root(rt), folder, GR_LOADER(.suffixes = md()));
    int count = 0;

    cr_assert_eq(gr_lazy_load(rt, l, NULL, count_one, &count, &err), GR_OK);
    cr_assert_eq(count, 1);
}

Test(loader, what_is_no_utf8_is_an_error_or_left_out, .init = start, .fini = stop)
{
    gr_value *docs = gr_load(rt, gr_directory_loader(gr_root(rt), folder, NULL), NULL, &err);

    cr_assert_null(docs);
    cr_assert_not_null(strstr(gr_error_text(err), "bad.bin: not UTF-8 at byte 2"), "%s",
                       gr_error_text(err));
    docs = gr_load(rt, gr_directory_loader(gr_root(rt), folder, GR_LOADER(.skip_errors = true)),
                   NULL, NULL);
    cr_assert_eq(gr_len(docs), 3);
    gr_value_unref(docs);
}

static bool load_fails(const char *path, const gr_loader_opts *opts, gr_code code)
{
    gr_value *why = NULL,
             *docs = gr_load(rt, gr_directory_loader(gr_root(rt), path, opts), NULL, &why);
    bool as_wanted = docs == NULL && gr_error_code(why) == code;

    if (!as_wanted)
        fprintf(stderr, "%s: %s\n", path, gr_error_text(why));
    gr_value_unref(docs);
    gr_value_unref(why);
    return as_wanted;
}

Test(loader, limits_hold, .init = start, .fini = stop)
{
    cr_assert(load_fails("/nonexistent/x", NULL, GR_EINVAL));
    cr_assert(load_fails("", NULL, GR_EINVAL));
    cr_assert(load_fails(NULL, NULL, GR_EINVAL));
    cr_assert(load_fails(folder, GR_LOADER(.suffixes = md(), .file_bytes_max = 2), GR_EINVAL));
    cr_assert(load_fails(folder, GR_LOADER(.suffixes = md(), .files_max = 1), GR_EFULL));
    cr_assert(load_fails(folder, GR_LOADER(.suffixes = gr_list(gr_int(1))), GR_EINVAL));
}

/* Whichever allocation fails: all documents, or an error, but never a part of them. */
Test(loader, no_document_is_lost_when_memory_runs_out, .init = start, .fini = stop)
{
    gr_ref l = gr_directory_loader(gr_root(rt), folder, GR_LOADER(.suffixes = md()));
    long n = 0;

    do {
        gr_value *docs, *why = NULL;

        test_memory_fail_at(++n);
        docs = gr_load(rt, l, NULL, &why);
        if (docs != NULL)
            cr_assert_eq(gr_len(docs), 2, "allocation %ld: %zu documents", n, gr_len(docs));
        gr_value_unref(docs);
        gr_value_unref(why);
    } while (test_memory_reached());
    cr_assert_gt(n, 10);
}

Test(loader, a_path_may_be_one_file, .init = start, .fini = stop)
{
    gr_value *docs =
        gr_load(rt, gr_directory_loader(gr_root(rt), path_of("b.md"), NULL), NULL, &err);

    cr_assert_eq(gr_len(docs), 1, "%s", gr_error_text(err));
    gr_value_unref(docs);
}

/* list_fails lists the first folder and fails in the one below it. */
static gr_code (*real_list)(struct gri_world *w, const char *path, char **ret_names,
                            size_t *ret_size, char text[128]);
static gr_code list_code;

static gr_code list_fails(struct gri_world *w, const char *path, char **ret_names, size_t *ret_size,
                          char text[128])
{
    if (strstr(path, "/sub") == NULL || strstr(path, ".md") != NULL)
        return real_list(w, path, ret_names, ret_size, text);
    snprintf(text, 128, "as told");
    return list_code;
}

Test(loader, a_folder_that_cant_be_listed_is_not_left_out_in_silence, .init = start, .fini = stop)
{
    struct gri_world *w = gri_world_of(rt);

    real_list = w->file_list;
    w->file_list = list_fails;
    list_code = GR_EINVAL;
    cr_assert(load_fails(folder, GR_LOADER(.suffixes = md()), GR_EINVAL));
    list_code = GR_EFULL;
    cr_assert(load_fails(folder, GR_LOADER(.suffixes = md()), GR_EFULL));
    list_code = GR_ENOMEM; /* is nobody's fault, so it isn't skipped either */
    cr_assert(load_fails(folder, GR_LOADER(.suffixes = md(), .skip_errors = true), GR_ENOMEM));
}

/* "nowhere" ends in no suffix that is wanted, so as a file it would be left out. */
Test(loader, a_folder_that_is_not_there_is_not_left_out_in_silence, .init = start, .fini = stop)
{
    cr_assert(load_fails(path_of("nowhere"), GR_LOADER(.suffixes = md()), GR_EINVAL));
    cr_assert(load_fails(path_of("nowhere"), NULL, GR_EINVAL));
}
