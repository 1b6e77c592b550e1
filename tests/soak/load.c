/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/soak/load.h"

#include <string.h>

#define CHUNKS 50 /* of a stream */

/* id_of an answer: of the call, or, if the actor gives its input back, in that. */
static int64_t id_of(const gr_value *v)
{
    return gr_as_int(gr_value_type(v) == GR_MAP ? gr_get(v, "id") : v, -1);
}

static gr_code call(struct load *l, const char *verb, int id, int64_t ms, gr_value **ret_err)
{
    gr_future *f = gr_acall(l->rt, l->to, verb,
                            gr_map(GR_KV("id", gr_int(id)), GR_KV("ms", gr_int(ms))), NULL);
    gr_outcome o = gr_await(f, SOAK_WAIT_MS);

    soak_check(o.code != GR_EPENDING, "call %d hangs", id);
    soak_check(o.code != GR_OK || id_of(o.value) == id, "call %d has another's answer", id);
    *ret_err = o.error != NULL ? gr_value_ref(o.error) : NULL;
    gr_future_free(f);
    return o.code;
}

static gr_code stream(struct load *l, int id, gr_value **ret_err)
{
    gr_stream *s =
        gr_astream(l->rt, l->to, gr_map(GR_KV("id", gr_int(id)), GR_KV("n", gr_int(CHUNKS))), NULL);
    gr_outcome o;
    int64_t i = 0;

    while ((o = gr_next(s, SOAK_WAIT_MS)).code == GR_OK) {
        soak_check(gr_as_int(o.value, -1) == i, "stream %d has a hole before chunk %lld", id,
                   (long long)i);
        i++;
    }
    soak_check(o.code != GR_EPENDING, "stream %d hangs", id);
    soak_check(o.code != GR_EOS || i == CHUNKS, "stream %d ends well after %lld chunks", id,
               (long long)i);
    *ret_err = o.error != NULL ? gr_value_ref(o.error) : NULL;
    gr_stream_free(s);
    return o.code == GR_EOS ? GR_OK : o.code;
}

static void note_time(struct load *l, uint64_t since_ms)
{
    int ms = (int)(soak_now_ms() - since_ms), before = atomic_load(&l->slowest_ms);

    while (ms > before && !atomic_compare_exchange_weak(&l->slowest_ms, &before, ms))
        continue;
}

static const char *verb_of(const struct load *l, int id)
{
    int count = 0;

    while (count < 3 && l->verbs[count] != NULL)
        count++;
    return count == 0 ? "invoke" : l->verbs[id % count];
}

static void *keep_calling(void *arg)
{
    struct load *l = arg;

    while (!atomic_load(&l->over)) {
        int id = atomic_fetch_add(&l->ids, 1);
        const char *verb = verb_of(l, id);
        uint64_t since_ms = soak_now_ms();
        gr_value *err = NULL;
        gr_code rc;

        soak_check(id < SOAK_IDS, "out of ids");
        if (strcmp(verb, "stream") == 0)
            rc = stream(l, id, &err);
        else
            rc = call(l, verb, id, l->ms_most > 0 ? id % l->ms_most : 0, &err);
        note_time(l, since_ms);
        soak_check(rc == GR_OK || (l->may_fail && rc == GR_EUNREACH), "%s %d ended with %s: %s",
                   verb, id, gr_code_name(rc), gr_error_text(err));
        gr_value_unref(err);
        atomic_fetch_add(rc == GR_OK ? &l->answered : &l->failed, 1);
        soak_nap(rc == GR_OK ? 0 : 5); /* who can't be reached is not asked all the time */
    }
    return NULL;
}

void load_start(struct load *l)
{
    for (int i = 0; i < LOAD_THREADS; i++)
        soak_check(pthread_create(&l->threads[i], NULL, keep_calling, l) == 0, "no thread");
}

void load_stop(struct load *l)
{
    atomic_store(&l->over, true);
    for (int i = 0; i < LOAD_THREADS; i++)
        pthread_join(l->threads[i], NULL);
}

void load_flows(struct load *l, int more)
{
    int until = atomic_load(&l->answered) + more;

    soak_until(atomic_load(&l->answered) >= until, "calls are answered no more: %d were, %d failed",
               l->answered, l->failed);
}
