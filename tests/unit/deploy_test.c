/* SPDX-License-Identifier: Apache-2.0 */
/* deploy_test.c - nodes and places of a chain file: what follows from them, and what `up` does with lines. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/up.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

static const char whole[] =
    "nodes: {front: 'ipc:///tmp/f', a: {listen: ['ipc:///tmp/a', 'tcp://127.0.0.1:7700'],\n"
    "        advertise: 'tcp://127.0.0.1:7700', workers: 2}, b: 'ipc:///tmp/b'}\n"
    "pools: {workers: {nodes: [a, b], routing: fewest}, none: [a]}\n"
    "up: {intensity: 3}\n"
    "actors:\n"
    "  e: {hash_embeddings: {}}\n"
    "  s: {memory_store: {embeddings: e}}\n"
    "  docs: {retriever: {store: s}, on: b}\n"
    "  found: {sequence: [docs, far], pool: workers, idempotent: true}\n"
    "  far: {retriever: {store: s}, on: [a]}\n"
    "  answer: {sequence: [found, found, e], on: front}\n"
    "main: answer\n";

static char *nothing(const char *name)
{
    (void)name;
    return NULL;
}

static struct gri_chain_file *parse(struct gri_chain_report *r)
{
    gri_chain_report_init(r, "f.yaml");
    return gri_chain_file_parse("f.yaml", whole, sizeof(whole) - 1, nothing, r);
}

static const struct gri_chain_actor *actor(const struct gri_chain_file *f, const char *name)
{
    const struct gri_chain_actor *a = gri_chain_actor_find(f, name);

    cr_assert_not_null(a);
    return a;
}

Test(deploy, reads_where_actors_live)
{
    struct gri_chain_report r;
    struct gri_chain_file *f = parse(&r);

    cr_assert_not_null(f, "%s", gri_chain_report_text(&r));
    cr_assert_eq(f->deploy.node_count, (size_t)3);
    cr_assert_str_eq(f->deploy.nodes[0].reached, "ipc:///tmp/f");
    cr_assert_str_eq(f->deploy.nodes[1].reached, "tcp://127.0.0.1:7700");
    cr_assert_str_eq(gri_deploy_url(&f->deploy.nodes[1], 0), "ipc:///tmp/a");
    cr_assert_eq(actor(f, "e")->placement.on, (uint64_t)0);
    cr_assert_eq(actor(f, "docs")->placement.on, (uint64_t)4);
    cr_assert(!actor(f, "docs")->placement.pooled);
    cr_assert_eq(actor(f, "found")->placement.on, (uint64_t)6);
    cr_assert(actor(f, "found")->placement.pooled && actor(f, "found")->placement.idempotent);
    cr_assert_eq(actor(f, "found")->placement.routing, GR_FEWEST_OUTSTANDING);
    cr_assert(actor(f, "far")->placement.pooled && !actor(f, "far")->placement.idempotent);
    gri_chain_file_free(f);
    gri_chain_report_fini(&r);
}

Test(deploy, tells_who_makes_and_calls_what)
{
    uint64_t made[6], calls[GRI_DEPLOY_NODES_MAX];
    struct gri_chain_report r;
    struct gri_chain_file *f = parse(&r);
    bool client[6];

    cr_assert_not_null(f);
    gri_deploy_made(f, made, client);
    cr_assert_eq(made[0], (uint64_t)7, "the embedder is made on all three");
    cr_assert_eq(made[1], (uint64_t)6, "the store on a and b");
    cr_assert(!client[0] && !client[5], "who runs main makes nothing");
    gri_deploy_calls(f, calls);
    cr_assert_eq(calls[0], (uint64_t)6, "front calls the pool");
    cr_assert_eq(calls[1], (uint64_t)4, "a calls docs on b");
    cr_assert_eq(calls[2], (uint64_t)2, "b calls far on a");
    gri_chain_file_free(f);
    gri_chain_report_fini(&r);
}

Test(deploy, enters_as_one_of_the_nodes)
{
    struct gri_chain_report r;
    struct gri_chain_file *f = parse(&r);
    unsigned workers = 0;

    cr_assert_not_null(f);
    cr_assert_eq(gri_deploy_enter(f, "f.yaml", "c", &workers), GRI_EXIT_USAGE);
    cr_assert_eq(gri_deploy_enter(f, "f.yaml", "a", &workers), -1);
    cr_assert_eq(workers, 2u);
    cr_assert_eq(f->listen_count, (size_t)2);
    cr_assert_eq(f->publish_count, (size_t)2);
    cr_assert_str_eq(f->publish[0].name, "found");
    cr_assert_str_eq(f->publish[1].name, "far");
    gri_chain_file_free(f);
    gri_chain_report_fini(&r);
}

/* look_at does all that only reads a deployment. */
static void look_at(const struct gri_chain_file *f)
{
    uint64_t calls[GRI_DEPLOY_NODES_MAX];
    struct gri_strbuf drawn = GRI_STRBUF_INIT;
    struct gri_chain_report notes;

    gri_chain_report_init(&notes, "f.yaml");
    gri_deploy_calls(f, calls);
    gri_deploy_notes(f, &notes);
    gri_deploy_check_doors(f, &notes);
    cr_assert(gri_deploy_draw(f, &drawn) || test_memory_reached());
    gri_strbuf_fini(&drawn);
    gri_chain_report_fini(&notes);
}

Test(deploy, survives_each_failed_allocation)
{
    bool refused = true;

    for (long n = 1; refused; n++) {
        long before = test_memory_live();
        unsigned workers = 0;
        struct gri_chain_report r;
        struct gri_chain_file *f;

        test_memory_fail_at(n);
        f = parse(&r);
        cr_assert((f == NULL) == (r.count > 0), "allocation %ld", n);
        if (f != NULL) {
            look_at(f);
            (void)gri_deploy_enter(f, "f.yaml", "b", &workers);
        }
        refused = test_memory_reached();
        cr_assert(refused || f != NULL, "allocation %ld", n);
        gri_chain_file_free(f);
        gri_chain_report_fini(&r);
        cr_assert_eq(test_memory_live(), before, "allocation %ld leaks", n);
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

static char line[GRI_UP_LINE_MAX];
static struct gri_up_process nodes[2];
static struct gri_up up;
static int ends[2], own_stderr;

/* take_stderr has standard error go into a pipe, whose other end is ends[0]. */
static void take_stderr(void)
{
    nodes[0] = (struct gri_up_process){ .name = "a", .out = -1, .line = line };
    nodes[1] = (struct gri_up_process){ .name = "longer", .out = -1 };
    up = (struct gri_up){ .nodes = nodes, .count = 2 };
    cr_assert_eq(pipe(ends), 0);
    own_stderr = dup(STDERR_FILENO);
    cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

static void give_stderr_back(void)
{
    dup2(own_stderr, STDERR_FILENO);
    close(own_stderr);
    close(ends[0]);
    close(ends[1]);
}

static void says(const char *text)
{
    memcpy(line + nodes[0].len, text, strlen(text));
    nodes[0].len += strlen(text);
}

static const char *heard(void)
{
    static char text[2 * GRI_UP_LINE_MAX];
    ssize_t n = read(ends[0], text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

Test(deploy, each_line_has_its_nodes_name_and_no_power_over_the_terminal)
{
    char *got[4];

    take_stderr();
    says("one\ntwo\033[2Jthree\r\nrest");
    gri_up_pass(&up, &nodes[0], false);
    got[0] = strdup(heard());
    gri_up_pass(&up, &nodes[0], true);
    got[1] = strdup(heard());
    memset(line, 'x', sizeof(line));
    nodes[0].len = sizeof(line);
    gri_up_pass(&up, &nodes[0], false);
    got[2] = strdup(heard());
    give_stderr_back();
    cr_assert_str_eq(got[0], "a      | one\na      | two?[2Jthree?\n");
    cr_assert_str_eq(got[1], "a      | rest\n");
    cr_assert_eq(strlen(got[2]), (size_t)GRI_UP_LINE_MAX + strlen("a      | \n"));
    for (int i = 0; i < 3; i++)
        free(got[i]);
}

Test(deploy, who_does_not_read_holds_nothing_up)
{
    static const char filler[4096];
    const char *got;
    bool muted, kept, freed;

    take_stderr();
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], filler, sizeof(filler)) > 0)
        continue;
    fcntl(ends[1], F_SETFL, 0);
    says("line\n");
    gri_up_pass(&up, &nodes[0], false); /* returns */
    muted = up.mute;
    kept = nodes[0].len == 5;
    while (read(ends[0], line + 100, 1000) > 0)
        continue;
    gri_up_pass(&up, &nodes[0], false);
    freed = nodes[0].len == 0 && !up.mute;
    got = heard();
    give_stderr_back();
    cr_assert(muted && kept && freed);
    cr_assert_str_eq(got, "a      | line\n");
}
