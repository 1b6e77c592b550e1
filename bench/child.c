/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/child.h"

#include <sys/wait.h>
#include <unistd.h>

/* run never returns. Only what is safe after fork is called. exe: /proc/self/exe itself would be
 * valgrind under valgrind. */
static void run(const char *exe, const char *option, const char *arg, int in, int out)
{
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execl(exe, "greenroom_bench", option, arg, (char *)NULL);
    _exit(127);
}

static bool read_line(struct bench_child *ch)
{
    for (size_t len = 0; len + 1 < sizeof(ch->line); len++) {
        if (read(ch->out, &ch->line[len], 1) != 1)
            return false;
        if (ch->line[len] == '\n') {
            ch->line[len] = '\0';
            return true;
        }
    }
    return false;
}

bool bench_child_start(struct bench_child *ch, const char *option, const char *arg)
{
    int in[2], out[2];
    char exe[4096];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    if (length < 0)
        return false;
    exe[length] = '\0';
    if (pipe(in) != 0)
        return false;
    if (pipe(out) != 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    ch->pid = fork();
    if (ch->pid == 0) {
        close(in[1]); /* else its input would never end */
        close(out[0]);
        run(exe, option, arg, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    ch->in = in[1];
    ch->out = out[0];
    return ch->pid > 0 && read_line(ch);
}

void bench_child_stop(struct bench_child *ch)
{
    close(ch->in);
    close(ch->out);
    if (ch->pid > 0)
        waitpid(ch->pid, NULL, 0);
}
