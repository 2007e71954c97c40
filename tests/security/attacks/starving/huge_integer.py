# attack: one multiplication that takes longer than any check between instructions
# contained: limits are enforced from outside
# expect: time_limit_exceeded, memory_limit_exceeded
# limits: {"cpu_time_s": 0.3}

x = 7 ** (10**8)
