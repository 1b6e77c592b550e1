/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/console.h"

#define PATIENCE_S                                                                                 \
    5 /* a manager that does not read must not keep us from serving, or from ending */

/* address_of reads the socket's name; 0: it is none, else the address's length. */
static socklen_t address_of(const char *name, struct sockaddr_un *to)
{
    size_t len = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(to->sun_path))
        return 0;
    *to = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(to->sun_path, name, len);
    if (name[0] == '@')
        to->sun_path[0] = '\0'; /* such a name ends with the address, without a zero */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '@' ? 0 : 1));
}

void gri_notify(const char *state)
{
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to;
    socklen_t to_len;
    int fd;

    if (name == NULL || name[0] == '\0')
        return;
    to_len = address_of(name, &to);
    if (to_len == 0) {
        gri_say("NOTIFY_SOCKET: a path, or @ and a name, of at most %zu bytes was expected",
                sizeof(to.sun_path) - 1);
        return;
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, to_len) < 0)
        gri_say("NOTIFY_SOCKET: %s: %s", name, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
}
