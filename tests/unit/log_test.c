/* SPDX-License-Identifier: Apache-2.0 */
/* log_test.c - runtime/base/log.h: a gate lets a line through a second. */
#include "runtime/base/log.h"

#include <string.h>

#include "tests/support/test.h"

#define SECOND UINT64_C(1000000000)

static char last[600];
static int lines;

static void note(void *arg, int level, const char *text)
{
    (void)arg, (void)level;
    strncpy(last, text, sizeof(last) - 1);
    lines++;
}

Test(log, a_gate_lets_one_line_through_a_second)
{
    struct gri_log_gate gate = { .held_back = 0 };
    char longer[600];

    gr_set_log(note, NULL, GRI_LOG_WARN);
    lines = 0;
    gri_log_gated(&gate, SECOND, GRI_LOG_WARN, "first %d", 1);
    cr_assert_str_eq(last, "first 1");
    for (int i = 0; i < 7; i++)
        gri_log_gated(&gate, SECOND + SECOND / 2, GRI_LOG_WARN, "again");
    cr_assert_eq(lines, 1);
    gri_log_gated(&gate, 2 * SECOND, GRI_LOG_DEBUG, "nobody wants it, so it shuts nothing");
    gri_log_gated(&gate, 2 * SECOND, GRI_LOG_WARN, "second");
    cr_assert_eq(lines, 2);
    cr_assert_str_eq(last, "second (and 7 lines before)");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    gri_log_gated(&gate, 2 * SECOND, GRI_LOG_WARN, "held back");
    gri_log_gated(&gate, 3 * SECOND, GRI_LOG_WARN, "%s", longer);
    cr_assert_not_null(strstr(last, "xxx (and 1 lines before)"));
    gr_set_log(NULL, NULL, 0);
}
