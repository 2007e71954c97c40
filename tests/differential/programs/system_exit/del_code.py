# Deleting the code of a SystemExit leaves exit code 0.
e = SystemExit(3)
del e.code
raise e
