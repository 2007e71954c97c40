var
  zero: integer;
begin
  zero := 0;
  writeln(7 div zero);
end.
