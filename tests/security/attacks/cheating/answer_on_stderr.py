# attack: print the answer to stderr
# contained: only stdout is judged
# expect: ok
# verdict: wrong_answer
# expected: 7
# checker: tokens

import sys

print(7, file=sys.stderr)
