var
  number: integer;
begin
  number := 'text';
end.
