begin
  writeln(0);
end.
