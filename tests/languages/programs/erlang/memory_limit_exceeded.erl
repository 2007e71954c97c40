-module(main).
-export([main/0]).

main() ->
    hold([]).

hold(Held) ->
    hold([binary:copy(<<1>>, 1 bsl 20) | Held]).
