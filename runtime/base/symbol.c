/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/symbol.h"

#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct search {
    uintptr_t address;
    char *text;
    size_t size;
    bool found;
};

/* What a module tells the loader of the functions that it exports. */
struct exports {
    const ElfW(Sym) * symbols;
    const char *names;
    const uint32_t *hash; /* GNU's table */
};

/* dynamic_pointer: some loaders leave what the section says as it is, relative to the module. */
static const void *dynamic_pointer(const struct dl_phdr_info *m, const ElfW(Dyn) * d)
{
    uintptr_t at = d->d_un.d_ptr;

    return (const void *)(at < m->dlpi_addr ? at + m->dlpi_addr : at);
}

static struct exports exports_of(const struct dl_phdr_info *m, const ElfW(Dyn) * d)
{
    struct exports e = { NULL, NULL, NULL };

    for (; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_SYMTAB)
            e.symbols = dynamic_pointer(m, d);
        else if (d->d_tag == DT_STRTAB)
            e.names = dynamic_pointer(m, d);
        else if (d->d_tag == DT_GNU_HASH)
            e.hash = dynamic_pointer(m, d);
    }
    return e;
}

/* count_exports: the symbols are as many as the last chain of the hash table says. */
static uint32_t count_exports(const uint32_t *hash)
{
    uint32_t bucket_count = hash[0], first = hash[1], last = 0;
    const uint32_t *buckets = hash + 4 + hash[2] * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chains = buckets + bucket_count;

    for (uint32_t i = 0; i < bucket_count; i++)
        if (buckets[i] > last)
            last = buckets[i];
    if (last < first)
        return 0;
    while ((chains[last - first] & 1) == 0)
        last++;
    return last + 1;
}

/* print_function prints the exported function around an offset of the module, if there is one. */
static int print_function(const struct exports *e, uintptr_t offset, char *text, size_t size)
{
    uint32_t count;

    if (e->symbols == NULL || e->names == NULL || e->hash == NULL)
        return 0;
    count = count_exports(e->hash);
    for (uint32_t i = 0; i < count; i++) {
        const ElfW(Sym) *s = &e->symbols[i];

        if (ELF64_ST_TYPE(s->st_info) == STT_FUNC && s->st_shndx != SHN_UNDEF &&
            offset - s->st_value < s->st_size)
            return snprintf(text, size, "%s+0x%zx ", e->names + s->st_name,
                            (size_t)(offset - s->st_value));
    }
    return 0;
}

/* module_name fills in the file's name without its folder; the program itself has none here. */
static const char *module_name(const struct dl_phdr_info *m, char *buffer, size_t size)
{
    const char *path = m->dlpi_name, *slash;

    if (path[0] == '\0') {
        ssize_t len = readlink("/proc/self/exe", buffer, size - 1);

        buffer[len > 0 ? len : 0] = '\0';
        path = len > 0 ? buffer : "program";
    }
    slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool holds(const struct dl_phdr_info *m, uintptr_t address)
{
    for (int i = 0; i < m->dlpi_phnum; i++)
        if (m->dlpi_phdr[i].p_type == PT_LOAD &&
            address - (m->dlpi_addr + m->dlpi_phdr[i].p_vaddr) < m->dlpi_phdr[i].p_memsz)
            return true;
    return false;
}

static int look_into(struct dl_phdr_info *m, size_t info_size, void *arg)
{
    struct search *s = arg;
    uintptr_t offset = s->address - m->dlpi_addr;
    struct exports e = { NULL, NULL, NULL };
    char path[256];
    int used;

    (void)info_size;
    if (!holds(m, s->address))
        return 0;
    for (int i = 0; i < m->dlpi_phnum; i++)
        if (m->dlpi_phdr[i].p_type == PT_DYNAMIC)
            e = exports_of(m, (const void *)(m->dlpi_addr + m->dlpi_phdr[i].p_vaddr));
    used = print_function(&e, offset, s->text, s->size);
    if (used >= 0 && (size_t)used < s->size)
        snprintf(s->text + used, s->size - (size_t)used, used > 0 ? "(%s+0x%zx)" : "%s+0x%zx",
                 module_name(m, path, sizeof(path)), (size_t)offset);
    s->found = true;
    return 1;
}

void gri_symbol_print(const void *code, char *text, size_t size)
{
    struct search s = { .address = (uintptr_t)code, .text = text, .size = size };

    dl_iterate_phdr(look_into, &s);
    if (!s.found)
        snprintf(text, size, "%p", code);
}
