var
  count: integer;
begin
  count := 0;
  while true do
    count := 1 - count;
end.
