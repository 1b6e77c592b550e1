%% SPDX-License-Identifier: Apache-2.0
%%
%% rows.erl - Erlang/OTP at the same rows: the same messages between the same actors.
%%
%%   erl +S W:W +P 4000000 -noshell -pa FOLDER -run rows main NAME [N]
%%
%% A row's function does N operations and gives what it took, in ns, by its own clock; or, for a row
%% that is no time, {value, Number, Unit}.
-module(rows).
-export([main/1, serve/0]).
-export([init/1, handle_call/3, handle_cast/2]).

main([Name | Rest]) ->
    case row(Name) of
        none ->
            io:format(standard_error, "rows: there is no ~s~n", [Name]),
            halt(2);
        {Default, Row} ->
            N = case Rest of [Text] -> list_to_integer(Text); [] -> Default end,
            print(Name, N, Row(N)),
            halt(0)
    end.

print(Name, N, {value, Value, Unit}) ->
    io:format("{\"side\":\"otp\",\"bench\":\"~s\",\"workers\":~b,\"n\":~b,\"value\":~.1f,\"unit\":\"~s\"}~n",
              [Name, erlang:system_info(schedulers_online), N, float(Value), Unit]);
print(Name, N, Ns) ->
    print(Name, N, {value, Ns / N, "ns/op"}).

row("pingpong") -> {1000000, fun(N) -> ring(2, N) end};
row("ring_503") -> {1000000, fun(N) -> ring(503, N) end};
row("count_1to1") -> {1000000, fun(N) -> count(1, N) end};
row("count_8to1") -> {1000000, fun(N) -> count(8, N) end};
row("fj_throughput_60") -> {1200000, fun fork_join/1};
row("big_120") -> {600000, fun big/1};
row("create_msg_die") -> {200000, fun create_msg_die/1};
row("idle_actor_bytes") -> {200000, fun idle_actor_bytes/1};
row("skynet") -> {1000000, fun skynet/1};
row("ask_seq") -> {500000, fun ask_seq/1};
row("ask_1000") -> {300000, fun ask_1000/1};
row("remote_ainvoke_tcp") -> {5000, fun remote_call/1};
row("remote_ainvoke_tcp_1000") -> {100000, fun remote_calls/1};
row("fairness_p99") -> {3000, fun fairness_p99/1};
row(_) -> none.

now_ns() -> erlang:monotonic_time(nanosecond).

%% await_done gives the time from Begin until the row's actors say that they are done.
await_done(Begin) -> receive {done, End} -> End - Begin end.

done(Main) -> Main ! {done, now_ns()}.

%% ---- one message in flight -------------------------------------------------------------------

ring(Count, N) ->
    Main = self(),
    First = spawn(fun() -> receive {next, Next} -> node_loop(Next, Main) end end),
    Second = lists:foldl(fun(_, Next) -> spawn(fun() -> node_loop(Next, Main) end) end,
                         First, lists:seq(2, Count)),
    First ! {next, Second},
    Begin = now_ns(),
    First ! N,
    await_done(Begin).

node_loop(Next, Main) ->
    receive
        Left when Left > 1 -> Next ! Left - 1, node_loop(Next, Main);
        _ -> done(Main)
    end.

%% ---- floods ----------------------------------------------------------------------------------

count(Producers, N) ->
    Main = self(),
    Each = N div Producers,
    Counter = spawn(fun() -> count_loop(Each * Producers), done(Main) end),
    Begin = now_ns(),
    [spawn(fun() -> produce(Counter, Each) end) || _ <- lists:seq(1, Producers)],
    await_done(Begin).

count_loop(0) -> ok;
count_loop(Left) -> receive _ -> count_loop(Left - 1) end.

produce(_, 0) -> ok;
produce(To, Left) -> To ! Left, produce(To, Left - 1).

fork_join(N) ->
    Main = self(),
    Each = N div 60,
    Workers = [spawn(fun() -> count_loop(Each), Main ! joined end) || _ <- lists:seq(1, 60)],
    Begin = now_ns(),
    spawn(fun() -> fork(Workers, Each) end),
    [receive joined -> ok end || _ <- Workers],
    now_ns() - Begin.

fork(_, 0) -> ok;
fork(Workers, Left) ->
    [Worker ! Left || Worker <- Workers],
    fork(Workers, Left - 1).

%% ---- big -------------------------------------------------------------------------------------

big(N) ->
    Main = self(),
    Each = N div 240,
    Actors = [spawn(fun() -> big_begin(I, Each, Main) end) || I <- lists:seq(1, 120)],
    All = list_to_tuple(Actors),
    [A ! {all, All} || A <- Actors],
    Begin = now_ns(),
    [A ! go || A <- Actors],
    [receive big_done -> ok end || _ <- Actors],
    Took = now_ns() - Begin,
    Took * N div (Each * 240). % as if it had been N exactly

big_begin(I, Each, Main) ->
    receive {all, All} -> ok end,
    receive go -> big_ping(All, (I * 2654435761) band 16#7fffffff, Each, Main) end.

big_ping(All, Chance, 0, Main) ->
    Main ! big_done,
    big_wait(All, Chance, 0, Main);
big_ping(All, Chance, Left, Main) ->
    Next = (Chance * 69069 + 12345) band 16#7fffffff,
    element(1 + (Next bsr 8) rem 120, All) ! {ping, self()},
    big_wait(All, Next, Left, Main).

big_wait(All, Chance, Left, Main) ->
    receive
        {ping, From} -> From ! pong, big_wait(All, Chance, Left, Main);
        pong -> big_ping(All, Chance, Left - 1, Main)
    end.

%% ---- births ----------------------------------------------------------------------------------

create_msg_die(N) ->
    Main = self(),
    Ended = atomics:new(1, []),
    Begin = now_ns(),
    create(N, fun() -> receive _ -> ok end,
                       case atomics:add_get(Ended, 1, 1) of N -> done(Main); _ -> ok end end),
    await_done(Begin).

create(0, _) -> ok;
create(Left, Fun) -> spawn(Fun) ! Left, create(Left - 1, Fun).

idle_actor_bytes(N) ->
    Before = rss(),
    Idle = [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, N)],
    Bytes = (rss() - Before) / length(Idle),
    {value, Bytes, "bytes"}.

rss() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Resident | _] = string:split(binary_to_list(Text), " ", all),
    list_to_integer(Resident) * 4096.

skynet(N) ->
    Main = self(),
    Begin = now_ns(),
    spawn(fun() -> sky(Main, 0, N) end),
    Sum = N * (N - 1) div 2,
    receive Sum -> {value, (now_ns() - Begin) / 1.0e6, "ms"} end.

sky(Parent, First, 1) -> Parent ! First;
sky(Parent, First, Size) ->
    Self = self(),
    Part = Size div 10,
    [spawn(fun() -> sky(Self, First + I * Part, Part) end) || I <- lists:seq(0, 9)],
    Parent ! lists:sum([receive Sum -> Sum end || _ <- lists:seq(1, 10)]).

%% ---- asks: a reference in the message tells which answer it is -----------------------------------

server() ->
    receive {ask, From, Ref, X} -> From ! {Ref, X + 1}, server() end.

ask(Server) ->
    Ref = make_ref(),
    Server ! {ask, self(), Ref, 1},
    Ref.

ask_seq(N) ->
    Server = spawn(fun server/0),
    Begin = now_ns(),
    ask_each(Server, N),
    now_ns() - Begin.

ask_each(_, 0) -> ok;
ask_each(Server, Left) ->
    Ref = ask(Server),
    receive {Ref, _} -> ask_each(Server, Left - 1) end.

ask_1000(N) ->
    Server = spawn(fun server/0),
    Begin = now_ns(),
    Open = maps:from_list([{ask(Server), 1} || _ <- lists:seq(1, min(N, 1000))]),
    ask_on(Server, N - map_size(Open), Open),
    now_ns() - Begin.

ask_on(_, 0, Open) when map_size(Open) =:= 0 -> ok;
ask_on(Server, Left, Open) ->
    receive
        {Ref, _} when Left > 0 ->
            ask_on(Server, Left - 1, (maps:remove(Ref, Open))#{ask(Server) => 1});
        {Ref, _} -> ask_on(Server, 0, maps:remove(Ref, Open))
    end.

%% ---- fairness: as bench/fairness.c; each light actor is its own clock ------------------------------

fairness_p99(Ms) ->
    Main = self(),
    Spins = spins(100),
    Heavy = [spawn(fun() -> heavy(Spins) end)
             || _ <- lists:seq(1, erlang:system_info(schedulers_online))],
    Start = now_ns() + 100000000,
    End = Start + Ms * 1000000,
    Light = [spawn(fun() ->
                 Echo = spawn_link(fun echo/0),
                 light(Echo, Start + I rem 50 * 1000000, End, Main, [])
             end) || I <- lists:seq(0, 999)],
    Late = lists:sort(lists:append([receive {late, L} -> L end || _ <- Light])),
    [exit(H, kill) || H <- Heavy],
    {value, lists:nth(max(1, round(length(Late) * 0.99)), Late) / 1.0e6, "ms"}.

spins(Ms) ->
    Try = 5000000,
    spin(Try, 1),
    Begin = now_ns(),
    spin(Try, 1),
    round(Try * Ms * 1.0e6 / (now_ns() - Begin)).

spin(0, X) -> X;
spin(Left, X) -> spin(Left - 1, (X * 69069 + 12345) band 16#7fffffff).

heavy(Spins) ->
    self() ! go,
    receive go -> spin(Spins, 1) end,
    heavy(Spins).

echo() -> receive {From, Due} -> From ! Due, echo() end.

light(_, Due, End, Main, Late) when Due >= End -> Main ! {late, Late};
light(Echo, Due, End, Main, Late) ->
    case Due - now_ns() of
        Wait when Wait > 0 -> receive after (Wait + 999999) div 1000000 -> ok end;
        _ -> ok
    end,
    Echo ! {self(), Due},
    receive Due -> light(Echo, Due + 50000000, End, Main, [now_ns() - Due | Late]) end.

%% ---- another node ----------------------------------------------------------------------------

%% The other node is on this machine; both talk over loopback TCP, as Erlang's nodes do.
serve() ->
    {ok, Pid} = gen_server:start(?MODULE, [], []),
    Pid.

init([]) -> {ok, none}.
handle_call(Input, _, State) -> {reply, Input, State}.
handle_cast(_, State) -> {noreply, State}.

with_server(F) ->
    ok = be_a_node(50),
    Took = with_peer(F),
    net_kernel:stop(),
    os:cmd("epmd -kill"), % it stays if others have nodes there
    Took.

%% An epmd that somebody has just told to end may still be there.
be_a_node(0) -> no_epmd;
be_a_node(Tries) ->
    os:cmd("epmd -daemon"),
    case net_kernel:start([list_to_atom("greenroom_bench_" ++ os:getpid() ++ "@127.0.0.1"), longnames]) of
        {ok, _} -> ok;
        {error, _} -> timer:sleep(100), be_a_node(Tries - 1)
    end.

with_peer(F) ->
    {ok, Peer, Node} = peer:start_link(#{name => peer:random_name(), host => "127.0.0.1", longnames => true,
                                         args => ["-pa", filename:dirname(code:which(?MODULE))]}),
    Took = F(erpc:call(Node, ?MODULE, serve, [])),
    peer:stop(Peer),
    Took.

input() -> binary:copy(<<"x">>, 64).

remote_call(N) ->
    with_server(fun(Server) ->
        call_in_turn(Server, N div 10),
        Begin = now_ns(),
        call_in_turn(Server, N),
        now_ns() - Begin
    end).

call_in_turn(_, 0) -> ok;
call_in_turn(Server, N) -> _ = gen_server:call(Server, input()), call_in_turn(Server, N - 1).

%% Each answer is followed by the next call, so that 1,000 are always under way.
remote_calls(N) ->
    with_server(fun(Server) ->
        Ask = fun() -> gen_server:send_request(Server, input()) end,
        Begin = now_ns(),
        answers(queue:from_list([Ask() || _ <- lists:seq(1, 1000)]), N - 1000, Ask),
        now_ns() - Begin
    end).

answers(Asked, Left, Ask) ->
    case queue:out(Asked) of
        {empty, _} -> ok;
        {{value, Request}, Rest} ->
            {reply, _} = gen_server:wait_response(Request, infinity),
            case Left > 0 of
                true -> answers(queue:in(Ask(), Rest), Left - 1, Ask);
                false -> answers(Rest, 0, Ask)
            end
    end.
