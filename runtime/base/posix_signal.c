/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/posix_signal.h"

#include "runtime/base/lock.h"

/* `before` is set before our handler can run, and stays as it is while that may be called. */
struct taken {
    unsigned takers;
    bool installed; /* perhaps below a handler that the host has put on top */
    gri_posix_signal_fn *fn;
    struct sigaction before;
};

static struct gri_lock lock; /* guards takers and installed */
static struct taken all[_NSIG];

static bool is_free(const struct sigaction *a)
{
    return (a->sa_flags & SA_SIGINFO) == 0 &&
           (a->sa_handler == SIG_DFL || a->sa_handler == SIG_IGN);
}

static gr_code install_locked(int number, struct taken *t, gri_posix_signal_fn *fn, bool alone)
{
    struct sigaction ours = { .sa_sigaction = fn };

    if (sigaction(number, NULL, &t->before) != 0 || (alone && !is_free(&t->before)))
        return GR_EINVAL;
    /* what the host's handler does not want to be interrupted by does not interrupt ours either */
    ours.sa_mask = t->before.sa_mask;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | (t->before.sa_flags & SA_NODEFER);
    t->fn = fn;
    if (sigaction(number, &ours, NULL) != 0)
        return GR_EINVAL;
    t->installed = true;
    return GR_OK;
}

gr_code gri_posix_signal_take(int number, gri_posix_signal_fn *fn, bool alone)
{
    struct taken *t;
    gr_code rc = GR_OK;

    if (number < 1 || number >= _NSIG)
        return GR_EINVAL;
    t = &all[number];
    gri_lock(&lock);
    if (!t->installed)
        rc = install_locked(number, t, fn, alone);
    else if (t->fn != fn)
        rc = GR_EINVAL;
    if (rc == GR_OK)
        t->takers++;
    gri_unlock(&lock);
    return rc;
}

static void uninstall_locked(int number, struct taken *t)
{
    struct sigaction now;

    if (sigaction(number, NULL, &now) != 0 || now.sa_sigaction != t->fn)
        return;
    (void)sigaction(number, &t->before, NULL);
    t->installed = false;
}

void gri_posix_signal_give(int number)
{
    struct taken *t = &all[number];

    gri_lock(&lock);
    if (--t->takers == 0)
        uninstall_locked(number, t);
    gri_unlock(&lock);
}

void gri_posix_signal_restore(int number)
{
    (void)sigaction(number, &all[number].before, NULL);
}

void gri_posix_signal_pass(int number, siginfo_t *info, void *context)
{
    const struct sigaction *before = &all[number].before;

    if ((before->sa_flags & SA_SIGINFO) != 0) {
        before->sa_sigaction(number, info, context);
    } else if (!is_free(before)) {
        before->sa_handler(number);
    } else if (info->si_code > 0) {
        gri_posix_signal_restore(number); /* the instruction faults again */
    } else if (before->sa_handler == SIG_DFL) {
        gri_posix_signal_restore(number); /* somebody sent it: it comes again when we return */
        (void)raise(number);
    }
}
