/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/cpu_time.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/platform.h"

void gri_cpu_id_here(struct gri_cpu_id *ret)
{
    *ret = (struct gri_cpu_id){ 0 };
    if (gri_platform_here() == NULL && pthread_getcpuclockid(pthread_self(), &ret->clock) == 0)
        ret->thread = (int)syscall(SYS_gettid);
}

/* read_file reads the beginning of a file of /proc about a thread, as a string. */
static bool read_file(int thread, const char *name, char *text, size_t size)
{
    char path[64];
    ssize_t len;
    int fd;

    snprintf(path, sizeof(path), "/proc/self/task/%d/%s", thread, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    len = read(fd, text, size - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    return len > 0;
}

/* read_state: the letter behind the name, which is in parentheses and may have some itself. */
static bool read_state(int thread, char *ret_state)
{
    char text[256];
    const char *end;

    if (!read_file(thread, "stat", text, sizeof(text)))
        return false;
    end = strrchr(text, ')');
    if (end == NULL || end[1] != ' ')
        return false;
    *ret_state = end[2];
    return true;
}

bool gri_cpu_time_read(const struct gri_cpu_id *id, struct gri_cpu_time *ret)
{
    struct gri_cpu_time t = { 0 };
    struct timespec ran;
    char text[128], state;

    if (id->thread == 0 || !read_state(id->thread, &state) || clock_gettime(id->clock, &ran) != 0)
        return false;
    t.runnable = state == 'R';
    t.ran_ns = (uint64_t)ran.tv_sec * 1000000000u + (uint64_t)ran.tv_nsec;
    t.waits_known = read_file(id->thread, "schedstat", text, sizeof(text)) &&
                    sscanf(text, "%*u %" SCNu64, &t.waited_ns) == 1;
    *ret = t;
    return true;
}
