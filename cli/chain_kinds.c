/* SPDX-License-Identifier: Apache-2.0 */
/* chain_kinds.c - the table of kinds, and printing it. */
#include "cli/chain_kinds.h"

#include <ctype.h>
#include <string.h>

#include "cli/chain_build.h"
#include "cli/chain_report.h"
#include "cli/deploy.h"

#define MS_MAX GRI_MS_MAX
#define KINDS_MAX 256 /* that are looked through for a name that was meant */
#define KEY_ENV GRI_KEY_ENV

static const struct gri_chain_key hash_embeddings_keys[] = {
    { "dimensions", GRI_ARG_INT, false, 1, 65536, "length of a vector; default 384" },
};
static const struct gri_chain_key memory_store_keys[] = {
    { "embeddings", GRI_ARG_ACTOR, true, 0, 0, "what makes the vectors" },
    { "load", GRI_ARG_LOAD, false, 0, 0, "files to put in when the chain starts; see load" },
};
static const struct gri_chain_key retriever_keys[] = {
    { "store", GRI_ARG_ACTOR, true, 0, 0, "where to search" },
    { "k", GRI_ARG_INT, false, 1, 10000, "how many documents; default 4" },
    { "filter", GRI_ARG_DATA, false, 0, 0, "metadata that a document must have" },
    { "score_min", GRI_ARG_REAL, false, -1, 1, "the least score of a document" },
};
static const struct gri_chain_key remote_keys[] = {
    { "url", GRI_ARG_URL, true, 0, 0, "where the other process listens" },
    { "name", GRI_ARG_TEXT, true, 0, 0, "the name under which it publishes the actor" },
};
static const struct gri_chain_key pool_keys[] = {
    { "name", GRI_ARG_TEXT, true, 0, 0, "the name under which they publish it" },
    { "urls", GRI_ARG_URLS, false, 0, 0,
      "where they listen; needed unless the file's node has etcd" },
    { "routing", GRI_ARG_TEXT, false, 0, 0,
      "round_robin: in turn, the default; fewest: who has the fewest calls; local: this process, if it "
      "publishes the name" },
    { "idempotent", GRI_ARG_BOOL, false, 0, 0,
      "a call may be made twice, so one that was under way where a link is lost goes elsewhere; default "
      "false" },
};
static const struct gri_chain_key prompt_keys[] = {
    { "template", GRI_ARG_TEXT, true, 0, 0, "text with {variables}" },
    { "partial", GRI_ARG_DATA, false, 0, 0, "variables that need not be in the input" },
    { "format", GRI_ARG_TEXT, false, 0, 0, GRI_TEMPLATE_FORMATS },
};
static const struct gri_chain_key chat_prompt_keys[] = {
    { "messages", GRI_ARG_ROLES, true, 0, 0,
      "system, human, ai: a template, or a list of blocks whose texts are templates; messages: a variable that "
      "holds a list of messages, or {variable, n_messages}, the last so many; placeholder: one that may be "
      "missing" },
    { "partial", GRI_ARG_DATA, false, 0, 0, "variables that need not be in the input" },
    { "format", GRI_ARG_TEXT, false, 0, 0, GRI_TEMPLATE_FORMATS },
};
static const struct gri_chain_key chat_model_keys[] = {
    { "model", GRI_ARG_TEXT, true, 0, 0,
      "the server's name for the model; may begin with the provider's: openai:, azure_openai:, anthropic:, ollama:" },
    { "provider", GRI_ARG_TEXT, false, 0, 0, "the provider, instead; default openai" },
    { "url", GRI_ARG_TEXT, false, 0, 0,
      "base URL; default the provider's variable ($OPENAI_BASE_URL), else its own" },
    { "key_env", GRI_ARG_VARIABLE, false, 0, 0,
      "the variable that holds the key; default the provider's (OPENAI_API_KEY)" },
    { "api_version", GRI_ARG_TEXT, false, 0, 0, "of Azure and Anthropic; default the provider's" },
    { "temperature", GRI_ARG_REAL, false, 0, 2, "default the server's" },
    { "max_tokens", GRI_ARG_INT, false, 1, 1e9, "longest answer; default the server's" },
    { "timeout_ms", GRI_ARG_INT, false, 1, MS_MAX, "for one request; default 600000" },
    { "idle_ms", GRI_ARG_INT, false, 1, MS_MAX, "longest silence of the server; default 60000" },
    { "max_retries", GRI_ARG_INT, false, 0, 100,
      "of a request, or of a stream before its first chunk; default 2" },
    { "max_concurrency", GRI_ARG_INT, false, 1, 1e6,
      "requests under way at once; default no limit" },
    { "limiter", GRI_ARG_ACTOR, false, 0, 0,
      "a rate_limiter that grants each request, and hears what servers say of their limits" },
    { "cache", GRI_ARG_ACTOR, false, 0, 0, "a response_cache that keeps answers" },
    { "headers", GRI_ARG_HEADERS, false, 0, 0, "sent with each request; not for secrets" },
    { "http2", GRI_ARG_BOOL, false, 0, 0, GRI_HTTP2_HELP },
    { "no_streaming", GRI_ARG_BOOL, false, 0, 0,
      "a stream gives the whole answer as its only chunk; default false" },
    { "no_tool_streaming", GRI_ARG_BOOL, false, 0, 0,
      "that where the call has tools; default false" },
    { "use_responses_api", GRI_ARG_BOOL, false, 0, 0,
      "of OpenAI and Azure: by the Responses API, not by chat completions; default false" },
    { "extra", GRI_ARG_DATA, false, 0, 0, "laid over the request's body: top_p, stop and so on" },
    { "key", GRI_ARG_SECRET, false, 0, 0, KEY_ENV },
    { "api_key", GRI_ARG_SECRET, false, 0, 0, KEY_ENV },
};
static const struct gri_chain_key extractive_model_keys[] = {
    { "sentences_max", GRI_ARG_INT, false, 1, 1000, "quoted at most; default 3" },
    { "score_min", GRI_ARG_REAL, false, 0, 1,
      "a sentence's least share of the question; default 0.15" },
};
static const struct gri_chain_key json_parser_keys[] = {
    { "diff", GRI_ARG_BOOL, false, 0, 0, "a stream gives JSON patches; default false" },
};
static const struct gri_chain_key sequence_keys[] = {
    { "steps", GRI_ARG_ACTORS, true, 0, 0, "each takes the answer of the one before" },
};
static const struct gri_chain_key parallel_keys[] = {
    { "steps", GRI_ARG_STEPS, true, 0, 0, "all take the same input; the answer is a map" },
};
static const struct gri_chain_key assign_keys[] = {
    { "steps", GRI_ARG_STEPS, true, 0, 0, "their answers are added to the input, a map" },
};
static const struct gri_chain_key passthrough_keys[] = {
    { "tap", GRI_ARG_ACTOR, false, 0, 0, "gets the whole input, too; its answer is dropped" },
};
static const struct gri_chain_key pick_keys[] = {
    { "key", GRI_ARG_KEYS, true, 0, 0, "of the input, a map; of a list the answer is a map" },
};
static const struct gri_chain_key branch_keys[] = {
    { "arms", GRI_ARG_ARMS, true, 0, 0,
      "the first whose condition answers with something true, as Python has it" },
    { "otherwise", GRI_ARG_ACTOR, true, 0, 0, "if there is none" },
};
static const struct gri_chain_key router_keys[] = {
    { "runnables", GRI_ARG_STEPS, true, 0, 0, "by key; the input is {key, input}" },
};
static const struct gri_chain_key each_keys[] = {
    { "runnable", GRI_ARG_ACTOR, true, 0, 0, "gets each item of the input, a list" },
};
static const struct gri_chain_key bind_keys[] = {
    { "runnable", GRI_ARG_ACTOR, true, 0, 0, "what is called" },
    { "kwargs", GRI_ARG_DATA, true, 0, 0, "what it gets beside its input" },
};
static const struct gri_chain_key with_config_keys[] = {
    { "runnable", GRI_ARG_ACTOR, true, 0, 0, "what is called" },
    { "config", GRI_ARG_DATA, true, 0, 0,
      "tags, metadata, configurable, max_concurrency, leave_siblings, recursion_limit, run_name" },
};
static const struct gri_chain_key with_types_keys[] = {
    { "runnable", GRI_ARG_ACTOR, true, 0, 0, "what is called" },
    { "input_schema", GRI_ARG_DATA, false, 0, 0, "JSON Schema; default its own" },
    { "output_schema", GRI_ARG_DATA, false, 0, 0, "JSON Schema; default its own" },
};
static const struct gri_chain_key configurable_alternatives_keys[] = {
    { "id", GRI_ARG_TEXT, true, 0, 0, "the key in the config's configurable" },
    { "alternatives", GRI_ARG_STEPS, true, 0, 0, "what that key may name" },
    { "otherwise", GRI_ARG_ACTOR, true, 0, 0, "what answers if it names nothing" },
    { "default_key", GRI_ARG_TEXT, false, 0, 0, "the name of that one; default default" },
    { "prefix_keys", GRI_ARG_BOOL, false, 0, 0,
      "configurable's id==name/key is key for the one of that name; default false" },
    { "is_shared", GRI_ARG_BOOL, false, 0, 0,
      "id gets no prefix where this is an alternative itself; default false" },
    { "name", GRI_ARG_TEXT, false, 0, 0, "for people, in the config's schema" },
    { "description", GRI_ARG_TEXT, false, 0, 0, "likewise" },
};
static const struct gri_chain_key configurable_fields_keys[] = {
    { "runnable", GRI_ARG_MADE, true, 0, 0, "what is made again for a config that changes it" },
    { "fields", GRI_ARG_FIELDS, true, 0, 0,
      "its keys that may be set, texts, numbers or booleans; by which key of the config's "
      "configurable, or {id, options, default, title, description, is_shared}: options are the values "
      "by name, default is one of the names" },
};
static const struct gri_chain_key memory_history_keys[] = {
    { "sessions_max", GRI_ARG_INT, false, 1, 1e9, "default 65536" },
    { "messages_max", GRI_ARG_INT, false, 1, 1e9, "of a session; default 65536" },
    { "bytes_max", GRI_ARG_INT, false, 1, 1e12, "of all messages, about; default 256 MiB" },
};
static const struct gri_chain_key with_message_history_keys[] = {
    { "runnable", GRI_ARG_ACTOR, true, 0, 0, "what gets the session's messages" },
    { "history", GRI_ARG_ACTOR, true, 0, 0, "who keeps them" },
    { "input_messages_key", GRI_ARG_TEXT, false, 0, 0, "where in the input the new ones are" },
    { "output_messages_key", GRI_ARG_TEXT, false, 0, 0, "and in the answer" },
    { "history_messages_key", GRI_ARG_TEXT, false, 0, 0,
      "where to put the history; default before the new ones" },
    { "ids", GRI_ARG_TEXTS, false, 0, 0,
      "keys of the config's configurable that name the session; default session_id" },
    { "overlaps", GRI_ARG_BOOL, false, 0, 0,
      "turns of one session may overlap; default: one after the other" },
    { "shared_turns", GRI_ARG_BOOL, false, 0, 0,
      "a shared_history, most often of another process, says whose turn it is; default false" },
};
static const struct gri_chain_key with_retry_keys[] = {
    { "runnable", GRI_ARG_ACTOR, true, 0, 0, "what is called again when it fails" },
    { "attempts", GRI_ARG_INT, false, 1, 1000, "in all; default 3" },
    { "backoff_ms", GRI_ARG_INT, false, 0, MS_MAX, "before the second; default 1000" },
    { "backoff_max_ms", GRI_ARG_INT, false, 1, MS_MAX, "default 60000" },
    { "jitter_ms", GRI_ARG_INT, false, 0, MS_MAX,
      "up to so much is added at random; default 1000" },
    { "all_errors", GRI_ARG_BOOL, false, 0, 0,
      "also those that a retry can't mend; default false" },
    { "errors", GRI_ARG_TEXTS, false, 0, 0, "only these: kinds, or codes such as GR_ERATE" },
    { "exp_base", GRI_ARG_REAL, false, 1, 1000, "by how much backoff_ms grows; default 2" },
};
static const struct gri_chain_key with_fallbacks_keys[] = {
    { "runnables", GRI_ARG_ACTORS, true, 0, 0, "tried in turn until one does not fail" },
    { "errors", GRI_ARG_TEXTS, false, 0, 0,
      "only after these: kinds, or codes such as GR_ERATE; default all" },
    { "exception_key", GRI_ARG_TEXT, false, 0, 0,
      "where in the input, a map, the next one finds the error" },
};
static const struct gri_chain_key splitter_keys[] = {
    { "chunk_size", GRI_ARG_INT, false, 1, 1e9, "characters in a piece at most; default 4000" },
    { "chunk_overlap", GRI_ARG_INT, false, 0, 1e9,
      "characters repeated from the piece before; default 200 or, if less, chunk_size / 20" },
    { "separators", GRI_ARG_TEXTS, false, 0, 0, "where to cut, the best first" },
    { "add_start_index", GRI_ARG_BOOL, false, 0, 0, "metadata start_index; default false" },
};
static const struct gri_chain_key directory_loader_keys[] = {
    { "path", GRI_ARG_TEXT, true, 0, 0, "a folder, or one file, seen from the chain file" },
    { "suffixes", GRI_ARG_TEXTS, false, 0, 0, "endings of file names; default all" },
    { "file_bytes_max", GRI_ARG_INT, false, 1, 1e12, "longest file; default 16 MiB" },
    { "files_max", GRI_ARG_INT, false, 1, 1e9, "files in all; default 100000" },
    { "depth_max", GRI_ARG_INT, false, 1, 1000, "folders below the path; default 16" },
    { "skip_errors", GRI_ARG_BOOL, false, 0, 0, "leave out what can't be read; default false" },
};
static const struct gri_chain_key load_keys[] = {
    { "paths", GRI_ARG_TEXTS, true, 0, 0, "folders and files, seen from root" },
    { "root", GRI_ARG_TEXT, false, 0, 0,
      "a folder, seen from the chain file; sources are named from here; default the file's own" },
    { "suffixes", GRI_ARG_TEXTS, false, 0, 0, "endings of file names; default all" },
    { "chunk_size", GRI_ARG_INT, false, 1, 1e9, "characters in a piece at most; default 4000" },
    { "chunk_overlap", GRI_ARG_INT, false, 0, 1e9,
      "characters repeated from the piece before; default 200 or, if less, chunk_size / 20" },
    { "skip_errors", GRI_ARG_BOOL, false, 0, 0, "leave out what can't be read; default false" },
};

#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof((array)[0])

static const struct gri_chain_kind base_kinds[] = {
    { .name = "hash_embeddings",
      .help = "an embedder that needs no model: hashed words and n-grams",
      KEYS(hash_embeddings_keys),
      .build = gri_build_hash_embeddings },
    { .name = "memory_store",
      .help = "documents and their vectors, in memory",
      KEYS(memory_store_keys),
      .build = gri_build_memory_store },
    { .name = "retriever",
      .help = "takes a question, answers with documents of a store",
      KEYS(retriever_keys),
      .build = gri_build_retriever },
    { .name = "remote",
      .help = "an actor that another process publishes",
      KEYS(remote_keys),
      .build = gri_build_remote },
    { .name = "pool",
      .help = "one of those processes that publish an actor",
      KEYS(pool_keys),
      .build = gri_build_pool },
    { .name = "prompt",
      .help = "fills a template, answers with a text",
      KEYS(prompt_keys),
      .lone = true,
      .build = gri_build_prompt },
    { .name = "chat_prompt",
      .help = "fills templates, answers with messages",
      KEYS(chat_prompt_keys),
      .lone = true,
      .build = gri_build_chat_prompt },
    { .name = "chat_model",
      .help = "a client of an OpenAI-compatible server: /chat/completions",
      KEYS(chat_model_keys),
      .build = gri_build_chat_model },
    { .name = "extractive_model",
      .help = "quotes the prompt's context; needs no key, no network",
      KEYS(extractive_model_keys),
      .build = gri_build_extractive_model },
    { .name = "str_parser",
      .help = "takes a message, answers with its text",
      .build = gri_build_str_parser },
    { .name = "json_parser",
      .help = "takes a text or a message, answers with the JSON in it",
      KEYS(json_parser_keys),
      .build = gri_build_json_parser },
    { .name = "comma_list_parser",
      .help = "takes a text or a message, answers with the items between its commas",
      .build = gri_build_comma_list_parser },
    { .name = "numbered_list_parser",
      .help = "takes a text or a message, answers with the items of its lines \"1. item\"",
      .build = gri_build_numbered_list_parser },
    { .name = "markdown_list_parser",
      .help = "takes a text or a message, answers with the items of its lines \"- item\"",
      .build = gri_build_markdown_list_parser },
    { .name = "format_docs",
      .help = "takes documents, answers with one text, sources in brackets",
      .build = gri_build_format_docs },
    { .name = "sequence",
      .help = "steps one after the other",
      KEYS(sequence_keys),
      .lone = true,
      .build = gri_build_sequence },
    { .name = "parallel",
      .help = "steps side by side",
      KEYS(parallel_keys),
      .lone = true,
      .build = gri_build_parallel },
    { .name = "passthrough",
      .help = "answers with its input",
      KEYS(passthrough_keys),
      .build = gri_build_passthrough },
    { .name = "assign",
      .help = "adds answers to a map",
      KEYS(assign_keys),
      .lone = true,
      .build = gri_build_assign },
    { .name = "pick",
      .help = "one value of a map",
      KEYS(pick_keys),
      .lone = true,
      .build = gri_build_pick },
    { .name = "branch",
      .help = "one of several, by conditions",
      KEYS(branch_keys),
      .build = gri_build_branch },
    { .name = "router",
      .help = "one of several, by the input's key",
      KEYS(router_keys),
      .lone = true,
      .build = gri_build_router },
    { .name = "each",
      .help = "the same for each item of a list",
      KEYS(each_keys),
      .lone = true,
      .build = gri_build_each },
    { .name = "bind",
      .help = "calls with more than an input",
      KEYS(bind_keys),
      .build = gri_build_bind },
    { .name = "with_config",
      .help = "calls with a config",
      KEYS(with_config_keys),
      .build = gri_build_with_config },
    { .name = "with_types",
      .help = "says otherwise what is taken and given",
      KEYS(with_types_keys),
      .build = gri_build_with_types },
    { .name = "configurable_alternatives",
      .help = "one of several, by the config",
      KEYS(configurable_alternatives_keys),
      .build = gri_build_configurable_alternatives },
    { .name = "configurable_fields",
      .help = "made with what the config says",
      KEYS(configurable_fields_keys),
      .build = gri_build_configurable_fields },
    { .name = "memory_history",
      .help = "keeps conversations, in memory",
      KEYS(memory_history_keys),
      .build = gri_build_memory_history },
    { .name = "with_message_history",
      .help = "calls with what was said before, and keeps what is said",
      KEYS(with_message_history_keys),
      .build = gri_build_with_message_history },
    { .name = "with_retry",
      .help = "calls again when a call fails",
      KEYS(with_retry_keys),
      .build = gri_build_with_retry },
    { .name = "with_fallbacks",
      .help = "one, or else another",
      KEYS(with_fallbacks_keys),
      .lone = true,
      .build = gri_build_with_fallbacks },
    { .name = "splitter",
      .help = "cuts texts and documents into pieces",
      KEYS(splitter_keys),
      .build = gri_build_splitter },
    { .name = "directory_loader",
      .help = "answers with the text files of a folder as documents",
      KEYS(directory_loader_keys),
      .build = gri_build_directory_loader },
};
/* All kinds: those above, and one table for each further file of them. */
static const struct {
    const struct gri_chain_kind *kinds;
    size_t count;
} tables[] = {
    { base_kinds, sizeof(base_kinds) / sizeof(base_kinds[0]) },
    { gri_chain_kinds_models, GRI_CHAIN_KINDS_MODELS },
    { gri_chain_kinds_prompts, GRI_CHAIN_KINDS_PROMPTS },
    { gri_chain_kinds_parsers, GRI_CHAIN_KINDS_PARSERS },
    { gri_chain_kinds_providers, GRI_CHAIN_KINDS_PROVIDERS },
    { gri_chain_kinds_keep, GRI_CHAIN_KINDS_KEEP },
    { gri_chain_kinds_mcp, GRI_CHAIN_KINDS_MCP },
    { gri_chain_kinds_tools, GRI_CHAIN_KINDS_TOOLS },
    { gri_chain_kinds_web, GRI_CHAIN_KINDS_WEB },
};
#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

const struct gri_chain_kind gri_chain_load_kind = {
    .name = "load",
    .help = "what a memory_store reads from files, in pieces, when the chain starts",
    KEYS(load_keys)
};

/* kind_at returns the index-th of all kinds; NULL past the last. */
static const struct gri_chain_kind *kind_at(size_t index)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (index < tables[i].count)
            return &tables[i].kinds[index];
        index -= tables[i].count;
    }
    return NULL;
}

const struct gri_chain_kind *gri_chain_kind_find(const char *name)
{
    const struct gri_chain_kind *kind;

    for (size_t i = 0; (kind = kind_at(i)) != NULL; i++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

const char *gri_chain_kind_nearest(const char *name)
{
    const char *names[KINDS_MAX];
    const struct gri_chain_kind *kind;
    size_t count = 0;

    while (count < KINDS_MAX && (kind = kind_at(count)) != NULL)
        names[count++] = kind->name;
    return gri_chain_nearest(name, names, count, sizeof(names[0]));
}

bool gri_chain_alone(const struct gri_chain_kind *kind, const struct gri_chain_node *args)
{
    if (!kind->lone)
        return false;
    return args->type != GRI_CHAIN_MAP || kind->keys[0].type == GRI_ARG_STEPS;
}

const struct gri_chain_node *gri_chain_arg_of(const struct gri_chain_kind *kind,
                                              const struct gri_chain_node *args, const char *key)
{
    if (gri_chain_alone(kind, args))
        return strcmp(kind->keys[0].name, key) == 0 ? args : NULL;
    return gri_chain_get(args, key);
}

const char *gri_chain_arg_name(enum gri_chain_arg type)
{
    static const char *const names[] = {
        [GRI_ARG_TEXT] = "a text",
        [GRI_ARG_URL] = "ipc:///path, tcp://host:port or tls+tcp://host:port",
        [GRI_ARG_URLS] = "a URL, or a list of them",
        [GRI_ARG_INT] = "a whole number",
        [GRI_ARG_REAL] = "a number",
        [GRI_ARG_BOOL] = "true or false",
        [GRI_ARG_VARIABLE] = "the name of an environment variable",
        [GRI_ARG_SECRET] = "nothing",
        [GRI_ARG_TEXTS] = "a list of texts",
        [GRI_ARG_DATA] = "a map",
        [GRI_ARG_LIST] = "a list",
        [GRI_ARG_ROWS] = "a list of maps",
        [GRI_ARG_HEADERS] = "a map of texts",
        [GRI_ARG_ACTOR] = "an actor",
        [GRI_ARG_ACTORS] = "a list of actors",
        [GRI_ARG_STEPS] = "a map of actors",
        [GRI_ARG_ROLES] = "a list of {role: template}",
        [GRI_ARG_ARMS] = "a list of {if: actor, then: actor}",
        [GRI_ARG_KEYS] = "a text, or a list of texts",
        [GRI_ARG_MADE] = "an actor made in place",
        [GRI_ARG_FIELDS] = "a map of its keys to texts, or to maps",
        [GRI_ARG_LOAD] = "a map, or a list of maps",
    };

    return names[type];
}

/* print_range adds what numbers are allowed, as far as that tells anything. */
static void print_range(FILE *to, const struct gri_chain_key *key)
{
    if (key->min == 0 && key->max == 0)
        return;
    if (key->max >= 1e6)
        fprintf(to, ", at least %g", key->min);
    else
        fprintf(to, ", %g to %g", key->min, key->max);
}

static void print_keys(FILE *to, const struct gri_chain_kind *kind, bool markdown)
{
    if (markdown && kind->key_count > 0)
        fputs("| key | value | meaning |\n| --- | --- | --- |\n", to);
    for (size_t i = 0; i < kind->key_count; i++) {
        const struct gri_chain_key *key = &kind->keys[i];

        if (key->type == GRI_ARG_SECRET)
            continue;
        fprintf(to, markdown ? "| `%s` | %s" : "  %-16s %s", key->name,
                gri_chain_arg_name(key->type));
        print_range(to, key);
        fputs(key->required ? ", required" : "", to);
        fprintf(to, markdown ? " | %s |\n" : ": %s\n", key->help);
    }
    if (kind->lone && kind->keys[0].type == GRI_ARG_STEPS)
        fprintf(to, "%s`%s` is not written: the map stands alone.\n", markdown ? "\n" : "  ",
                kind->keys[0].name);
    else if (kind->lone)
        fprintf(to, "%s`%s` may stand alone.\n", markdown ? "\n" : "  ", kind->keys[0].name);
    if (kind->key_count == 0)
        fputs(markdown ? "Takes no keys: `{}`.\n" : "  no keys: {}\n", to);
}

static void print_kind(FILE *to, const struct gri_chain_kind *kind, bool markdown)
{
    if (markdown)
        fprintf(to, "### %s\n\n%c%s.\n\n", kind->name, toupper((unsigned char)kind->help[0]),
                kind->help + 1);
    else
        fprintf(to, "%s - %s\n", kind->name, kind->help);
    print_keys(to, kind, markdown);
    fputs("\n", to);
}

/* print_if prints a kind if it is the wanted one. */
static bool print_if(FILE *to, const struct gri_chain_kind *kind, const char *name, bool markdown)
{
    bool wanted = name == NULL || strcmp(name, kind->name) == 0;

    if (wanted)
        print_kind(to, kind, markdown);
    return wanted;
}

bool gri_chain_kinds_print(FILE *to, const char *name, bool markdown)
{
    bool found = false;

    for (size_t i = 0; kind_at(i) != NULL; i++)
        found = print_if(to, kind_at(i), name, markdown) || found;
    found = print_if(to, &gri_chain_load_kind, name, markdown) || found;
    found = print_if(to, &gri_chain_node_kind, name, markdown) || found;
    found = print_if(to, &gri_chain_nodes_kind, name, markdown) || found;
    found = print_if(to, &gri_chain_pools_kind, name, markdown) || found;
    found = print_if(to, &gri_chain_up_kind, name, markdown) || found;
    return print_if(to, &gri_chain_beside_kind, name, markdown) || found;
}
