/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.c - which call fails, and Greenroom's own allocations, through its hook.
 *
 * Counting and deciding is one atomic addition, so a count belongs to one call exactly. The state
 * is changed only by the harness's thread while nothing of the scenario runs, or (pause) where it
 * does not matter which side of it another thread's call falls on.
 */
#include "tests/torture/faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/memory.h"

static atomic_bool counting, paused;
static _Atomic int armed; /* enum fault_class */
static atomic_long target;
static _Atomic int variant;
static atomic_long counts[FAULT_CLASSES];
static _Thread_local int exempt;

static char *note; /* borrowed */
static size_t note_size;
static bool trace;

/* What was hit; written once between arming and disarming. */
static atomic_bool hit_done;
static _Atomic(const char *) hit_name;
static _Atomic int hit_error;
static atomic_bool hit_soft;

static const char *const class_names[FAULT_CLASSES] = {
    [FAULT_NOTHING] = "nothing",       [FAULT_MEMORY] = "memory",
    [FAULT_MEMORY_ON] = "memory-on",   [FAULT_FOREIGN] = "foreign",
    [FAULT_FOREIGN_ON] = "foreign-on", [FAULT_THREAD] = "thread",
    [FAULT_THREAD_ON] = "thread-on",   [FAULT_CALL] = "call",
    [FAULT_FD_ON] = "fd-on",
};

const char *fault_class_name(enum fault_class c)
{
    return class_names[c];
}

/* ---- the state ------------------------------------------------------------------------------- */

void faults_arm(enum fault_class c, long at, int v)
{
    for (int i = 0; i < FAULT_CLASSES; i++)
        atomic_store(&counts[i], 0);
    atomic_store(&hit_done, false);
    atomic_store(&hit_name, NULL);
    atomic_store(&hit_error, 0);
    atomic_store(&hit_soft, false);
    atomic_store(&armed, (int)c);
    atomic_store(&target, at);
    atomic_store(&variant, v);
    atomic_store(&paused, false);
    atomic_store(&counting, true);
}

void faults_disarm(void)
{
    atomic_store(&counting, false);
    atomic_store(&armed, FAULT_NOTHING);
}

long faults_counted(enum fault_class c)
{
    return atomic_load(&counts[c]);
}

struct fault_hit faults_hit(void)
{
    return (struct fault_hit){ .injected = atomic_load(&hit_done),
                               .name = atomic_load(&hit_name),
                               .error = atomic_load(&hit_error),
                               .soft = atomic_load(&hit_soft) };
}

void faults_pause(void)
{
    atomic_store(&paused, true);
}

void faults_go_on(void)
{
    atomic_store(&paused, false);
}

void faults_exempt(bool more)
{
    exempt += more ? 1 : -1;
}

bool fault_thread_exempt(void)
{
    return exempt > 0;
}

/* ---- deciding -------------------------------------------------------------------------------- */

static void note_hit(const char *name, int error, bool soft)
{
    if (atomic_exchange(&hit_done, true))
        return; /* of a class that goes on, the first counts */
    atomic_store(&hit_error, error);
    atomic_store(&hit_soft, soft);
    atomic_store(&hit_name, name);
    if (trace) {
        void *callers[32];

        backtrace_symbols_fd(callers, backtrace(callers, 32), 2);
    }
    if (note != NULL)
        snprintf(note, note_size, "%s: %s", name, error != 0 ? strerrorname_np(error) : "short");
}

void faults_trace(bool on)
{
    trace = on;
}

void faults_note(char *text, size_t size)
{
    note = text;
    note_size = size;
}

static bool takes_part(void)
{
    return atomic_load_explicit(&counting, memory_order_relaxed) &&
           !atomic_load_explicit(&paused, memory_order_relaxed) && exempt == 0;
}

/* goes_on is the class that fails all from the n-th of a class on. */
static enum fault_class goes_on(enum fault_class c)
{
    switch (c) {
    case FAULT_MEMORY: return FAULT_MEMORY_ON;
    case FAULT_FOREIGN: return FAULT_FOREIGN_ON;
    case FAULT_THREAD: return FAULT_THREAD_ON;
    default: return c;
    }
}

bool fault_now(enum fault_class c, const char *name, int error)
{
    enum fault_class on = goes_on(c), now = (enum fault_class)atomic_load(&armed);
    long n;
    bool fails;

    if (!takes_part())
        return false;
    n = atomic_fetch_add(&counts[c], 1) + 1;
    if (on != c)
        atomic_store(&counts[on], n);
    fails = (now == c && c != on && n == atomic_load(&target)) ||
            (now == on && n >= atomic_load(&target));
    if (fails)
        note_hit(name, error, false);
    return fails;
}

const struct fault_way *fault_call(const char *name, const struct fault_way *ways, size_t count)
{
    const struct fault_way *way;
    size_t v = (size_t)atomic_load(&variant);

    if (!takes_part() || count == 0)
        return NULL;
    if (atomic_fetch_add(&counts[FAULT_CALL], 1) + 1 != atomic_load(&target) ||
        atomic_load(&armed) != FAULT_CALL || v >= count)
        return NULL;
    way = &ways[v];
    note_hit(name, way->error, way->soft);
    return way;
}

void fault_real(void *ret_fn, size_t size, const char *name)
{
    void *fn = dlsym(RTLD_NEXT, name);

    if (fn == NULL) {
        fprintf(stderr, "faults.c: there is no other %s\n", name);
        abort();
    }
    memcpy(ret_fn, &fn, size);
}

/* ---- who calls ------------------------------------------------------------------------------- */

static const char *const libraries[] = { "libnng.so", "libcurl.so", "libmsgpack", "libyaml-",
                                         "libc.so" };

/* The code of the libraries; written before main. */
static struct range {
    uintptr_t first, end;
    const char *library;
} ranges[8];
static size_t range_count;

static int note_library(struct dl_phdr_info *info, size_t size, void *arg)
{
    const char *library = NULL;

    (void)size, (void)arg;
    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
        if (strstr(info->dlpi_name, libraries[i]) != NULL)
            library = libraries[i];
    for (int i = 0; library != NULL && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];

        if (h->p_type == PT_LOAD && (h->p_flags & PF_X) != 0 &&
            range_count < sizeof(ranges) / sizeof(ranges[0])) {
            uintptr_t first = info->dlpi_addr + h->p_vaddr;

            ranges[range_count++] = (struct range){ first, first + h->p_memsz, library };
        }
    }
    return 0;
}

__attribute__((constructor)) static void find_libraries(void)
{
    dl_iterate_phdr(note_library, NULL);
}

const char *fault_library(const void *address)
{
    uintptr_t at = (uintptr_t)address;

    for (size_t i = 0; i < range_count; i++)
        if (at >= ranges[i].first && at < ranges[i].end)
            return ranges[i].library;
    return NULL;
}

/* ---- Greenroom's allocations ----------------------------------------------------------------- */

static bool refuse(void)
{
    return fault_now(FAULT_MEMORY, "the allocator", ENOMEM);
}

__attribute__((constructor)) static void ask_us(void)
{
    test_memory_ask(refuse);
}
