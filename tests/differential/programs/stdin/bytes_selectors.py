# The default selector reports standard input as readable.
import selectors
import sys
s = selectors.DefaultSelector()
s.register(sys.stdin, selectors.EVENT_READ)
for key, mask in s.select(1):
    print(key.fd, mask, sys.stdin.read())
