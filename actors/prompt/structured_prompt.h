/* SPDX-License-Identifier: Apache-2.0 */
/* structured_prompt.h - what a sequence does with a structured prompt. */
#ifndef GR_ACTORS_PROMPT_STRUCTURED_PROMPT_H
#define GR_ACTORS_PROMPT_STRUCTURED_PROMPT_H

#include <greenroom/structured_prompt.h>

/*
 * gri_structured_pipe: if *prompt is a structured prompt of this process, *model becomes the same model with structured
 * output, and *prompt a prompt without a schema, so that it is done once. False: it is none.
 */
bool gri_structured_pipe(gr_scope *in, gr_ref *prompt, gr_ref *model);

#endif
