# A SystemExit raised by exec ends the program with its message.
exec("raise SystemExit('from exec')")
