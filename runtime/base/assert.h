/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assert.h - three levels of checks: gri_check is always on, gri_assert in debug and test builds,
 * gri_assert_slow (walks structures) in fuzz and simulation builds. A failed check ends the
 * process.
 */
#ifndef GR_RUNTIME_BASE_ASSERT_H
#define GR_RUNTIME_BASE_ASSERT_H

_Noreturn void gri_check_failed(const char *what, const char *file, int line);

#define gri_check(cond) ((cond) ? (void)0 : gri_check_failed(#cond, __FILE__, __LINE__))
#if defined(GR_DEBUG)
#define gri_assert(cond) gri_check(cond)
#else
#define gri_assert(cond) ((void)sizeof(cond))
#endif
#if defined(GR_DEBUG_SLOW)
#define gri_assert_slow(cond) gri_check(cond)
#else
#define gri_assert_slow(cond) ((void)sizeof(cond))
#endif

/* gri_container_of returns the struct that `field`, at p, is a member of. */
#define gri_container_of(p, type, field) ((type *)(void *)((char *)(p)-offsetof(type, field)))

#endif
