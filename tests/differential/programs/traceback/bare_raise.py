# raise without a current exception is a RuntimeError.
raise
