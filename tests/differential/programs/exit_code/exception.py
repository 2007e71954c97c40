# An uncaught exception exits with code 1.
raise Exception
