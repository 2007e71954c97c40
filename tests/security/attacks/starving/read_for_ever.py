# attack: wait for input that never comes
# contained: stdin ends with its bytes
# expect: ok
# stdout: 0

import sys

print(len(sys.stdin.read()))
