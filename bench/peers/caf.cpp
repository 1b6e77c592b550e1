/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caf.cpp - the C++ Actor Framework 0.17 (Debian's libcaf-dev) at the same rows: the same messages
 * between the same actors.
 *
 *   caf NAME WORKERS [N]
 *
 * An actor of a row takes the time when it has handled the row's last message, and then all quit.
 */
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <caf/all.hpp>

namespace {

using caf::actor;
using caf::actor_system;
using caf::behavior;
using self_ptr = caf::event_based_actor *;
using number = std::int64_t;

using quit_atom = caf::atom_constant<caf::atom("quit")>;
using go_atom = caf::atom_constant<caf::atom("go")>;

std::uint64_t now_ns()
{
    auto t = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(t).count());
}

std::uint64_t begin_ns, end_ns;
std::atomic<number> open_count; /* actors of the row that are not through */
std::vector<actor> all;

void begin(number open)
{
    open_count = open;
    begin_ns = now_ns();
}

/* one_less is true for the last one. */
bool one_less()
{
    if (open_count.fetch_sub(1) != 1)
        return false;
    end_ns = now_ns();
    return true;
}

void quit_all(self_ptr self)
{
    for (auto &a : all)
        self->send(a, quit_atom::value);
}

/* A row does n operations and gives what it took in ns by its own clock, or its value in units. */
struct result {
    double value;
    const char *unit;
};

result wait(actor_system &sys, number n)
{
    sys.await_all_actors_done();
    return { static_cast<double>(end_ns - begin_ns) / static_cast<double>(n), "ns/op" };
}

/* ---- one message in flight ------------------------------------------------------------------- */

behavior node(self_ptr self)
{
    auto next = std::make_shared<actor>();

    return { [=](const actor &a) { *next = a; },
             [=](number left) {
                 if (left > 1)
                     self->send(*next, left - 1);
                 else if (one_less())
                     quit_all(self);
             },
             [=](quit_atom) {
                 *next = actor{};
                 self->quit();
             } };
}

result ring(actor_system &sys, std::size_t count, number n)
{
    for (std::size_t i = 0; i < count; i++)
        all.push_back(sys.spawn(node));
    for (std::size_t i = 0; i < count; i++)
        caf::anon_send(all[i], all[(i + 1) % count]);
    begin(1);
    caf::anon_send(all[0], n);
    return wait(sys, n);
}

/* ---- floods ---------------------------------------------------------------------------------- */

behavior counter(self_ptr self, number due)
{
    auto left = std::make_shared<number>(due);

    return { [=](number) {
        if (--*left == 0) {
            one_less();
            self->quit();
        }
    } };
}

void producer(self_ptr self, const actor &to, number n)
{
    for (number i = n; i > 0; i--)
        self->send(to, i);
}

result count(actor_system &sys, number producers, number n)
{
    auto to = sys.spawn(counter, n / producers * producers);

    begin(1);
    for (number i = 0; i < producers; i++)
        sys.spawn(producer, to, n / producers);
    to = actor{};
    return wait(sys, n);
}

void forker(self_ptr self, const std::vector<actor> &to, number each)
{
    for (number left = each; left > 0; left--)
        for (auto &a : to)
            self->send(a, left);
}

result fork_join(actor_system &sys, number n)
{
    std::vector<actor> to;

    for (int i = 0; i < 60; i++)
        to.push_back(sys.spawn(counter, n / 60));
    begin(60);
    sys.spawn(forker, std::move(to), n / 60);
    return wait(sys, n);
}

/* ---- big ------------------------------------------------------------------------------------- */

constexpr number big_count = 120, pong = big_count;

behavior big(self_ptr self, number id, number each)
{
    struct state {
        number left;
        std::uint32_t chance;
    };
    auto s = std::make_shared<state>(
        state{ each, static_cast<std::uint32_t>(id) * 2654435761u + 1 });
    auto ping = [=] {
        s->chance = s->chance * 1103515245u + 12345;
        self->send(all[(s->chance >> 16) % big_count], id);
    };

    return { [=](go_atom) { ping(); },
             [=](number what) {
                 if (what < big_count)
                     self->send(all[static_cast<std::size_t>(what)], pong);
                 else if (--s->left > 0)
                     ping();
                 else if (one_less())
                     quit_all(self);
             },
             [=](quit_atom) { self->quit(); } };
}

result big_120(actor_system &sys, number n)
{
    for (number i = 0; i < big_count; i++)
        all.push_back(sys.spawn(big, i, n / (2 * big_count)));
    begin(big_count);
    for (auto &a : all)
        caf::anon_send(a, go_atom::value);
    return wait(sys, n);
}

/* ---- births ---------------------------------------------------------------------------------- */

behavior mayfly(self_ptr self)
{
    return { [=](number) {
        one_less();
        self->quit();
    } };
}

result create_msg_die(actor_system &sys, number n)
{
    begin(n);
    for (number i = 0; i < n; i++)
        caf::anon_send(sys.spawn<caf::lazy_init>(mayfly), i);
    return wait(sys, n);
}

double rss_bytes()
{
    long size, resident = 0;
    FILE *f = std::fopen("/proc/self/statm", "r");

    if (f == nullptr || std::fscanf(f, "%ld %ld", &size, &resident) != 2)
        std::abort();
    std::fclose(f);
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

behavior idler(self_ptr self)
{
    one_less();
    return { [=](quit_atom) { self->quit(); } };
}

result idle_actor_bytes(actor_system &sys, number n)
{
    double before, after;

    all.resize(static_cast<std::size_t>(n));
    before = rss_bytes();
    begin(n);
    for (auto &a : all)
        a = sys.spawn(idler);
    while (open_count > 0)
        usleep(1000);
    after = rss_bytes();
    for (auto &a : all)
        caf::anon_send(a, quit_atom::value);
    all.clear();
    sys.await_all_actors_done();
    return { (after - before) / static_cast<double>(n), "bytes" };
}

number sky_sum;

behavior sky(self_ptr self, const actor &parent, number first, number size)
{
    struct state {
        number sum;
        int answers;
    };
    auto s = std::make_shared<state>();

    if (size == 1) {
        self->send(parent, first);
        self->quit();
        return {};
    }
    for (number i = 0; i < 10; i++)
        self->spawn(sky, caf::actor_cast<actor>(self), first + i * (size / 10), size / 10);
    return { [=](number sum) {
        s->sum += sum;
        if (++s->answers < 10)
            return;
        if (parent) {
            self->send(parent, s->sum);
        } else {
            sky_sum = s->sum;
            one_less();
        }
        self->quit();
    } };
}

result skynet(actor_system &sys, number n)
{
    begin(1);
    sys.spawn(sky, actor{}, number{ 0 }, n);
    wait(sys, n);
    if (sky_sum != n * (n - 1) / 2)
        std::abort();
    return { static_cast<double>(end_ns - begin_ns) / 1e6, "ms" };
}

/* ---- asks ------------------------------------------------------------------------------------ */

behavior server(self_ptr self)
{
    return { [=](number x) { return x + 1; }, [=](quit_atom) { self->quit(); } };
}

struct asks {
    actor server;
    number left, under_way;
};

void ask(self_ptr self, const std::shared_ptr<asks> &s)
{
    s->left--;
    s->under_way++;
    self->request(s->server, caf::infinite, number{ 1 }).then([=](number) {
        s->under_way--;
        if (s->left > 0) {
            ask(self, s);
        } else if (s->under_way == 0) {
            one_less();
            self->send(s->server, quit_atom::value);
            s->server = actor{};
            self->quit();
        }
    });
}

behavior asker(self_ptr self, const actor &server, number n, number outstanding)
{
    auto s = std::make_shared<asks>(asks{ server, n, 0 });

    for (number i = 0; i < outstanding && s->left > 0; i++)
        ask(self, s);
    return { [=](quit_atom) { self->quit(); } };
}

result asks_of(actor_system &sys, number outstanding, number n)
{
    auto to = sys.spawn(server);

    begin(1);
    sys.spawn(asker, to, n, outstanding);
    to = actor{};
    return wait(sys, n);
}

/* ---- fairness: as bench/fairness.c; each light actor is its own clock --------------------------- */

constexpr std::uint64_t ms_ns = 1000000, period_ms = 50;
constexpr std::uint64_t starved_ms = 5000; /* after the last ping was due */
std::uint64_t spins, heavy_end_ns;
std::vector<double> late_ms[1000];

void spin(std::uint64_t n)
{
    static std::atomic<std::uint64_t> sink;
    std::uint64_t x = 88172645463325252u;

    for (std::uint64_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    sink = x;
}

void calibrate(std::uint64_t ns)
{
    std::uint64_t least = UINT64_MAX;

    for (int i = 0; i < 10; i++) {
        auto start = now_ns();

        spin(1000000);
        least = std::min(least, now_ns() - start);
    }
    spins = 1000000 * ns / least;
}

behavior heavy(self_ptr self)
{
    self->send(self, go_atom::value);
    return { [=](go_atom) {
        spin(spins);
        if (open_count > 0 && now_ns() < heavy_end_ns)
            self->send(self, go_atom::value);
        else
            self->quit();
    } };
}

behavior echo(self_ptr self)
{
    return { [=](number due) { return due; }, [=](quit_atom) { self->quit(); } };
}

behavior light(self_ptr self, int id, std::uint64_t start_ns, std::uint64_t last_ns)
{
    auto other = self->spawn(echo);
    auto due = std::make_shared<std::uint64_t>(
        start_ns + static_cast<std::uint64_t>(id) % period_ms * ms_ns);
    auto sleep = [=] {
        auto now = now_ns();
        self->delayed_send(self, std::chrono::nanoseconds(*due > now ? *due - now : 0),
                           go_atom::value);
    };

    sleep();
    return { [=](go_atom) { self->send(other, static_cast<number>(*due)); },
             [=](number) {
                 auto now = now_ns();

                 late_ms[id].push_back(static_cast<double>(now - *due) / 1e6);
                 *due += period_ms * ms_ns;
                 if (*due < last_ns && now < heavy_end_ns) {
                     sleep();
                     return;
                 }
                 self->send(other, quit_atom::value);
                 one_less();
                 self->quit();
             } };
}

result fairness_p99(actor_system &sys, int workers, number n)
{
    std::vector<double> late;
    std::uint64_t start, last;

    calibrate(100 * ms_ns);
    start = now_ns() + 100 * ms_ns;
    last = start + static_cast<std::uint64_t>(n) * ms_ns;
    heavy_end_ns = last + starved_ms * ms_ns;
    begin(1000);
    for (int i = 0; i < workers; i++)
        sys.spawn(heavy);
    for (int i = 0; i < 1000; i++)
        sys.spawn(light, i, start, last);
    sys.await_all_actors_done();
    for (auto &some : late_ms)
        late.insert(late.end(), some.begin(), some.end());
    std::sort(late.begin(), late.end());
    return { late.at((late.size() - 1) * 99 / 100), "ms" };
}

/* ---- the rows -------------------------------------------------------------------------------- */

struct row {
    number n;
    result (*run)(actor_system &sys, int workers, number n);
};

const std::map<std::string, row> rows = {
    { "pingpong", { 500000, [](actor_system &s, int, number n) { return ring(s, 2, n); } } },
    { "ring_503", { 500000, [](actor_system &s, int, number n) { return ring(s, 503, n); } } },
    { "count_1to1", { 1000000, [](actor_system &s, int, number n) { return count(s, 1, n); } } },
    { "count_8to1", { 1000000, [](actor_system &s, int, number n) { return count(s, 8, n); } } },
    { "fj_throughput_60",
      { 1200000, [](actor_system &s, int, number n) { return fork_join(s, n); } } },
    { "big_120", { 600000, [](actor_system &s, int, number n) { return big_120(s, n); } } },
    { "create_msg_die",
      { 200000, [](actor_system &s, int, number n) { return create_msg_die(s, n); } } },
    { "idle_actor_bytes",
      { 200000, [](actor_system &s, int, number n) { return idle_actor_bytes(s, n); } } },
    { "skynet", { 1000000, [](actor_system &s, int, number n) { return skynet(s, n); } } },
    { "ask_seq", { 200000, [](actor_system &s, int, number n) { return asks_of(s, 1, n); } } },
    { "ask_1000", { 200000, [](actor_system &s, int, number n) { return asks_of(s, 1000, n); } } },
    { "fairness_p99", { 3000, fairness_p99 } },
};

} /* namespace */

int main(int argc, char **argv)
{
    auto found = argc > 2 ? rows.find(argv[1]) : rows.end();

    if (found == rows.end()) {
        std::fprintf(stderr, "usage: caf NAME WORKERS [N]\n");
        return 2;
    }
    int workers = static_cast<int>(std::strtol(argv[2], nullptr, 10));
    number n = argc > 3 ? std::strtoll(argv[3], nullptr, 10) : found->second.n;
    caf::actor_system_config config;
    config.set("scheduler.max-threads", static_cast<std::size_t>(workers));
    actor_system sys{ config };
    result r = found->second.run(sys, workers, n);

    std::printf("{\"side\":\"caf\",\"bench\":\"%s\",\"workers\":%d,\"n\":%lld,\"value\":%.1f,"
                "\"unit\":\"%s\"}\n",
                argv[1], workers, static_cast<long long>(n), r.value, r.unit);
    return 0;
}
