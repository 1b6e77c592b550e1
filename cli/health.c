/* SPDX-License-Identifier: Apache-2.0 */
/* health.c - the socket, and what is said on it. */
#include "cli/health.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/console.h"
#include "runtime/base/alloc.h"
#include "runtime/base/strbuf.h"
#include "runtime/base/thread.h"

#define NS_PER_MS UINT64_C(1000000)
#define QUIET_NS (1000 * NS_PER_MS) /* who has sent nothing by then is told in plain */
#define GUEST_NS (3000 * NS_PER_MS) /* who has not sent a whole request by then is sent away */
#define SAMPLE_MS 1000              /* between two looks at what is done */
#define STUCK_MS 30000
#define BACKLOG 16

/* ---- what is said ---------------------------------------------------------------------------- */

/* sample notes when something was last done, and tells whether it has been too long. One look at the clock: who is held
 * up between two is not stuck. */
static bool sample(struct gri_health *h)
{
    gr_stats s = GR_STATS_INIT;
    uint64_t done, now_ns = gri_clock_ns();

    gr_stats_read(h->rt, &s);
    done = s.messages + s.turns + s.calls_started + s.calls_direct + s.waits;
    if (done == h->done && s.queue_now > 0)
        return now_ns > h->done_ns && now_ns - h->done_ns >= h->stuck_ns;
    h->done = done;
    h->done_ns = now_ns;
    return false;
}

gr_value *gri_health_value(struct gri_health *h)
{
    gr_value *v = gr_node_health(h->rt);

    if (sample(h))
        v = gr_set(v, "status", gr_str("stuck"));
    return v;
}

/* line_of returns the line of JSON, with its end; free it. NULL: out of memory. */
static char *line_of(const gr_value *v, size_t *ret_len)
{
    struct gri_strbuf line = GRI_STRBUF_INIT;
    size_t len = 0;
    char *json = gr_error_code(v) == GR_OK ? gr_json_print(v, 0, &len) : NULL;
    char *taken = NULL;

    if (json != NULL) {
        gri_strbuf_add(&line, json, len);
        gri_strbuf_addc(&line, '\n');
        *ret_len = line.len;
        taken = gri_strbuf_take(&line);
    }
    gr_free(json);
    gri_strbuf_fini(&line);
    return taken;
}

/* ---- guests ---------------------------------------------------------------------------------- */

static void part(struct gri_health_guest *g)
{
    if (g->fd >= 0)
        (void)close(g->fd);
    g->fd = -1;
}

/* say sends what fits into the socket's buffer, which is far more than an answer is: a guest that has filled it
 * up gets no more. */
static void say(const struct gri_health_guest *g, const char *text, size_t len)
{
    (void)!send(g->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say_http(const struct gri_health_guest *g, const char *status, const char *body,
                     size_t len, bool head)
{
    struct gri_strbuf all = GRI_STRBUF_INIT;

    gri_strbuf_addf(&all,
                    "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                    "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                    status, len);
    if (!head)
        gri_strbuf_add(&all, body, len);
    if (!all.failed)
        say(g, all.data, all.len);
    gri_strbuf_fini(&all);
}

static void say_mistake(const struct gri_health_guest *g, const char *status)
{
    say_http(g, status, "{}\n", 3, false);
}

/* tell says how the process does. */
static void tell(struct gri_health *h, const struct gri_health_guest *g, bool http, bool head)
{
    gr_value *v = gri_health_value(h);
    bool well = strcmp(gr_cstr(gr_get(v, "status"), ""), "ok") == 0;
    size_t len = 0;
    char *line = line_of(v, &len);

    if (line == NULL && http)
        say_mistake(g, "503 Service Unavailable");
    else if (line != NULL && http)
        say_http(g, well ? "200 OK" : "503 Service Unavailable", line, len, head);
    else if (line != NULL)
        say(g, line, len);
    gri_free(line);
    gr_value_unref(v);
}

static bool begins_with(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* is_http: what is there may become, or is, a line "METHOD target HTTP/1.x". */
static bool is_http(const char *request)
{
    size_t word = strspn(request, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return word > 0 && word < 16 && (request[word] == ' ' || request[word] == '\0');
}

/* answer answers a request once it is whole; false: more is to come. over: nothing more comes. */
static bool answer(struct gri_health *h, struct gri_health_guest *g, bool over)
{
    bool head = begins_with(g->request, "HEAD ");

    if (!is_http(g->request)) {
        if (g->len == 0 && !over)
            return false;
        tell(h, g, false, false);
        return true;
    }
    if (strstr(g->request, "\r\n\r\n") == NULL && strstr(g->request, "\n\n") == NULL) {
        if (!over && g->len < GRI_HEALTH_REQUEST)
            return false;
        say_mistake(g, over ? "400 Bad Request" : "431 Request Header Fields Too Large");
    } else if (!head && !begins_with(g->request, "GET ")) {
        say_mistake(g, "405 Method Not Allowed");
    } else {
        tell(h, g, true, head);
    }
    return true;
}

/* hear reads what has come. */
static void hear(struct gri_health *h, struct gri_health_guest *g)
{
    ssize_t n = recv(g->fd, g->request + g->len, GRI_HEALTH_REQUEST - g->len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        /* a zero would hide what follows */
        for (ssize_t i = 0; i < n; i++)
            if (g->request[g->len + (size_t)i] == '\0')
                g->request[g->len + (size_t)i] = '?';
        g->len += (size_t)n;
    }
    if (n < 0 || answer(h, g, n == 0))
        part(g);
}

/* hurry: who is quiet wants to be told in plain, who is slow gets no answer. */
static void hurry(struct gri_health *h, struct gri_health_guest *g, uint64_t now_ns)
{
    uint64_t stayed_ns = now_ns - g->came_ns;

    if (g->len == 0 && stayed_ns >= QUIET_NS)
        tell(h, g, false, false);
    else if (g->len > 0 && stayed_ns >= GUEST_NS)
        say_mistake(g, "408 Request Timeout");
    else
        return;
    part(g);
}

static struct gri_health_guest *oldest(struct gri_health *h)
{
    struct gri_health_guest *old = &h->guests[0];

    for (size_t i = 0; i < GRI_HEALTH_GUESTS; i++) {
        if (h->guests[i].fd < 0)
            return &h->guests[i];
        if (h->guests[i].came_ns < old->came_ns)
            old = &h->guests[i];
    }
    return old;
}

static void welcome(struct gri_health *h)
{
    int fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct gri_health_guest *g;

    if (fd < 0)
        return;
    g = oldest(h);
    part(g);
    *g = (struct gri_health_guest){ .fd = fd, .came_ns = gri_clock_ns() };
}

/* ---- the socket ------------------------------------------------------------------------------ */

void gri_health_init(struct gri_health *h)
{
    *h = (struct gri_health){ .listener = -1 };
}

/* is_left tells whether the file at an address is a socket that nobody listens at. */
static bool is_left(const struct sockaddr_un *at)
{
    struct stat about;
    int fd, rv;

    if (lstat(at->sun_path, &about) != 0 || !S_ISSOCK(about.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    rv = connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 ? errno : 0;
    (void)close(fd);
    return rv == ECONNREFUSED;
}

/* take_place binds; fchmod before it gives the file its mode from the start. 0, or errno. */
static int take_place(int fd, const struct sockaddr_un *at)
{
    if (fchmod(fd, 0600) != 0)
        return errno;
    if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return errno;
    if (!is_left(at) || unlink(at->sun_path) != 0)
        return EADDRINUSE;
    return bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 ? 0 : errno;
}

static bool refuse(const char *path, int why)
{
    gri_say("--health: %s: %s", path,
            why == EADDRINUSE ? "there is a file already, or another process answers there"
                              : strerror(why));
    return false;
}

bool gri_health_open(struct gri_health *h, gr_runtime *rt, const char *path, int64_t stuck_ms)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct stat about;
    int why;

    h->rt = rt;
    h->stuck_ns = (uint64_t)(stuck_ms > 0 ? stuck_ms : STUCK_MS) * NS_PER_MS;
    h->done_ns = gri_clock_ns();
    if (path[0] == '\0' || strlen(path) >= sizeof(at.sun_path))
        return refuse(path, path[0] == '\0' ? EINVAL : ENAMETOOLONG);
    memcpy(at.sun_path, path, strlen(path) + 1);
    h->path = gri_strdup(path);
    h->guests = gri_alloc_array(GRI_HEALTH_GUESTS, sizeof(*h->guests));
    if (h->path == NULL || h->guests == NULL)
        return refuse(path, ENOMEM);
    for (size_t i = 0; i < GRI_HEALTH_GUESTS; i++)
        h->guests[i].fd = -1;
    h->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    why = h->listener < 0 ? errno : take_place(h->listener, &at);
    if (why != 0)
        return refuse(path, why);
    if (lstat(path, &about) != 0 || listen(h->listener, BACKLOG) != 0)
        return refuse(path, errno);
    h->device = about.st_dev;
    h->inode = about.st_ino;
    return true;
}

void gri_health_close(struct gri_health *h)
{
    struct stat about;

    for (size_t i = 0; h->guests != NULL && i < GRI_HEALTH_GUESTS; i++)
        part(&h->guests[i]);
    if (h->inode != 0 && lstat(h->path, &about) == 0 && about.st_dev == h->device &&
        about.st_ino == h->inode)
        (void)unlink(h->path);
    if (h->listener >= 0)
        (void)close(h->listener);
    gri_free(h->path);
    gri_free(h->guests);
    gri_health_init(h);
}

/* ---- between other things -------------------------------------------------------------------- */

static void shorten(int *timeout_ms, int ms)
{
    if (*timeout_ms < 0 || *timeout_ms > ms)
        *timeout_ms = ms;
}

nfds_t gri_health_fds(const struct gri_health *h, struct pollfd fds[GRI_HEALTH_FDS],
                      int *timeout_ms)
{
    if (h->listener < 0)
        return 0;
    shorten(timeout_ms, SAMPLE_MS);
    fds[0] = (struct pollfd){ .fd = h->listener, .events = POLLIN };
    for (size_t i = 0; i < GRI_HEALTH_GUESTS; i++) { /* a negative descriptor is ignored */
        fds[i + 1] = (struct pollfd){ .fd = h->guests[i].fd, .events = POLLIN };
        if (h->guests[i].fd >= 0)
            shorten(timeout_ms, SAMPLE_MS / 10);
    }
    return GRI_HEALTH_FDS;
}

void gri_health_serve(struct gri_health *h, const struct pollfd fds[GRI_HEALTH_FDS])
{
    uint64_t now_ns = gri_clock_ns();

    if (h->listener < 0)
        return;
    (void)sample(h);
    for (size_t i = 0; i < GRI_HEALTH_GUESTS; i++) {
        struct gri_health_guest *g = &h->guests[i];

        if (g->fd >= 0 && g->fd == fds[i + 1].fd && fds[i + 1].revents != 0)
            hear(h, g);
        if (g->fd >= 0)
            hurry(h, g, now_ns > g->came_ns ? now_ns : g->came_ns);
    }
    if (fds[0].revents != 0)
        welcome(h);
}
