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
#include "runtime/base/point.h"
#include "runtime/base/strbuf.h"
#include "runtime/base/thread.h"

static uint64_t real_now(struct gri_world *w)
{
    (void)w;
    return gri_clock_ns();
}

static uint64_t real_wall(struct gri_world *w)
{
    (void)w;
    return gri_clock_wall_us();
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

/* say_errno tells what is wrong with the file from what we have too little of. */
static gr_code say_errno(char err[128], int error)
{
    switch (error) {
    case ENOMEM: return say(err, GR_ENOMEM, "out of memory");
    case EMFILE:
    case ENFILE: return say(err, GR_EFULL, strerror(error));
    default: return say(err, GR_EINVAL, strerror(error));
    }
}

/* read_all appends what fd has to b, whose max is the limit. */
static gr_code read_all(int fd, struct gri_strbuf *b, char err[128])
{
    char part[4 * 1024]; /* on a handler's stack */
    ssize_t n;

    while ((n = read(fd, part, sizeof(part))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return say_errno(err, errno);
        if (b->max != 0 && (size_t)n > b->max - b->len) {
            snprintf(err, 128, "above %zu bytes", b->max);
            return GR_EINVAL;
        }
        gri_strbuf_add(b, part, (size_t)n);
        if (b->failed)
            return say(err, GR_ENOMEM, "out of memory");
    }
    return GR_OK;
}

static gr_code real_file_read(struct gri_world *w, const char *path, size_t size_max,
                              char **ret_data, size_t *ret_size, char err[128])
{
    struct gri_strbuf b = { .max = size_max };
    struct stat st;
    gr_code rc;
    int fd;

    (void)w;
    /* O_NONBLOCK: a pipe that nobody writes to must not hold us up before we see that it is one */
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return say_errno(err, errno);
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        rc = say(err, GR_EINVAL, "not a regular file");
    else
        rc = read_all(fd, &b, err);
    close(fd);
    if (rc == GR_OK && gri_fault(GRI_AT_FILE_ERROR))
        rc = say(err, GR_EINVAL, strerror(EIO));
    if (rc == GR_OK && b.len > 0 && gri_fault(GRI_AT_FILE_SHORT)) /* somebody is just writing it */
        b.data[b.len = (size_t)(gri_random_seed() % b.len)] = '\0';
    *ret_size = b.len;
    if (rc == GR_OK && (*ret_data = gri_strbuf_take(&b)) == NULL)
        rc = say(err, GR_ENOMEM, "out of memory");
    gri_strbuf_fini(&b);
    return rc;
}

/* By bytes: the order must not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static gr_code real_file_list(struct gri_world *w, const char *path, char **ret_names,
                              size_t *ret_size, char err[128])
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    struct dirent **entries = NULL;
    int count;

    (void)w;
    errno = EIO;
    count = gri_fault(GRI_AT_FILE_ERROR) ? -1 : scandir(path, &entries, NULL, by_name);
    if (count < 0 && (errno == ENOTDIR || errno == ENOENT))
        return say(err, errno == ENOENT ? GR_EDEAD : GR_ETYPE, strerror(errno));
    if (count < 0)
        return say_errno(err, errno);
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
    w->wall = real_wall;
    w->random = seeded_random;
    w->file_read = real_file_read;
    w->file_list = real_file_list;
    w->http = NULL;
    w->net = NULL;
    atomic_init(&w->random_state, gri_random_seed());
}
