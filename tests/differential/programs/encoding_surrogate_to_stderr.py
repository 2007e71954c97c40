import sys
print("bad \ud800 \udc80 é", file=sys.stderr)
