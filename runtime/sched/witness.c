/* SPDX-License-Identifier: Apache-2.0 */
/*
 * witness.c - see witness.h. What runs inside a signal handler calls nothing that is not safe there:
 * no allocation, no lock, no stdio; of the C library's only write, sigaction, raise and backtrace.
 */
#include "runtime/sched/witness.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<execinfo.h>)
#include <execinfo.h>
#define HAVE_BACKTRACE 1
#endif
#endif

#include "runtime/base/alloc.h"
#include "runtime/base/posix_signal.h"
#include "runtime/sched/sched.h"
#include "runtime/sched/watchdog.h"

/* Ours need little; a handler of the host's may run there too. */
#define STACK_SIZE ((size_t)64 * 1024)

/* initial-exec: the first look at it from a signal handler must not allocate it. */
static _Thread_local struct gri_witness *here __attribute__((tls_model("initial-exec")));

/* ---- an overflow of a stack ------------------------------------------------------------------ */

struct text {
    char at[512];
    size_t len;
};

static void add(struct text *t, const char *s)
{
    size_t len = strlen(s);

    if (len > sizeof(t->at) - t->len)
        len = sizeof(t->at) - t->len;
    memcpy(t->at + t->len, s, len);
    t->len += len;
}

static void add_number(struct text *t, size_t n)
{
    char digits[24];
    char *first = digits + sizeof(digits);

    *--first = '\0';
    do {
        *--first = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    add(t, first);
}

static const char *name_of(struct gri_sched *s, uint64_t who)
{
    return s->watch.ops != NULL && who != 0 ? s->watch.ops->name(s, who) : NULL;
}

static void tell_overflow(struct gri_sched *s, const struct gri_fiber *f)
{
    const char *name = name_of(s, f->exec.who);
    struct text t = { .len = 0 };

    add(&t, "greenroom: ");
    if (name != NULL) {
        add(&t, "actor ");
        add(&t, name);
    } else {
        add(&t, "a task");
    }
    add(&t, " overflowed its stack of ");
    add_number(&t, gri_fiber_stack_size(f));
    add(&t, " bytes (option stack_size)\n");
    if (write(STDERR_FILENO, t.at, t.len) < 0)
        return; /* nobody is left to be told */
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    struct gri_witness *x = here;
    int saved = errno;

    if (x != NULL && gri_fiber_guards(x->worker->current, info->si_addr)) {
        tell_overflow(x->worker->sched, x->worker->current);
        gri_posix_signal_restore(number); /* the instruction faults again, now for the host */
    } else {
        gri_posix_signal_pass(number, info, context);
    }
    errno = saved;
}

/* ---- where a worker is ------------------------------------------------------------------------ */

/* interrupted_at returns the address of the code that the signal interrupted; NULL: don't know. */
static void *interrupted_at(void *context)
{
    ucontext_t *u = context;

#if defined(__x86_64__)
    return (void *)(uintptr_t)u->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (void *)(uintptr_t)u->uc_mcontext.pc;
#else
    (void)u;
    return NULL;
#endif
}

static void capture(struct gri_trace *t, void *context)
{
    int count = 0, first = 0;

#ifdef HAVE_BACKTRACE
    count = backtrace(t->frame, GRI_FRAMES);
#endif
    /* what lies above is this handler */
    for (int i = 0; i < count; i++)
        if (t->frame[i] == interrupted_at(context))
            first = i;
    t->count = (unsigned)(count - first);
    memmove(t->frame, t->frame + first, t->count * sizeof(t->frame[0]));
}

/* It is asked again only after it has answered, or a second later, so asked can be read here. */
static void on_ask(int number, siginfo_t *info, void *context)
{
    struct gri_witness *x = here;
    int saved = errno;

    (void)number, (void)info;
    if (x == NULL)
        return;
    x->trace.beat = atomic_load_explicit(&x->worker->beat, memory_order_relaxed);
    capture(&x->trace, context);
    /* release: who finds the answer finds the trace */
    atomic_fetch_add_explicit(&x->answered, 1, memory_order_release);
    errno = saved;
}

bool gri_witness_ask(struct gri_witness *x)
{
    int thread = x != NULL ? atomic_load(&x->thread) : 0;
    int number = x != NULL ? x->worker->sched->backtrace_signal : 0;

    /* an answer that is still due would be taken for the one to this question */
    if (thread == 0 || number == 0 ||
        atomic_load_explicit(&x->answered, memory_order_acquire) != x->asked)
        return false;
    x->asked++;
    if (syscall(SYS_tgkill, getpid(), thread, number) == 0)
        return true;
    x->asked--;
    return false;
}

const struct gri_trace *gri_witness_answer(struct gri_witness *x)
{
    return atomic_load_explicit(&x->answered, memory_order_acquire) == x->asked ? &x->trace : NULL;
}

/* ---- beginning and end ------------------------------------------------------------------------ */

static void signals_of(const struct gri_sched *s, sigset_t *ret_set)
{
    sigemptyset(ret_set);
    if (s->report_overflow)
        sigaddset(ret_set, SIGSEGV);
    if (s->backtrace_signal != 0)
        sigaddset(ret_set, s->backtrace_signal);
}

static gr_code begin_backtraces(struct gri_sched *s)
{
#ifdef HAVE_BACKTRACE
    void *frame[4];

    (void)backtrace(frame, 4); /* the first call loads a library, which no signal handler may do */
#endif
    if (s->backtrace_signal < 0)
        s->backtrace_signal = SIGRTMAX - 1;
    return gri_posix_signal_take(s->backtrace_signal, on_ask, true);
}

gr_code gri_witness_begin(struct gri_sched *s)
{
    gr_code rc = GR_OK;

    if (s->backtrace_signal != 0)
        rc = begin_backtraces(s);
    if (rc != GR_OK) {
        s->backtrace_signal = 0;
        s->report_overflow = false;
        return rc;
    }
    if (s->report_overflow)
        rc = gri_posix_signal_take(SIGSEGV, on_fault, false);
    s->report_overflow = s->report_overflow && rc == GR_OK;
    return rc;
}

void gri_witness_end(struct gri_sched *s)
{
    if (s->report_overflow)
        gri_posix_signal_give(SIGSEGV);
    if (s->backtrace_signal != 0)
        gri_posix_signal_give(s->backtrace_signal);
    s->report_overflow = false;
    s->backtrace_signal = 0;
}

gr_code gri_witness_new(struct gri_worker *w)
{
    struct gri_witness *x;

    if (!w->sched->report_overflow && w->sched->backtrace_signal == 0)
        return GR_OK;
    x = gri_new0(struct gri_witness);
    if (x == NULL)
        return GR_ENOMEM;
    x->stack = gri_alloc(STACK_SIZE);
    if (x->stack == NULL) {
        gri_free(x);
        return GR_ENOMEM;
    }
    x->worker = w;
    w->witness = x;
    return GR_OK;
}

void gri_witness_free(struct gri_witness *x)
{
    if (x == NULL)
        return;
    gri_free(x->stack);
    gri_free(x);
}

void gri_witness_enter(struct gri_witness *x)
{
    stack_t stack;
    sigset_t set;

    if (x == NULL)
        return;
    stack = (stack_t){ .ss_sp = x->stack, .ss_size = STACK_SIZE };
    gri_check(sigaltstack(&stack, NULL) == 0);
    here = x;
    atomic_store(&x->thread, (int)syscall(SYS_gettid));
    signals_of(x->worker->sched, &set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void gri_witness_leave(struct gri_witness *x)
{
    stack_t none = { .ss_flags = SS_DISABLE };
    sigset_t set;

    if (x == NULL)
        return;
    signals_of(x->worker->sched, &set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    atomic_store(&x->thread, 0);
    here = NULL;
    gri_check(sigaltstack(&none, NULL) == 0);
}
