% Evaluates what the tests ask inside of the broker: a line of Erlang in, a line with its value out.
% rabbitmqctl would start a virtual machine of its own, a second or two, for each question.
spawn(fun() ->
  file:delete(Path),
  {ok, Listener} = gen_tcp:listen(0, [list, {ifaddr, {local, Path}}, {active, false}, {packet, line}, {recbuf, 65536}, {buffer, 65536}]),
  Serve = fun Loop() ->
    {ok, Socket} = gen_tcp:accept(Listener),
    case gen_tcp:recv(Socket, 0) of
      {ok, Line} ->
        Value = (catch begin
          {ok, Tokens, _} = erl_scan:string(Line),
          {ok, Expressions} = erl_parse:parse_exprs(Tokens),
          {value, Result, _} = erl_eval:exprs(Expressions, []),
          Result
        end),
        gen_tcp:send(Socket, io_lib:format("~0p~n", [Value]));
      _ -> ok
    end,
    gen_tcp:close(Socket),
    Loop()
  end,
  Serve()
end).
