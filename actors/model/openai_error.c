/* SPDX-License-Identifier: Apache-2.0 */
/* openai_error.c - what a server said no with, as an error value. */
#include "actors/model/openai_wire.h"

#include <greenroom/codec.h>

#include "actors/model/wire.h"
#include "runtime/base/utf8.h"

#define TEXT_MAX 500 /* bytes of a body that is no JSON, quoted in the error */

static bool is_quota(const gr_value *error)
{
    return gri_is_text(gr_get(error, "code"), "insufficient_quota") ||
           gri_is_text(gr_get(error, "type"), "insufficient_quota");
}

static gr_code code_of(int status, const gr_value *error)
{
    if (status == 429 || is_quota(error) ||
        gri_is_text(gr_get(error, "code"), "rate_limit_exceeded"))
        return GR_ERATE;
    return GR_EREMOTE;
}

static const char *name_of(int status)
{
    switch (status) {
    case 400: return "BadRequest";
    case 401: return "Authentication";
    case 403: return "PermissionDenied";
    case 404: return "NotFound";
    case 408: return "Timeout";
    case 409: return "Conflict";
    case 413: return "RequestTooLarge";
    case 422: return "UnprocessableEntity";
    case 429: return "RateLimit";
    case 529: return "Overloaded";
    default: return status >= 500 ? "InternalServer" : "APIError";
    }
}

/* kind_of: the server's own code or type if it is a word, else the status's name. */
static gr_value *kind_of(int status, const gr_value *error)
{
    const gr_value *code = gr_get(error, "code"), *type = gr_get(error, "type");

    /* gr_error_retryable knows this kind: waiting does not bring a used-up quota back. */
    if (is_quota(error))
        return gr_str("insufficient_quota");
    if (gr_value_type(code) == GR_STR && gr_len(code) > 0)
        return gr_value_ref(code);
    if (gr_value_type(type) == GR_STR && gr_len(type) > 0)
        return gr_value_ref(type);
    return gr_str(name_of(status));
}

gr_value *gri_openai_error_of(int status, const gr_value *error, int64_t retry_after_ms)
{
    const char *text =
        gr_value_type(error) == GR_STR ? gr_cstr(error, "") : gr_cstr(gr_get(error, "message"), "");
    /* In a stream the status was 200; the error itself may carry the one that counts. */
    int64_t code = gr_as_int(gr_get(error, "code"), 0);
    gr_value *err;

    if (status == 200 && code >= 400 && code < 600)
        status = (int)code;
    err = gr_error(code_of(status, error), "%s%s%s",
                   status == 200 ? "the server reported an error" : name_of(status),
                   text[0] == '\0' ? "" : ": ", text);
    if (status != 200)
        err = gr_error_with(err, "status", gr_int(status));
    err = gr_error_with(err, "kind", kind_of(status, error));
    if (retry_after_ms >= 0)
        err = gr_error_with(err, "retry_after_ms", gr_int(retry_after_ms));
    if (gr_value_type(error) == GR_MAP)
        err = gr_error_with(err, "detail", gr_value_ref(error));
    return err;
}

/* text_of gives the text of an error that is no OpenAI's: FastAPI's "detail", or what came, if that is
 * no JSON. */
static gr_value *text_of(const gr_value *json, const char *body, size_t len)
{
    const gr_value *detail = gr_get(json, "detail"), *first = gr_get(gr_at(detail, 0), "msg");

    if (gr_value_type(detail) == GR_STR)
        return gr_value_ref(detail);
    if (gr_value_type(first) == GR_STR)
        return gr_value_ref(first);
    return gr_strn(body, gri_utf8_valid_len(body, len < TEXT_MAX ? len : TEXT_MAX));
}

gr_value *gri_openai_refusal(const struct gri_refusal *r)
{
    gr_value *json = gr_json_parse(r->body, r->len, NULL), *text, *err;
    const gr_value *error = gr_get(json, "error");

    if (gr_error_code(json) == GR_OK && !gr_is_nil(error)) {
        err = gri_openai_error_of(r->status, error, r->retry_after_ms);
    } else if (gr_error_code(json) == GR_OK && gr_get(json, "message") != NULL) {
        err = gri_openai_error_of(r->status, json, r->retry_after_ms); /* vLLM, older */
    } else {
        text = text_of(json, r->body, r->len); /* a proxy's page, say */
        err = gri_openai_error_of(r->status, text, r->retry_after_ms);
        gr_value_unref(text);
    }
    gr_value_unref(json);
    return err;
}
