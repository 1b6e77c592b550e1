/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_settings.c - a client's options, checked and copied. */
#include <stdlib.h>
#include <string.h>

#include "actors/mcp/mcp_http_head.h"
#include "actors/mcp/mcp_session.h"
#include "actors/model/refusal.h"
#include "runtime/base/alloc.h"

#define ARGS_MAX 1024
#define ENV_MAX 1024

/* What a program gets of our environment unasked: what the official clients pass. */
static const char *const env_default[] = { "HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER" };
#define ENV_DEFAULT_COUNT (sizeof(env_default) / sizeof(env_default[0]))

static bool has_control(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return true;
    return false;
}

/* ---- the program ------------------------------------------------------------------------------- */

static gr_value *read_args(struct gri_mcp_settings *set, const gr_mcp_opts *o)
{
    if (o->arg_count > ARGS_MAX)
        return gr_error(GR_EINVAL, "%zu arguments: at most %d", o->arg_count, ARGS_MAX);
    set->argv = gri_alloc_array(o->arg_count + 2, sizeof(*set->argv));
    if (set->argv == NULL)
        return gri_mcp_no_memory();
    for (size_t i = 0; i <= o->arg_count; i++) {
        const char *arg = i == 0 ? o->command : o->args[i - 1];

        if (arg == NULL)
            return gr_error(GR_EINVAL, "argument %zu is missing", i);
        set->argv[i] = gri_strdup(arg);
        if (set->argv[i] == NULL)
            return gri_mcp_no_memory();
    }
    return NULL;
}

/* add_env adds one, or replaces it. false: no memory. */
static bool add_env(struct gri_mcp_settings *set, size_t *count, const char *name,
                    const char *value)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    size_t len = strlen(name), at = 0;

    if (!gri_strbuf_reserve(&b, len + strlen(value) +
                                    2)) /* at once: growing would leave a copy behind */
        return false;
    gri_strbuf_addf(&b, "%s=%s", name, value);
    while (at < *count && !(strncmp(set->env[at], name, len) == 0 && set->env[at][len] == '='))
        at++;
    gri_free(set->env[at]);
    set->env[at] = gri_strbuf_take(&b);
    if (at == *count && set->env[at] != NULL)
        (*count)++;
    return set->env[at] != NULL;
}

static bool is_variable(const char *name)
{
    return name != NULL && name[0] != '\0' && strchr(name, '=') == NULL;
}

/* hide_passed has the values hidden of what env_pass names, unless they are so short that they may be anything.
 * false: no memory. */
static bool hide_passed(struct gri_mcp_settings *set, const gr_mcp_opts *o, size_t count)
{
    bool good = true;

    for (size_t i = 0; i < o->env_pass_count; i++) {
        size_t len = strlen(o->env_pass[i]);

        for (size_t j = 0; j < count; j++)
            if (strncmp(set->env[j], o->env_pass[i], len) == 0 && set->env[j][len] == '=' &&
                strlen(set->env[j] + len + 1) >= GRI_HIDDEN_MIN)
                good = gri_hidden_add(&set->hidden, set->env[j] + len + 1) && good;
    }
    return good;
}

static gr_value *read_env(struct gri_mcp_settings *set, const gr_mcp_opts *o)
{
    size_t extra = gr_value_type(o->env) == GR_MAP ? gr_len(o->env) : 0, count = 0;

    if (!gr_is_nil(o->env) && gr_value_type(o->env) != GR_MAP)
        return gr_error(GR_EINVAL, "env is no map");
    if (extra > ENV_MAX || o->env_pass_count > ENV_MAX)
        return gr_error(GR_EINVAL, "too many environment variables: at most %d", ENV_MAX);
    set->env =
        gri_alloc_array(ENV_DEFAULT_COUNT + o->env_pass_count + extra + 1, sizeof(*set->env));
    if (set->env == NULL)
        return gri_mcp_no_memory();
    for (size_t i = 0; i < ENV_DEFAULT_COUNT + o->env_pass_count; i++) {
        const char *name =
            i < ENV_DEFAULT_COUNT ? env_default[i] : o->env_pass[i - ENV_DEFAULT_COUNT];
        const char *value = is_variable(name) ? getenv(name) : NULL;

        if (!is_variable(name))
            return gr_error(GR_EINVAL, "env_pass: variable %zu has no name",
                            i - ENV_DEFAULT_COUNT + 1);
        if (value != NULL && !add_env(set, &count, name, value))
            return gri_mcp_no_memory();
    }
    for (size_t i = 0; i < extra; i++) {
        const char *name = NULL;
        const gr_value *v = gr_pair_at(o->env, i, &name);

        if (!is_variable(name) || gr_value_type(v) != GR_STR || strlen(gr_cstr(v, "")) != gr_len(v))
            return gr_error(GR_EINVAL, "env: \"%s\" is no variable with a text", name);
        if (!add_env(set, &count, name, gr_cstr(v, "")))
            return gri_mcp_no_memory();
    }
    return hide_passed(set, o, count) ? NULL : gri_mcp_no_memory();
}

/* ---- the URL ------------------------------------------------------------------------------------- */

/* The key itself must not show in what this returns. */
static gr_value *read_key(struct gri_mcp_settings *set, const char *key_env)
{
    const char *key = key_env != NULL ? getenv(key_env) : NULL;
    struct gri_strbuf b = GRI_STRBUF_INIT;

    if (key == NULL || key[0] == '\0')
        return NULL;
    if (has_control(key))
        return gr_error(GR_EINVAL, "the key in $%s has control characters", key_env);
    gri_strbuf_reserve(&b, strlen(key) + 32);
    gri_strbuf_addf(&b, "Authorization: Bearer %s", key);
    set->secret = gri_strbuf_take(&b);
    if (set->secret == NULL || !gri_hidden_add(&set->hidden, key))
        return gri_mcp_no_memory();
    set->key = set->secret + strlen(set->secret) - strlen(key);
    return NULL;
}

static gr_value *read_url(struct gri_mcp_settings *set, const gr_mcp_opts *o)
{
    if ((strncmp(o->url, "http://", 7) != 0 && strncmp(o->url, "https://", 8) != 0) ||
        has_control(o->url))
        return gr_error(GR_EINVAL, "an MCP server's URL begins with http:// or https://");
    if (o->header_count > GRI_MCP_HEADERS_MAX)
        return gr_error(GR_EINVAL, "%zu headers: at most %d", o->header_count, GRI_MCP_HEADERS_MAX);
    set->url = gri_strdup(o->url);
    set->headers = gri_alloc_array(o->header_count + 1, sizeof(*set->headers));
    if (set->url == NULL || set->headers == NULL || !gri_hidden_url(&set->hidden, o->url))
        return gri_mcp_no_memory();
    for (size_t i = 0; i < o->header_count; i++) {
        const gr_header *h = &o->headers[i];

        if (h->name == NULL || h->value == NULL || h->name[0] == '\0' || has_control(h->name) ||
            has_control(h->value))
            return gr_error(GR_EINVAL, "header %zu is no header", i + 1);
        set->header_count++;
        set->headers[i].name = gri_strdup(h->name);
        set->headers[i].value = gri_strdup(h->value);
        if (set->headers[i].name == NULL || set->headers[i].value == NULL ||
            !gri_hidden_header(&set->hidden, h->name, h->value))
            return gri_mcp_no_memory();
    }
    return read_key(set, o->key_env);
}

/* ---- all ------------------------------------------------------------------------------------------- */

/* name_of: the program's, or the host's, without a name and a password before it. */
static char *name_of(const gr_mcp_opts *o)
{
    const char *slash, *host, *end;

    if (o->name != NULL)
        return gri_strdup(o->name);
    if (o->command != NULL) {
        slash = strrchr(o->command, '/');
        return gri_strdup(slash != NULL ? slash + 1 : o->command);
    }
    host = strstr(o->url, "://") + 3;
    end = host + strcspn(host, "/?#");
    for (const char *at = host; at < end; at++)
        if (*at == '@')
            host = at + 1;
    return gri_strndup(host, (size_t)(end - host));
}

static bool copy(char **to, const char *from)
{
    *to = from != NULL ? gri_strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

static int64_t or_default(int64_t given, int64_t otherwise)
{
    return given != 0 ? given : otherwise;
}

static gr_value *read_numbers(struct gri_mcp_settings *set, const gr_mcp_opts *o)
{
    const int64_t times[] = { o->end_ms,   o->term_ms,    o->connect_ms,
                              o->probe_ms, o->timeout_ms, o->total_ms };

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (times[i] < 0 || times[i] > INT32_MAX)
            return gr_error(GR_EINVAL, "a time below 0, or above %d ms", INT32_MAX);
    if (o->message_bytes_max > ((size_t)1 << 30))
        return gr_error(GR_EINVAL, "message_bytes_max is above 1 GiB");
    set->end_ms = (uint64_t)or_default(o->end_ms, 2000);
    set->term_ms = (uint64_t)or_default(o->term_ms, 2000);
    set->connect_ms = or_default(o->connect_ms, 30000);
    set->probe_ms = or_default(o->probe_ms, 10000);
    set->timeout_ms = or_default(o->timeout_ms, 60000);
    set->total_ms = or_default(o->total_ms, 600000);
    set->message_bytes_max = o->message_bytes_max != 0 ? o->message_bytes_max : (size_t)16 << 20;
    set->pending_max = o->pending_max != 0 ? o->pending_max : 1024;
    set->list_max = o->list_max != 0 ? o->list_max : 10000;
    set->list_bytes_max = o->list_bytes_max != 0 ? o->list_bytes_max : (size_t)64 << 20;
    set->pages_max = o->pages_max != 0 ? o->pages_max : 1000;
    set->rounds_max = o->rounds_max != 0 ? o->rounds_max : 8;
    set->resumes_max = o->resumes_max != 0 ? o->resumes_max : 5;
    set->listen = o->listen;
    set->guard = o->guard;
    set->raise_errors = o->raise_errors;
    return NULL;
}

/* check_level: a server would refuse one that there is not, and nobody would hear of it. */
static gr_value *check_level(const char *level)
{
    static const char *const levels[] = { "debug", "info",     "notice", "warning",
                                          "error", "critical", "alert",  "emergency" };

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(level, levels[i]) == 0)
            return NULL;
    return gr_error(GR_EINVAL,
                    "log_level must be debug, info, notice, warning, error, critical, alert or "
                    "emergency, not '%.40s'",
                    level);
}

static gr_value *read_tools(struct gri_mcp_settings *set, const gr_mcp_opts *o)
{
    if (o->tool_count == 0)
        return NULL;
    set->tools = gr_list_n(NULL, 0);
    for (size_t i = 0; i < o->tool_count; i++)
        set->tools = gr_append(set->tools, gr_str(o->tools[i]));
    return gr_error_code(set->tools) != GR_OK ? gr_value_ref(set->tools) : NULL;
}

static gr_value *read_texts(struct gri_mcp_settings *set, const gr_mcp_opts *o)
{
    gr_value *err = NULL;

    set->name = name_of(o);
    set->client_info =
        gr_map(GR_KV("name", gr_str("greenroom")), GR_KV("version", gr_str(gr_version())));
    if (set->name == NULL || !copy(&set->protocol, o->protocol) || !copy(&set->folder, o->folder) ||
        !copy(&set->log_level, o->log_level) || !copy(&set->prefix, o->prefix))
        return gri_mcp_no_memory();
    if (o->protocol != NULL && strcmp(o->protocol, GRI_MCP_MODERN) != 0 &&
        !gri_mcp_is_legacy_version(o->protocol))
        return gr_error(GR_EINVAL, "there is no version \"%.40s\" of MCP that we speak",
                        o->protocol);
    if (o->log_level != NULL)
        err = check_level(o->log_level);
    if (err != NULL)
        return err;
    if (!gr_is_nil(o->roots) && gr_value_type(o->roots) != GR_LIST)
        return gr_error(GR_EINVAL, "roots is no list");
    if (!gr_is_nil(o->roots))
        set->roots = gr_value_ref(o->roots);
    return read_tools(set, o);
}

static gr_value *read_all(struct gri_mcp_settings *set, const gr_mcp_opts *o)
{
    gr_value *err;

    if ((o->command == NULL) == (o->url == NULL))
        return gr_error(GR_EINVAL, "an MCP client needs either a command or a url");
    if (o->command != NULL ? o->command[0] == '\0' : o->url[0] == '\0')
        return gr_error(GR_EINVAL, "an MCP client's command, or url, is empty");
    if (o->command != NULL && (o->header_count > 0 || o->key_env != NULL))
        return gr_error(GR_EINVAL, "headers and key_env go with a url");
    if (o->url != NULL && (o->arg_count > 0 || !gr_is_nil(o->env) || o->env_pass_count > 0))
        return gr_error(GR_EINVAL, "args, env and env_pass go with a command");
    set->sampling = o->sampling;
    set->elicitation = o->elicitation;
    set->events = o->events;
    err = o->url != NULL ? read_url(set, o) : read_args(set, o);
    if (err == NULL && o->url == NULL)
        err = read_env(set, o);
    if (err == NULL)
        err = read_numbers(set, o);
    return err != NULL ? err : read_texts(set, o);
}

gr_value *gri_mcp_settings_init(struct gri_mcp_settings *set, const gr_mcp_opts *o)
{
    gr_value *err;

    *set = (struct gri_mcp_settings){ .name = NULL };
    err = read_all(set, o);
    gr_value_unref(o->env);
    gr_value_unref(o->roots);
    return err;
}

static void free_secrets(char **texts)
{
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        explicit_bzero(texts[i], strlen(texts[i]));
        gri_free(texts[i]);
    }
    gri_free(texts);
}

void gri_mcp_settings_fini(struct gri_mcp_settings *set)
{
    free_secrets(set->argv);
    free_secrets(set->env);
    gri_hidden_fini(&set->hidden);
    for (size_t i = 0; i < set->header_count; i++) {
        gri_free((char *)(uintptr_t)set->headers[i].name);
        if (set->headers[i].value != NULL)
            explicit_bzero((char *)(uintptr_t)set->headers[i].value, strlen(set->headers[i].value));
        gri_free((char *)(uintptr_t)set->headers[i].value);
    }
    gri_free(set->headers);
    if (set->secret != NULL)
        explicit_bzero(set->secret, strlen(set->secret));
    gri_free(set->secret);
    gri_free(set->name);
    gri_free(set->folder);
    gri_free(set->url);
    gri_free(set->protocol);
    gri_free(set->log_level);
    gri_free(set->prefix);
    gr_value_unref(set->tools);
    gr_value_unref(set->roots);
    gr_value_unref(set->client_info);
}
