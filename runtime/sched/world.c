/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - the real world: the kernel's clock, a seeded generator, the file system. */
#include "runtime/sched/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"
#include "runtime/base/thread.h"

static uint64_t real_now(struct gri_world *w)
{
    (void)w;
    return gri_clock_ns();
}

/* splitmix64 over an atomic counter: any thread may draw. */
static uint64_t seeded_random(struct gri_world *w)
{
    uint64_t x = atomic_fetch_add_explicit(&w->random_state, UINT64_C(0x9e3779b97f4a7c15),
                                           memory_order_relaxed);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static gr_code say(char err[128], gr_code code, const char *what)
{
    snprintf(err, 128, "%s", what);
    return code;
}

static gr_code read_all(int fd, size_t size_max, char **ret_data, size_t *ret_size, char err[128])
{
    struct gri_strbuf b = { .max = size_max };
    ssize_t n = 0;

    do {
        if (!gri_strbuf_reserve(&b, 1))
            break;
        n = read(fd, b.data + b.len, b.cap - b.len - 1);
        if (n > 0)
            b.len += (size_t)n;
        else if (n < 0 && errno == EINTR)
            n = 1;
        if (b.len > size_max)
            b.failed = true;
    } while (n > 0 && !b.failed && gri_strbuf_reserve(&b, b.cap - b.len > 4096 ? 1 : b.cap / 2));
    if (n < 0) {
        say(err, GR_EINVAL, strerror(errno));
        gri_strbuf_fini(&b);
        return GR_EINVAL;
    }
    if (b.failed) {
        gri_strbuf_fini(&b);
        return say(err, GR_ENOMEM, "too large");
    }
    b.data[b.len] = '\0';
    *ret_size = b.len;
    *ret_data = b.data;
    return GR_OK;
}

static gr_code real_file_read(struct gri_world *w, const char *path, size_t size_max,
                              char **ret_data, size_t *ret_size, char err[128])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    gr_code rc;

    (void)w;
    if (fd < 0)
        return say(err, GR_EINVAL, strerror(errno));
    rc = read_all(fd, size_max, ret_data, ret_size, err);
    close(fd);
    return rc;
}

static gr_code real_file_list(struct gri_world *w, const char *path, char **ret_names,
                              size_t *ret_size, char err[128])
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);

    (void)w;
    if (count < 0)
        return say(err, GR_EINVAL, strerror(errno));
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;

        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            gri_strbuf_add(&b, name, strlen(name) + 1);
        free(entries[i]);
    }
    free(entries);
    if (b.failed) {
        gri_strbuf_fini(&b);
        return say(err, GR_ENOMEM, "out of memory");
    }
    *ret_size = b.len;
    *ret_names = gri_strbuf_take(&b);
    return *ret_names != NULL ? GR_OK : say(err, GR_ENOMEM, "out of memory");
}

void gri_world_real(struct gri_world *w)
{
    w->now = real_now;
    w->random = seeded_random;
    w->file_read = real_file_read;
    w->file_list = real_file_list;
    w->http = NULL;
    w->net = NULL;
    atomic_init(&w->random_state, gri_random_seed());
}
