/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbol.h - what lies at an address of code.
 *
 * Unlike dladdr it does not wait for the loader's lock, which a library's constructor may hold for
 * long while it runs.
 */
#ifndef GR_RUNTIME_BASE_SYMBOL_H
#define GR_RUNTIME_BASE_SYMBOL_H

#include <stddef.h>

/* gri_symbol_print writes "function+0x1f (module+0x4f20)", without the function if the module does
 * not export it. `addr2line -e module 0x4f20` knows it all the same. */
void gri_symbol_print(const void *code, char *text, size_t size);

#endif
