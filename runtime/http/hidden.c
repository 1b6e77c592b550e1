/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/http/hidden.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

/* ---- what is hidden -------------------------------------------------------------------------- */

static bool add(struct gri_hidden *h, const char *text, size_t len)
{
    char **grown;

    if (len == 0)
        return true;
    grown = gri_alloc_array(h->count + 1, sizeof(*grown));
    if (grown == NULL)
        return false;
    if (h->count > 0)
        memcpy(grown, h->texts, h->count * sizeof(*grown));
    gri_free(h->texts);
    h->texts = grown;
    h->texts[h->count] = gri_strndup(text, len);
    if (h->texts[h->count] == NULL)
        return false;
    h->count++;
    return true;
}

bool gri_hidden_add(struct gri_hidden *h, const char *text)
{
    return text == NULL || add(h, text, strlen(text));
}

/* is_open tells of a header that holds no secrets: hiding it would only make errors hard to read. */
static bool is_open(const char *name)
{
    static const char *const names[] = { "accept",
                                         "accept-language",
                                         "content-type",
                                         "user-agent",
                                         "http-referer",
                                         "referer",
                                         "x-title",
                                         "anthropic-version",
                                         "anthropic-beta",
                                         "openai-beta",
                                         "openai-project",
                                         "openai-organization",
                                         "mcp-protocol-version" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

bool gri_hidden_header(struct gri_hidden *h, const char *name, const char *value)
{
    static const char between[] = " ,;\t\"";
    bool done = true;

    if (is_open(name))
        return true;
    while (done && *value != '\0') {
        size_t len = strcspn(value, between);
        const char *equals = memchr(value, '=', len), *word = value, *end = value + len;

        /* the "=" at the end of base64 names nothing */
        if (equals != NULL && equals + strspn(equals, "=") < end)
            word = equals + 1;
        if ((size_t)(end - word) >= GRI_HIDDEN_MIN)
            done = add(h, word, (size_t)(end - word));
        value = end + strspn(end, between);
    }
    return done;
}

static void add_base64(struct gri_strbuf *b, const unsigned char *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16 | (i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0) |
                        (i + 2 < len ? data[i + 2] : 0);

        gri_strbuf_addc(b, digits[bits >> 18]);
        gri_strbuf_addc(b, digits[bits >> 12 & 63]);
        gri_strbuf_addc(b, i + 1 < len ? digits[bits >> 6 & 63] : '=');
        gri_strbuf_addc(b, i + 2 < len ? digits[bits & 63] : '=');
    }
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* add_decoded adds a part of a URL without its percent signs. */
static void add_decoded(struct gri_strbuf *b, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%' && i + 2 < len && hex_of(s[i + 1]) >= 0 && hex_of(s[i + 2]) >= 0) {
            gri_strbuf_addc(b, (char)(hex_of(s[i + 1]) * 16 + hex_of(s[i + 2])));
            i += 2;
        } else {
            gri_strbuf_addc(b, s[i]);
        }
    }
}

/* add_basic hides a name and its password, decoded, and what Basic makes of both. */
static bool add_basic(struct gri_hidden *h, const char *name, const char *colon, const char *at)
{
    struct gri_strbuf plain = GRI_STRBUF_INIT, coded = GRI_STRBUF_INIT;
    size_t before;
    bool done;

    add_decoded(&plain, name, (size_t)(colon - name));
    gri_strbuf_addc(&plain, ':');
    before = plain.len;
    add_decoded(&plain, colon + 1, (size_t)(at - colon - 1));
    if (!plain.failed)
        add_base64(&coded, (const unsigned char *)plain.data, plain.len);
    done = !plain.failed && !coded.failed && add(h, plain.data + before, plain.len - before) &&
           add(h, coded.data, coded.len);
    if (plain.data != NULL)
        explicit_bzero(plain.data, plain.len);
    if (coded.data != NULL)
        explicit_bzero(coded.data, coded.len);
    gri_strbuf_fini(&plain);
    gri_strbuf_fini(&coded);
    return done;
}

bool gri_hidden_url(struct gri_hidden *h, const char *url)
{
    const char *name = strstr(url, "://"), *end, *at = NULL, *colon;

    if (name == NULL)
        return true;
    name += 3;
    end = name + strcspn(name, "/?#");
    for (const char *s = name; s < end; s++)
        if (*s == '@')
            at = s;
    colon = at == NULL ? NULL : memchr(name, ':', (size_t)(at - name));
    if (colon == NULL || colon + 1 == at)
        return true;
    return add(h, colon + 1, (size_t)(at - colon - 1)) && add_basic(h, name, colon, at);
}

void gri_hidden_fini(struct gri_hidden *h)
{
    for (size_t i = 0; i < h->count; i++) {
        explicit_bzero(h->texts[i], strlen(h->texts[i]));
        gri_free(h->texts[i]);
    }
    gri_free(h->texts);
    *h = (struct gri_hidden){ .count = 0 };
}

/* ---- hiding it ------------------------------------------------------------------------------- */

/* letter_len: how many bytes spell c here, as it is or as JSON may escape it; 0: they don't. */
static size_t letter_len(const char *at, size_t len, char c)
{
    char code[8];

    if (len >= 2 && at[0] == '\\' && at[1] == c && strchr("\"\\/", c) != NULL)
        return 2;
    if (len >= 6 && at[0] == '\\' && at[1] == 'u') {
        snprintf(code, sizeof(code), "%04x", (unsigned)(unsigned char)c);
        return strncasecmp(at + 2, code, 4) == 0 ? 6 : 0;
    }
    return len >= 1 && at[0] == c ? 1 : 0;
}

/* spelt_len: so of a whole text. */
static size_t spelt_len(const char *at, size_t len, const char *text)
{
    size_t all = 0;

    for (; *text != '\0'; text++) {
        size_t one = letter_len(at + all, len - all, *text);

        if (one == 0)
            return 0;
        all += one;
    }
    return all;
}

static bool mask_one(const char *hidden, char *text, size_t len)
{
    bool found = false;

    for (size_t at = 0; at < len;) {
        bool may = text[at] == hidden[0] || text[at] == '\\'; /* most letters begin nothing */
        size_t there = may ? spelt_len(text + at, len - at, hidden) : 0;

        memset(text + at, '*', there);
        found = found || there > 0;
        at += there > 0 ? there : 1;
    }
    return found;
}

bool gri_hidden_mask(const struct gri_hidden *h, char *text, size_t len)
{
    bool found = false;

    for (size_t i = 0; i < h->count; i++)
        found = mask_one(h->texts[i], text, len) || found;
    return found;
}
