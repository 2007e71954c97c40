# A SystemExit inside a group is printed as a group, with exit code 1.
raise BaseExceptionGroup("g", [SystemExit(5)])
