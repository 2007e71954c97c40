# attack: a regular expression that backtracks forever and answers no signal
# contained: limits are enforced from outside
# expect: time_limit_exceeded
# limits: {"cpu_time_s": 0.3}

import re

re.match(r"(a+)+$", "a" * 60 + "b")
