/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - chat models: a prompt in, an ai message out.
 *
 * A prompt is whatever gr_messages_coerce takes: a string, a message, a list. "invoke" answers with
 * an ai message; "stream" with AIMessageChunk values whose sum by gr_add is the whole answer.
 */
#ifndef GREENROOM_MODEL_H
#define GREENROOM_MODEL_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_header {
    const char *name, *value;
} gr_header;

typedef struct gr_chat_opts {
    size_t size;
    /* base URL, before the provider's own path; default: its variable's ($OPENAI_BASE_URL), else its own */
    const char *url;
    const char *model;    /* required; may begin with its provider: "openai:gpt-5" */
    /* the environment variable that holds the key; default the provider's: "OPENAI_API_KEY" */
    const char *key_env;
    const double *temperature; /* NULL: not sent. &(double){ 0.2 } */
    unsigned max_tokens;  /* 0: not sent; but to Anthropic, which wants one: the model's most */
    int64_t timeout_ms;   /* one request, from start to end; default 600000, negative: none */
    int64_t idle_ms;      /* the longest silence of the server; default 60000 */
    int max_retries;      /* default 2, negative: none; see gr_with_retry */
    unsigned max_concurrency; /* requests under way at once; 0: no limit */
    /* sent with every request; copied. What a server repeats of their values, in words of 8 bytes and more, is as
     * hidden in errors as the key is; but they are in your memory, and key_env's is not */
    const gr_header *headers;
    size_t header_count;
    /* taken: a map laid over the request's body ("top_p", "stop", "tools" …) */
    gr_value *extra;
    size_t answer_bytes_max; /* longest answer, stream or not; default 16 MiB */
    gr_value *callbacks;  /* taken: who hears of this model's own runs; see callbacks.h */
    /* "openai" (the default: any OpenAI-compatible server), "azure_openai", "anthropic", "ollama"; or as
     * the beginning of model, "ollama:llama3.2" */
    const char *provider;
    const char *api_version; /* where the provider has versions; default the provider's */
    /* a stream gives the whole answer as its only chunk: always, or if the call has tools. LangChain's
     * disable_streaming */
    bool no_streaming, no_tool_streaming;
    /* grants each request, and its tokens, about, and is told what answers say of rate limits:
     * budget.h; {0, 0}: none */
    gr_ref limiter;
    gr_ref cache; /* keeps answers, streams apart: budget.h; {0, 0}: none */
    /* OpenAI and Azure: by the Responses API instead of chat completions, so contents are blocks; docs/models.md */
    bool use_responses_api;
    bool http2; /* where the server offers it: see gr_runtime_opts, whose own says so for all. Default: as that */
} gr_chat_opts;
#define GR_CHAT(...) GR_OPT(gr_chat_opts, __VA_ARGS__)

/*
 * gr_chat_model makes a client of a model server: LangChain's init_chat_model, ChatOpenAI, ChatAnthropic, ChatOllama …; docs/models.md
 * has the providers. The key is read once, now, and kept in memory only: no log line, error, value or
 * trace ever holds it. Without a key none is sent, which local servers accept. A call's kwargs (gr_bind)
 * are laid over the request's parameters, after extra: gr_bind(in, model, gr_map(GR_KV("stop", …))).
 * Parameters that are nil are not sent.
 *
 * Attempts are made again as the makers' own clients do it, a stream until its first chunk: what
 * gr_error_retryable says, after the wait that the server asks for, else 0.5 s, 1 s … 8 s less up to a quarter.
 *
 * Errors:  GR_EREMOTE  the server said no: "status", "kind" (its error type or code), its text, "detail" (the
 *                      error as it came, "request_id", "should_retry" where the server says so);
 *                      401, 403, 404, 400, 422 are final, 408, 409, 5xx worth a retry
 *          GR_ERATE    429, with retry_after_ms when the server gave one; final when its kind is
 *                      "insufficient_quota"
 *          GR_EUNREACH no connection, or it was lost; GR_ETIMEDOUT timeout_ms or idle_ms passed
 *          GR_EPROTO   an answer that can't be read, with where; a stream that ends before its end
 *          GR_ENOMEM   an answer above answer_bytes_max
 *          GR_EINVAL   a message, or a block of one, that this provider can't be sent
 *          broken, GR_EINVAL: an unknown provider, no name, no URL where there is no default
 *
 * Cancelling a call, or leaving its stream, closes the transfer; a slow reader pauses it. [any]
 */
GR_API gr_ref gr_chat_model(gr_scope *in, const gr_chat_opts *opts);

/*
 * gr_generate answers a list of prompts with {"generations": [[{"text", "message"}] …], "llm_output":
 * {"token_usage"?: the sum of all}}: BaseChatModel.generate, and agenerate by gr_ainvoke. All prompts are with
 * the model at once, as a batch is; each is a run of its own, this has none. If some fail, the others are
 * waited for, then the first failure in the order of the prompts is the error. [any]
 */
GR_API gr_ref gr_generate(gr_scope *in, gr_ref model);

typedef struct gr_structured_opts {
    size_t size;
    /*
     * How the model is made to:
     *   "function_calling"  by a tool that it must call; the default, since most models can
     *   "json_schema"       by the server, which knows the schema (response_format)
     *   "json_mode"         by the server, which only sees to JSON; the prompt must say what is wanted
     */
    const char *method;
    bool include_raw; /* the answer is {"raw": message, "parsed": nil on failure, "parsing_error": nil or why} */
    int strict;       /* 1: the server is to keep to the schema exactly, -1: it is not; 0: nothing is sent */
    bool unchecked;   /* answers are not judged by the schema */
} gr_structured_opts;
#define GR_STRUCTURED(...) GR_OPT(gr_structured_opts, __VA_ARGS__)

/*
 * gr_with_structured_output has a chat model answer with data of a schema:
 * BaseChatModel.with_structured_output. model is any runnable that heeds the kwargs "tools", "tool_choice" and
 * "response_format" in OpenAI's form and answers with an ai message.
 *
 * schema is a JSON Schema with a "title"; or what names it beside: {"name", "description", "parameters"}, a tool
 * of OpenAI {"type": "function", "function": …} or Anthropic {"name", "input_schema"}. nil only with "json_mode".
 * With strict 1, objects in it that don't say it get additionalProperties false, and all of their properties are
 * required, as servers want it that are strict.
 *
 * It streams what can be read so far whenever that has grown; the schema judges the whole, at the end.
 * A model that calls no tool gives nil.
 *
 * Errors:  GR_EINVAL  kind "OutputParserException": no JSON, or not by the schema (detail: what is wrong, see
 *                     schema.h)
 *          GR_EREMOTE kind "Refusal": the model would not; its text
 *          broken, GR_EINVAL: an unknown method; a schema that has no name, or that can't be read     [any]
 */
GR_API gr_ref gr_with_structured_output(gr_scope *in, gr_ref model, gr_value *schema GR_TAKES,
                                        const gr_structured_opts *opts);

typedef struct gr_extractive_opts {
    size_t size;
    unsigned sentences_max; /* quoted at most; default 3 */
    double score_min;       /* a sentence's least share of the question, 0 to 1; default 0.15 */
    gr_value *callbacks;    /* taken: as in gr_chat_opts */
} gr_extractive_opts;
#define GR_EXTRACTIVE(...) GR_OPT(gr_extractive_opts, __VA_ARGS__)

/*
 * gr_extractive_model is the chat model that needs no language model, key or network: it quotes,
 * from the context in the prompt, the sentences that share most with the question, each with its
 * source, and says so:
 *
 *   Extractive answer (no language model):
 *   - "Refunds take five days." [docs/refunds.md]
 *
 * Context and question are found in the messages' text like this, for any ordinary prompt:
 *   question  what follows the last line that begins with "Question:" (or "Input:", "Query:"),
 *             up to a line "Answer:"; without one the last human message, less the context
 *   context   what follows the first line that begins with "Context:", up to the question;
 *             without one everything but the question. A line that is only "[name]" names the
 *             source of what follows it, as gr_format_docs (text.h) writes it.
 *
 * When nothing fits it says "nothing in the context answers this." It streams word by word. The
 * same prompt always gives the same answer. [any]
 */
GR_API gr_ref gr_extractive_model(gr_scope *in, const gr_extractive_opts *opts);

typedef struct gr_script_opts {
    size_t size;
    /* taken: a list of strings, messages or error values, given in turn, cyclically */
    gr_value *answers;
    int64_t delay_ms;  /* before an answer, and between its chunks */
    gr_value *callbacks; /* taken: as in gr_chat_opts */
} gr_script_opts;
#define GR_SCRIPT(...) GR_OPT(gr_script_opts, __VA_ARGS__)

/* gr_script_model answers from a script, for tests and demonstrations: FakeListChatModel. An error
 * value in the script fails that call. Streams give a text word by word. [any] */
GR_API gr_ref gr_script_model(gr_scope *in, const gr_script_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
