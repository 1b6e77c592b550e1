/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words.h - the words of a text, folded to lower case: what the hashing embedder and the extractive
 * model look at. The same on every machine, whatever its locale.
 */
#ifndef GR_ACTORS_TEXT_WORDS_H
#define GR_ACTORS_TEXT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRI_WORD_MAX 128 /* bytes of a word kept; longer ones are cut at a character */

struct gri_words {
    const char *text; /* borrowed, valid UTF-8 */
    size_t len, at;
};

struct gri_word {
    char text[GRI_WORD_MAX]; /* folded */
    size_t len;
    size_t chars;
    bool common; /* an English function word: "the", "of" … says little */
};

static inline struct gri_words gri_words_of(const char *text, size_t len)
{
    return (struct gri_words){ text, len, 0 };
}
bool gri_words_next(struct gri_words *w, struct gri_word *ret_word);
/* gri_word_stem cuts an English ending off, so that "refunds" meets "refund". */
void gri_word_stem(struct gri_word *w);
/* gri_hash_text is FNV-1a with a final mix. Stored vectors depend on it: it must never change. */
uint64_t gri_hash_text(const void *data, size_t len, uint64_t seed);

#endif
