# attack: compute forever
# contained: the CPU limit
# expect: time_limit_exceeded
# limits: {"cpu_time_s": 0.3}

while True:
    pass
