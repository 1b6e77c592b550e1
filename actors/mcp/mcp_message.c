/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_message.c - reading and making messages. */
#include "actors/mcp/mcp_message.h"

#include <string.h>
#include <strings.h>

#include <greenroom/codec.h>

static const char *const legacy_versions[] = { "2025-11-25", "2025-06-18", "2025-03-26",
                                               "2024-11-05" };
#define LEGACY_COUNT (sizeof(legacy_versions) / sizeof(legacy_versions[0]))

/* ---- reading --------------------------------------------------------------------------------- */

static gr_value *no_message(const char *what)
{
    return gr_error(GR_EPROTO, "no JSON-RPC message: %s", what);
}

static bool is_id(const gr_value *v)
{
    return gr_value_type(v) == GR_INT || gr_value_type(v) == GR_STR;
}

static gr_value *read_response(const gr_value *json, struct gri_mcp_message *m)
{
    const gr_value *result = gr_get(json, "result"), *error = gr_get(json, "error");

    if ((result != NULL) == (error != NULL))
        return no_message("neither a method, nor one of result and error");
    m->kind = result != NULL ? GRI_MCP_RESULT : GRI_MCP_ERROR;
    m->body = result != NULL ? result : error;
    if (gr_value_type(m->body) != GR_MAP)
        return no_message(result != NULL ? "its result is no object" : "its error is no object");
    if (m->id == NULL && m->kind == GRI_MCP_RESULT)
        return no_message("a result without an id");
    return NULL;
}

gr_value *gri_mcp_read(const gr_value *json, struct gri_mcp_message *m)
{
    const gr_value *method = gr_get(json, "method"), *id = gr_get(json, "id");

    *m = (struct gri_mcp_message){ .kind = GRI_MCP_REQUEST };
    if (gr_value_type(json) != GR_MAP)
        return no_message("it is no object");
    if (strcmp(gr_cstr(gr_get(json, "jsonrpc"), ""), "2.0") != 0)
        return no_message("\"jsonrpc\" is not \"2.0\"");
    if (!gr_is_nil(id) && !is_id(id))
        return no_message("its id is neither a text nor a whole number");
    m->id = gr_is_nil(id) ? NULL : id;
    if (method == NULL)
        return read_response(json, m);
    m->method = gr_cstr(method, NULL);
    m->body = gr_get(json, "params");
    if (m->method == NULL)
        return no_message("its method is no text");
    if (m->body != NULL && gr_value_type(m->body) != GR_MAP)
        return no_message("its params are no object");
    m->kind = m->id == NULL ? GRI_MCP_NOTIFICATION : GRI_MCP_REQUEST;
    return NULL;
}

/* ---- making ---------------------------------------------------------------------------------- */

static gr_value *message_of(void)
{
    return gr_map(GR_KV("jsonrpc", gr_str("2.0")));
}

gr_value *gri_mcp_request_of(int64_t id, const char *method, gr_value *params)
{
    return gr_set(gr_set(gr_set(message_of(), "id", gr_int(id)), "method", gr_str(method)),
                  "params", params);
}

gr_value *gri_mcp_notification_of(const char *method, gr_value *params)
{
    gr_value *m = gr_set(message_of(), "method", gr_str(method));

    return params != NULL ? gr_set(m, "params", params) : m;
}

gr_value *gri_mcp_answer_of(const gr_value *id, gr_value *result)
{
    return gr_set(gr_set(message_of(), "id", gr_value_ref(id)), "result", result);
}

gr_value *gri_mcp_refusal_of(const gr_value *id, int code, const char *text)
{
    return gr_set(gr_set(message_of(), "id", gr_value_ref(id)), "error",
                  gr_map(GR_KV("code", gr_int(code)), GR_KV("message", gr_str(text))));
}

/* ---- errors and versions --------------------------------------------------------------------- */

gr_value *gri_mcp_error(const gr_value *error, int status)
{
    gr_value *detail = gr_map(GR_KV("code", gr_int(gr_as_int(gr_get(error, "code"), 0))));
    gr_value *err;

    if (gr_get(error, "data") != NULL)
        detail = gr_set(detail, "data", gr_value_ref(gr_get(error, "data")));
    err = gr_error(GR_EREMOTE, "MCP error %lld: %.500s",
                   (long long)gr_as_int(gr_get(error, "code"), 0),
                   gr_cstr(gr_get(error, "message"), "no message"));
    err = gr_error_with(err, "kind", gr_str("McpError"));
    if (status != 0)
        err = gr_error_with(err, "status", gr_int(status));
    return gr_error_with(err, "detail", detail);
}

int gri_mcp_error_code_of(const gr_value *err)
{
    int64_t code = gr_as_int(gr_get(gr_get(err, "detail"), "code"), 0);

    if (gr_error_code(err) == GR_OK || strcmp(gr_cstr(gr_get(err, "kind"), ""), "McpError") != 0)
        return 0;
    return code >= INT32_MIN && code <= INT32_MAX ? (int)code : 0;
}

bool gri_mcp_is_modern_code(int code)
{
    return code <= GRI_MCP_HEADER_MISMATCH && code >= GRI_MCP_BAD_VERSION;
}

bool gri_mcp_is_legacy_version(const char *version)
{
    for (size_t i = 0; i < LEGACY_COUNT; i++)
        if (strcmp(version, legacy_versions[i]) == 0)
            return true;
    return false;
}

static bool has_version(const gr_value *supported, const char *version)
{
    for (size_t i = 0; i < gr_len(supported); i++)
        if (strcmp(gr_cstr(gr_at(supported, i), ""), version) == 0)
            return true;
    return false;
}

const char *gri_mcp_common_version(const gr_value *supported)
{
    if (has_version(supported, GRI_MCP_MODERN))
        return GRI_MCP_MODERN;
    for (size_t i = 0; i < LEGACY_COUNT; i++)
        if (has_version(supported, legacy_versions[i]))
            return legacy_versions[i];
    return NULL;
}

/* ---- headers --------------------------------------------------------------------------------- */

#define PARAMS_MAX 64               /* arguments of a tool that go into headers */
#define SAFE_MAX 9007199254740991.0 /* 2^53 - 1: whole numbers that all servers read alike */
#define SENTINEL "=?base64?"
#define SENTINEL_LEN (sizeof(SENTINEL) - 1)

/* is_plain: visible ASCII, with blanks only inside, and nothing that looks encoded. */
static bool is_plain(const char *s, size_t len)
{
    if (len > 0 && (s[0] == ' ' || s[0] == '\t' || s[len - 1] == ' ' || s[len - 1] == '\t'))
        return false;
    for (size_t i = 0; i < len; i++)
        if (s[i] != '\t' && ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] > 0x7e))
            return false;
    return !(len >= SENTINEL_LEN + 2 && memcmp(s, SENTINEL, SENTINEL_LEN) == 0 &&
             memcmp(s + len - 2, "?=", 2) == 0);
}

/* add_encoded writes base64, as the JSON codec prints bytes: between quotes. */
static void add_encoded(struct gri_strbuf *b, const char *s, size_t size)
{
    gr_value *bytes = gr_bin(s, size);
    size_t len = 0;
    char *quoted = gr_json_print(bytes, 0, &len);

    gr_value_unref(bytes);
    gri_strbuf_adds(b, SENTINEL);
    if (quoted != NULL && len >= 2)
        gri_strbuf_add(b, quoted + 1, len - 2);
    else
        b->failed = true;
    gri_strbuf_adds(b, "?=");
    gr_free(quoted);
}

/* add_real writes a whole number that came as a real one, 3.0; false: it is none. */
static bool add_real(struct gri_strbuf *b, double x)
{
    if (!(x >= -SAFE_MAX && x <= SAFE_MAX) || x != (double)(int64_t)x)
        return false;
    gri_strbuf_addf(b, "%lld", (long long)x);
    return true;
}

bool gri_mcp_header_value(struct gri_strbuf *b, const gr_value *v)
{
    const char *s = gr_cstr(v, NULL);

    switch (gr_value_type(v)) {
    case GR_BOOL: gri_strbuf_adds(b, gr_as_bool(v, false) ? "true" : "false"); return true;
    case GR_INT: gri_strbuf_addf(b, "%lld", (long long)gr_as_int(v, 0)); return true;
    case GR_REAL: return add_real(b, gr_as_real(v, 0));
    case GR_STR:
        if (is_plain(s, gr_len(v)))
            gri_strbuf_add(b, s, gr_len(v));
        else
            add_encoded(b, s, gr_len(v));
        return true;
    default: return false;
    }
}

/* is_token: what may be in a header's name, RFC 9110. */
static bool is_token(const char *s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    size_t len = strlen(s);

    for (size_t i = 0; i < len; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
              (s[i] >= '0' && s[i] <= '9') || strchr(others, s[i]) != NULL))
            return false;
    return len > 0 && len <= 128;
}

static gr_value *bad_header(const char *what)
{
    return gr_error(GR_EPROTO, "x-mcp-header: %s", what);
}

/* has_annotation looks for an annotation anywhere below v. Values have a bounded depth. */
static bool has_annotation(const gr_value *v)
{
    size_t n = gr_value_type(v) == GR_MAP || gr_value_type(v) == GR_LIST ? gr_len(v) : 0;

    if (gr_get(v, "x-mcp-header") != NULL)
        return true;
    for (size_t i = 0; i < n; i++) {
        const char *key = NULL;

        if (has_annotation(gr_value_type(v) == GR_MAP ? gr_pair_at(v, i, &key) : gr_at(v, i)))
            return true;
    }
    return false;
}

/* add_header adds one annotation to the list *found. NULL, or what is wrong with it. */
static gr_value *add_header(const gr_value *property, const gr_value *path, gr_value **found)
{
    const char *name = gr_cstr(gr_get(property, "x-mcp-header"), ""),
               *type = gr_cstr(gr_get(property, "type"), "");
    gr_value *header;

    if (gr_len(*found) >= PARAMS_MAX)
        return bad_header("too many");
    if (!is_token(name))
        return bad_header("its value is no name of a header");
    if (strcmp(type, "string") != 0 && strcmp(type, "integer") != 0 && strcmp(type, "boolean") != 0)
        return bad_header("only texts, whole numbers and booleans go into a header");
    header = gr_strf("Mcp-Param-%s", name);
    for (size_t i = 0; i < gr_len(*found); i++) {
        if (strcasecmp(gr_cstr(gr_get(gr_at(*found, i), "header"), ""), gr_cstr(header, "")) == 0) {
            gr_value_unref(header);
            return bad_header("two of the same name");
        }
    }
    *found = gr_append(*found, gr_map(GR_KV("header", header), GR_KV("path", gr_value_ref(path))));
    return NULL;
}

/* collect goes down the chain of "properties"; an annotation anywhere else is wrong. */
static gr_value *collect(const gr_value *schema, const gr_value *path, gr_value **found)
{
    const gr_value *properties = gr_get(schema, "properties");
    gr_value *err = NULL;

    for (size_t i = 0; i < gr_len(schema) && err == NULL; i++) {
        const char *key = "";
        const gr_value *v = gr_pair_at(schema, i, &key);

        if (v != properties && strcmp(key, "default") != 0 && strcmp(key, "examples") != 0 &&
            strcmp(key, "const") != 0 && strcmp(key, "enum") != 0 && has_annotation(v))
            err = bad_header("not reached by properties alone");
    }
    for (size_t i = 0; gr_value_type(properties) == GR_MAP && i < gr_len(properties) && err == NULL;
         i++) {
        const char *key = "";
        const gr_value *property = gr_pair_at(properties, i, &key);
        gr_value *below;

        if (gr_value_type(property) != GR_MAP)
            continue;
        below = gr_append(gr_value_ref(path), gr_str(key));
        if (gr_get(property, "x-mcp-header") != NULL)
            err = add_header(property, below, found);
        if (err == NULL)
            err = collect(property, below, found);
        gr_value_unref(below);
    }
    return err;
}

gr_value *gri_mcp_param_headers(const gr_value *schema)
{
    gr_value *found = gr_list_n(NULL, 0), *path = gr_list_n(NULL, 0), *err = NULL;

    if (gr_value_type(schema) == GR_MAP && has_annotation(schema))
        err = gr_get(schema, "x-mcp-header") != NULL ? bad_header("on the whole of the arguments")
                                                     : collect(schema, path, &found);
    gr_value_unref(path);
    if (err == NULL)
        return found;
    gr_value_unref(found);
    return err;
}
