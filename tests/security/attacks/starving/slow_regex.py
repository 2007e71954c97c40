# attack: a regular expression that backtracks for ever and answers no signal
# contained: limits are held from outside
# expect: time_limit_exceeded

import re

re.match(r"(a+)+$", "a" * 60 + "b")
