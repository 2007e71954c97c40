-module(main).
-export([main/0]).

main() ->
    {ok, [Count]} = io:fread("", "~d"),
    Numbers = [begin {ok, [Number]} = io:fread("", "~d"), Number end || _ <- lists:seq(1, Count)],
    io:format("~p~n", [lists:sum(Numbers)]).
