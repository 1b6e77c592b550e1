/* SPDX-License-Identifier: Apache-2.0 */
/* chain_file_test.c - reading chain files: what is right, and each mistake with its place. */
#include <stdlib.h>
#include <string.h>

#include "cli/chain_file.h"
#include "runtime/base/alloc.h"
#include "tests/support/memory.h"
#include "tests/support/test.h"

/* look_up stands for the environment. */
static char *look_up(const char *name)
{
    static char key[] = "sk-very-secret", url[] = "http://127.0.0.1:1/v1", empty[] = "",
                four[] = "4";

    if (strcmp(name, "KEY") == 0)
        return key;
    if (strcmp(name, "URL") == 0)
        return url;
    if (strcmp(name, "EMPTY") == 0)
        return empty;
    return strcmp(name, "FOUR") == 0 ? four : NULL;
}

static struct gri_chain_file *parse(const char *text, struct gri_chain_report *r)
{
    gri_chain_report_init(r, "f.yaml");
    return gri_chain_file_parse("dir/f.yaml", text, strlen(text), look_up, r);
}

#define STORE "  e: {hash_embeddings: {}}\n  s: {memory_store: {embeddings: e}}\n"

static const char whole[] =
    "listen: [ipc:///tmp/docs.ipc, tcp://127.0.0.1:0]\n"
    "publish: [docs, {public: answer}]\n"
    "actors:\n"
    "  embedder: {hash_embeddings: {dimensions: 384}}\n"
    "  store:\n"
    "    memory_store:\n"
    "      embeddings: embedder\n"
    "      load: [{paths: [docs, README.md], suffixes: [.md], chunk_size: 800, chunk_overlap: 100}]\n"
    "  docs: {retriever: {store: store, k: \"4\"}}\n"
    "  far: {remote: {url: 'ipc:///tmp/x', name: docs}}\n"
    "  prompt: {prompt: \"{context} $${x} {question}\"}\n"
    "  chat: {chat_prompt: [{system: Be kind.}, {placeholder: history}, {human: \"{question}\"}]}\n"
    "  model: {chat_model: {model: small, url: \"${URL}\", key_env: OPENAI_API_KEY,\n"
    "          temperature: 0.2, headers: {x-a: b}, extra: {top_p: 0.5, stop: [a, 1]}}}\n"
    "  answer:\n"
    "    sequence:\n"
    "      - parallel:\n"
    "          context: {sequence: [docs, {format_docs: {}}]}\n"
    "          question: {passthrough: }\n"
    "      - prompt\n"
    "      - {with_retry: {runnable: {with_fallbacks: [model, model]}, attempts: 3, all_errors: true}}\n"
    "      - {str_parser: {}}\n"
    "  other: answer\n"
    "main: answer\n";

Test(chain_file, reads_the_whole_format)
{
    struct gri_chain_report r;
    struct gri_chain_file *f;
    char *text = strdup(whole);
    char *quoted = strstr(text, "\"4\"");

    cr_assert_not_null(quoted);
    memcpy(quoted, " 4 ", 3);
    f = parse(text, &r);
    cr_assert_str_eq(gri_chain_report_text(&r), "");
    cr_assert_not_null(f);
    cr_assert_eq(f->actor_count, (size_t)9);
    cr_assert_str_eq(f->folder, "dir/");
    cr_assert_eq(f->listen_count, (size_t)2);
    cr_assert_str_eq(f->listen[0], "ipc:///tmp/docs.ipc");
    cr_assert_eq(f->publish_count, (size_t)2);
    cr_assert_str_eq(f->publish[0].name, "docs");
    cr_assert_str_eq(f->publish[1].name, "public");
    cr_assert_str_eq(f->publish[1].actor->name, "answer");
    cr_assert_str_eq(f->main->name, "answer");
    cr_assert_null(gri_chain_actor_find(f, "public"));
    gri_chain_file_free(f);
    gri_chain_report_fini(&r);
    free(text);
}

/* Each text, and what its report must begin with, after the file's name. */
static const struct mistake {
    const char *text, *report;
} mistakes[] = {
    { "", "1:1: nothing is given, a map with the key \"actors\" was expected" },
    { "- a", "1:1: a list is given, a map" },
    { "main: a", "1:1: the key \"actors\" was expected" },
    { "actors: [a]", "1:9: actors: a list is given" },
    { "actors: {}", "1:9: actors: an empty map is given" },
    { "actor: {a: {passthrough: {}}}",
      "1:1: a chain file has no key \"actor\"; did you mean \"actors\"?" },
    { "actors: {a: {passthrough: {}}}\nmain: b", "2:7: no actor is named \"b\"" },
    { "actors: {a: {passthrough: {}}}\nmain: [a]", "2:7: main: a list is given" },
    { "actors: {1a: {passthrough: {}}}", "1:10: \"1a\" can't be a name" },
    { "actors: {a: {passthrough: {}}, a: {passthrough: {}}}",
      "1:32: \"a\" is given twice, first in line 1" },
    { "actors:\n  a: {passthrough: {}, pick: x}",
      "2:24: \"pick\" follows \"passthrough\": one kind" },
    { "actors: {a: {passthru: {}}}", "1:14: there is no kind \"passthru\"" },
    { "actors: {a: {str_praser: {}}}",
      "1:14: there is no kind \"str_praser\"; did you mean \"str_parser\"?" },
    { "actors: {a: {str_parser: {k: 1}}}", "1:27: str_parser takes no keys, but \"k\" is given" },
    { "actors: {a: {str_parser: 1}}", "1:26: str_parser: a number is given, {} was expected" },
    { "actors: {a: str_parser}",
      "1:13: no actor is named \"str_parser\"; to make one here, write {str_parser: {}}" },
    { "actors: {a: ~}", "1:13: nothing is given, the name of an actor was expected" },
    { "actors: {a: []}", "1:13: actor: a list is given, the name of an actor or {kind: …}" },
    { "actors:\n" STORE "  r: {retriever: {stroe: s}}",
      "4:19: retriever has no key \"stroe\"; did you mean \"store\"?" },
    { "actors:\n" STORE "  r: {retriever: {}}",
      "4:7: retriever needs the key \"store\": an actor" },
    { "actors:\n" STORE "  r: {retriever: {store: t}}",
      "4:26: no actor is named \"t\"; did you mean" },
    { "actors:\n" STORE "  r: {retriever: {store: s, k: 0}}",
      "4:32: k: 0 is given, a number from 1 to 10000 was expected" },
    { "actors:\n" STORE "  r: {retriever: {store: s, k: many}}",
      "4:32: k: a text is given, a whole number was expected" },
    { "actors:\n" STORE "  r: {retriever: {store: s, k: 1.5}}",
      "4:32: k: a number is given, a whole" },
    { "actors:\n" STORE "  r: {retriever: {store: s, k: \"4\"}}", "4:32: k: a text is given" },
    { "actors:\n" STORE "  r: {retriever: {store: s, k: 99999999999999999999}}", "4:32: k: " },
    { "actors:\n" STORE "  r: {retriever: {store: s, score_min: .inf}}",
      "4:40: score_min: a text is given, a number was expected" },
    { "actors:\n" STORE "  r: {retriever: {store: s, filter: [a]}}",
      "4:37: filter: a list is given" },
    { "actors: {a: b, b: c, c: a}", "1:25: \"a\" refers to itself: a -> b -> c -> a" },
    { "actors: {a: {sequence: [{passthrough: {}}, a]}}", "1:44: \"a\" refers to itself: a -> a" },
    { "actors: {a: {sequence: []}}", "1:24: steps: at least one actor was expected" },
    { "actors: {a: {sequence: b}}", "1:24: steps: a text is given, a list of actors was expected" },
    { "actors: {a: {parallel: [b]}}",
      "1:24: steps: a list is given, a map of actors was expected" },
    { "actors: {a: {prompt: [b]}}", "1:22: template: a list is given, a text was expected" },
    { "actors: {a: {prompt: {template: x, tmpl: y}}}", "1:36: prompt has no key \"tmpl\"" },
    { "actors: {a: {chat_prompt: [{robot: x}]}}", "1:29: a message has no key \"robot\"" },
    { "actors: {a: {chat_prompt: [x]}}", "1:28: messages: a text is given, {role: template}" },
    { "actors: {a: {with_retry: {runnable: {passthrough: {}}, all_errors: yes}}}",
      "1:68: all_errors: a text is given, true or false was expected" },
    { "actors: {a: {splitter: {separators: x}}}",
      "1:37: separators: a text is given, a list of texts" },
    { "actors: {a: {chat_model: {model: m, key: sk-1}}}", "1:42: key: a key does not belong" },
    { "actors: {a: {chat_model: {model: m, api_key: \"${KEY}\"}}}",
      "1:46: api_key: a key does not belong" },
    { "actors: {a: {chat_model: {model: m, key_env: \"sk-1\"}}}",
      "1:46: key_env: this is no name of an environment variable" },
    { "actors: {a: {chat_model: {model: m, key_env: \"${KEY}\"}}}",
      "1:46: key_env: this is no name of an environment variable" },
    { "actors: {a: {chat_model: {model: m, headers: {Authorization: x}}}}",
      "1:47: headers: a key does not belong into a header" },
    { "actors: {a: {memory_store: {embeddings: {hash_embeddings: {}}, load: {path: [x]}}}}",
      "1:71: load has no key \"path\"; did you mean \"paths\"?" },
    { "actors: {a: {prompt: \"${NOT_SET}\"}}",
      "1:22: the environment variable NOT_SET is not set" },
    { "actors: {a: {prompt: \"${NOT SET}\"}}",
      "1:22: \"${NOT SET}\" names no environment variable" },
    { "actors: {a: {prompt: \"x ${KEY\"}}", "1:22: \"${\" is never closed" },
    { "actors: {a: {remote: {url: 'http://x', name: y}}}",
      "1:28: url: a text is given, ipc:///path, tcp://host:port or tls+tcp://host:port was expected" },
    { "actors: {a: {prompt: x}}\nlisten: [http://x]", "2:10: listen: a URL was expected" },
    { "actors: {a: {prompt: x}}\nnode: {secret: x}",
      "2:16: secret: a secret does not belong into" },
    { "actors: {a: {prompt: x}}\nnode: {tls_crt: x}",
      "2:8: node has no key \"tls_crt\"; did you mean" },
    { "actors: {a: {prompt: x}}\nnode: [x]", "2:7: node: a list is given, a map of its keys" },
    { "actors: {a: {prompt: x}}\npublish: a", "2:10: publish: a text is given, a list of names" },
    { "actors: {a: {prompt: x}}\npublish: [a, a]", "2:14: \"a\" is published twice" },
    { "actors: {a: {prompt: x}}\npublish: [{b: c}]", "2:15: no actor is named \"c\"" },
    { "actors: {a: &x {prompt: x}}", "1:13: anchors (&x) are not supported" },
    { "actors: {a: *x}", "1:13: aliases (*x) are not supported" },
    { "actors: {a: !!map {prompt: x}}", "1:13: tags (tag:yaml.org,2002:map) are not supported" },
    { "actors: {a: {prompt: x}}\n---\nactors: {}", "2:1: a second document begins here" },
    { "actors: {[a]: b}", "1:10: a list can't be a key" },
    { "actors: {a: {prompt: \"a\\0b\"}}", "1:22: a text can't hold a NUL character" },
    { "actors: {a: {prompt: x}", "2:1: did not find expected ',' or '}'" },
    { "actors:\n\ta: b", "2:1: found character that cannot start any token" },
    { "actors: {a: \xff}", "1:13: invalid leading UTF-8 octet, UTF-8 text was expected" },
    { "actors: {\"a\\eb\": {prompt: x}}", "1:10: \"a?b\" can't be a name" },
};

Test(chain_file, tells_each_mistake_with_its_place)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct gri_chain_report r;
        struct gri_chain_file *f = parse(mistakes[i].text, &r);
        const char *text = gri_chain_report_text(&r);

        cr_assert_null(f, "%s was read", mistakes[i].text);
        cr_assert(strncmp(text, "f.yaml:", 7) == 0 &&
                      strncmp(text + 7, mistakes[i].report, strlen(mistakes[i].report)) == 0,
                  "%s\n  gives    %s\n  expected f.yaml:%s", mistakes[i].text, text,
                  mistakes[i].report);
        gri_chain_report_fini(&r);
    }
}

Test(chain_file, tells_all_mistakes_in_the_files_order)
{
    struct gri_chain_report r;
    struct gri_chain_file *f =
        parse("actors:\n  a: {prompt: '${A}'}\n  b: {prompt: '${B}'}\n  c: d\n", &r);
    const char *text = gri_chain_report_text(&r);

    cr_assert_null(f);
    cr_assert_eq(r.count, (size_t)3);
    cr_assert(strstr(text, "f.yaml:2:15: the environment variable A") == text, "%s", text);
    cr_assert_not_null(strstr(text, "\nf.yaml:3:15: the environment variable B"));
    cr_assert_not_null(strstr(text, "\nf.yaml:4:6: no actor is named \"d\""));
    gri_chain_report_fini(&r);
}

Test(chain_file, never_quotes_what_a_variable_holds)
{
    static const char *const texts[] = {
        "actors: {a: {retriever: {store: '${KEY}'}}}",
        "actors: {a: '${KEY}'}",
        "actors: {a: {prompt: x}}\nlisten: '${KEY}'",
        "actors: {a: {prompt: x}}\nmain: '${KEY}'",
        "actors: {a: {hash_embeddings: {dimensions: '${KEY}'}}}",
        "actors: {a: {chat_model: {model: m, key_env: '${KEY}'}}}",
        "actors: {a: {with_retry: {runnable: '${KEY}', all_errors: '${KEY}'}}}",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct gri_chain_report r;
        struct gri_chain_file *f = parse(texts[i], &r);

        cr_assert_null(f, "%s was read", texts[i]);
        cr_assert_null(strstr(gri_chain_report_text(&r), "secret"), "%s",
                       gri_chain_report_text(&r));
        gri_chain_report_fini(&r);
    }
}

/* prompt_of reads a file of one prompt and compares its text after expansion. */
static void expect_prompt(const char *yaml, const char *expected)
{
    struct gri_chain_report r;
    struct gri_chain_file *f = parse(yaml, &r);
    const struct gri_chain_node *n;

    cr_assert_not_null(f, "%s", gri_chain_report_text(&r));
    n = gri_chain_get(f->actors[0].node, "prompt");
    cr_assert_not_null(n);
    cr_assert_str_eq(gri_chain_text(n), expected);
    gri_chain_file_free(f);
    gri_chain_report_fini(&r);
}

Test(chain_file, expands_variables)
{
    expect_prompt("actors: {a: {prompt: 'x'}}", "x");
    expect_prompt("actors: {a: {prompt: 'a ${URL} b'}}", "a http://127.0.0.1:1/v1 b");
    expect_prompt("actors: {a: {prompt: '${FOUR}${FOUR}'}}", "44");
    expect_prompt("actors: {a: {prompt: '${NOT_SET:-x:-y}'}}", "x:-y");
    expect_prompt("actors: {a: {prompt: '${EMPTY:-x}'}}", "x");
    expect_prompt("actors: {a: {prompt: '${EMPTY}'}}", "");
    expect_prompt("actors: {a: {prompt: '${FOUR:-5}'}}", "4");
    expect_prompt("actors: {a: {prompt: 'costs $${price} $5 $'}}", "costs ${price} $5 $");
    expect_prompt("actors: {a: {prompt: '${FOUR} :- }'}}", "4 :- }");
}

Test(chain_file, an_expanded_scalar_may_be_a_number)
{
    struct gri_chain_report r;
    struct gri_chain_file *f =
        parse("actors:\n" STORE "  r: {retriever: {store: s, k: '${FOUR}'}}\n", &r);
    long long k = 0;

    cr_assert_not_null(f, "%s", gri_chain_report_text(&r));
    cr_assert(
        gri_chain_to_int(gri_chain_get(gri_chain_get(f->actors[2].node, "retriever"), "k"), &k));
    cr_assert_eq(k, 4LL);
    gri_chain_file_free(f);
    gri_chain_report_fini(&r);
}

Test(chain_file, one_actor_alone_is_main)
{
    struct gri_chain_report r;
    struct gri_chain_file *f = parse("actors: {a: {passthrough: {}}}", &r);

    cr_assert_not_null(f);
    cr_assert_str_eq(f->main->name, "a");
    gri_chain_file_free(f);
    f = parse("actors: {a: {passthrough: {}}, b: a}", &r);
    cr_assert_not_null(f);
    cr_assert_null(f->main);
    gri_chain_file_free(f);
    gri_chain_report_fini(&r);
}

Test(chain_file, keeps_the_limits)
{
    static char text[GRI_CHAIN_BYTES_MAX + 2];
    struct gri_chain_report r;
    size_t at = 0;

    memset(text, ' ', sizeof(text) - 1);
    cr_assert_null(parse(text, &r));
    cr_assert_not_null(strstr(gri_chain_report_text(&r), "at most 1048576 were expected"));
    gri_chain_report_fini(&r);

    memset(text, '[', 1000);
    text[1000] = '\0';
    cr_assert_null(parse(text, &r));
    cr_assert_str_eq(gri_chain_report_text(&r), "f.yaml:1:65: nested deeper than 64 levels\n");
    gri_chain_report_fini(&r);

    for (int i = 0; i < GRI_CHAIN_NODES_MAX + 1; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "- %d\n", i);
    cr_assert_null(parse(text, &r));
    cr_assert_not_null(strstr(gri_chain_report_text(&r), "the file holds more than 20000 values"));
    gri_chain_report_fini(&r);

    at = (size_t)snprintf(text, sizeof(text), "actors:\n");
    for (int i = 0; i < 150; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "  a%d: a%d\n", i, i + 1);
    (void)snprintf(text + at, sizeof(text) - at, "  a150: {passthrough: {}}\n");
    cr_assert_null(parse(text, &r));
    cr_assert_not_null(strstr(gri_chain_report_text(&r), "more than 100 names in a row"));
    gri_chain_report_fini(&r);
}

Test(chain_file, shows_twenty_mistakes_and_counts_the_rest)
{
    struct gri_chain_report r;
    char text[2000];
    size_t at = (size_t)snprintf(text, sizeof(text), "actors:\n"), lines = 0;

    for (int i = 0; i < 30; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "  a%d: nobody_%d_here\n", i, i);
    cr_assert_null(parse(text, &r));
    cr_assert_eq(r.count, (size_t)30);
    for (const char *p = gri_chain_report_text(&r); *p != '\0'; p++)
        lines += *p == '\n';
    cr_assert_eq(lines, (size_t)21);
    gri_chain_report_fini(&r);
}

Test(chain_file, tells_of_a_file_that_can_not_be_opened)
{
    struct gri_chain_report r;

    gri_chain_report_init(&r, "nowhere.yaml");
    cr_assert_null(gri_chain_file_open("/nowhere/at/all.yaml", &r));
    cr_assert_str_eq(gri_chain_report_text(&r),
                     "nowhere.yaml: can't be opened: No such file or directory\n");
    gri_chain_report_fini(&r);
}

Test(chain_file, survives_each_failed_allocation)
{
    static const char bad[] = "actors: {a: {retriever: {stroe: '${FOUR}'}}, b: b}\nmain: c\n";
    const char *texts[] = { NULL, bad };
    char *text = strdup(whole);

    memcpy(strstr(text, "\"4\""), " 4 ", 3);
    texts[0] = text;
    for (size_t i = 0; i < 2; i++) {
        bool refused = true;

        for (long n = 1; refused; n++) {
            long before = test_memory_live();
            struct gri_chain_report r;
            struct gri_chain_file *f;

            test_memory_fail_at(n);
            f = parse(texts[i], &r);
            refused = test_memory_reached();
            cr_assert((f == NULL) == (r.count > 0), "allocation %ld", n);
            cr_assert((f == NULL) == (gri_chain_report_text(&r)[0] != '\0'), "allocation %ld", n);
            cr_assert(i == 0 ? refused || f != NULL : f == NULL, "allocation %ld", n);
            gri_chain_file_free(f);
            gri_chain_report_fini(&r);
            cr_assert_eq(test_memory_live(), before, "allocation %ld leaks", n);
        }
    }
    free(text);
}
