/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interpose_calls.c - system calls and thread starts that fail when they are told to.
 *
 * Each function counts, perhaps fails in a way that the kernel has for it, and else calls the real
 * one. What the kernel never does is not done here either: an event descriptor that doesn't block
 * is never interrupted, only descriptors that don't block say EAGAIN, a socket doesn't say ENOSPC,
 * getrandom gives the few bytes that it is asked for.
 */
#undef _FORTIFY_SOURCE /* whose inline twins of read, recv … would be in the way */
#include "tests/torture/faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define WAYS(...)                                                                                  \
    (const struct fault_way[])                                                                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define SOFT(error)                                                                                \
    {                                                                                              \
        (error), true                                                                              \
    }
#define HARD(error)                                                                                \
    {                                                                                              \
        (error), false                                                                             \
    }
#define SHORT SOFT(0)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* FAILS(name, ways…) leaves the function with -1 and errno if this call is the one to fail. */
#define FAILS(name, ...)                                                                           \
    do {                                                                                           \
        static const struct fault_way ways_[] = { __VA_ARGS__ };                                   \
        const struct fault_way *way_ = fault_call((name), ways_, COUNT(ways_));                    \
                                                                                                   \
        if (way_ != NULL) {                                                                        \
            errno = way_->error;                                                                   \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

/* NO_FD(name, value) does so for a call that makes a descriptor, when there shall be none. */
#define NO_FD(name, value)                                                                         \
    do {                                                                                           \
        if (fault_now(FAULT_FD_ON, (name), EMFILE)) {                                              \
            errno = EMFILE;                                                                        \
            return (value);                                                                        \
        }                                                                                          \
    } while (0)

/* ---- moving bytes ---------------------------------------------------------------------------- */

static const struct fault_way event_ways[] = { SOFT(EINTR) };
static const struct fault_way file_in[] = { SOFT(EINTR), SHORT, HARD(EIO) };
static const struct fault_way file_out[] = { SOFT(EINTR), SHORT, HARD(ENOSPC), HARD(EIO) };
static const struct fault_way socket_in[] = { SOFT(EINTR), SHORT, HARD(ECONNRESET) };
static const struct fault_way socket_out[] = { SOFT(EINTR), SHORT, HARD(ECONNRESET), HARD(EPIPE) };
static const struct fault_way socket_in_later[] = { SOFT(EAGAIN), SHORT, HARD(ECONNRESET),
                                                    SOFT(EINTR) };
static const struct fault_way socket_out_later[] = { SOFT(EAGAIN), SHORT, HARD(ECONNRESET),
                                                     HARD(EPIPE), SOFT(EINTR) };

/* move_fails decides about reading from or writing to fd; NULL: go on, with *size perhaps less. */
static const struct fault_way *move_fails(const char *name, int fd, bool out, bool dont_wait,
                                          size_t *size)
{
    static int (*real_fstat)(int, struct stat *);
    const struct fault_way *way = NULL;
    int saved = errno, flags = fcntl(fd, F_GETFL);
    struct stat st;

    FAULT_REAL(fstat);
    if (flags < 0 || real_fstat(fd, &st) != 0) {
        errno = saved;
        return NULL;
    }
    dont_wait = dont_wait || (flags & O_NONBLOCK) != 0;
    if (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode))
        way = fault_call(name, out ? file_out : file_in, out ? COUNT(file_out) : COUNT(file_in));
    else if (S_ISSOCK(st.st_mode) && dont_wait)
        way = fault_call(name, out ? socket_out_later : socket_in_later,
                         out ? COUNT(socket_out_later) : COUNT(socket_in_later));
    else if (S_ISSOCK(st.st_mode))
        way = fault_call(name, out ? socket_out : socket_in,
                         out ? COUNT(socket_out) : COUNT(socket_in));
    else if (!dont_wait)
        way = fault_call(name, event_ways, COUNT(event_ways));
    if (way == NULL || way->error == 0) {
        if (way != NULL && *size > 1)
            *size /= 2;
        errno = saved;
        return NULL;
    }
    errno = way->error;
    return way;
}

ssize_t read(int fd, void *data, size_t size)
{
    static ssize_t (*real_read)(int, void *, size_t);

    FAULT_REAL(read);
    return move_fails("read", fd, false, false, &size) != NULL ? -1 : real_read(fd, data, size);
}

ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*real_write)(int, const void *, size_t);

    FAULT_REAL(write);
    return move_fails("write", fd, true, false, &size) != NULL ? -1 : real_write(fd, data, size);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    static ssize_t (*real_recv)(int, void *, size_t, int);

    FAULT_REAL(recv);
    if (move_fails("recv", fd, false, (flags & MSG_DONTWAIT) != 0, &size) != NULL)
        return -1;
    return real_recv(fd, data, size, flags);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    static ssize_t (*real_send)(int, const void *, size_t, int);

    FAULT_REAL(send);
    if (move_fails("send", fd, true, (flags & MSG_DONTWAIT) != 0, &size) != NULL)
        return -1;
    return real_send(fd, data, size, flags);
}

/* cut fits the buffers into size bytes: the first one alone if that is too many. */
static size_t cut(const struct iovec *iov, size_t count, size_t size, struct iovec *ret_first)
{
    size_t all = 0;

    for (size_t i = 0; i < count; i++)
        all += iov[i].iov_len;
    if (size >= all || count == 0)
        return count;
    *ret_first = iov[0];
    if (ret_first->iov_len > size)
        ret_first->iov_len = size;
    return 0;
}

static size_t sum(const struct iovec *iov, size_t count)
{
    size_t all = 0;

    for (size_t i = 0; i < count; i++)
        all += iov[i].iov_len;
    return all;
}

ssize_t readv(int fd, const struct iovec *iov, int count)
{
    static ssize_t (*real_readv)(int, const struct iovec *, int);
    size_t size = sum(iov, (size_t)count);
    struct iovec first;

    FAULT_REAL(readv);
    if (move_fails("readv", fd, false, false, &size) != NULL)
        return -1;
    return cut(iov, (size_t)count, size, &first) == 0 ? real_readv(fd, &first, 1)
                                                      : real_readv(fd, iov, count);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    static ssize_t (*real_writev)(int, const struct iovec *, int);
    size_t size = sum(iov, (size_t)count);
    struct iovec first;

    FAULT_REAL(writev);
    if (move_fails("writev", fd, true, false, &size) != NULL)
        return -1;
    return cut(iov, (size_t)count, size, &first) == 0 ? real_writev(fd, &first, 1)
                                                      : real_writev(fd, iov, count);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    static ssize_t (*real_recvmsg)(int, struct msghdr *, int);
    size_t size = sum(m->msg_iov, m->msg_iovlen);
    struct msghdr shorter = *m;
    struct iovec first;

    FAULT_REAL(recvmsg);
    if (move_fails("recvmsg", fd, false, (flags & MSG_DONTWAIT) != 0, &size) != NULL)
        return -1;
    if (cut(m->msg_iov, m->msg_iovlen, size, &first) != 0)
        return real_recvmsg(fd, m, flags);
    shorter.msg_iov = &first;
    shorter.msg_iovlen = 1;
    return real_recvmsg(fd, &shorter, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);
    size_t size = sum(m->msg_iov, m->msg_iovlen);
    struct msghdr shorter = *m;
    struct iovec first;

    FAULT_REAL(sendmsg);
    if (move_fails("sendmsg", fd, true, (flags & MSG_DONTWAIT) != 0, &size) != NULL)
        return -1;
    if (cut(m->msg_iov, m->msg_iovlen, size, &first) != 0)
        return real_sendmsg(fd, m, flags);
    shorter.msg_iov = &first;
    shorter.msg_iovlen = 1;
    return real_sendmsg(fd, &shorter, flags);
}

/* ---- connections ----------------------------------------------------------------------------- */

int socket(int family, int type, int protocol)
{
    static int (*real_socket)(int, int, int);

    FAULT_REAL(socket);
    NO_FD("socket", -1);
    FAILS("socket", HARD(EMFILE), HARD(ENFILE), HARD(ENOBUFS));
    return real_socket(family, type, protocol);
}

int socketpair(int family, int type, int protocol, int fds[2])
{
    static int (*real_socketpair)(int, int, int, int[2]);

    FAULT_REAL(socketpair);
    NO_FD("socketpair", -1);
    FAILS("socketpair", HARD(EMFILE), HARD(ENFILE));
    return real_socketpair(family, type, protocol, fds);
}

int connect(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
    static int (*real_connect)(int, __CONST_SOCKADDR_ARG, socklen_t);

    FAULT_REAL(connect);
    FAILS("connect", HARD(ECONNREFUSED), HARD(EADDRNOTAVAIL), HARD(ENETUNREACH));
    return real_connect(fd, addr, len);
}

int bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
    static int (*real_bind)(int, __CONST_SOCKADDR_ARG, socklen_t);

    FAULT_REAL(bind);
    FAILS("bind", HARD(EADDRINUSE), HARD(EACCES));
    return real_bind(fd, addr, len);
}

int listen(int fd, int backlog)
{
    static int (*real_listen)(int, int);

    FAULT_REAL(listen);
    FAILS("listen", HARD(EADDRINUSE));
    return real_listen(fd, backlog);
}

int accept(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
    static int (*real_accept)(int, __SOCKADDR_ARG, socklen_t *);

    FAULT_REAL(accept);
    NO_FD("accept", -1);
    FAILS("accept", SOFT(EINTR), HARD(ECONNABORTED), HARD(EMFILE), HARD(ENFILE));
    return real_accept(fd, addr, len);
}

int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *len, int flags)
{
    static int (*real_accept4)(int, __SOCKADDR_ARG, socklen_t *, int);

    FAULT_REAL(accept4);
    NO_FD("accept4", -1);
    FAILS("accept4", SOFT(EINTR), HARD(ECONNABORTED), HARD(EMFILE), HARD(ENFILE));
    return real_accept4(fd, addr, len, flags);
}

int getsockopt(int fd, int level, int option, void *data, socklen_t *len)
{
    static int (*real_getsockopt)(int, int, int, void *, socklen_t *);

    FAULT_REAL(getsockopt);
    FAILS("getsockopt", HARD(ENOBUFS));
    return real_getsockopt(fd, level, option, data, len);
}

int setsockopt(int fd, int level, int option, const void *data, socklen_t len)
{
    static int (*real_setsockopt)(int, int, int, const void *, socklen_t);

    FAULT_REAL(setsockopt);
    FAILS("setsockopt", HARD(ENOBUFS), HARD(ENOPROTOOPT));
    return real_setsockopt(fd, level, option, data, len);
}

/* Not an errno, so it has a count of its own kind: way->error stands for EAI_AGAIN, EAI_MEMORY. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **res)
{
    static int (*real_getaddrinfo)(const char *, const char *, const struct addrinfo *,
                                   struct addrinfo **);
    const struct fault_way *way;

    FAULT_REAL(getaddrinfo);
    way = fault_call("getaddrinfo", WAYS(HARD(EAGAIN), HARD(ENOMEM)), 2);
    if (way != NULL)
        return way->error == ENOMEM ? EAI_MEMORY : EAI_AGAIN;
    return real_getaddrinfo(node, service, hints, res);
}

/* ---- waiting --------------------------------------------------------------------------------- */

int epoll_create1(int flags)
{
    static int (*real_epoll_create1)(int);

    FAULT_REAL(epoll_create1);
    NO_FD("epoll_create1", -1);
    FAILS("epoll_create1", HARD(EMFILE), HARD(ENOMEM));
    return real_epoll_create1(flags);
}

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    static int (*real_epoll_ctl)(int, int, int, struct epoll_event *);

    const char *library = fault_library(__builtin_return_address(0));

    FAULT_REAL(epoll_ctl);
    /* Only that takes memory. nng 1.5.2 does not survive it: its dialers unlock a mutex that they
     * don't hold, its listeners forget the accepted descriptor. */
    if (op == EPOLL_CTL_ADD && (library == NULL || strcmp(library, "libnng.so") != 0))
        FAILS("epoll_ctl", HARD(ENOMEM), HARD(ENOSPC));
    return real_epoll_ctl(epoll, op, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    static int (*real_epoll_wait)(int, struct epoll_event *, int, int);

    FAULT_REAL(epoll_wait);
    FAILS("epoll_wait", SOFT(EINTR));
    return real_epoll_wait(epoll, events, count, timeout);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    static int (*real_poll)(struct pollfd *, nfds_t, int);

    FAULT_REAL(poll);
    FAILS("poll", SOFT(EINTR));
    return real_poll(fds, count, timeout);
}

int eventfd(unsigned initial, int flags)
{
    static int (*real_eventfd)(unsigned, int);

    FAULT_REAL(eventfd);
    NO_FD("eventfd", -1);
    FAILS("eventfd", HARD(EMFILE), HARD(ENFILE), HARD(ENOMEM));
    return real_eventfd(initial, flags);
}

int signalfd(int fd, const sigset_t *mask, int flags)
{
    static int (*real_signalfd)(int, const sigset_t *, int);

    FAULT_REAL(signalfd);
    NO_FD("signalfd", -1);
    FAILS("signalfd", HARD(EMFILE), HARD(ENOMEM));
    return real_signalfd(fd, mask, flags);
}

/* syscall is how our own waits reach the kernel: a futex wait may end without a reason. It reads six
 * arguments, as the kernel does, also of a caller that gave fewer. */
__attribute__((no_sanitize("address"))) long syscall(long number, ...)
{
    static long (*real_syscall)(long, ...);
    long a[6];
    va_list ap;

    FAULT_REAL(syscall);
    va_start(ap, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    if (number == SYS_futex &&
        ((a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET || (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT))
        FAILS("futex", SOFT(EINTR));
    return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Linux closes the descriptor in any case; what it returns is only about what was written. */
int close(int fd)
{
    static int (*real_close)(int);
    static const struct fault_way ways[] = { SOFT(EINTR), SOFT(EIO) };
    const struct fault_way *way;
    int rc;

    FAULT_REAL(close);
    rc = real_close(fd);
    way = rc == 0 ? fault_call("close", ways, COUNT(ways)) : NULL;
    if (way == NULL)
        return rc;
    errno = way->error;
    return -1;
}

static int open_fails(const char *name)
{
    NO_FD(name, -1);
    FAILS(name, HARD(EMFILE), HARD(ENFILE), HARD(EACCES), SOFT(EINTR), HARD(ENOMEM));
    return 0;
}

int open(const char *path, int flags, ...)
{
    static int (*real_open)(const char *, int, ...);
    va_list ap;
    mode_t mode;

    FAULT_REAL(open);
    va_start(ap, flags);
    mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return open_fails("open") != 0 ? -1 : real_open(path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    static FILE *(*real_fopen)(const char *, const char *);
    static const struct fault_way ways[] = { HARD(EMFILE), HARD(EACCES), HARD(ENOMEM) };
    const struct fault_way *way;

    FAULT_REAL(fopen);
    NO_FD("fopen", NULL);
    way = fault_call("fopen", ways, COUNT(ways));
    if (way == NULL)
        return real_fopen(path, mode);
    errno = way->error;
    return NULL;
}

size_t fread(void *data, size_t size, size_t count, FILE *f)
{
    static size_t (*real_fread)(void *, size_t, size_t, FILE *);
    static const struct fault_way ways[] = { HARD(EIO) };
    const struct fault_way *way;

    FAULT_REAL(fread);
    way = fault_call("fread", ways, COUNT(ways));
    if (way == NULL)
        return real_fread(data, size, count, f);
    f->_flags |= 0x20; /* what ferror looks at in glibc: _IO_ERR_SEEN */
    errno = way->error;
    return 0;
}

int fstat(int fd, struct stat *st)
{
    static int (*real_fstat)(int, struct stat *);

    FAULT_REAL(fstat);
    FAILS("fstat", HARD(EIO));
    return real_fstat(fd, st);
}

int scandir(const char *path, struct dirent ***ret_list, int (*filter)(const struct dirent *),
            int (*compare)(const struct dirent **, const struct dirent **))
{
    static int (*real_scandir)(const char *, struct dirent ***, int (*)(const struct dirent *),
                               int (*)(const struct dirent **, const struct dirent **));

    FAULT_REAL(scandir);
    NO_FD("scandir", -1);
    FAILS("scandir", HARD(EMFILE), HARD(ENOMEM), HARD(EIO), HARD(EACCES));
    return real_scandir(path, ret_list, filter, compare);
}

/* ---- memory and threads ---------------------------------------------------------------------- */

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    static void *(*real_mmap)(void *, size_t, int, int, int, off_t);
    const struct fault_way *way;

    FAULT_REAL(mmap);
    way = fault_call("mmap", WAYS(HARD(ENOMEM)), 1);
    if (way == NULL)
        return real_mmap(at, size, protection, flags, fd, offset);
    errno = way->error;
    return MAP_FAILED;
}

int mprotect(void *at, size_t size, int protection)
{
    static int (*real_mprotect)(void *, size_t, int);

    FAULT_REAL(mprotect);
    FAILS("mprotect", HARD(ENOMEM));
    return real_mprotect(at, size, protection);
}

struct start {
    void *(*fn)(void *arg);
    void *arg;
};

static void *start_exempt(void *arg)
{
    struct start s = *(struct start *)arg;

    free(arg);
    faults_exempt(true);
    return s.fn(s.arg);
}

int pthread_create(pthread_t *ret_thread, const pthread_attr_t *attr, void *(*fn)(void *arg),
                   void *arg)
{
    static int (*real_pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                                      void *);
    struct start *s;
    int rc;

    FAULT_REAL(pthread_create);
    if (fault_now(FAULT_THREAD, "pthread_create", EAGAIN))
        return EAGAIN;
    if (!fault_thread_exempt())
        return real_pthread_create(ret_thread, attr, fn, arg);
    s = malloc(sizeof(*s));
    if (s == NULL)
        return EAGAIN;
    *s = (struct start){ fn, arg };
    rc = real_pthread_create(ret_thread, attr, start_exempt, s);
    if (rc != 0)
        free(s);
    return rc;
}
