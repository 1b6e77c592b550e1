/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interpose_memory.c - malloc, calloc, realloc of the libraries that have no hook.
 *
 * Who allocates is told by the address that the call returns to: nng, curl, msgpack-c, libyaml and
 * the C library (for getline, scandir, fopen …) may be refused memory. TLS libraries, the dynamic
 * linker and this executable may not: Greenroom's own memory has the hook. The sanitizers own
 * malloc themselves, so with them this file is empty.
 */
#include "tests/torture/faults.h"

#if !defined(GR_TORTURE_SANITIZED)

#include <errno.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);

static bool refused(const char *name, const void *caller)
{
    if (fault_library(caller) == NULL || !fault_now(FAULT_FOREIGN, name, ENOMEM))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return refused("malloc", __builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return refused("calloc", __builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return refused("realloc", __builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}

#endif
