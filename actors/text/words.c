/* SPDX-License-Identifier: Apache-2.0 */
/* words.c - cutting text into words, without a locale. */
#include "actors/text/words.h"

#include <string.h>

#include "runtime/base/utf8.h"

/* Sorted, for the binary search below. */
static const char *const common_words[] = {
    "a",    "about", "all",   "also", "am",   "an",    "and",   "any",   "are",   "as",    "at",
    "be",   "been",  "but",   "by",   "can",  "could", "did",   "do",    "does",  "for",   "from",
    "had",  "has",   "have",  "he",   "her",  "his",   "how",   "i",     "if",    "in",    "into",
    "is",   "it",    "its",   "may",  "me",   "my",    "no",    "not",   "of",    "on",    "or",
    "our",  "she",   "so",    "than", "that", "the",   "their", "them",  "then",  "there", "they",
    "this", "to",    "was",   "we",   "were", "what",  "when",  "where", "which", "who",   "why",
    "will", "with",  "would", "you",  "your",
};
#define COMMON_COUNT (sizeof(common_words) / sizeof(common_words[0]))

static bool is_common(const char *word)
{
    size_t low = 0, high = COMMON_COUNT;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(word, common_words[mid]);

        if (order == 0)
            return true;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

/* fold covers ASCII, Latin-1, Greek and Cyrillic: what has its small letters at a fixed
 * distance. */
static uint32_t fold(uint32_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c + 0x20;
    if (c < 0xc0)
        return c;
    if ((c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
        return c + 0x20;
    if (c >= 0x400 && c <= 0x40f)
        return c + 0x50;
    return c;
}

static bool in_word(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (c < 0xc0)
        return c == 0xaa || c == 0xb5 || c == 0xba;
    return c != 0xd7 && c != 0xf7 && !(c >= 0x2000 && c <= 0x206f) &&
           !(c >= 0x3000 && c <= 0x303f) && c != 0xfeff && !(c >= 0xff00 && c <= 0xff0f);
}

bool gri_words_next(struct gri_words *w, struct gri_word *word)
{
    bool inside = false, full = false;

    word->len = word->chars = 0;
    while (w->at < w->len) {
        uint32_t c = 0;
        char bytes[4];
        size_t size = gri_utf8_next(w->text + w->at, w->len - w->at, &c);

        if (size == 0)
            break;
        if (!in_word(c)) {
            if (inside)
                break;
            w->at += size;
            continue;
        }
        inside = true;
        w->at += size;
        size = gri_utf8_put(fold(c), bytes);
        full = full || word->len + size >= GRI_WORD_MAX;
        if (full)
            continue;
        memcpy(word->text + word->len, bytes, size);
        word->len += size;
        word->chars++;
    }
    word->text[word->len] = '\0';
    word->common = inside && is_common(word->text);
    return inside;
}

static bool cut(struct gri_word *w, const char *ending, size_t left, const char *instead)
{
    size_t len = strlen(ending), more = strlen(instead);

    if (w->len < len + left || memcmp(w->text + w->len - len, ending, len) != 0)
        return false;
    memcpy(w->text + w->len - len, instead, more);
    w->chars = w->chars - len + more;
    w->len = w->len - len + more;
    w->text[w->len] = '\0';
    return true;
}

void gri_word_stem(struct gri_word *w)
{
    if (cut(w, "ies", 2, "y") || cut(w, "sses", 1, "ss"))
        return;
    if (w->len > 3 && w->text[w->len - 2] != 's')
        cut(w, "s", 3, "");
    if (!cut(w, "ing", 4, ""))
        cut(w, "ed", 4, "");
    cut(w, "e", 4, "");
}

uint64_t gri_hash_text(const void *data, size_t len, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (seed * UINT64_C(0x9e3779b97f4a7c15));

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ (h >> 32);
}
