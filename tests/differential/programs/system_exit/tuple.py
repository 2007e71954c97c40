# A SystemExit of three arguments prints them as a tuple.
raise SystemExit(1, "two", None)
