/* SPDX-License-Identifier: Apache-2.0 */
/* provider.c - the providers that there are, by name. */
#include "actors/model/provider.h"

#include <string.h>

/* Aliases are names that LangChain's users know. A row without a provider: a name that is known, so
 * that it is never taken for a model's, and nothing to call it with. */
static const struct {
    const char *name;
    const struct gri_provider *provider;
} providers[] = {
    { "openai", &gri_openai },
    { "azure_openai", &gri_azure_openai },
    { "azure", &gri_azure_openai },
    { "anthropic", &gri_anthropic },
    { "ollama", &gri_ollama },
};

#define PROVIDER_COUNT (sizeof(providers) / sizeof(providers[0]))

static size_t index_of(const char *name, size_t len)
{
    size_t i = 0;

    while (i < PROVIDER_COUNT &&
           (strlen(providers[i].name) != len || memcmp(providers[i].name, name, len) != 0))
        i++;
    return i;
}

static const struct gri_provider *provider_at(size_t i, gr_value **reterr)
{
    if (providers[i].provider == NULL)
        *reterr = gr_error(GR_EINVAL, "provider '%s' is not built in", providers[i].name);
    return providers[i].provider;
}

const struct gri_provider *gri_provider_of(const char *model, const char *named,
                                           const char **ret_model, gr_value **reterr)
{
    const char *colon = model == NULL ? NULL : strchr(model, ':');
    size_t before = colon == NULL ? PROVIDER_COUNT : index_of(model, (size_t)(colon - model));
    size_t i;

    *ret_model = model;
    if (named == NULL || named[0] == '\0') {
        if (before < PROVIDER_COUNT)
            *ret_model = colon + 1;
        return provider_at(before < PROVIDER_COUNT ? before : 0, reterr);
    }
    i = index_of(named, strlen(named));
    if (i == PROVIDER_COUNT) {
        *reterr = gr_error(GR_EINVAL,
                           "unknown provider '%s': openai, azure_openai, anthropic, ollama", named);
        return NULL;
    }
    if (before < PROVIDER_COUNT && strcmp(providers[before].name, named) == 0)
        *ret_model = colon + 1;
    return provider_at(i, reterr);
}
