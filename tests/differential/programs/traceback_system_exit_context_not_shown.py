try:
    {}["k"]
except KeyError:
    raise SystemExit("quiet exit")
