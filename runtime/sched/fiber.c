/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/fiber.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/platform.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GRI_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define GRI_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define GRI_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define GRI_TSAN 1
#endif
#ifdef GRI_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef GRI_TSAN
#include <sanitizer/tsan_interface.h>
#endif
/* Memcheck must be told of stacks, else it takes a switch for a very large frame. */
#if defined(GR_TESTING) && defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define GRI_VALGRIND 1
#endif
#endif

/*
 * gri_switch_stack(&save, load): push the callee-saved registers, store the stack pointer in *save,
 * take `load` for it, pop the registers, return. A new stack is laid out as if it had switched
 * away.
 */
#if defined(GR_UCONTEXT) /* for a test of what other processors get */
#include <ucontext.h>
#elif defined(__x86_64__)
void gri_switch_stack(void **save, void *load);
__asm__(".text\n"
        ".p2align 4\n"
        ".globl gri_switch_stack\n"
        ".hidden gri_switch_stack\n"
        ".type gri_switch_stack,@function\n"
        "gri_switch_stack:\n"
        "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n"
        "    pushq %r13\n    pushq %r14\n    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n    popq %r14\n    popq %r13\n"
        "    popq %r12\n    popq %rbx\n    popq %rbp\n"
        "    ret\n"
        ".size gri_switch_stack,.-gri_switch_stack\n");

static void *first_frame(char *top, void (*start)(void))
{
    void **sp = (void **)(void *)top;

    *--sp = NULL; /* keeps the stack aligned as after a call, and ends backtraces */
    *--sp = (void *)(uintptr_t)start;
    for (int i = 0; i < 6; i++)
        *--sp = NULL;
    return sp;
}
#define HAVE_SWITCH 1
#elif defined(__aarch64__)
void gri_switch_stack(void **save, void *load);
__asm__(".text\n"
        ".p2align 4\n"
        ".globl gri_switch_stack\n"
        ".hidden gri_switch_stack\n"
        ".type gri_switch_stack,%function\n"
        "gri_switch_stack:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp, #0]\n    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp, #0]\n    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size gri_switch_stack,.-gri_switch_stack\n");

static void *first_frame(char *top, void (*start)(void))
{
    void **sp = (void **)(void *)(top - 160);

    for (int i = 0; i < 20; i++)
        sp[i] = NULL;
    sp[11] = (void *)(uintptr_t)start; /* x30 */
    return sp;
}
#define HAVE_SWITCH 1
#else
#include <ucontext.h>
#endif

/* The fiber that is being entered for the first time on this thread; read once by `start`. */
static _Thread_local struct gri_fiber *entering;

static void after_switch(struct gri_fiber *self)
{
#ifdef GRI_ASAN
    __sanitizer_finish_switch_fiber(self->asan_fake, NULL, NULL);
#else
    (void)self;
#endif
}

static void start(void)
{
    struct gri_fiber *self = entering;

    after_switch(self);
    self->entry(self->entry_arg);
    gri_check_failed("a fiber's entry returned", __FILE__, __LINE__);
}

/*
 * A simulation makes and drops the stacks of a whole runtime in the time of a few hundred switches, so on
 * its thread some are kept, whatever runtime they were of.
 */
#define KEPT_MAX 32
static _Thread_local struct {
    void *stack;
    size_t size;
} kept[KEPT_MAX];
static _Thread_local unsigned kept_count;

/* map_stack maps a stack with its guard page; NULL when that fails. */
static void *map_stack(size_t size, size_t page)
{
    void *stack;

    if (kept_count > 0 && kept[kept_count - 1].size == size && gri_platform_here() != NULL)
        return kept[--kept_count].stack;
    stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return NULL;
    if (mprotect(stack, page, PROT_NONE) == 0) /* the guard: an overflow faults */
        return stack;
    munmap(stack, size);
    return NULL;
}

static void unmap_stack(void *stack, size_t size)
{
    if (kept_count < KEPT_MAX && gri_platform_here() != NULL) {
        kept[kept_count].stack = stack;
        kept[kept_count++].size = size;
    } else {
        munmap(stack, size);
    }
}

struct gri_fiber *gri_fiber_new(size_t stack_size, void (*entry)(void *arg), void *arg)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct gri_fiber *f = gri_new0(struct gri_fiber);

    if (f == NULL)
        return NULL;
    f->stack_size = ((stack_size + page - 1) & ~(page - 1)) + page;
    f->stack = map_stack(f->stack_size, page);
    if (f->stack == NULL)
        goto no_stack;
    f->asan_bottom = (char *)f->stack + page;
    f->asan_size = f->stack_size - page;
    f->entry = entry;
    f->entry_arg = arg;
#ifdef HAVE_SWITCH
    f->sp = first_frame((char *)f->stack + f->stack_size, start);
#else
    f->sp = gri_new0(ucontext_t);
    if (f->sp == NULL || getcontext(f->sp) != 0)
        goto no_context;
    ((ucontext_t *)f->sp)->uc_stack.ss_sp = (char *)f->stack + page;
    ((ucontext_t *)f->sp)->uc_stack.ss_size = f->stack_size - page;
    makecontext(f->sp, start, 0);
#endif
#ifdef GRI_TSAN
    f->tsan = __tsan_create_fiber(0);
#endif
#ifdef GRI_VALGRIND
    f->valgrind_id = VALGRIND_STACK_REGISTER(f->asan_bottom, (char *)f->stack + f->stack_size - 1);
#endif
    return f;
#ifndef HAVE_SWITCH
no_context:
    gri_free(f->sp);
    unmap_stack(f->stack, f->stack_size);
#endif
no_stack:
    gri_free(f);
    return NULL;
}

void gri_fiber_free(struct gri_fiber *f)
{
    if (f == NULL)
        return;
#ifdef GRI_TSAN
    __tsan_destroy_fiber(f->tsan);
#endif
#ifdef GRI_VALGRIND
    VALGRIND_STACK_DEREGISTER(f->valgrind_id);
#endif
#ifdef GRI_ASAN
    __asan_unpoison_memory_region((const volatile void *)f->asan_bottom, f->asan_size);
#endif
#ifndef HAVE_SWITCH
    gri_free(f->sp);
#endif
    unmap_stack(f->stack, f->stack_size);
    gri_free(f);
}

void gri_fiber_bounds(struct gri_fiber *f)
{
#ifdef GRI_ASAN
    pthread_attr_t attr;
    void *bottom = NULL;

    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstack(&attr, &bottom, &f->asan_size);
        pthread_attr_destroy(&attr);
    }
    f->asan_bottom = bottom;
#else
    (void)f;
#endif
}

void gri_fiber_note(struct gri_fiber *f)
{
#ifdef GRI_TSAN
    f->tsan = __tsan_get_current_fiber();
#else
    (void)f;
#endif
}

void gri_fiber_adopt(struct gri_fiber *f)
{
    const struct gri_platform *m = gri_platform_here();

    *f = (struct gri_fiber){ .stack = NULL };
#ifndef HAVE_SWITCH
    f->sp = gri_new0(ucontext_t);
    gri_check(f->sp != NULL);
#endif
    if (m != NULL)
        m->stack(&f->asan_bottom, &f->asan_size);
    else
        gri_fiber_bounds(f);
    gri_fiber_note(f);
}

void gri_fiber_disown(struct gri_fiber *f)
{
#ifndef HAVE_SWITCH
    gri_free(f->sp);
#else
    (void)f;
#endif
}

void gri_fiber_switch(struct gri_fiber *from, struct gri_fiber *to)
{
    entering = to;
#ifdef GRI_ASAN
    __sanitizer_start_switch_fiber(&from->asan_fake, to->asan_bottom, to->asan_size);
#endif
#ifdef GRI_TSAN
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
#ifdef HAVE_SWITCH
    gri_switch_stack(&from->sp, to->sp);
#else
    swapcontext(from->sp, to->sp);
#endif
    after_switch(from);
}
