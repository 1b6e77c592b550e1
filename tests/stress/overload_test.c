/* SPDX-License-Identifier: Apache-2.0 */
/* overload_test.c - four times the load that a service can bear: what must hold however slow the
 * machine is. The benchmark, `greenroom_bench --overload`, is the same code and judges the times. */
#include "bench/overload.c"

#include "tests/support/memory.h"
#include "tests/support/test.h"

/* bear runs it with room for so many bytes, and checks that nothing is lost and memory bounded. */
static struct overload_result bear(size_t mailbox_max, int64_t queue_ms, size_t payload,
                                   size_t bytes_max)
{
    struct overload_opts o = { .concurrency = 32,
                               .mailbox_max = mailbox_max,
                               .service_ms = 20,
                               .queue_ms = queue_ms,
                               .payload = payload,
                               .factor = 4,
                               /* more than there is room for, also where a sanitizer makes
                                * offering slower than serving */
                               .burst = 300,
                               .seconds = 3,
                               .bytes_max = bytes_max };
    long before = test_memory_live();
    struct overload_result r;

    cr_assert(overload_run(&o, &r));
    cr_assert_eq(test_memory_live(), before, "nothing is left");
    cr_assert_eq(r.lost, 0, "every call ended");
    cr_assert_eq(r.overload.other, 0, "with an answer or GR_EFULL");
    cr_assert_gt(r.overload.admitted, 0);
    cr_assert_gt(r.after.admitted, 0, "and it serves afterwards");
    cr_assert_leq(r.stats.mailbox_high, mailbox_max);
    /* the worst that the meter may be off: a sixteenth */
    cr_assert_leq(r.stats.bytes_high, bytes_max + bytes_max / 16);
    cr_assert_eq(r.stats.bytes_now, 0);
    cr_assert_eq(r.stats.calls_now, 0);
    cr_assert_eq(r.stats.calls_started, r.stats.calls_ended);
    return r;
}

Test(overload, the_mailbox_refuses)
{
    struct overload_result r = bear(40, 0, 16, (size_t)64 << 20);

    cr_assert_eq(r.stats.refused_mailbox, (uint64_t)r.overload.refused);
    cr_assert_gt(r.overload.refused, 0);
    cr_assert_eq(r.stats.mailbox_high, 40);
}

Test(overload, the_runtime_refuses_bytes)
{
    struct overload_result r = bear(1024, 0, (size_t)32 * 1024, (size_t)2 << 20);

    cr_assert_eq(r.stats.refused_bytes, (uint64_t)r.overload.refused);
    cr_assert_gt(r.overload.refused, 0);
    cr_assert_lt(r.stats.mailbox_high, 70);
}

Test(overload, queue_ms_refuses)
{
    struct overload_result r = bear(1024, 10, 1024, (size_t)64 << 20);

    cr_assert_gt(r.stats.refused_queue_ms, 0);
    cr_assert_gt(r.overload.refused, 0);
}
