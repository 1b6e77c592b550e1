/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history_file.c - flock, pread, pwrite, ftruncate, fdatasync.
 *
 * A lock belongs to an open file, so it keeps threads of this process apart as well. A file is emptied
 * and never removed: whoever waits for its lock would write into a file that nobody finds any more.
 */
#include "actors/message/history_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <greenroom/runtime.h>

#include "actors/compose/steps.h"
#include "actors/store/digest.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"

#define NAME_BYTES 160 /* of a file's name, escaped; longer ones end in a digest */
#define LOOK_MS 5      /* between two attempts at a lock */
#define TAIL 4096

static gr_value *failed(const struct gri_history_file *f, const char *what)
{
    int e = errno;
    char text[128] = "";
    const char *said = strerror_r(e, text, sizeof(text));
    gr_code code = e == ENOSPC || e == EDQUOT || e == EMFILE || e == ENFILE ? GR_EFULL
                   : e == EIO                                               ? GR_EREMOTE
                   : e == ENOMEM                                            ? GR_ENOMEM
                                                                            : GR_EINVAL;

    return gr_error(code, "%s: %s: %s", f->path != NULL ? f->path : "a history", what, said);
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* file_name makes a name that is safe in any folder, and another one for each session: what is not
 * plain is %XX, and what is too long ends in the digest of the whole. NULL: out of memory. */
static char *file_name(const char *session)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    char hex[GRI_DIGEST_LEN + 1];

    for (const char *p = session; *p != '\0' && b.len <= NAME_BYTES; p++) {
        if (is_plain(*p))
            gri_strbuf_addc(&b, *p);
        else
            gri_strbuf_addf(&b, "%%%02X", (unsigned char)*p);
    }
    if (b.len > NAME_BYTES) {
        gri_strbuf_clear(&b);
        if (!gri_digest(session, strlen(session), hex))
            b.failed = true;
        gri_strbuf_addf(&b, "~%s", hex); /* '~' is not plain: no short name begins with it */
    }
    gri_strbuf_adds(&b, ".jsonl");
    return gri_strbuf_take(&b);
}

/* ---- opening --------------------------------------------------------------------------------- */

static gr_value *open_folder(struct gri_history_file *f, const char *folder, bool writes)
{
    f->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->folder_fd < 0 && errno == ENOENT && writes) {
        if (mkdir(folder, 0700) != 0 && errno != EEXIST)
            return failed(f, "its folder can't be made");
        f->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (f->folder_fd < 0 && (writes || errno != ENOENT))
        return failed(f, "its folder can't be opened");
    return NULL;
}

/* lock waits for the file's lock, looking now and then: there is no other way to give up. */
static gr_value *lock(gr_ctx *c, struct gri_history_file *f, bool writes, int64_t lock_ms)
{
    uint64_t until = gr_now_ns(gr_runtime_of(c)) + (uint64_t)lock_ms * UINT64_C(1000000);

    while (flock(f->fd, (writes ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return failed(f, "it can't be locked");
        if (gr_cancelled(c))
            return gri_was_cancelled();
        if (gr_now_ns(gr_runtime_of(c)) >= until)
            return gr_error_with(gr_error(GR_EFULL, "%s: others have held it for %lld ms", f->path,
                                          (long long)lock_ms),
                                 "kind", gr_str("busy"));
        (void)gr_sleep(gr_runtime_of(c), LOOK_MS);
    }
    return NULL;
}

gr_value *gri_history_file_open(gr_ctx *c, struct gri_history_file *f, const char *folder,
                                const char *session, bool writes, int64_t lock_ms)
{
    struct gri_strbuf path = GRI_STRBUF_INIT;
    char *name = file_name(session);
    gr_value *err = NULL;
    struct stat st;

    *f = (struct gri_history_file){ .fd = -1, .folder_fd = -1 };
    if (name == NULL)
        return gri_no_memory();
    gri_strbuf_addf(&path, "%s/%s", folder, name);
    f->path = gri_strbuf_take(&path);
    err = open_folder(f, folder, writes);
    if (err == NULL && f->folder_fd >= 0) {
        f->fd = openat(f->folder_fd, name,
                       (writes ? O_RDWR | O_CREAT : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (f->fd < 0 && (writes || errno != ENOENT))
            err = failed(f, "it can't be opened");
    }
    if (err == NULL && f->fd >= 0 && (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode)))
        err = gr_error(GR_EINVAL, "%s: it is no ordinary file", f->path);
    if (err == NULL && f->fd >= 0)
        err = lock(c, f, writes, lock_ms);
    gri_free(name);
    return err;
}

void gri_history_file_close(struct gri_history_file *f)
{
    if (f->fd >= 0)
        (void)close(f->fd);
    if (f->folder_fd >= 0)
        (void)close(f->folder_fd);
    gri_free(f->path);
    *f = (struct gri_history_file){ .fd = -1, .folder_fd = -1 };
}

/* ---- reading --------------------------------------------------------------------------------- */

/* read_at reads exactly size bytes; false: it can't. */
static bool read_at(int fd, char *data, size_t size, off_t at)
{
    while (size > 0) {
        ssize_t n = pread(fd, data, size, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = EIO; /* somebody who does not ask for the lock cuts it short */
            return false;
        }
        data += n;
        size -= (size_t)n;
        at += n;
    }
    return true;
}

gr_value *gri_history_file_load(struct gri_history_file *f, size_t bytes_max, char **ret_text,
                                size_t *ret_len)
{
    struct stat st;
    char *text;

    if (fstat(f->fd, &st) != 0)
        return failed(f, "it can't be looked at");
    if ((uint64_t)st.st_size > bytes_max)
        return gr_error(GR_EFULL, "%s: it has %lld bytes, of at most %zu", f->path,
                        (long long)st.st_size, bytes_max);
    text = gri_alloc((size_t)st.st_size + 1);
    if (text == NULL)
        return gri_no_memory();
    if (!read_at(f->fd, text, (size_t)st.st_size, 0)) {
        gri_free(text);
        return failed(f, "it can't be read");
    }
    *ret_text = text;
    *ret_len = (size_t)st.st_size;
    return NULL;
}

/* whole_size gives the size up to the last line break; negative: errno tells. */
static off_t whole_size(int fd, off_t size)
{
    char tail[TAIL];

    while (size > 0) {
        off_t from = size > TAIL ? size - TAIL : 0;

        if (!read_at(fd, tail, (size_t)(size - from), from))
            return -1;
        for (; size > from; size--)
            if (tail[size - from - 1] == '\n')
                return size;
    }
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool write_at(int fd, const char *data, size_t size, off_t at)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        size -= (size_t)n;
        at += n;
    }
    return true;
}

/* flush has what was written on the disk, and the file in its folder if it is new. */
static bool flush(struct gri_history_file *f)
{
    return fdatasync(f->fd) == 0 && (!f->is_new || fsync(f->folder_fd) == 0);
}

gr_value *gri_history_file_append(struct gri_history_file *f, const char *head, size_t head_len,
                                  const char *line, size_t len, size_t bytes_max, bool sync)
{
    struct stat st;
    gr_value *err;
    off_t whole;

    if (fstat(f->fd, &st) != 0 || (whole = whole_size(f->fd, st.st_size)) < 0)
        return failed(f, "it can't be read");
    if (whole > 0)
        head_len = 0;
    f->is_new = st.st_size == 0;
    if ((uint64_t)whole + head_len + len > bytes_max)
        return gr_error(GR_EFULL, "%s: a session has at most %zu bytes", f->path, bytes_max);
    if ((whole < st.st_size && ftruncate(f->fd, whole) != 0))
        return failed(f, "it can't be mended");
    if (write_at(f->fd, head, head_len, whole) &&
        write_at(f->fd, line, len, whole + (off_t)head_len) && (!sync || flush(f)))
        return NULL;
    err = failed(f, "it can't be written");
    if (ftruncate(f->fd, whole) != 0) /* then what is torn is cut off by who comes next */
        return err;
    return err;
}

gr_value *gri_history_file_clear(struct gri_history_file *f, bool sync)
{
    if (ftruncate(f->fd, 0) != 0 || (sync && fdatasync(f->fd) != 0))
        return failed(f, "it can't be emptied");
    return NULL;
}
