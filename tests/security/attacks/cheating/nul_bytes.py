# attack: end the right answer with a NUL, so that a C comparison stops there
# contained: all bytes count
# expect: ok
# verdict: wrong_answer
# expected: 7
# checker: tokens

import sys

sys.stdout.write("7\0wrong\n")
