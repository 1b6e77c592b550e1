#!/usr/bin/env escript
%% SPDX-License-Identifier: Apache-2.0
%%
%% player.escript FILE - plays the scenarios of FILE on Erlang/OTP, and prints what happens: the
%% oracle for player.c, which plays them on Greenroom. scenarios.txt explains the format.
-module(player).
-mode(compile).
-behaviour(supervisor).
-export([main/1, init/1, start_child/3, start_child/4, child_init/4, proc_init/2]).

main([File]) ->
    {ok, Text} = file:read_file(File),
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    ets:new(state, [named_table, public]),
    Lines = [string:trim(L) || L <- string:split(binary_to_list(Text), "\n", all)],
    [line(L) || L <- Lines, L =/= "", hd(L) =/= $#],
    close().

%% ---- scenarios ----------------------------------------------------------------------------------

line("== here" ++ _) ->
    close(),
    put(skip, true);
line("== " ++ Name) ->
    close(),
    erase(),
    put(defs, []),
    ets:delete_all_objects(state),
    ets:insert(state, {events, []}),
    io:format("== ~s~n", [Name]);
line(Line) ->
    case get(skip) of
        true -> ok;
        _ ->
            {Settle, Words} = case string:lexemes(Line, " ") of
                ["!" | W] -> {false, W};
                W -> {true, W}
            end,
            op(Words, Settle, Line)
    end.

op(["sup", Name, Strategy, Intensity, Period | Auto], _, _) ->
    Flags = #{strategy => list_to_atom(Strategy), intensity => list_to_integer(Intensity),
              period => list_to_integer(Period)},
    Flags1 = case Auto of [A] -> Flags#{auto_shutdown => list_to_atom(A)}; [] -> Flags end,
    put(defs, [{Name, Flags1, []} | get(defs)]);
op(["child", Id | Options], _, _) ->
    [{Name, Flags, Specs} | Rest] = get(defs),
    put(defs, [{Name, Flags, Specs ++ [spec(Id, Options)]} | Rest]);
op(Words, Settle, Line) ->
    io:format("> ~s~n", [Line]),
    Answer = do(Words),
    case Settle of true -> settle(), report(); false -> ok end,
    case Answer of none -> ok; _ -> io:format("  = ~s~n", [Answer]) end.

report() ->
    Events = lists:reverse(ets:lookup_element(state, events, 2)),
    ets:insert(state, {events, []}),
    Sorted = case get(procs) of undefined -> Events; _ -> lists:sort(Events) end,
    [io:format("  ~s~n", [E]) || E <- Sorted].

close() ->
    erase(skip),
    case get(top) of
        undefined -> ok;
        Top -> exit(Top, kill), down(Top)
    end,
    erase(top),
    [exit(P, kill) || {_, P, _} <- procs()],
    erase(procs),
    flush(),
    ok.

flush() -> receive _ -> flush() after 0 -> ok end.

down(Pid) -> receive {'EXIT', Pid, _} -> ok end.

trace(Format, Args) ->
    E = io_lib:format(Format, Args),
    %% the events are a list in one place; a lock keeps them in order
    global:trans({trace, self()}, fun() ->
        ets:insert(state, {events, [E | ets:lookup_element(state, events, 2)]})
    end, [node()]).

%% ---- supervisors and their children -------------------------------------------------------------

spec(Id, [Restart | Options]) ->
    Start = {?MODULE, start_child, [get(defs), Id, Options]},
    Spec = #{id => Id, start => Start, restart => list_to_atom(Restart)},
    lists:foldl(fun option/2, Spec, Options).

option("significant", S) -> S#{significant => true};
option("brutal", S) -> S#{shutdown => brutal_kill};
option("shutdown=" ++ Ms, S) -> S#{shutdown => list_to_integer(Ms)};
option("supervisor", S) -> S#{type => supervisor, shutdown => infinity};
option(_, S) -> S.

init({_, Flags, Specs}) -> {ok, {Flags, Specs}}.

start_child(Defs, Id, Options) ->
    case lists:member("supervisor", Options) of
        true ->
            Def = lists:keyfind(Id, 1, Defs),
            trace("start ~s", [Id]),
            {ok, Pid} = supervisor:start_link(?MODULE, Def),
            ets:insert(state, {{pid, Id}, Pid}),
            {ok, Pid};
        false -> start_worker(Id, Options)
    end.

%% simple_one_for_one appends the number of the child
start_child(Defs, Id, Options, N) -> start_child(Defs, Id ++ N, Options).

start_worker(Id, Options) ->
    N = ets:update_counter(state, {starts, Id}, 1, {{starts, Id}, 0}),
    case {within(N, "fail=", Options), within(N, "ignore=", Options)} of
        {true, _} ->
            lists:member("quiet", Options) orelse trace("fail ~s", [Id]),
            {error, failed};
        {_, true} -> trace("ignore ~s", [Id]), ignore;
        _ -> proc_lib:start_link(?MODULE, child_init, [self(), Id, Options, N])
    end.

%% within: option fail=2-4 says that the second to the fourth start fail
within(N, Key, Options) ->
    lists:any(fun(O) ->
        case string:prefix(O, Key) of
            nomatch -> false;
            Range ->
                [A, B] = string:split(Range, "-"),
                N >= list_to_integer(A) andalso N =< list_to_integer(B)
        end
    end, Options).

child_init(Parent, Id, Options, _N) ->
    process_flag(trap_exit, not lists:member("notrap", Options)),
    trace("start ~s", [Id]),
    ets:insert(state, {{pid, Id}, self()}),
    proc_lib:init_ack(Parent, {ok, self()}),
    child_loop(Id, Options).

child_loop(Id, Options) ->
    receive
        {crash, Reason} ->
            trace("crash ~s ~s", [Id, text(Reason)]),
            exit(Reason);
        {'EXIT', _, Reason} ->
            case lists:member("hang", Options) of
                true -> trace("hang ~s", [Id]), receive never -> ok end;
                false -> trace("stop ~s ~s", [Id, text(Reason)]), exit(Reason)
            end
    end.

%% ---- reasons ------------------------------------------------------------------------------------

reason("shutdown:" ++ Term) -> {shutdown, list_to_atom(Term)};
reason(Word) -> list_to_atom(Word).

text({noproc, [_ | _]}) -> "noproc"; % link/1 raises it, where its caller does not trap exits
text({shutdown, Term}) -> io_lib:format("shutdown:~w", [Term]);
text(Word) -> io_lib:format("~w", [Word]).

%% ---- what a scenario does -----------------------------------------------------------------------

do(["start"]) ->
    [Def | _] = get(defs),
    case supervisor:start_link(?MODULE, Def) of
        {ok, Pid} ->
            put(top, Pid),
            ets:insert(state, {{pid, element(1, Def)}, Pid}),
            "ok";
        {error, {shutdown, {failed_to_start_child, Id, _}}} ->
            receive {'EXIT', _, _} -> ok end,
            "error failed_to_start_child " ++ Id
    end;
do(["crash", Id, Reason]) -> finish(pid(Id), fun(Pid) -> Pid ! {crash, reason(Reason)} end);
do(["kill", Id]) -> finish(pid(Id), fun(Pid) -> exit(Pid, kill) end);
do(["stop", Reason]) -> exit(get(top), reason(Reason)), none;
do(["sleep", Ms]) -> timer:sleep(list_to_integer(Ms)), none;
do(["add", Sup, Id | Options]) -> answer(catch supervisor:start_child(pid(Sup), spec(Id, Options)));
do(["spawn", Sup, N]) -> answer(catch supervisor:start_child(pid(Sup), [N]));
do(["terminate", Sup, Id]) -> answer(catch supervisor:terminate_child(pid(Sup), Id));
do(["terminate_pid", Sup, Id]) -> answer(catch supervisor:terminate_child(pid(Sup), pid(Id)));
do(["restart", Sup, Id]) -> answer(catch supervisor:restart_child(pid(Sup), Id));
do(["delete", Sup, Id]) -> answer(catch supervisor:delete_child(pid(Sup), Id));
do(["which", Sup]) ->
    %% in the order of the start; OTP gives the reverse
    Children = lists:reverse(supervisor:which_children(pid(Sup))),
    lists:join(" ", [[Id, ":", state(Pid)] || {Id, Pid, _, _} <- Children]);
do(["count", Sup]) ->
    Counts = supervisor:count_children(pid(Sup)),
    lists:join(" ", [io_lib:format("~w=~w", [K, proplists:get_value(K, Counts)])
                     || K <- [specs, active, supervisors, workers]]);
do(Words) -> proc(Words).

%% finish waits until the child has ended: before that its supervisor could look quiet
finish(Pid, End) ->
    Ref = monitor(process, Pid),
    End(Pid),
    receive {'DOWN', Ref, process, Pid, _} -> none end.

state(Pid) when is_pid(Pid) -> "running";
state(restarting) -> "restarting";
state(undefined) -> "stopped".

answer(ok) -> "ok";
answer({ok, undefined}) -> "ok ignored";
answer({ok, Pid}) when is_pid(Pid) -> "ok";
answer({error, {already_started, _}}) -> "error already_started";
answer({error, simple_one_for_one}) -> "error simple";
answer({error, Word}) when is_atom(Word) -> ["error ", atom_to_list(Word)];
answer({error, _}) -> "error failed".

pid(Id) -> ets:lookup_element(state, {pid, Id}, 2).

%% ---- waiting until all is quiet -----------------------------------------------------------------

settle() -> settle_top(), settle_procs().

settle_top() ->
    case get(top) of
        undefined -> ok;
        Top ->
            receive
                {'EXIT', Top, Reason} -> erase(top), trace("down ~s", [text(Reason)])
            after 0 ->
                case (catch quiet(Top)) of
                    true -> ok;
                    _ -> timer:sleep(2), settle_top()
                end
            end
    end.

%% quiet: nobody is being restarted, and whoever is listed lives, also in the supervisors below
quiet(Sup) ->
    timer:sleep(1),
    lists:all(fun({_, Pid, Type, _}) ->
        case Pid of
            undefined -> true;
            restarting -> false;
            _ when Type =:= supervisor -> is_process_alive(Pid) andalso quiet(Pid);
            _ -> is_process_alive(Pid)
        end
    end, supervisor:which_children(Sup)) andalso is_process_alive(Sup).

%% ---- processes with links and monitors ----------------------------------------------------------

procs() -> case get(procs) of undefined -> []; L -> L end.

proc(["proc", Name | Options]) ->
    Pid = spawn(?MODULE, proc_init, [Name, Options]),
    Ref = monitor(process, Pid),
    ets:insert(state, [{{pid, Name}, Pid}, {{name, Pid}, Name}]),
    put(procs, procs() ++ [{Name, Pid, Ref}]),
    none;
proc(["quit", Name, Reason]) -> pid(Name) ! {quit, reason(Reason)}, none;
proc(["signal", Name, Reason]) -> exit(pid(Name), reason(Reason)), none;
proc(["signal_self", Name, Reason]) -> pid(Name) ! {signal_self, reason(Reason)}, none;
proc([What, Name, Other]) -> pid(Name) ! {list_to_atom(What), pid(Other)}, none.

settle_procs() -> settle_procs(procs(), false, 0).

settle_procs([], false, Rounds) when Rounds >= 2 -> ok;
settle_procs([], Changed, Rounds) ->
    Untold = lists:any(fun({_, Pid, _}) -> untold(Pid) end, procs()),
    timer:sleep(1),
    settle_procs(procs(), false, if Changed; Untold -> 0; true -> Rounds + 1 end);
settle_procs([{Name, Pid, Ref} | Rest], Changed, Rounds) ->
    Sync = make_ref(),
    Pid ! {sync, self(), Sync},
    receive
        Sync -> settle_procs(Rest, Changed, Rounds);
        {'DOWN', Ref, process, Pid, Reason} ->
            trace("~s ended ~s", [Name, text(Reason)]),
            put(procs, lists:keydelete(Name, 1, get(procs))),
            settle_procs(Rest, true, Rounds)
    end.

%% untold: it is tied to one that has ended, and does not know yet. The signal that tells it may be late
%% on a busy machine; that nothing has moved for some milliseconds would say nothing.
untold(Pid) ->
    case process_info(Pid, [links, monitors]) of
        undefined -> true;
        [{links, Links}, {monitors, Monitors}] ->
            Tied = [P || P <- Links, is_pid(P)] ++ [P || {process, P} <- Monitors],
            not lists:all(fun erlang:is_process_alive/1, Tied)
    end.

proc_init(Name, Options) ->
    process_flag(trap_exit, lists:member("trap", Options)),
    proc_loop(Name).

proc_loop(Name) ->
    receive
        {sync, From, Sync} -> From ! Sync;
        {quit, Reason} -> exit(Reason);
        {signal_self, Reason} -> exit(self(), Reason);
        {link, Pid} -> link(Pid);
        {unlink, Pid} -> unlink(Pid), receive {'EXIT', Pid, _} -> ok after 0 -> ok end;
        {monitor, Pid} -> put({monitor, Pid}, [monitor(process, Pid) | monitors(Pid)]);
        {demonitor, Pid} ->
            [demonitor(R, [flush]) || R <- monitors(Pid)],
            erase({monitor, Pid});
        {'EXIT', Pid, Reason} -> trace("~s EXIT ~s ~s", [Name, name(Pid), text(Reason)]);
        {'DOWN', _, process, Pid, Reason} -> trace("~s DOWN ~s ~s", [Name, name(Pid), text(Reason)])
    end,
    proc_loop(Name).

monitors(Pid) -> case get({monitor, Pid}) of undefined -> []; L -> L end.

name(Pid) ->
    case ets:lookup(state, {name, Pid}) of [{_, Name}] -> Name; [] -> "nobody" end.
