# attack: compute for ever
# contained: the CPU limit
# expect: time_limit_exceeded

while True:
    pass
