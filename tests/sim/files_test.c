/* SPDX-License-Identifier: Apache-2.0 */
/* files_test.c - files that can't be read, or are shorter than they should be. */
#include "runtime/base/alloc.h"
#include "runtime/sched/world.h"
#include "tests/support/simulate.h"
#include "tests/support/test.h"

#define PATH "tests/sim/files_test.c" /* tests run in the source folder */

static uint64_t whole_files, short_files, errors, lists;
static char *text; /* what the file holds */
static size_t text_size;

static void read_one(struct sim *r, gr_runtime *rt)
{
    struct gri_world *w = gri_world_of(rt);
    char *data = NULL, err[128] = "";
    size_t size = 0;
    gr_code rc = w->file_read(w, PATH, 1 << 20, &data, &size, err);

    if (rc != GR_OK) {
        sim_check(r, rc == GR_EINVAL && strcmp(err, "Input/output error") == 0, "%s: %s",
                  gr_code_name(rc), err);
        errors++;
        return;
    }
    sim_check(r, size <= text_size && memcmp(data, text, size) == 0 && data[size] == '\0',
              "what was read is no beginning of the file");
    *(size < text_size ? &short_files : &whole_files) += 1;
    gri_free(data);
}

static void list_one(struct sim *r, gr_runtime *rt)
{
    struct gri_world *w = gri_world_of(rt);
    char *names = NULL, err[128] = "";
    size_t size = 0;
    gr_code rc = w->file_list(w, "tests/sim", &names, &size, err);

    sim_check(r, rc == GR_OK || strcmp(err, "Input/output error") == 0, "listing: %s", err);
    sim_check(r, rc != GR_OK || memmem(names, size, "files_test.c", 13) != NULL, "no such name");
    lists += rc == GR_OK;
    if (rc == GR_OK)
        gri_free(names);
}

static void files_scenario(struct sim *r)
{
    gr_runtime *rt;

    if (gr_runtime_new(GR_RUNTIME(.sim_seed = r->seed, .sim_faults = r->faults), &rt) != GR_OK) {
        sim_complain(r, "no runtime");
        return;
    }
    for (int i = 0; i < 20; i++) {
        read_one(r, rt);
        list_one(r, rt);
    }
    gr_sim_heal();
    errors = short_files = 0;
    read_one(r, rt);
    sim_check(r, errors == 0 && short_files == 0, "a fault after healing");
    sim_note(r);
    gr_runtime_free(rt);
}

Test(files, what_is_read_is_a_beginning_or_an_error)
{
    FILE *f = fopen(PATH, "r");
    struct sim_sum all = { .seeds = 0 };
    const char *never;

    cr_assert_not_null(f);
    text = malloc(1 << 20);
    text_size = fread(text, 1, 1 << 20, f);
    fclose(f);
    sim_worlds(&all, 1, 200, GR_SIM_FILES | GR_SIM_SCHED, files_scenario);
    sim_all_well(&all, 0);
    never = sim_table(&all, "FILE_");
    cr_assert(never == NULL, "%s never happened", never);
    cr_assert(whole_files > 0 && lists > 0);
    free(text);
}
