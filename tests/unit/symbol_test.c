/* SPDX-License-Identifier: Apache-2.0 */
/* symbol_test.c - runtime/base/symbol.h: what lies at an address of code. */
#include "runtime/base/symbol.h"

#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/test.h"

static char text[200];

Test(symbol, what_a_module_exports_has_its_name)
{
    const char *code = dlsym(RTLD_DEFAULT, "hcreate"); /* no sanitizer has it too */

    gri_symbol_print(code, text, sizeof(text));
    cr_assert_eq(strncmp(text, "hcreate+0x0 (libc", 17), 0, "%s", text);
    gri_symbol_print(code + 1, text, sizeof(text));
    cr_assert_eq(strncmp(text, "hcreate+0x1 (libc", 17), 0, "%s", text);
}

static int mine(void)
{
    return 1;
}

Test(symbol, what_it_keeps_to_itself_has_its_place)
{
    unsigned long offset = 0;
    Dl_info info;

    cr_assert_neq(dladdr((void *)(uintptr_t)mine, &info), 0);
    gri_symbol_print((const void *)(uintptr_t)mine, text, sizeof(text));
    cr_assert_eq(sscanf(text, "unit_symbol_test+0x%lx", &offset), 1, "%s", text);
    cr_assert_eq((uintptr_t)info.dli_fbase + offset, (uintptr_t)mine, "%s", text);
}

Test(symbol, what_is_no_code_has_its_number)
{
    char small[4];

    gri_symbol_print((const void *)(uintptr_t)0x10, text, sizeof(text));
    cr_assert_str_eq(text, "0x10");
    gri_symbol_print((const void *)(uintptr_t)mine, small, sizeof(small));
    cr_assert_str_eq(small, "uni");
}
