/* SPDX-License-Identifier: Apache-2.0 */
/* scene_command.c - chain files, and the command's own `run`, `stream` and `check`. */
#include "tests/torture/torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/chain_file.h"
#include "cli/options.h"

static const char chain[] =
    "actors:\n"
    "  embedder: {hash_embeddings: {dimensions: 32}}\n"
    "  store:\n"
    "    memory_store:\n"
    "      embeddings: embedder\n"
    "      load: [{paths: [gr-torture-doc.txt], suffixes: [.txt], chunk_size: 80}]\n"
    "  docs: {retriever: {store: store, k: 1}}\n"
    "  prompt: {prompt: \"Context:\\n{context}\\n\\nQuestion: {question}\"}\n"
    "  answer:\n"
    "    sequence:\n"
    "      - parallel:\n"
    "          context: {sequence: [docs, {format_docs: {}}]}\n"
    "          question: {passthrough: }\n"
    "      - prompt\n"
    "      - {extractive_model: {}}\n"
    "      - {str_parser: {}}\n"
    "  hello: {prompt: \"Hello, {name}!\"}\n"
    "main: answer\n";

/* ---- reading a chain file ---------------------------------------------------------------------- */

static void chain_file(void)
{
    struct gri_chain_report r;
    struct gri_chain_file *f;

    gri_chain_report_init(&r, "f.yaml");
    f = gri_chain_file_parse("f.yaml", chain, sizeof(chain) - 1, getenv, &r);
    if (f == NULL)
        said(GR_ENOMEM);
    else
        claim(f->actor_count == 6 && strcmp(f->main->name, "answer") == 0);
    gri_chain_file_free(f);
    gri_chain_report_fini(&r);
}

static void chain_file_wrong(void)
{
    static const char text[] = "actors: {a: {passthrough: {}}}\nmain: b";
    struct gri_chain_report r;
    struct gri_chain_file *f;

    gri_chain_report_init(&r, "f.yaml");
    f = gri_chain_file_parse("f.yaml", text, sizeof(text) - 1, getenv, &r);
    claim(f == NULL);
    gri_chain_file_free(f);
    gri_chain_report_fini(&r);
}

/* ---- the command --------------------------------------------------------------------------------- */

static char folder[64], path[96], document[96];

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        torture_fail("%s can't be written", name);
}

static void forget(void)
{
    remove(path);
    remove(document);
    remove(folder);
}

static char *the_file(void)
{
    if (path[0] != '\0')
        return path;
    faults_exempt(true);
    strcpy(folder, "/tmp/gr-torture-XXXXXX");
    if (mkdtemp(folder) == NULL)
        torture_fail("no folder can be made");
    snprintf(path, sizeof(path), "%s/f.yaml", folder);
    snprintf(document, sizeof(document), "%s/gr-torture-doc.txt", folder);
    put(path, chain);
    put(document, "Refunds take five days.");
    atexit(forget);
    faults_exempt(false);
    return path;
}

/* command runs the command as main does; its exit code must fit what has failed. */
static void command(int argc, char **argv)
{
    struct gri_options o;
    int exit_code = gri_options_read(argc, argv, &o);

    if (exit_code < 0)
        exit_code = o.command->run(&o);
    gri_options_fini(&o);
    claim(exit_code >= 0 && exit_code <= 2);
    if (exit_code != 0) { /* what it was is on standard error: any error will do */
        may_also(GR_ENOMEM);
        said(GR_ENOMEM);
    }
}

#define COMMAND(...)                                                                               \
    do {                                                                                           \
        char *argv_[] = { (char[]){ "greenroom" }, __VA_ARGS__, NULL };                            \
                                                                                                   \
        command((int)(sizeof(argv_) / sizeof(argv_[0])) - 1, argv_);                               \
    } while (0)

static void run_chain(void)
{
    COMMAND((char[]){ "run" }, the_file(), (char[]){ "--text" },
            (char[]){ "how many days do refunds take?" }, (char[]){ "--quiet" });
}

static void stream_chain(void)
{
    COMMAND((char[]){ "stream" }, the_file(), (char[]){ "--text" },
            (char[]){ "how many days do refunds take?" }, (char[]){ "--quiet" },
            (char[]){ "--text-out" });
}

static void batch_chain(void)
{
    COMMAND((char[]){ "batch" }, the_file(), (char[]){ "hello" }, (char[]){ "--input" },
            (char[]){ "[{\"name\": \"a\"}, {\"name\": \"b\"}]" }, (char[]){ "--quiet" });
}

static void check_chain(void)
{
    COMMAND((char[]){ "check" }, the_file());
}

static const struct scene scenes[] = {
    { "chain_file", chain_file, SCENE_OWN },
    { "chain_file_wrong", chain_file_wrong, SCENE_OWN },
    { "command_run", run_chain, SCENE_OWN | SCENE_FILES | SCENE_SILENT },
    { "command_stream", stream_chain, SCENE_OWN | SCENE_FILES | SCENE_SILENT },
    { "command_batch", batch_chain, SCENE_OWN | SCENE_FILES | SCENE_SILENT },
    { "command_check", check_chain, SCENE_OWN | SCENE_FILES | SCENE_SILENT },
};
const struct scenes command_scenes = SCENES(scenes);
