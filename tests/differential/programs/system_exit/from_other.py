# A SystemExit with a cause exits without a traceback.
try:
    1 / 0
except ZeroDivisionError as e:
    raise SystemExit(6) from e
