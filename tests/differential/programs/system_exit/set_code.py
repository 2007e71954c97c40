# A code that is set on a SystemExit is the exit code.
e = SystemExit(3)
e.code = 4
raise e
