e = SystemExit(3)
e.code = 4
raise e
