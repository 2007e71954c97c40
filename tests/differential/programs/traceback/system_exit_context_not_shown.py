# A SystemExit with a context prints its message only.
try:
    {}["k"]
except KeyError:
    raise SystemExit("quiet exit")
