# attack: compute forever
# contained: the CPU limit
# expect: time_limit_exceeded

while True:
    pass
