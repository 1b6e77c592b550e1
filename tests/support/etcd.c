/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/etcd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/peer.h"

#define START_S 60
#define PORTS_TRIED 5
#define ANSWER_MAX ((size_t)1 << 20)

extern char **environ;

static const char *program(void)
{
    static const char *const places[] = { "/usr/bin/etcd", "/usr/local/bin/etcd" };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

bool test_etcd_there(void)
{
    if (program() != NULL)
        return true;
    fprintf(stderr, "SKIPPED: there is no etcd (Debian's etcd-server), so nothing of this was "
                    "tested\n");
    return false;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static int connect_to(const char *url)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct timeval wait = { .tv_sec = 5 }; /* it may be another's port */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons((uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10));
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

char *test_etcd_post(const struct test_etcd *e, const char *path, const char *json)
{
    char *text = calloc(1, ANSWER_MAX), *body = NULL;
    int fd = connect_to(e->url);
    size_t len = 0;
    ssize_t n = -1;

    snprintf(text, ANSWER_MAX, "POST %s HTTP/1.0\r\nContent-Length: %zu\r\n\r\n%s", path,
             strlen(json), json);
    if (fd >= 0)
        n = send(fd, text, strlen(text), MSG_NOSIGNAL);
    while (n > 0 && len + 1 < ANSWER_MAX) {
        n = recv(fd, text + len, ANSWER_MAX - 1 - len, 0);
        len += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    text[len] = '\0';
    body = n == 0 && len > 0 ? strstr(text, "\r\n\r\n") : NULL;
    if (body != NULL)
        body = strdup(body + 4);
    free(text);
    return body;
}

static bool answers(const struct test_etcd *e)
{
    char *body = test_etcd_post(e, "/v3/kv/range", "{\"key\":\"YQ==\"}");
    bool well = body != NULL &&
                (strstr(body, "revision") != NULL || strstr(body, "user name is empty") != NULL);

    free(body);
    return well;
}

/* ---- the process ----------------------------------------------------------------------------- */

/* run starts it and waits until it answers; false: it has ended, as it does when somebody has taken its port.
 * It goes when the test does, however that ends: setpriv, which becomes etcd, sees to it. */
static bool run(struct test_etcd *e)
{
    char *argv[] = { "setpriv",
                     "--pdeathsig",
                     "KILL",
                     (char *)(uintptr_t)program(),
                     "--data-dir",
                     e->folder,
                     "--listen-client-urls",
                     e->listen,
                     "--advertise-client-urls",
                     e->url,
                     "--listen-peer-urls",
                     e->peer_url,
                     "--initial-advertise-peer-urls",
                     e->peer_url,
                     "--initial-cluster",
                     NULL,
                     "--log-level",
                     "error",
                     NULL };
    time_t until = time(NULL) + START_S;
    posix_spawn_file_actions_t files;
    char self[96];

    snprintf(self, sizeof(self), "default=%s", e->peer_url);
    argv[sizeof(argv) / sizeof(argv[0]) - 4] = self;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, 3); /* the runner's pipes, for one */
    if (posix_spawnp(&e->pid, argv[0], &files, NULL, argv, environ) != 0)
        abort();
    posix_spawn_file_actions_destroy(&files);
    while (!answers(e)) {
        if (waitpid(e->pid, NULL, WNOHANG) == e->pid) {
            e->pid = 0;
            return false;
        }
        if (time(NULL) > until) {
            fprintf(stderr, "etcd did not start\n");
            abort();
        }
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    }
    return true;
}

void test_etcd_start(struct test_etcd *e)
{
    time_t until = time(NULL) + START_S;

    while (!run(e)) { /* whoever has its port by chance may give it back */
        if (time(NULL) > until) {
            fprintf(stderr, "etcd ends as soon as it is started\n");
            abort();
        }
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    }
}

void test_etcd_kill(struct test_etcd *e)
{
    kill(e->pid, SIGKILL);
    waitpid(e->pid, NULL, 0);
    e->pid = 0;
}

void test_etcd_wipe(struct test_etcd *e)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", e->folder); /* the certificate stays */
    if (system(command) != 0)
        abort();
}

/* own_url gives a port that nobody has. */
static void own_url(char url[64])
{
    char tcp[128];

    test_peer_url(tcp, "tcp");
    snprintf(url, 64, "http%.56s", tcp + 3);
}

/* start_anywhere finds ports for it, of which others may take one before it has. */
static void start_anywhere(struct test_etcd *e, bool tls)
{
    for (int i = 0; i < PORTS_TRIED; i++) {
        own_url(e->url);
        own_url(e->peer_url);
        snprintf(e->listen, sizeof(e->listen), "%s", e->url);
        if (tls) {
            own_url(e->tls_url);
            memmove(e->tls_url + 5, e->tls_url + 4, strlen(e->tls_url + 4) + 1);
            e->tls_url[4] = 's';
            snprintf(e->listen, sizeof(e->listen), "%s,%s", e->url, e->tls_url);
        }
        if (run(e))
            return;
    }
    fprintf(stderr, "etcd ends as soon as it is started\n");
    abort();
}

void test_etcd_open(struct test_etcd *e)
{
    *e = (struct test_etcd){ .folder = "/tmp/gr-test-etcd-XXXXXX" };
    if (mkdtemp(e->folder) == NULL)
        abort();
    start_anywhere(e, false);
}

/* The certificate goes to etcd by its environment, so that it is there at each start. */
bool test_etcd_open_tls(struct test_etcd *e)
{
    char command[512], file[80];

    *e = (struct test_etcd){ .folder = "/tmp/gr-test-etcd-XXXXXX" };
    if (mkdtemp(e->folder) == NULL)
        abort();
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=etcd "
             "-addext subjectAltName=IP:127.0.0.1 -keyout %s.key -out %s.pem >/dev/null 2>&1",
             e->folder, e->folder);
    if (system(command) != 0) {
        fprintf(stderr, "SKIPPED: openssl made no certificate, so TLS to etcd was not tested\n");
        test_etcd_wipe(e);
        return false;
    }
    snprintf(file, sizeof(file), "%s.pem", e->folder);
    setenv("ETCD_CERT_FILE", file, 1);
    snprintf(file, sizeof(file), "%s.key", e->folder);
    setenv("ETCD_KEY_FILE", file, 1);
    start_anywhere(e, true);
    return true;
}

void test_etcd_close(struct test_etcd *e)
{
    char command[256];

    if (e->pid != 0)
        test_etcd_kill(e);
    test_etcd_wipe(e);
    snprintf(command, sizeof(command), "rm -f '%s.key' '%s.pem'", e->folder, e->folder);
    if (system(command) != 0)
        abort();
}
