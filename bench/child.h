/* SPDX-License-Identifier: Apache-2.0 */
/* child.h - this program once more, in a process that ends when its input does. */
#ifndef GR_BENCH_CHILD_H
#define GR_BENCH_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct bench_child {
    pid_t pid;
    int in, out;   /* our ends of its input and output */
    char line[32]; /* what it wrote once it was ready, without the line's end */
};
#define BENCH_CHILD                                                                                \
    {                                                                                              \
        .pid = -1, .in = -1, .out = -1                                                             \
    }

/* bench_child_start runs the program with an option and its argument, and waits until it writes a
 * line; false: it doesn't. bench_child_stop is due in any case. */
bool bench_child_start(struct bench_child *ch, const char *option, const char *arg);
void bench_child_stop(struct bench_child *ch);

#endif
