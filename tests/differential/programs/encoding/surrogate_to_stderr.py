# stderr escapes surrogates with backslashes instead of failing.
import sys
print("bad \ud800 \udc80 é", file=sys.stderr)
